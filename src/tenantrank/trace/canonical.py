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
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tenantrank.errors import TraceError
from tenantrank.trace.texts import Fixed, text_of

__all__ = ["LONGEST", "Fixed", "canonical", "moment", "parsed"]

LONGEST = 16 * 1024 * 1024
"""Bytes that a record may take."""


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write a JSON object; member names must be strings.

    Raises
    ------
    TraceError
        ``refused``: there is something in it that JSON or UTF-8 does not have, or it is too long
    """
    try:
        body = text_of(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TraceError(f"a record cannot be written: {error}") from error
    if len(body) > LONGEST:
        raise TraceError(f"a record of {len(body):,} bytes is over the {LONGEST:,} that one may have")
    return body


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
