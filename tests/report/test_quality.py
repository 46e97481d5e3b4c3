"""Which field quality is told by: the one named, the one that ranks, the one best known."""

from __future__ import annotations

from typing import Any

import pytest

import tenantrank as tr
from tenantrank.report import figures_of
from tests.report import fleets


def chosen(records: list[dict[str, Any]], preference: Any, quality: str | None = None) -> str | None:
    offers = [{"id": f"o{at}", "provider_id": "p", "model_family": "m", **each} for at, each in enumerate(records)]
    catalog = tr.Catalog.from_records(offers)
    book = tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": {"n": {"type": "number", "optional": True}},
            "rules": [{"id": "r", "require": [["top"]], "preference": preference}],
        }
    )
    return figures_of(tr.Engine(catalog), book, fleets.TABLE.select(["tenant_id"]).slice(0, 1), quality=quality).quality


KNOWN: list[dict[str, Any]] = [{"bench_a": 0.5, "bench_b": 0.1}, {"bench_b": 0.2}, {"price_out": 1.0}]


def test_quality__is_what_ranks_before_what_is_known_best() -> None:
    assert chosen(KNOWN, {"lowest": "price_out"}) == "bench_b"
    assert chosen(KNOWN, {"highest": "bench_a"}) == "bench_a"
    assert (
        chosen(KNOWN, ["add", ["scale", 0.5, ["normalize", ["field", "bench_a"]]], ["field", "price_out"]]) == "bench_a"
    )


def test_quality__is_what_is_asked_for() -> None:
    assert chosen(KNOWN, {"highest": "bench_a"}, "price_in") == "price_in"


def test_quality__is_none_where_nothing_is_known() -> None:
    assert chosen([{"price_out": 1.0}], {"lowest": "price_out"}) is None
    assert chosen([{"quality_hint": 0.5}], {"lowest": "price_out"}) == "quality_hint"


@pytest.mark.parametrize("name", ["supports_tools", "nothing"])
def test_quality__is_a_number(name: str) -> None:
    with pytest.raises(tr.CatalogError, match=f"no number field '{name}'"):
        chosen(KNOWN, ["zero"], name)
