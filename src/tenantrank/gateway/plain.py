"""What is shown outside as text: bounded, and as JSON on one line that nothing in it can break out of."""

from __future__ import annotations

import json
import math
from typing import Any

LONGEST = 200
"""Characters that a name from outside is cut to before it is kept or shown."""

_ENCODE = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def clipped(text: str, longest: int = LONGEST) -> str:
    """Give a text of at most so many characters, the last one an ellipsis where some are left out."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def json_line(value: Any) -> str:
    """Give a JSON value as one line of visible ASCII.

    Everything else inside strings is escaped: line ends of any kind, control characters, marks that turn the direction
    of writing, halves of surrogate pairs. NaN and infinities, which JSON lacks, are null.

    Raises
    ------
    TypeError
        for what is no JSON value
    """
    try:
        text = _ENCODE(value)
    except ValueError:
        text = _ENCODE(_finite(value))
    # The one control character that the encoder takes for ASCII text; it can stand inside strings only.
    return text.replace("\x7f", "\\u007f") if "\x7f" in text else text


def json_bytes(value: Any) -> bytes:
    """Give a JSON value as `json_line` does, as bytes."""
    return json_line(value).encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
