"""How deeply a JSON text is nested, found without recursion and without reading it."""

from __future__ import annotations

from itertools import accumulate

MAX_NESTING = 128
"""Levels of arrays and objects that a body may have. Schemas of tools, the deepest there is, have some twenty."""

_REST = bytes(sorted(set(range(256)) - set(b'"[]{}')))
_SQUARE = bytes.maketrans(b"{}", b"[]")
_STEP = {ord("["): 1, ord("]"): -1}
_PASSES, _PIECE = 8, 1 << 14


def is_nested_deeper(raw: bytes, levels: int = MAX_NESTING) -> bool:
    """Say whether a JSON text has more levels than these; of a text that is not JSON, nothing is promised.

    The time is in proportion to the text, whatever it holds. A parser that recurses would take the caller's stack for
    it, and its answer would depend on how much of that is left.
    """
    if raw.count(b"[") + raw.count(b"{") <= levels:
        return False
    if b"\\" in raw:
        # In this order: of a run of backslashes, each pair is one character, and what is left escapes the next.
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = raw.translate(None, _REST).split(b'"')[::2]
    brackets = b"".join(outside).translate(_SQUARE)
    if max(accumulate(map(_STEP.__getitem__, brackets[:_PIECE])), default=0) > levels:
        return True
    # Everything on the deepest level is an empty pair, so that each pass takes one level off.
    passes = 0
    while brackets and passes < min(_PASSES, levels):
        brackets = brackets.replace(b"[]", b"")
        passes += 1
    depth = 0
    for start in range(0, len(brackets), _PIECE):
        depths = list(accumulate(map(_STEP.__getitem__, brackets[start : start + _PIECE]), initial=depth))
        if max(depths) + passes > levels:
            return True
        depth = depths[-1]
    return False
