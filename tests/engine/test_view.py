"""What policies observe: every field, requirement and older scorer against the reference, offer by offer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.request import Request
from tenantrank.engine.view import V1_SCORERS, View
from tenantrank.policy.signature import V1, V2, Version
from tenantrank_kernels import opcodes as op
from tests.engine.samples import catalog_of, offer, worlds
from tests.fuzz.differential import World
from tests.kernels.reference import rows_of
from tests.reference.evaluate import OLD_SCORERS
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.observe import Setting
from tests.reference.predicates import failure
from tests.reference.signature import BUILTINS, BUILTINS_V1

VERSIONS: tuple[Version, ...] = (V1, V2)
SORTS = {name: sort for name, (sort, _) in BUILTINS.items()} | {
    name: str(field["sort"]) for name, field in WORLD_FIELDS.items()
}


def views(seed: int, count: int) -> Iterator[tuple[World, View, dict[str, Any], Setting]]:
    """Random views with a request each, and what the reference needs to answer the same."""
    for world, catalog in worlds(seed, count):
        index = CatalogIndex(catalog)
        for version, case in zip(VERSIONS, world.cases, strict=False):
            ctx = {"request": case.request, "state": world.state}
            setting = Setting(ctx, WORLD_FIELDS, world.tier_order, version)
            yield world, View(index, Health.of(world.state), version), case.request, setting


def test_values__are_what_the_reference_observes() -> None:
    for world, view, _, setting in views(61, 24):
        numbers = [name for name, sort in SORTS.items() if sort == "Num"]
        for name in [*numbers, *(BUILTINS_V1 if view.version == V1 else ())]:
            wanted = [setting.number(name, one) for one in world.offers]
            assert view.values(name).tolist() == wanted, name
            assert not np.signbit(view.values(name)[view.values(name) == 0]).any()
        for name in (name for name, sort in SORTS.items() if sort == "Bool"):
            wanted_rows = {at for at, one in enumerate(world.offers) if setting.flag(name, one)}
            assert rows_of(view.holds(name)) == wanted_rows, name


def test_columns__are_padded_with_zeros_and_hold_no_nan() -> None:
    for _, view, _, _ in views(62, 8):
        columns = np.array(view.observations.columns)
        assert columns.shape == (len(view.position), view.index.width)
        assert not np.isnan(columns).any()
        assert not columns[:, view.index.size :].any()


def test_live_rows__are_what_the_reference_decides() -> None:
    for world, view, record, setting in views(63, 30):
        rows = view.live_rows(Request.of(record))
        for place, pred in (
            (op.BREAKER_OPEN, ["is", "breaker_open"]),
            (op.DISABLED, ["is", "disabled"]),
            (op.MEETS_REQUEST, ["meets_req"]),
            (op.SCOPE, ["scope_matches"]),
        ):
            wanted = {at for at, one in enumerate(world.offers) if failure(pred, one, setting) is None}
            assert rows_of(rows[place]) == wanted, pred


def test_requirements__are_in_the_order_whose_first_failure_is_the_reason() -> None:
    for world, view, record, setting in views(64, 30):
        checks = [(reason, rows_of(bits)) for reason, bits in view.requirements(Request.of(record))]
        for at, one in enumerate(world.offers):
            failed = [reason for reason, passing in checks if at not in passing]
            assert (failed[0] if failed else None) == failure(["meets_req"], one, setting)


def test_request_columns__are_the_older_scorers_of_the_reference() -> None:
    for world, view, record, setting in views(65, 30):
        columns = view.request_columns(Request.of(record))
        if view.version == V2:
            assert columns.size == 0
            continue
        for name, place in V1_SCORERS.items():
            wanted = [float(OLD_SCORERS[name](one, setting)) for one in world.offers]
            assert np.array_equal(columns[place, : len(wanted)], wanted, equal_nan=True), name
        for name in ("quality", "partner"):
            wanted = [float(OLD_SCORERS[name](one, setting)) for one in world.offers]
            assert view.values(f"*{name}").tolist() == wanted


def test_request_columns__divide_by_nothing_and_overflow_in_silence() -> None:
    offers = [offer("a", "p"), offer("b", "q"), offer("c", "r")]
    state = {
        "ema": {
            "p|m": {"ema_latency_ms": 0.0, "price_in": 1e308, "price_out": 1e308},
            "q|m": {"ema_latency_ms": 5.0, "price_in": -1e308, "price_out": 1e308},
        }
    }
    required = {
        "max_latency_ms": 0,
        "max_cost_usd": 0,
        "estimated_input_tokens": 1e9,
        "estimated_output_tokens": 1e9,
    }
    view = View(CatalogIndex(catalog_of(*offers)), Health.of(state), V1)
    columns = view.request_columns(Request.of({"requirements": required}))
    speed, cost = columns[op.SPEED, :3].tolist(), columns[op.COST, :3].tolist()
    assert math.isnan(speed[0])  # 0 / 0
    assert speed[1:] == [0.0, 0.5]
    assert cost[0] == 0.0
    assert math.isnan(cost[1])  # -inf + inf
    assert cost[2] == 1.0


def test_request_columns__have_their_documented_defaults() -> None:
    offers = [offer("a", "p"), offer("b", "q"), offer("c", "r")]
    state = {
        "ema": {"p|m": {"ema_latency_ms": 1250.0, "price_in": 2.0, "price_out": 4.0}, "q|m": {"price_out": 8.0}},
        "credits": {"p": 1, "q": 0.99},
    }
    columns = View(CatalogIndex(catalog_of(*offers)), Health.of(state), V1).request_columns(Request())
    assert columns[op.SPEED, :3].tolist() == [0.75, 0.5, 0.5]
    # (2·1000 + 4·500) / 1e6 and 8·500 / 1e6 of 0.01; without a price there is no cost.
    assert columns[op.COST, :3].tolist() == [0.6, 0.6, 1.0]
    assert columns[op.FREE_CREDIT, :3].tolist() == [1.0, 0.0, 0.0]


def test_values__hold_no_negative_zero_even_by_default() -> None:
    catalog = tr.Catalog.from_records([offer("a")], {"bench": {"sort": "Num", "default": -0.0}})
    assert not np.signbit(View(CatalogIndex(catalog), Health(), V2).values("bench")).any()
