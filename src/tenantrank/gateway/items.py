"""The entries of a JSON list as the bytes that came."""

from __future__ import annotations

import json

_SEPARATORS = " \t\n\r,"
_DECODER = json.JSONDecoder()


def items_of(raw: bytes) -> list[bytes]:
    """Give the text of each entry of a list that was read before, and so is known to be one."""
    text = raw.decode()
    at = text.index("[") + 1
    items: list[bytes] = []
    while True:
        while text[at] in _SEPARATORS:
            at += 1
        if text[at] == "]":
            return items
        _, end = _DECODER.raw_decode(text, at)
        items.append(text[at:end].encode())
        at = end
