"""Observed values in words and as JSON, and the catalog's provenance by offer."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tenantrank as tr
from tenantrank.engine.observed import Observed, Statement, Statements, value_words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (True, "true"),
        (False, "false"),
        (3.0, "3"),
        (-0.5, "-0.5"),
        (2.0**60, "1.152921504606847e+18"),
        (math.inf, "inf"),
        ("us", "us"),
        (("eu", "us"), "eu, us"),
        ((), "none"),
    ],
)
def test_value_words__are_short(value: Any, words: str) -> None:
    assert value_words(value) == words


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (Observed("no_log", None, False, "unstated"), "no_log: unknown, no source states it"),
        (
            Observed("no_log", False, False, "stated", "policy:primary:https://p.example", "2026-08-01"),
            "no_log: false, policy:primary:https://p.example, 2026-08-01",
        ),
        (Observed("no_log", True, True, "attested", "overlay:C-1", None), "no_log: true, overlay:C-1"),
        (Observed("tok_s", 5.0, 5.0, "live"), "tok_s: 5, the live state"),
        (Observed("credits", None, 0.0, "live"), "credits: unknown, the live state has none"),
        (Observed("tier", "partner", None, "untold"), "tier: partner, the catalog, which does not say whence"),
        (
            Observed(
                "region_eu",
                False,
                False,
                "worked_out",
                parts=(
                    Observed("geo", ("us",), None, "stated", "list", "2026"),
                    Observed("regions", None, None, "unstated"),
                ),
            ),
            "region_eu: false, worked out from geo (us: list, 2026) and regions (unknown: no source states it)",
        ),
    ],
)
def test_observed__is_said_in_a_line(observed: Observed, words: str) -> None:
    assert str(observed) == words
    assert observed.to_json()["words"] == words


def test_observed__json_has_no_infinity() -> None:
    found = Observed("price_out", math.inf, math.inf, "live").to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "name": "price_out",
        "value": None,
        "read": None,
        "kind": "live",
        "source": None,
        "as_of": None,
        "words": "price_out: inf, the live state",
    }


def catalog(provenance: pa.Table | None) -> tr.Catalog:
    offers = pa.table({"offer_id": ["a", "b", "c"], "provider_id": ["p"] * 3, "model_family": ["m"] * 3})
    return tr.Catalog.from_table(offers, provenance=provenance)


def test_statements__are_those_of_the_offer() -> None:
    provenance = pa.table(
        {
            "offer_id": ["c", "a", "c"],
            "column": ["price_in", "tier", "price_out"],
            "source": ["one", "two", "three"],
            "as_of": ["2026-01-02", None, "2026"],
        }
    )
    found = Statements(catalog(provenance))
    assert found.of(0) == {"tier": Statement("two", None)}
    assert found.of(1) == {}
    assert found.of(2) == {"price_in": Statement("one", "2026-01-02"), "price_out": Statement("three", "2026")}
    assert Statements(catalog(None)).of(0) == {}


def test_statements__are_the_provenance_of_the_bundled_catalog_with_an_overlay() -> None:
    day = date(2026, 11, 23)
    attested = {"match": {"provider_id": ["mistral"]}, "set": {"tier": "partner"}}
    offers = tr.Catalog.bundled(day).with_overlay({"name": "mine", "attestations": [attested]}, day)
    table, found = offers.provenance, Statements(offers)
    assert table is not None
    mistral = [row for row, name in enumerate(offers.offer_ids) if name.startswith("mistral|")][:3]
    for row in [0, len(offers) // 2, len(offers) - 1, *mistral]:
        wanted = table.filter(pc.equal(table["offer_id"], offers.offer_ids[row])).to_pylist()
        assert wanted
        assert found.of(row) == {each["column"]: (each["source"], each["as_of"]) for each in wanted}
    assert all(found.of(row)["tier"] == Statement("overlay:mine", None) for row in mistral)
