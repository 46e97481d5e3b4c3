"""Single calls: one program ranked, and its answer read."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from operator import itemgetter
from struct import Struct, unpack_from
from typing import TYPE_CHECKING, Any

import numpy as np

from tenantrank_kernels import Frame, entry_point, frames, rank_one

if TYPE_CHECKING:
    from tenantrank.engine.running import Ready

KEPT_PLACES = 64
"""Answers of up to so many places share the smallest memory, and are read the fastest way."""
_KEPT_BITS = 6

# Readers of that many rows and scores, which take half the time of slices.
_ROWS = [Struct(f"{count}i").unpack_from for count in range(KEPT_PLACES + 1)]
_SCORES = [Struct(f"{count}d").unpack_from for count in range(KEPT_PLACES + 1)]


class Answer:
    """Memory that one call writes its answer to: room for the rows and the scores of so many places.

    ``handle`` is what the kernel takes.
    """

    __slots__ = ("_frame", "handle", "rows", "scores")

    def __init__(self, places: int) -> None:
        self.rows, self.scores = bytearray(4 * places), bytearray(8 * places)
        self._frame = Frame([np.frombuffer(self.rows, dtype=np.int32), np.frombuffer(self.scores)])
        self.handle = self._frame.handle


_BEST = Answer(1)
BEST_HANDLE = _BEST.handle
"""For one place, whose row and score the kernel itself gives back: nobody reads this memory, and all may share it."""

_spare: list[list[Answer]] = [[] for _ in range(32)]  # memory that no call is using, by the bits of its places
_lock = threading.RLock()
_FREE = nullcontext()


def alone() -> AbstractContextManager[Any]:
    """Keep other threads out where a kernel of single calls may be interrupted: their scratch is the same.

    Compiled, such a kernel keeps the interpreter lock, and nothing else is needed.
    """
    return _lock if frames.PLAIN else _FREE


def _one_at_a_time(*arguments: Any) -> tuple[int, int, int, float]:
    with _lock:
        filled, survivors, row, score = rank_one(*arguments)
    return int(filled), int(survivors), int(row), float(score)


@cache
def ranker() -> Any:
    """Give the shortest way to call `rank_one`."""
    return _one_at_a_time if frames.PLAIN else entry_point(rank_one, 4)


def run_one(ready: Ready, at: int, asked: int, places: int) -> tuple[tuple[str, ...], tuple[float, ...], int]:
    """Rank the one program that begins at a place of the code, for the first request.

    ``asked`` is what the kernel takes: ``places``, plus 2^32 times the seed.

    Returns
    -------
    offer ids, best first, their scores, and how many offers passed the filter
    """
    bits = _KEPT_BITS if places <= KEPT_PLACES else (places - 1).bit_length()
    spare = _spare[bits]
    try:
        answer = spare.pop()
    except IndexError:
        answer = Answer(1 << bits)
    filled, survivors, row, score = ready.call(ready.desk, at, asked, answer.handle)
    ids = ready.offer_ids
    names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    if filled == 1:
        names, scores = (ids[row],), (score,)
    elif filled > KEPT_PLACES:
        rows = unpack_from(f"{filled}i", answer.rows)
        names, scores = itemgetter(*rows)(ids), unpack_from(f"{filled}d", answer.scores)
    elif filled:
        names, scores = itemgetter(*_ROWS[filled](answer.rows))(ids), _SCORES[filled](answer.scores)
    spare.append(answer)
    return names, scores, survivors
