"""What policies read, value by value: the reference's values, and where each comes from."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.engine.stated import Subject
from tenantrank.policy.signature import STATE_FIELDS, V1, V2, Version
from tests.engine.samples import worlds
from tests.reference.generate import FIELDS
from tests.reference.observe import Setting
from tests.reference.signature import BUILTINS, BUILTINS_V1

DAY = date(2026, 1, 11)
OFFERS = tr.Catalog.from_table(
    pa.table(
        {
            "offer_id": ["a", "b", "c"],
            "provider_id": ["p", "q", "q"],
            "model_family": ["m", "m", "n"],
            "tier": ["partner", None, None],
            "price_in": [1.0, None, None],
            "price_out": [3.0, None, 4.0],
            "no_log": [True, False, None],
            "geo": [["eu"], ["us"], None],
            "release_date": [date(2026, 1, 1), None, None],
            "quality_hint": [0.5, None, None],
            "supports_tools": [True, None, False],
            "latency_ms": [9.0, None, None],
            "zdr": ["self_serve", "none", None],
            "trains_on_data": ["upstream_dependent", None, None],
        }
    ),
    as_of=DAY,
    provenance=pa.table(
        {
            "offer_id": ["a", "a", "a", "b", "b", "c", "a", "a"],
            "column": ["price_out", "no_log", "geo", "no_log", "geo", "no_log", "latency_ms", "quality_hint"],
            "source": ["list@1", "overlay:C-1", "list@1", "page", "list@1", "overlay:C-2: lapsed", "meter", "guess"],
            "as_of": ["2026-01-02", None, "2026-01-02", "2026-08-01", "2026-01-03", None, None, "2026"],
        }
    ),
)
HEALTH = {
    "ema": {"q|m": {"price_out": 8.0, "ema_tok_s": 50.0, "last_quality_eval": 0.0}, "q|n": {"price_out": float("inf")}},
    "credits": {"q": 0},
    "breakers": {"p": True},
}


@pytest.mark.parametrize(
    ("subject", "offer", "version", "kind", "value", "read", "words"),
    [
        (("field", "price_out"), "a", V2, "stated", 3.0, 3.0, "list@1, 2026-01-02"),
        (("field", "price_out"), "b", V2, "live", 8.0, 8.0, "the live state"),
        (("field", "price_out"), "c", V2, "untold", 4.0, 4.0, "the catalog, which does not say whence"),
        (("field", "price_out"), "c", V1, "live", float("inf"), float("inf"), "the live state"),
        (("field", "price_in"), "b", V2, "unstated", None, float("inf"), "no source states it"),
        (("field", "tok_s"), "b", V1, "live", 50.0, 50.0, "the live state"),
        (("field", "tok_s"), "b", V2, "unstated", None, 0.0, "no source states it"),
        (("field", "latency_ms"), "a", V1, "unstated", None, float("inf"), "no source states it"),
        (("field", "latency_ms"), "a", V2, "stated", 9.0, 9.0, "meter"),
        (("field", "quality"), "b", V1, "live", 0.0, 0.0, "the live state"),
        (("field", "quality"), "a", V1, "stated", 0.5, 0.5, "guess, 2026"),
        (("field", "quality"), "c", V1, "unstated", None, 0.0, "no source states it"),
        (("field", "no_log"), "a", V2, "attested", True, True, "overlay:C-1"),
        (("field", "no_log"), "b", V2, "stated", False, False, "page, 2026-08-01"),
        (("field", "no_log"), "c", V2, "withheld", None, False, "overlay:C-2: lapsed"),
        (("field", "region_eu"), "a", V2, "worked_out", True, True, None),
        (("field", "region_eu"), "c", V2, "unstated", None, False, None),
        (("field", "zdr_available"), "a", V2, "worked_out", None, False, None),
        (("field", "age_days"), "a", V2, "worked_out", 10.0, 10.0, None),
        (("field", "credits"), "a", V2, "live", None, 0.0, "the live state has none"),
        (("field", "credits"), "b", V2, "live", 0.0, 0.0, "the live state"),
        (("field", "breaker_open"), "a", V2, "live", True, True, "the live state"),
        (("field", "disabled"), "a", V2, "live", False, False, "the live state"),
        (("capability", "supports_tools"), "a", V2, "untold", True, None, "the catalog, which does not say whence"),
        (("capability", "supports_tools"), "b", V2, "unstated", None, None, "no source states it"),
        (("capability", "telepathy"), "b", V2, "unstated", None, None, "no source states it"),
        (("column", "tier"), "a", V2, "untold", "partner", None, "the catalog, which does not say whence"),
        (("column", "tier"), "b", V2, "unstated", None, None, "no source states it"),
        (("server", ""), "b", V2, "key", "q", None, "the offer itself"),
        (("column", "model_family"), "c", V2, "key", "n", None, "the offer itself"),
    ],
)
def test_observed__tells_apart_what_states_a_value(
    subject: Subject, offer: str, version: Version, kind: str, value: Any, read: Any, words: str | None
) -> None:
    engine = tr.Engine(OFFERS, HEALTH)
    found = engine.stated(version).observed(subject, engine.row_of_offer(offer))

    assert (found.kind, found.value, found.read) == (kind, value, read)
    assert type(found.value) is type(value)
    if words is not None:
        assert found.whence == words


def test_observed__says_from_what_it_is_worked_out() -> None:
    stated = tr.Engine(OFFERS).stated()

    assert str(stated.observed(("field", "region_eu"), 0)) == (
        "region_eu: true, worked out from geo (eu: list@1, 2026-01-02) and regions (unknown: no source states it)"
    )
    assert str(stated.observed(("field", "age_days"), 0)) == (
        "age_days: 10, worked out from release_date (2026-01-01: the catalog, which does not say whence)"
    )
    assert [part.name for part in stated.observed(("field", "zdr_available"), 0).parts] == ["zdr", "trains_on_data"]
    assert [part.name for part in stated.observed(("field", "deprecated"), 0).parts] == ["deprecation_date", "status"]


def test_observed__an_expected_cost_is_worked_out_from_the_prices() -> None:
    request = {"requirements": {"estimated_input_tokens": 1e6, "estimated_output_tokens": 0}}
    engine = tr.Engine(OFFERS, HEALTH)
    cost: Subject = ("field", "expected_cost_usd")

    known, unknown = (engine.stated(V2, request).observed(cost, row) for row in (0, 1))
    assert (known.kind, known.value) == ("worked_out", 1.0)
    assert [(part.name, part.value) for part in known.parts] == [("price_in", 1.0), ("price_out", 3.0)]
    assert (unknown.value, unknown.read) == (None, float("inf"))
    assert engine.stated().observed(cost, 0).value is None


@pytest.mark.parametrize("version", [V1, V2])
def test_known_and_value__are_what_the_reference_finds(version: Version) -> None:
    told: set[bool] = set()
    names = [*FIELDS, *(BUILTINS | BUILTINS_V1 if version == V1 else BUILTINS)]
    for world, catalog in worlds(91, 24):
        stated = tr.Engine(catalog, world.state).stated(version)
        setting = Setting({"state": world.state}, FIELDS, world.tier_order, version)
        for name in names:
            known = stated.view.index.unpack(stated.known(("field", name)))
            for row, offer in enumerate(world.offers):
                found = stated.observed(("field", name), row)
                if catalog.fields.sort_of(name, version) == "Num":
                    wanted = setting._number(name, offer)
                    assert found.value == (None if wanted is None else float(wanted))
                    assert found.read == setting.number(name, offer)
                else:
                    wanted = setting.flag(name, offer) if name in STATE_FIELDS else offer.get(name)
                    assert found.value is (None if wanted is None else bool(wanted))
                    assert found.read is setting.flag(name, offer)
                assert bool(known[row]) == (found.value is not None)
                told.add(bool(known[row]))
    assert told == {True, False}


def test_known__is_packed_like_any_bitset() -> None:
    stated = tr.Engine(OFFERS).stated()
    assert np.flatnonzero(stated.view.index.unpack(stated.known(("column", "tier")))).tolist() == [0]


def test_unknown__is_that_of_each_health() -> None:
    price = ("field", "price_out")
    engine = tr.Engine(OFFERS)
    told = {}
    for name, health in (("none", None), ("some", HEALTH), ("again", None)):
        stated = engine.with_health(health).stated()
        told[name] = np.flatnonzero(stated.view.index.unpack(stated.unknown(price))).tolist()
        again = np.flatnonzero(stated.view.index.unpack(stated.unknown(price))).tolist()
        known = np.flatnonzero(stated.view.index.unpack(stated.known(price))).tolist()
        assert again == told[name]
        assert sorted(known + again) == [0, 1, 2]
    assert told == {"none": [1], "some": [], "again": [1]}
