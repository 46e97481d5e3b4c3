"""A whole customer base at once: a fleet's distinct policies ranked once each, the answers spread over its tenants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.engine.fingerprints import fingerprints_of
from tenantrank.engine.given import places_of
from tenantrank.engine.misses import Misses
from tenantrank.engine.running import Asked, Ranked, run_ready
from tenantrank.engine.stencils import Stencils
from tenantrank.policy.arguments import check_type
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import V2
from tenantrank.tenants import CompiledPolicy, Fleet, Origin
from tenantrank.tenants.collecting import collection_paused

if TYPE_CHECKING:
    from tenantrank.engine.engine import Engine

_SLICE = 16384  # distinct policies whose programs are held at a time
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
    policies, of_compiled = fleet.distinct()
    index = np.append(of_compiled, np.int32(-1))[fleet.index]
    failed = index < 0
    ranked = Ranked.empty(len(policies), places_of(k, len(engine.catalog)))
    deciding = _rank(engine, fleet, policies, of_compiled, ranked, on_progress)
    offered = _of_tenants(ranked.ranked, index, failed) > 0
    status = np.where(failed, 2, np.where(offered, 0, 1)).astype(np.int8)
    messages = {error.row: error.message for error in fleet.errors}
    rules, ranked_by = _named(fleet.policies)
    columns = [
        pa.array(list(fleet.tenants), pa.string()),
        pa.DictionaryArray.from_arrays(pa.array(status), pa.array([RANKED, NO_OFFER, ERROR])),
        _spread(fingerprints_of(policies), index, failed),
        _spread([policy.identity for policy in policies], index, failed),
        pa.array(_of_tenants(ranked.survived, index, failed), pa.int32(), mask=failed),
        *_lists(engine, ranked, index, failed),
        _spread(rules, fleet.index, failed),
        _spread(ranked_by, fleet.index, failed),
        _spread(deciding, fleet.index, failed),
        pa.array([messages.get(row) for row in range(len(index))], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA).replace_schema_metadata(
        engine.provenance | ({"ignored_columns": ", ".join(fleet.ignored)} if fleet.ignored else {})
    )


def _rank(
    engine: Engine,
    fleet: Fleet,
    policies: Sequence[Policy],
    of_compiled: NDArray[np.int32],
    ranked: Ranked,
    on_progress: Callable[[int], None] | None,
) -> list[str | None]:
    """Rank policies in slices, and say for each compiled one that is left without an offer what left it so.

    Programs of a large fleet are dropped with their slice: to copy them from stencils again takes little longer than to
    find them again.
    """
    now = engine._now
    prepared, compiled = now.plain(V2), now.compiled
    view, words, stencils = prepared.view, prepared.view.index.words, Stencils()
    misses = Misses(now, stencils)
    deciding: list[str | None] = [None] * len(fleet.policies)
    # Compiled policies by what they hold: those of a slice lie together.
    order = np.argsort(of_compiled, kind="stable")
    bounds = np.searchsorted(of_compiled[order], np.arange(len(policies) + 1))
    for first in range(0, len(policies), _SLICE):
        span = slice(first, min(first + _SLICE, len(policies)))
        some = policies[span]
        if len(policies) > _SLICE:
            programs, starts = compiled.apart(some, view, stencils)
            ready = prepared.apart(programs)
        else:
            programs, starts = compiled.starts(some, view)
            ready = prepared.ready_for(programs)
        part, count = ranked.part(span), len(some)
        run_ready(ready, words, starts, Asked.nothing(count), part, engine._threads)
        for at in np.flatnonzero(part.ranked == 0).tolist():
            survivors = int(part.survived[at])
            clauses = () if survivors else misses.of(some[at], ready, int(starts[at]))
            for place in order[bounds[first + at] : bounds[first + at + 1]].tolist():
                own = fleet.policies[place]
                deciding[place] = _selected(own, survivors) if survivors else misses.in_words(own, clauses)
        if on_progress is not None:
            on_progress(count)
    return deciding


def _selected(compiled: CompiledPolicy, survivors: int) -> str:
    """Say that a selector lists none of the offers that pass."""
    return f"the selector keeps none of the {survivors} offers that pass ({compiled.selector})"


def _named(policies: Sequence[CompiledPolicy]) -> tuple[list[str], list[str]]:
    """Give the rules behind each policy, and the one whose preference ranks."""
    joined: dict[tuple[str, ...], str] = {}
    rules = []
    for compiled in policies:
        ids = compiled.rules
        if ids not in joined:
            joined[ids] = ", ".join(ids)
        rules.append(joined[ids])
    # By object: origins of many policies are one, and equal ones may be written otherwise, as 5 and 5.0 are.
    shown: dict[int, tuple[Origin, str]] = {}
    ranked_by = []
    for compiled in policies:
        origin = compiled.preference
        known = shown.get(id(origin))
        if known is None:
            known = shown[id(origin)] = origin, str(origin)
        ranked_by.append(known[1])
    return rules, ranked_by


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
    ids = pa.DictionaryArray.from_arrays(pa.array(rows), engine.catalog.table["offer_id"].combine_chunks())
    flat = [ids, pa.array(ranked.scores[policies, columns])]
    for field in ("price_in", "price_out"):
        prices = engine.observed(field)[rows]
        flat.append(pa.array(prices, mask=~np.isfinite(prices)))
    mask = pa.array(failed)
    return [pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask) for values in flat]
