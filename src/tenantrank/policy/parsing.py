"""Policy text or bytes to a JSON value: bounded in size and depth, and read strictly.

A parser gives up at a depth that depends on its caller's stack. Here size and depth are checked by a scan before it
runs.
"""

from __future__ import annotations

import re
from typing import Any

from tenantrank.errors import PolicyError
from tenantrank.policy import strict_json
from tenantrank.policy.signature import MAX_DEPTH

MAX_BYTES = 256 * 1024
"""Largest policy text admitted, in bytes of UTF-8."""
MAX_NESTING = MAX_DEPTH + 2
"""Deepest nesting of JSON arrays and objects that an admissible term can have: parameters add two levels."""

# A quote always matches up to its partner or the end of the text, so that the scan stays linear on unclosed strings.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+\\?"?|[\[{]|[\]}]', re.DOTALL)
_OPENING = "[{"


def parse(source: str | bytes) -> Any:
    """Read one JSON value.

    Raises
    ------
    PolicyError
        with path ``$`` for text that is too large, too deep, not UTF-8, not JSON, or that holds duplicate keys, NaN,
        Infinity, a number beyond the range of doubles, or an integer literal outside ±(2^53 − 1)
    """
    text = _decoded(source)
    _check_nesting(text)
    try:
        return strict_json.decode(text)
    except ValueError as error:
        raise _refusal(str(error)) from None


def _decoded(source: Any) -> str:
    try:
        # The base types' own methods: a subclass may have put others in their place.
        raw = str.encode(source) if issubclass(type(source), str) else bytes.__getitem__(source, slice(None))
        size = bytes.__len__(raw)
        if size > MAX_BYTES:
            raise _refusal(f"{size} bytes, more than the {MAX_BYTES} allowed")
        return bytes.decode(raw)
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise _refusal(f"not valid UTF-8: {error.reason}") from None


def _check_nesting(text: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()
        if mark[0] == '"':
            continue
        if mark in _OPENING:
            depth += 1
            if depth > MAX_NESTING:
                raise _refusal(f"nested deeper than {MAX_DEPTH} levels")
        else:
            depth -= 1


def _refusal(reason: str) -> PolicyError:
    return PolicyError("$", reason)
