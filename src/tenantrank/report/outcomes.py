"""What each tenant of a fleet gets, as arrays: the figures of `rank_fleet` in the form that counting needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.engine import Engine
from tenantrank.engine.fleet import ERROR, NO_OFFER, RANKED, rank_fleet
from tenantrank.tenants import Fleet

NONE_LEFT, REFUSED = -1, -2
"""What stands in place of a winner's row."""

Codes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What each tenant gets, in the fleet's order.

    Attributes
    ----------
    fleet : the tenants; engine : what they were ranked by
    winner : (n,) the catalog row of the first offer, `NONE_LEFT` or `REFUSED`
    survivors : (n,) how many offers pass the filter, 0 where the state was refused
    rules, rule_sets : (n,) codes of the rules that apply, −1 where refused, and the text of each
    deciding, reasons : (n,) codes of what leaves no offer, −1 where one is left or the state was refused, and the texts
    """

    fleet: Fleet
    engine: Engine
    winner: Codes
    survivors: Codes
    rules: Codes
    rule_sets: tuple[str, ...]
    deciding: Codes
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.winner)

    @property
    def status(self) -> dict[str, int]:
        """How many tenants are ranked, have no offer, or were refused, by the names that `rank_tenants` uses."""
        return {
            RANKED: int((self.winner >= 0).sum()),
            NO_OFFER: int((self.winner == NONE_LEFT).sum()),
            ERROR: int((self.winner == REFUSED).sum()),
        }


def outcomes_of(engine: Engine, fleet: Fleet) -> Outcomes:
    """Rank a fleet's tenants, as `engine.rank_tenants` does, and take from that table what is counted."""
    ranked = rank_fleet(engine, fleet, k=1)
    failed = fleet.index < 0
    lists = _whole(ranked["offer_ids"])
    first = np.asarray(lists.offsets)[:-1]
    offered = np.diff(np.asarray(lists.offsets)) > 0
    rows = np.full(len(fleet), NONE_LEFT, dtype=np.int32)
    rows[offered] = np.asarray(lists.values.indices)[first[offered]]
    rows[failed] = REFUSED
    rules, rule_sets = _codes(ranked["rules"])
    deciding, reasons = _codes(ranked["deciding"])
    survivors = _whole(ranked["survivors"]).fill_null(0).to_numpy().astype(np.int32)
    return Outcomes(fleet, engine, rows, survivors, rules, rule_sets, deciding, reasons)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


def _codes(column: pa.ChunkedArray) -> tuple[Codes, tuple[str, ...]]:
    array = _whole(column)
    return array.indices.fill_null(-1).to_numpy().astype(np.int32), tuple(array.dictionary.to_pylist())
