"""JSON text read strictly: what two parsers could read differently is refused.

The standard parser keeps the last of two equal keys, reads NaN and Infinity, rounds nothing but overflows to infinity,
and lets strings through that no UTF-8 text holds. Policies, requests, catalogs, overlays, rulebooks and tenants are
all read through here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

MAX_INTEGER = 2**53 - 1
"""Largest magnitude of an integer literal; beyond it readers disagree on the value."""

_SPACE = " \t\n\r"


def loads(text: str | bytes) -> Any:
    """Read one JSON value.

    Raises
    ------
    ValueError
        one line, for text that is not UTF-8 or not JSON, is nested too deeply to read, or holds duplicate keys, NaN,
        Infinity, a number beyond the range of doubles, an integer literal outside ±(2^53 − 1), or a lone surrogate
    """
    try:
        decoded = text if isinstance(text, str) else text.decode()
        value = decode(decoded)
        if "\\u" in decoded or not decoded.isascii():
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not valid UTF-8: {error.reason}") from None
    except UnicodeEncodeError:
        raise ValueError("string with a lone surrogate, which no UTF-8 text holds") from None
    return value


def decode(text: str) -> Any:
    """Read one JSON value as `loads` does, leaving lone surrogates and deep nesting to the caller."""
    stripped = text.strip(_SPACE)
    try:
        value, end = _DECODER.raw_decode(stripped)
        if end == len(stripped):
            return value
    except json.JSONDecodeError:
        pass
    try:
        # Again, for what is amiss to be told by its place in the whole text.
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error}") from None


def decode_finite(text: str) -> Any:
    """Read one JSON value as `decode` does, but give infinities for numbers beyond doubles, left to the caller too.

    So reals are read by the parser itself, without a call for each.

    Raises
    ------
    ValueError
        for text that `decode` refuses for another reason, without a word on it
    RecursionError
        for text that is nested too deeply
    """
    stripped = text.strip(_SPACE)
    try:
        # Where there is but one colon, no record has a key twice, and none need be looked through.
        value, end = (_SCAN if stripped.count(":") > 1 else _SCAN_ONE)(stripped, 0)
    except StopIteration:
        raise ValueError from None
    if end != len(stripped):
        raise ValueError
    return value


def _integer(literal: str) -> int:
    if len(literal) < 16:
        return int(literal)
    if len(literal) <= 17:
        value = int(literal)
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
    raise ValueError(f"integer {_clipped(literal)} is outside ±(2^53 − 1)")


def _number(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise ValueError(f"number {_clipped(literal)} is beyond the range of doubles")
    return value


def _constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not a JSON number")


def _record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {key[:64]!r}")
            seen.add(key)
    return record


def _clipped(literal: str) -> str:
    return literal if len(literal) <= 24 else f"{literal[:24]}…"


_DECODER = json.JSONDecoder(
    object_pairs_hook=_record, parse_int=_integer, parse_float=_number, parse_constant=_constant, strict=True
)
_Scan: TypeAlias = Callable[[str, int], tuple[Any, int]]
_SCAN: _Scan = vars(json.JSONDecoder(object_pairs_hook=_record, parse_int=_integer, parse_constant=_constant))[
    "scan_once"
]
_SCAN_ONE: _Scan = vars(json.JSONDecoder(parse_int=_integer, parse_constant=_constant))["scan_once"]
