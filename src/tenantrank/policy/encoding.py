"""The canonical text of a term, and the two digests taken from it.

Source: the language's specification, section 3. Equal meaning after normalization is equal text; caches, lookups and
proofs use `identity`, never `fingerprint`, which is linear and short enough to be forged.
"""

from __future__ import annotations

import hashlib
from typing import Any

_EXACT = 2.0**53
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def encode_number(value: float) -> str:
    """Write a finite number: zero of either sign as ``0``, integers up to 2^53 without a point, the rest as
    ``%.17g``.
    """
    number = float(value)
    if -_EXACT <= number <= _EXACT and number == int(number):
        return str(int(number))
    return f"{number:.17g}"


def encode_text(value: str) -> str:
    """Quote a string; only backslash, quote, newline, carriage return and tab are escaped."""
    return f'"{value.translate(_ESCAPES)}"'


def encode_parameter(value: Any) -> str:
    """Write a plain parameter: a scalar, a list, or a record with its keys in ascending order."""
    kind = type(value)
    if kind is str:
        return encode_text(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is dict:
        if not value:
            return "[]"
        return "{" + ",".join(f"{encode_text(key)}:{encode_parameter(value[key])}" for key in sorted(value)) + "}"
    if kind is list:
        return "[" + ",".join(map(encode_parameter, value)) + "]"
    return encode_number(value)


def fingerprint(encoding: str) -> str:
    """Give the short two-part checksum that a trace shows, for people to read; collisions can be made at will."""
    first, second = 5381, 52711
    for byte in encoding.encode():
        first = (first * 31 + byte) % 2147483647
        second = (second * 37 + byte) % 2147483629
    return f"{first}-{second}"


def identity(encoding: str) -> str:
    """Give the sha256 of an encoding, as 64 lower-case hex digits: what a policy is known by."""
    return hashlib.sha256(encoding.encode()).hexdigest()
