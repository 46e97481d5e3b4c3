"""Part ``updates``: what it costs when the world changes: a new catalog, a breaker, a price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.bench.answers import Answers, difference
from tenantrank.bench.implementations import expected_answers
from tenantrank.bench.measuring import no_collection
from tenantrank.bench.offers import synthetic_table
from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import K, Workload
from tenantrank.bench.yardstick import YARDSTICK, yardstick
from tenantrank.catalog import Catalog
from tenantrank.catalog.health import Health
from tenantrank.engine import Engine

PART = "updates"
UNIT = "ms"

_OFFERS = 9000
_CHANGES = 200  # of a health: each takes less than a tenth of a millisecond
_MILLI = 1e3

Stage = tuple[str, Callable[[Any], Any]]


def measure(settings: Settings, log: Log) -> None:
    """Time each change to the moment when it is made, and on to that when policies have been ranked under it."""
    offers = settings.pick(_OFFERS, 512)
    settings.on_step(f"{PART}: {offers:,} offers")
    table = synthetic_table(offers, settings.seed)
    work = Workload.make("six shapes", offers, 60, settings.seed, Catalog.from_table(table))
    engine = Engine(work.catalog, _health(work.catalog))
    engine.rank_rows(work.policies, k=1)
    policy = work.policies[0]

    wrong = _wrong(work, table)
    if wrong is not None:
        log.fail(PART, "engine", wrong)
        return

    def ranked(other: Engine) -> Engine:
        other.rank(policy, k=1)
        return other

    def ranked_all(other: Engine) -> Engine:
        other.rank_rows(work.policies, k=1)
        return other

    note = "from the table to the catalog"
    _add(settings, log, offers, lambda at: _changed(table, at), [("a new catalog", Catalog.from_table)], note)
    stages: list[Stage] = [
        ("a new engine over a new catalog", partial(Engine, health=engine.health)),
        ("a new engine, to the first ranking", ranked),
        ("a new engine, to 60 policies ranked", ranked_all),
    ]
    note = "a catalog that no engine has seen, under the same health; policies are lowered again"
    _add(settings, log, offers, lambda at: Catalog.from_table(_changed(table, at)), stages, note)
    stages = [
        ("another catalog", engine.with_catalog),
        ("another catalog, to the first ranking", ranked),
        ("another catalog, to 60 policies ranked", ranked_all),
    ]
    note = "Engine.with_catalog, of an engine that has ranked the 60; a catalog that no engine has seen"
    _add(settings, log, offers, lambda at: Catalog.from_table(_changed(table, at)), stages, note)
    observed = _observed(work.catalog)
    changes: dict[str, list[dict[str, Any]]] = {
        "one breaker changed": [{"breakers": {work.catalog.strings("provider_id")[1][0]: True}}],
        "one price changed": [{"ema": {observed: {"price_in": price, "price_out": 3 * price}}} for price in (2.0, 2.5)],
    }

    def changed(change: dict[str, Any]) -> Engine:
        return engine.with_health(engine.health.updated(**change))

    for what, made in changes.items():
        stages = [(what, changed), (f"{what}, to the first ranking", ranked)]
        _add(
            settings,
            log,
            offers,
            partial(_alternating, made),
            stages,
            "Health.updated and Engine.with_health, ready to rank",
            _CHANGES,
        )


def _add(
    settings: Settings,
    log: Log,
    offers: int,
    given: Callable[[int], Any],
    stages: list[Stage],
    note: str,
    times: int = 15,
) -> None:
    """Run stages one after the other on something new each time; a row for each, timed from the first one's start."""
    took: dict[str, list[float]] = {name: [] for name, _ in stages}
    took[YARDSTICK] = []
    for at in range(settings.pick(times, 2)):
        value = given(at)
        with no_collection():
            started = perf_counter()
            for name, run in stages:
                value = run(value)
                took[name].append(perf_counter() - started)
            started = perf_counter()
            yardstick()()
            took[YARDSTICK].append(perf_counter() - started)
    for name, _ in stages:
        repeats = len(took[name])
        log.add(Row(PART, name, "engine", "engine", UNIT, _values(took[name]), offers, repeats=repeats, note=note))
        log.add(Row(PART, name, YARDSTICK, "baseline", UNIT, _values(took[YARDSTICK]), offers, repeats=repeats))


def _alternating(changes: list[dict[str, Any]], at: int) -> dict[str, Any]:
    return changes[at % len(changes)]


def _values(times: list[float]) -> Mapping[str, float]:
    return {"min": min(times) * _MILLI, "median": median(times) * _MILLI}


def _changed(table: pa.Table, at: int) -> pa.Table:
    """Give the table with one price of one offer changed, so that it is another catalog."""
    prices = np.asarray(table["price_in"].fill_null(1.0), dtype=np.float64).copy()
    prices[at] += 0.01 * (1 + at)
    place = table.column_names.index("price_in")
    return table.set_column(place, "price_in", pa.array(prices, mask=np.asarray(table["price_in"].is_null())))


def _wrong(work: Workload, table: pa.Table) -> str | None:
    """Compare what an engine answers under observed prices with NumPy's answers over those prices in the table."""
    state = _health(work.catalog)
    engine = Engine(work.catalog).with_health(Health.of(None).updated(**state))
    observed = [state["ema"].get(_key(work.catalog, row), {}) for row in range(len(work.catalog))]
    for name in ("price_in", "price_out"):
        filled = pc.coalesce(table[name], pa.array([metrics.get(name) for metrics in observed], pa.float64()))
        table = table.set_column(table.column_names.index(name), name, filled)
    same = replace(work, catalog=Catalog.from_table(table))
    return difference(Answers.of_rows(engine.rank_rows(work.policies, k=K)), expected_answers(same))


def _health(catalog: Catalog) -> dict[str, Any]:
    """Give a state with a breaker a provider, and a price and a latency observed of some hundred models."""
    breakers = dict.fromkeys(catalog.strings("provider_id")[1], False)
    rows = range(0, len(catalog), max(1, len(catalog) // 500))
    ema = {_key(catalog, row): {"price_in": 1.0, "price_out": 3.0, "ema_latency_ms": 700.0} for row in rows}
    return {"breakers": breakers, "ema": ema | {_observed(catalog): {"price_in": 1.5, "price_out": 4.5}}}


def _observed(catalog: Catalog) -> str:
    """Give the key of the first offer without a price of its own, where an observed one counts."""
    return _key(catalog, int(np.flatnonzero(np.isnan(catalog.numbers("price_in")))[0]))


def _key(catalog: Catalog, row: int) -> str:
    providers, provider_names = catalog.strings("provider_id")
    families, family_names = catalog.strings("model_family")
    return f"{provider_names[providers[row]]}|{family_names[families[row]]}"
