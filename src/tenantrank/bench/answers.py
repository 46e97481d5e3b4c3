"""Answers that implementations give, and whether two of them are the same: the same offers, the same bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tenantrank.bench.workload import K


@dataclass(frozen=True, eq=False)
class Answers:
    """Rankings of ``t`` policies.

    Attributes
    ----------
    rows : int32 (t, k) catalog rows, best first, −1 where there is no further offer
    scores : float64 (t, k), NaN there
    """

    rows: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]

    @classmethod
    def of(cls, rankings: Iterable[tuple[Sequence[int], Sequence[float]]], k: int = K) -> Answers:
        """Collect rankings given one by one, each as rows and scores."""
        listed = list(rankings)
        rows = np.full((len(listed), k), -1, dtype=np.int32)
        scores = np.full((len(listed), k), np.nan)
        for at, (found, values) in enumerate(listed):
            rows[at, : len(found)] = found
            scores[at, : len(values)] = values
        return cls(rows, scores)

    @classmethod
    def of_rows(cls, ranked: tuple[Any, ...]) -> Answers:
        """Take what ``Engine.rank_rows`` gave: rows, scores, and how many of each count."""
        rows, scores, count = ranked[:3]
        kept = np.arange(rows.shape[1]) < count[:, None]
        return cls(np.where(kept, rows, -1).astype(np.int32), np.where(kept, scores, np.nan))

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int, k: int) -> Answers:
        """Give the first policies' answers with their first places."""
        return Answers(self.rows[:count, :k], self.scores[:count, :k])


def difference(found: Answers, expected: Answers) -> str | None:
    """Say in one line where answers differ from those expected; ``None`` where every offer and every bit agrees."""
    if found.rows.shape != expected.rows.shape:
        return f"{found.rows.shape} answers in place of {expected.rows.shape}"
    wrong = found.rows != expected.rows
    ranked = expected.rows >= 0
    bits = found.scores.view(np.int64) != expected.scores.view(np.int64)
    wrong |= bits & ranked
    policies = np.flatnonzero(wrong.any(axis=1))
    if not len(policies):
        return None
    at = int(policies[0])
    place = int(np.flatnonzero(wrong[at])[0])
    return (
        f"{len(policies)} of {len(found)} policies differ; the first is number {at}, place {place}: "
        f"offer {found.rows[at, place]} with {found.scores[at, place]!r}, "
        f"expected {expected.rows[at, place]} with {expected.scores[at, place]!r}"
    )
