"""The comparison of two sides as a table: a row for each tenant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.whatif.impact_sides import IS_ABSENT, IS_ERROR, STATUSES, Answers

_TEXT = pa.dictionary(pa.int32(), pa.string())
_OFFERS = pa.list_(_TEXT)

SCHEMA = pa.schema(
    [
        pa.field("tenant", pa.string()),
        pa.field("status_before", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("status_after", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("winner_changed", pa.bool_()),
        pa.field("order_changed", pa.bool_()),
        pa.field("survivors_changed", pa.bool_()),
        pa.field("policy_changed", pa.bool_()),
        pa.field("winner_before", _TEXT),
        pa.field("winner_after", _TEXT),
        pa.field("old_winner_now", _TEXT),
        pa.field("old_winner_why", _TEXT),
        pa.field("new_winner_then", _TEXT),
        pa.field("new_winner_why", _TEXT),
        pa.field("survivors_before", pa.int32()),
        pa.field("survivors_after", pa.int32()),
        pa.field("cost_before", pa.float64()),
        pa.field("cost_after", pa.float64()),
        pa.field("offers_before", _OFFERS),
        pa.field("offers_after", _OFFERS),
        pa.field("rules_before", _TEXT),
        pa.field("rules_after", _TEXT),
        pa.field("deciding_before", _TEXT),
        pa.field("deciding_after", _TEXT),
        pa.field("identity_before", _TEXT),
        pa.field("identity_after", _TEXT),
        pa.field("error_before", pa.string()),
        pa.field("error_after", pa.string()),
    ]
)
"""Columns of `Impact.table`.

``status_*`` is one of `STATUSES`. The four ``*_changed`` are null for a tenant that only one side's table has.
``winner_*`` is the first offer, null where there is none. Where the winner changed, ``old_winner_now`` says what the
old one is after, and ``new_winner_then`` what the new one was before, as in `Fate`, each with its why beside it.
``survivors_*`` is null where there is no policy. ``cost_*`` is USD for a call at the winner, null where unknown or
where there is no winner. ``offers_*`` are the first ``k``, best first, null where there is no policy. ``deciding_*``
says, where there is a policy and no offer, which clauses leave none. ``error_*`` says why the tenant's state was
refused.
"""

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


def spread(values: Sequence[str | None], of_tenant: Rows) -> pa.Array:
    """Give each tenant the text of its pair, dictionary-encoded."""
    codes = {text: code for code, text in enumerate(dict.fromkeys(v for v in values if v is not None))}
    found = np.array([-1 if value is None else codes[value] for value in values], dtype=np.int32)[of_tenant]
    return pa.DictionaryArray.from_arrays(pa.array(found, mask=found < 0), pa.array(list(codes), pa.string()))


def columns_of_side(
    side: Answers, positions: Rows, rows: Rows, of_tenant: Rows, names: Sequence[str]
) -> dict[str, pa.Array]:
    """Give what one side has for each tenant, by the name of the column without its side.

    Parameters
    ----------
    side
        the answers
    positions
        the row of the answers for each pair
    rows
        the row of the side's table for each tenant, −1 where it has none
    of_tenant
        the pair of each tenant
    names
        offer ids by number
    """
    at = positions[of_tenant]
    status = side.status[at]
    lacking: Bools = status >= IS_ERROR
    ids = pa.array(names, pa.string())
    first = side.winner[at]
    cost = side.cost[at]
    messages = {error.row: error.message for error in side.fleet.errors}

    def told(say: Callable[[int], str | None]) -> pa.Array:
        return spread([say(position) for position in positions.tolist()], of_tenant)

    def deciding(position: int) -> str | None:
        return None if position < 0 or side.ranked[position] else side.deciding(position)

    return {
        "status": pa.DictionaryArray.from_arrays(pa.array(status), pa.array(STATUSES)),
        "winner": pa.DictionaryArray.from_arrays(pa.array(first, mask=first < 0), ids),
        "survivors": pa.array(side.survivors[at], mask=lacking),
        "cost": pa.array(cost, mask=np.isnan(cost)),
        "offers": _lists(side, at, lacking, ids),
        "rules": told(side.rules),
        "deciding": told(deciding),
        "identity": told(side.identity),
        "error": pa.array([messages.get(row) for row in np.where(status == IS_ABSENT, -1, rows).tolist()], pa.string()),
    }


def _lists(side: Answers, at: Rows, lacking: Bools, ids: pa.Array) -> pa.Array:
    lengths = side.ranked[at]
    offsets = np.zeros(len(at) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    chosen = side.offers[at]
    flat = chosen[np.arange(chosen.shape[1]) < lengths[:, None]]
    values = pa.DictionaryArray.from_arrays(pa.array(flat), ids)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(lacking))
