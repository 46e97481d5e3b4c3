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
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


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
        if type(source) is bytes:
            raw = source
        else:
            # The base types' own methods: a subclass may have put others in their place.
            raw = str.encode(source) if issubclass(type(source), str) else bytes.__getitem__(source, slice(None))
        if len(raw) > MAX_BYTES:
            raise _refusal(f"{len(raw)} bytes, more than the {MAX_BYTES} allowed")
        return raw.decode()
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise _refusal(f"not valid UTF-8: {error.reason}") from None


def _check_nesting(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_NESTING or _is_balanced(text):
        return
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


def _is_balanced(text: str) -> bool:
    """Whether the brackets and braces, taken for one another, close one another and nest no deeper than they may.

    ``False`` may mean that it is not known.
    """
    if "\\" in text:
        return False
    outside_strings = "".join(text.split('"')[::2])
    marks = outside_strings.encode().translate(_BRACKETS, _OTHERS)
    for _ in range(MAX_NESTING):
        inner = marks.replace(b"[]", b"")  # one level less
        if len(inner) == len(marks):
            break
        marks = inner
    return not marks


def _refusal(reason: str) -> PolicyError:
    return PolicyError("$", reason)
