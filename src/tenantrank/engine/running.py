"""Running plans: the only place that calls `rank_programs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.plan import Batch, Plan
from tenantrank.engine.view import View
from tenantrank_kernels import rank_programs

Prepared = tuple[NDArray[np.uint64], NDArray[np.float64]]
"""One request made ready: its live rows and its request columns, as `View` gives them."""


class Ranked(NamedTuple):
    """Answers of ``t`` rankings as plain arrays.

    ``rows`` (t, k) int32 are catalog rows, best first, ``scores`` (t, k) doubles; of each only the first ``ranked``
    (t,) int32 count. ``survived`` (t,) int32 is how many offers passed the filter.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float64]
    ranked: NDArray[np.int32]
    survived: NDArray[np.int32]

    @classmethod
    def empty(cls, count: int, places: int) -> Ranked:
        """Make room for ``count`` answers of at most ``places`` offers each."""
        return cls(
            np.full((count, places), -1, dtype=np.int32),
            np.full((count, places), np.nan),
            np.zeros(count, dtype=np.int32),
            np.zeros(count, dtype=np.int32),
        )

    def put(self, positions: Sequence[int], part: Ranked) -> None:
        """Write the answers of a part at its positions in the whole."""
        self.rows[positions] = part.rows
        self.scores[positions] = part.scores
        self.ranked[positions] = part.ranked
        self.survived[positions] = part.survived


def run(
    view: View,
    plans: Sequence[Plan],
    prepared: Sequence[Prepared],
    requests: Sequence[int],
    seeds: Sequence[int],
    places: int,
) -> Ranked:
    """Rank plans of one version over one view.

    Parameters
    ----------
    view
        what the plans observe, of their version
    plans
        one or more
    prepared, requests
        the distinct requests, and for each plan which of them is its own
    seeds
        one for each plan, reduced
    places
        the most offers wanted for each
    """
    batch = plans[0].alone if len(plans) == 1 else Batch.of(plans)
    live_rows, request_columns = (_stacked(parts) for parts in zip(*prepared, strict=True))
    result = Ranked.empty(len(plans), places)
    rank_programs(
        view.columns,
        view.index.rows,
        live_rows,
        request_columns,
        np.array(requests, dtype=np.int32),
        batch.code,
        batch.code_bounds,
        batch.constants,
        batch.constant_bounds,
        batch.selectors,
        batch.limits,
        batch.temperatures,
        batch.chain_rows,
        batch.chain_places,
        batch.chain_bounds,
        np.array(seeds, dtype=np.int64),
        batch.depth,
        *result,
    )
    return result


def _stacked(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Stack arrays on a new first axis, without copying where there is but one."""
    return parts[0][None] if len(parts) == 1 else np.stack(parts)
