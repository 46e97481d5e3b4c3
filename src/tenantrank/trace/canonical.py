r"""The canonical text of a record: one JSON value, one sequence of bytes.

The rules, for a writer in any language:

- no spaces or line ends between tokens; members of an object in ascending order of their names' UTF-8 bytes, each once;
- strings in UTF-8; escaped are only ``"`` and ``\`` (with a backslash), the control characters U+0008, U+0009, U+000A,
  U+000C and U+000D as ``\\b \\t \\n \\f \\r``, and the others below U+0020 as ``\\u00`` and two lower-case hex digits;
- integers in plain decimal; other numbers as the shortest decimal that gives the same IEEE double again, as Python's
  ``repr`` writes it: always with ``.`` or an exponent, ``1e+16`` and above and below ``0.0001`` with an exponent of two
  digits or more (``1e-05``), so ``1`` and ``1.0`` differ;
- no NaN and no infinity; a record holds those as strings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tenantrank.errors import TraceError

LONGEST = 16 * 1024 * 1024
"""Bytes that a record may take."""

# What refers to itself ends as a RecursionError, too.
_PLAIN = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, sort_keys=True, separators=(",", ":")
)


def _encoder() -> Callable[[Any], str]:
    """Give what encodes: the standard library's encoder, made once instead of at each call where it can be."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    quote: Any = getattr(json.encoder, "c_encode_basestring", None)
    sample = {"é": [1.5, None, True, "\x1b"], "a": {"b": -1e-7}}
    try:
        once = make(None, _PLAIN.default, quote, None, ":", ",", True, False, False)
        if quote is not None and "".join(once(sample, 0)) == _PLAIN.encode(sample):
            return lambda value: "".join(once(value, 0))
    except TypeError:
        pass
    return _PLAIN.encode


_encode = _encoder()


class Fixed(dict[str, Any]):
    """A part of records that many of them share, such as a policy, and that nobody changes: its text is made once.

    It reads as the mapping it was made of, and as a member of a record is written as that.
    """

    __slots__ = ("_text",)
    _text: str

    @property
    def text(self) -> str:
        """The canonical text, made on first use."""
        try:
            return self._text
        except AttributeError:
            self._text = _encode(self)
            return self._text


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write a JSON object; member names must be strings.

    Raises
    ------
    TraceError
        ``refused``: there is something in it that JSON or UTF-8 does not have, or it is too long
    """
    try:
        shares = any(type(member) is Fixed for member in value.values())
        body = (_joined(value) if shares else _encode(value)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TraceError(f"a record cannot be written: {error}") from error
    if len(body) > LONGEST:
        raise TraceError(f"a record of {len(body):,} bytes is over the {LONGEST:,} that one may have")
    return body


def _joined(value: Mapping[str, Any]) -> str:
    """Write an object some of whose members have their texts: the others between them are written as objects, too."""
    parts: list[str] = []
    others: dict[str, Any] = {}
    for name in sorted(value):
        member = value[name]
        if type(member) is not Fixed:
            others[name] = member
            continue
        if others:
            parts.append(_encode(others)[1:-1])
            others = {}
        parts.append(f"{_encode(name)}:{member.text}")
    if others:
        parts.append(_encode(others)[1:-1])
    return "{" + ",".join(parts) + "}"


def parsed(body: bytes) -> dict[str, Any]:
    """Read a canonical text back.

    Raises
    ------
    TraceError
        ``unreadable``: it is not a JSON object
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"this is not a record: {error}", "unreadable") from error
    if not isinstance(value, dict):
        raise TraceError(f"this is not a record but a {type(value).__name__}", "unreadable")
    return value


def moment(time: datetime) -> str:
    """Write a moment in UTC, to the microsecond: 27 characters that sort as the moments do.

    Raises
    ------
    TraceError
        ``refused``: it has no time zone
    """
    if time.tzinfo is None:
        raise TraceError(f"a moment needs its time zone, got {time.isoformat()}")
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
