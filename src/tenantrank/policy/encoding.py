"""The canonical text of a term, and the two digests taken from it.

Source: the language's specification, section 3. Equal meaning after normalization is equal text; caches, lookups and
proofs use `identity`, never `fingerprint`, which is linear and short enough to be forged.
"""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring
from typing import Any

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def encode_number(value: float) -> str:
    """Write a finite number: zero of either sign as ``0``, integers up to 2^53 without a point, the rest as
    ``%.17g``.
    """
    # Of a whole number up to 2^53, seventeen digits are all of them, and no point is written.
    return f"{value:.17g}" if value else "0"


def encode_text(value: str) -> str:
    """Quote a string; only backslash, quote, newline, carriage return and tab are escaped."""
    quoted = encode_basestring(value)
    # JSON escapes these five and further ones; as long as the string and its quotes, it has escaped nothing.
    return quoted if len(quoted) == len(value) + 2 else f'"{value.translate(_ESCAPES)}"'


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


CHECKSUMS = (5381, 31, 2147483647), (52711, 37, 2147483629)
"""Start, factor and modulus of each part of a fingerprint."""


def fingerprint(encoding: str) -> str:
    """Give the short two-part checksum that a trace shows, for people to read; collisions can be made at will."""
    data = encoding.encode()
    first, second = [_checksum(data, *parameters) for parameters in CHECKSUMS]
    return f"{first}-{second}"


def identity(encoding: str) -> str:
    """Give the sha256 of an encoding, as 64 lower-case hex digits: what a policy is known by."""
    return hashlib.sha256(encoding.encode()).hexdigest()


_CHUNK = 4096
_LEVELS = [8 << level for level in range(_CHUNK.bit_length() - 1)]
# For each width in bits, a mask over a chunk that keeps every other lane of this width, the last one included.
_MASKS = [((1 << 8 * _CHUNK) - 1) // ((1 << 2 * width) - 1) * ((1 << width) - 1) for width in _LEVELS]


def _checksum(data: bytes, start: int, factor: int, modulus: int) -> int:
    """Give what `start` comes to by ``value = (value * factor + byte) % modulus`` for each byte.

    A chunk of bytes is one long integer. Its lanes, bytes to begin with, are joined in pairs, ``left * power + right``
    in all of them at once, until one is left. A lane of n bytes never overflows: for n up to 8 it is below
    ``256 * factor ** (n - 1) * 2``, and each level after that adds the 31 bits of a power at most.
    """
    value = start
    for at in range(0, len(data), _CHUNK):
        chunk = data[at : at + _CHUNK]
        lanes, power = int.from_bytes(chunk, "big"), factor
        for width, mask in zip(_LEVELS, _MASKS, strict=True):
            if width >= 8 * len(chunk):
                break
            lanes = (lanes >> width & mask) * power + (lanes & mask)
            power = power * power % modulus
        value = (value * pow(factor, len(chunk), modulus) + lanes) % modulus
    return value
