"""A whole customer base at once: a fleet's distinct policies ranked once each, the answers spread over its tenants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.engine.fingerprints import fingerprints_of
from tenantrank.policy.arguments import check_type
from tenantrank.tenants import CompiledPolicy, Fleet
from tenantrank.tenants.collecting import collection_paused

if TYPE_CHECKING:
    from tenantrank.engine.engine import Engine
    from tenantrank.engine.running import Ranked

RANKED, NO_OFFER, ERROR = "ranked", "no_offer", "error"

SCHEMA = pa.schema(
    [
        pa.field("tenant", pa.string()),
        pa.field("status", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("fingerprint", pa.dictionary(pa.int32(), pa.string())),
        pa.field("identity", pa.dictionary(pa.int32(), pa.string())),
        pa.field("survivors", pa.int32()),
        pa.field("offer_ids", pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        pa.field("scores", pa.list_(pa.float64())),
        pa.field("prices_in", pa.list_(pa.float64())),
        pa.field("prices_out", pa.list_(pa.float64())),
        pa.field("rules", pa.dictionary(pa.int32(), pa.string())),
        pa.field("ranked_by", pa.dictionary(pa.int32(), pa.string())),
        pa.field("deciding", pa.dictionary(pa.int32(), pa.string())),
        pa.field("error", pa.string()),
    ]
)
"""Columns of `rank_fleet`.

``status`` is ``ranked``, ``no_offer`` or ``error``. ``offer_ids``, ``scores``, ``prices_in`` and ``prices_out`` are of
equal length, best first; prices are USD per 1M tokens as the policy saw them, null where unknown. ``rules`` names the
rules behind the policy, ``ranked_by`` the one whose preference ranks the survivors. ``deciding`` says, where there is
no offer, which clauses and rules, or which selector, left the tenant without one. All but ``tenant``, ``status`` and
``error`` are null for a tenant whose state was refused.
"""


def rank_fleet(engine: Engine, fleet: Fleet, k: int = 8, on_progress: Callable[[int], None] | None = None) -> pa.Table:
    """Rank the catalog's offers for each tenant of a fleet.

    Parameters
    ----------
    engine
        the engine
    fleet
        compiled tenants: distinct policies, and for each tenant which of them is theirs
    k
        the most places wanted for each tenant
    on_progress
        called with how many distinct policies are done, now and then

    Returns
    -------
    pyarrow.Table
        a row for each tenant, in the fleet's order, with the columns of `SCHEMA`
    """
    check_type(fleet, Fleet, "a Fleet")
    with collection_paused():
        return _ranked(engine, fleet, k, on_progress)


def _ranked(engine: Engine, fleet: Fleet, k: int, on_progress: Callable[[int], None] | None) -> pa.Table:
    policies, index = fleet.by_identity()
    ranked = engine.rank_rows(policies, k=k, on_progress=on_progress)
    failed = index < 0
    survived = _of_tenants(ranked.survived, index, failed)
    offered = _of_tenants(ranked.ranked, index, failed) > 0
    stranded = ~offered & ~failed
    passing = dict(zip(fleet.index[stranded].tolist(), survived[stranded].tolist(), strict=True))
    deciding = [
        _deciding(engine, compiled, passing[at]) if at in passing else None
        for at, compiled in enumerate(fleet.policies)
    ]
    status = np.where(failed, 2, np.where(offered, 0, 1)).astype(np.int8)
    messages = {error.row: error.message for error in fleet.errors}
    columns = [
        pa.array(list(fleet.tenants), pa.string()),
        pa.DictionaryArray.from_arrays(pa.array(status), pa.array([RANKED, NO_OFFER, ERROR])),
        _spread(fingerprints_of(policies), index, failed),
        _spread([policy.identity for policy in policies], index, failed),
        pa.array(survived, pa.int32(), mask=failed),
        *_lists(engine, ranked, index, failed),
        _spread([", ".join(compiled.rules) for compiled in fleet.policies], fleet.index, failed),
        _spread([str(compiled.preference) for compiled in fleet.policies], fleet.index, failed),
        _spread(deciding, fleet.index, failed),
        pa.array([messages.get(row) for row in range(len(index))], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA).replace_schema_metadata(
        engine.provenance | ({"ignored_columns": ", ".join(fleet.ignored)} if fleet.ignored else {})
    )


def _deciding(engine: Engine, compiled: CompiledPolicy, survivors: int) -> str:
    """Say what leaves a policy without an offer: the fewest clauses, or a selector that lists none of those that
    pass.
    """
    if survivors:
        return f"the selector keeps none of the {survivors} offers that pass ({compiled.selector})"
    return "; ".join(engine.nearest_miss(compiled))


def _of_tenants(values: NDArray[np.int32], index: NDArray[np.int32], failed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Take each tenant's value; 0 for one whose state was refused."""
    if not len(values):
        return np.zeros(len(index), dtype=np.int32)
    return np.where(failed, 0, values[index]).astype(np.int32)


def _spread(values: Sequence[str | None], index: NDArray[np.int32], failed: NDArray[np.bool_]) -> pa.Array:
    """Give each tenant the text of its policy, dictionary-encoded; null where it has none."""
    distinct = {text: place for place, text in enumerate(dict.fromkeys(v for v in values if v is not None))}
    codes = np.array([distinct.get(value, -1) if value is not None else -1 for value in values] or [-1], dtype=np.int32)
    taken = np.where(failed, -1, codes[np.where(failed, 0, index)]).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(taken, mask=taken < 0), pa.array(list(distinct), pa.string()))


def _lists(engine: Engine, ranked: Ranked, index: NDArray[np.int32], failed: NDArray[np.bool_]) -> list[pa.Array]:
    """Give the ranked offers of each tenant with scores and prices, as four list columns."""
    lengths = _of_tenants(ranked.ranked, index, failed)
    offsets = np.zeros(len(index) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    places = ranked.rows.shape[1]
    kept = np.arange(places) < lengths[:, None]
    tenants, columns = np.nonzero(kept)
    policies = index[tenants]
    rows = ranked.rows[policies, columns]
    ids = pa.DictionaryArray.from_arrays(pa.array(rows), pa.array(engine.catalog.offer_ids, pa.string()))
    flat = [ids, pa.array(ranked.scores[policies, columns])]
    for field in ("price_in", "price_out"):
        prices = engine.observed(field)[rows]
        flat.append(pa.array(prices, mask=~np.isfinite(prices)))
    mask = pa.array(failed)
    return [pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask) for values in flat]
