"""JSON text or bytes to a JSON value, strictly: what two parsers could read differently is refused.

The standard parser keeps the last of two equal keys, reads NaN and Infinity, and gives up at a depth that depends on
the caller's stack. Here the size and the depth are checked by a scan before it runs, and the rest by its hooks.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from tenantrank.errors import PolicyError
from tenantrank.policy.signature import MAX_DEPTH

MAX_BYTES = 256 * 1024
"""Largest policy text admitted, in bytes of UTF-8."""
MAX_NESTING = MAX_DEPTH + 2
"""Deepest nesting of JSON arrays and objects that an admissible term can have: parameters add two levels."""
MAX_INTEGER = 2**53 - 1
"""Largest magnitude of an integer literal; beyond it readers disagree on the value."""

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
        return _DECODER.decode(text)
    except ValueError as error:
        raise _refusal(f"not valid JSON: {error}") from None


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


def _integer(literal: str) -> int:
    if len(literal) <= 17:
        value = int(literal)
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
    raise _refusal(f"integer {literal[:24]}{'…' if len(literal) > 24 else ''} is outside ±(2^53 − 1)")


def _number(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise _refusal(f"number {literal[:24]}{'…' if len(literal) > 24 else ''} is beyond the range of doubles")
    return value


def _constant(literal: str) -> NoReturn:
    raise _refusal(f"{literal} is not a JSON number")


def _record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _refusal(f"duplicate key {key[:64]!r}")
            seen.add(key)
    return record


_DECODER = json.JSONDecoder(
    object_pairs_hook=_record, parse_int=_integer, parse_float=_number, parse_constant=_constant, strict=True
)
