"""Rulebook files to plain JSON values, strictly: nothing that a reader of the file could take for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tenantrank.errors import RulebookError
from tenantrank.policy import strict_json, strict_yaml

MAX_BYTES = 4 * 1024 * 1024
"""Largest rulebook file that is read."""


def read(path: str | Path) -> Any:
    """Read a rulebook file: ``.json`` as JSON, anything else as YAML.

    Raises
    ------
    RulebookError
        for a file that cannot be read, is too large, or is not strict JSON or YAML of plain JSON values
    """
    try:
        file = Path(path)
    except TypeError:
        raise RulebookError(f"expected the path of a rulebook file, got {type(path).__name__}") from None
    try:
        if file.stat().st_size > MAX_BYTES:
            raise RulebookError(f"{file}: larger than the {MAX_BYTES} bytes allowed")
        content = file.read_bytes()
    except OSError as error:
        raise RulebookError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a path that no file can have
        raise RulebookError(f"{str(file)!r}: cannot be read: {error}") from None
    try:
        return parse_json(content) if file.suffix.lower() == ".json" else parse_yaml(content)
    except RulebookError as error:
        raise RulebookError(f"{file}: {error}") from None


def parse_json(text: str | bytes) -> Any:
    """Read JSON text strictly: whatever two parsers could read differently is refused."""
    try:
        return strict_json.loads(text)
    except ValueError as error:
        raise RulebookError(str(error)) from None


def parse_yaml(text: str | bytes) -> Any:
    """Read YAML text strictly, as plain JSON values; see `tenantrank.policy.strict_yaml`."""
    try:
        return strict_yaml.loads(text)
    except ValueError as error:
        raise RulebookError(str(error)) from None
