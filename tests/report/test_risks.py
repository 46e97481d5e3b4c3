"""Tenants at risk: found one by one from what the engine says of each tenant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.report import FleetFigures, figures_of, fleet_report
from tests.report import fleets
from tests.report.reading import Reader

ENGINE, BOOK = fleets.engine(), fleets.rulebook()
RECORDS = {record["id"]: record for record in fleets.OFFERS}


@pytest.fixture(scope="module")
def figures() -> FleetFigures:
    return figures_of(ENGINE, BOOK, fleets.TABLE)


def passing(state: dict[str, Any]) -> set[str]:
    """The offers that pass for one tenant."""
    compiled = BOOK.bind(ENGINE.catalog.fields).compile({name: state[name] for name in fleets.TABLE.column_names[1:]})
    return set(ENGINE.catalog.offer_ids) - set(ENGINE.rank(compiled).rejected)


def risky(condition: Callable[[dict[str, Any], dict[str, Any]], bool]) -> set[str]:
    """The tenants with a winner of which a condition on their row and on the winner's record holds."""
    rows = fleets.answers(ENGINE, BOOK, fleets.TABLE)
    return {row["tenant"] for row in rows if row["offer_ids"] and condition(row, RECORDS[row["offer_ids"][0]])}


EXPECTED: dict[str, Callable[[], set[str]]] = {
    "none_left": lambda: {
        row["tenant"] for row in fleets.answers(ENGINE, BOOK, fleets.TABLE) if row["status"] == "no_offer"
    },
    "few_left": lambda: risky(lambda row, _: len(passing(row)) <= 2),
    "ending": lambda: risky(lambda _, offer: offer.get("status") == "deprecated" or "deprecation_date" in offer),
    "unpriced": lambda: risky(lambda _, offer: "price_in" not in offer or "price_out" not in offer),
    "zero_listed": lambda: risky(lambda _, offer: offer.get("price_zero_listed", False)),
    "one_provider": lambda: risky(lambda row, _: len({RECORDS[name]["provider_id"] for name in passing(row)}) == 1),
}


@pytest.mark.parametrize("key", EXPECTED)
def test_risks__are_those_of_each_tenant(figures: FleetFigures, key: str) -> None:
    (risk,) = [risk for risk in figures.risks if risk.key == key]
    tenants = EXPECTED[key]()

    assert len(tenants) > 0
    assert risk.tenants == len(tenants) == sum(group.tenants for group in risk.kept)
    assert {name for group in risk.kept for name in group.examples} <= tenants
    assert [group.tenants for group in risk.kept] == sorted((group.tenants for group in risk.kept), reverse=True)


def test_risks__few_is_one_or_two(figures: FleetFigures) -> None:
    left = set(figures.outcomes.survivors.tolist())

    assert {1, 2, 3} <= left
    assert {group.state for group in figures.risks[1].kept} == {"1 of 7 pass", "2 of 7 pass"}


def test_risks__a_tenant_at_several_is_counted_once(figures: FleetFigures) -> None:
    assert figures.at_risk == len(set().union(*(find() for find in EXPECTED.values())))
    assert figures.at_risk < sum(risk.tenants for risk in figures.risks)


def test_risks__none_left_names_what_decides(figures: FleetFigures) -> None:
    rows = {row["tenant"]: row for row in fleets.answers(ENGINE, BOOK, fleets.TABLE)}
    (risk,) = [risk for risk in figures.risks if risk.key == "none_left"]

    for group in risk.kept:
        assert {rows[name]["deciding"] for name in group.examples} == {group.why}
    assert any("cap <- most=0.5" in group.why for group in risk.kept)


@pytest.mark.parametrize(
    ("days", "words"),
    [(-1, "ended"), (0, "ended"), (1, "in 1 day"), (31, "in 31 days"), (None, "deprecated, no day stated")],
)
def test_risks__the_end_is_told_from_the_catalogs_day(days: int | None, words: str) -> None:
    offer: dict[str, Any] = {"id": "a|x", "provider_id": "a", "model_family": "x", "price_in": 1, "price_out": 1}
    end = fleets.DAY if days is None else fleets.DAY + timedelta(days)
    said: dict[str, Any] = {"status": "deprecated"} if days is None else {"deprecation_date": end}
    engine = tr.Engine(tr.Catalog.from_records([{**offer, **said}], as_of=fleets.DAY))
    book = tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": {"n": {"type": "number", "optional": True}},
            "rules": [{"id": "r", "require": [["top"]]}],
        }
    )
    page = Reader(fleet_report(engine, book, fleets.TABLE.select(["tenant_id"]).slice(0, 2)))
    (row,) = page.rows("the winner ends")

    assert words in row["end"]
    assert days is None or end.isoformat() in row["end"]
    assert row["for example"] == "t01, t02"


def test_risks__a_day_that_nobody_gave_leaves_the_end_to_its_own() -> None:
    offer = {"id": "a|x", "provider_id": "a", "model_family": "x", "deprecation_date": date(2027, 1, 2)}
    book = tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": {"n": {"type": "number", "optional": True}},
            "rules": [{"id": "r", "require": [["top"]]}],
        }
    )
    engine = tr.Engine(tr.Catalog.from_records([offer]))
    page = Reader(fleet_report(engine, book, fleets.TABLE.select(["tenant_id"]).slice(0, 1)))

    assert page.rows("the winner ends")[0]["end"] == "ends 2027-01-02"
    assert page.rows("the winner's price is unknown")[0]["price"] == "in unknown, out unknown"
