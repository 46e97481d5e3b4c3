"""Rejections in bulk: the first clause that each offer fails, as plain arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.running import Ready, alone
from tenantrank_kernels import clause_counts, first_failing, handle_of


class Rejections(NamedTuple):
    """What a filter turns away, clause by clause, each offer counted at the first clause it fails.

    Attributes
    ----------
    clauses : canonical text of each clause, in the order tried; a request's needs are one clause
    counts : (clauses,) int32, how many offers it is the first to turn away
    first : (offers,) uint16, the place of the first clause that an offer fails, ``len(clauses)`` where it passes all
    """

    clauses: tuple[str, ...]
    counts: NDArray[np.int32]
    first: NDArray[np.uint16]


def counted(ready: Ready, at: int, clauses: int) -> NDArray[np.int32]:
    """Count the offers that each clause of a program is the first to turn away, (clauses,)."""
    counts = np.empty(clauses, dtype=np.int32)
    _run(clause_counts, ready, at, counts)
    return counts


def first_clauses(ready: Ready, at: int, size: int, width: int) -> NDArray[np.uint16]:
    """Find the place of the clause of a program that each offer fails first, (size,)."""
    first = np.empty(width, dtype=np.uint16)
    _run(first_failing, ready, at, first)
    return first[:size]


def _run(kernel: Any, ready: Ready, at: int, result: NDArray[Any]) -> None:
    with alone():
        kernel(ready.frame.handle, ready.scratch.handle, at, handle_of(result))
