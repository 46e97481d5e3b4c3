"""The page of a fleet: its figures are those of `rank_tenants`, its bytes those of the inputs, its size bounded."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.catalog.costs import Tokens
from tenantrank.errors import CatalogError, RequestError, RulebookError, TenantError
from tenantrank.report import FleetFigures, figures_of, fleet_report
from tenantrank.report.page import page as page_of
from tests.report import fleets
from tests.report.reading import Reader

ENGINE, BOOK = fleets.engine(), fleets.rulebook()
IDS = ENGINE.catalog.offer_ids


@pytest.fixture(scope="module")
def figures() -> FleetFigures:
    return figures_of(ENGINE, BOOK, fleets.TABLE)


@pytest.fixture(scope="module")
def page() -> Reader:
    return Reader(fleet_report(ENGINE, BOOK, fleets.TABLE))


ANSWERS = fleets.answers(ENGINE, BOOK, fleets.TABLE)


def told(group: Any) -> dict[str, Any]:
    return {
        "tenants": group.tenants,
        "none_left": group.none_left,
        "refused": group.refused,
        "winners": {IDS[row]: tenants for row, tenants in group.winners},
        "survivors": group.survivors,
    }


def check(figures: FleetFigures, rows: list[dict[str, Any]]) -> None:
    """Compare every group with a count of the rows that `rank_tenants` gives."""
    assert told(figures.everybody) == fleets.counted(rows, lambda _: True)
    assert figures.outcomes.status == {
        status: sum(row["status"] == status for row in rows) for status in ("ranked", "no_offer", "error")
    }
    by_rule = {group.label: told(group) for group in figures.rules}
    applying = {rule for row in rows for rule in (row["rules"] or "").split(", ") if rule}
    assert set(by_rule) == applying
    for rule in applying:
        assert by_rule[rule] == fleets.counted(rows, lambda row, rule=rule: rule in (row["rules"] or "").split(", "))
    sets = Counter(row["rules"] for row in rows if row["rules"] is not None)
    assert figures.rule_sets_in_all == len(sets)
    assert [group.tenants for group in figures.rule_sets] == [count for _, count in sets.most_common(12)]
    for group in figures.rule_sets:
        assert told(group) == fleets.counted(rows, lambda row, label=group.label: row["rules"] == label)


@pytest.mark.parametrize("field", ["plan", "region", "vip"])
def test_figures__segments_are_those_of_the_table(figures: FleetFigures, field: str) -> None:
    (segments,) = [each for each in figures.segments if each.field == field]

    def label(row: dict[str, Any]) -> str:
        value = row[field]
        if field == "plan" and value == "gold":
            return "a value that the rulebook does not allow"
        return "absent" if value is None else str(value).lower()

    assert {group.label for group in segments.groups} == {label(row) for row in ANSWERS}
    assert [group.tenants for group in segments.groups] == sorted((g.tenants for g in segments.groups), reverse=True)
    for group in segments.groups:
        assert told(group) == fleets.counted(ANSWERS, lambda row, name=group.label: label(row) == name)


def test_figures__are_those_of_rank_tenants(figures: FleetFigures) -> None:
    check(figures, ANSWERS)


TENANT = st.fixed_dictionaries(
    {
        "plan": st.sampled_from(["free", "paid", "best", "quiet", "gold"]),
        "region": st.sampled_from(["eu", "us", None]),
        "vip": st.sampled_from([True, False, None]),
        "providers": st.sampled_from([None, ["a"], ["b", "c"], ["c"]]),
        "most": st.sampled_from([None, 0.0, 1.1, 20.0]),
    }
)


@settings(max_examples=15)
@given(st.lists(TENANT, max_size=12))
def test_figures__are_those_of_rank_tenants_for_any_fleet(states: list[dict[str, Any]]) -> None:
    table = fleets.table_of([{"tenant_id": f"t{at}", **state} for at, state in enumerate(states)])
    figures = figures_of(ENGINE, BOOK, table)

    check(figures, fleets.answers(ENGINE, BOOK, table))
    Reader(page_of(figures))


def test_page__shows_the_figures(page: Reader) -> None:
    everybody = fleets.counted(ANSWERS, lambda _: True)
    winners = Counter(everybody["winners"])
    shown = {
        row["offer"].removeprefix(""): int(row["tenants"]) for row in page.rows("offers by the tenants who get them")
    }

    assert shown == dict(winners)
    for row in page.rows("winners by rule"):
        count = fleets.counted(ANSWERS, lambda each, rule=row["rule"]: rule in (each["rules"] or "").split(", "))
        best = max(count["winners"].values(), default=0)
        assert (int(row["tenants"]), int(row["none left"]), int(row["wins"])) == (
            count["tenants"], count["none_left"], best
        )  # fmt: skip
        low, high = count["survivors"]
        assert row["offers that pass"] == (str(low) if low == high else f"{low}–{high}")
    for row in page.rows("winners by plan"):
        plan = "gold" if row["plan"] == "a value that the rulebook does not allow" else row["plan"]
        count = fleets.counted(ANSWERS, lambda each, plan=plan: each["plan"] == plan)
        assert [int(row[name]) for name in ("tenants", "none left", "refused")] == [
            count[name] for name in ("tenants", "none_left", "refused")
        ]
    assert f"of {len(ANSWERS)} tenants have an offer" in page.text
    for words in ("distinct policies", ENGINE.catalog.catalog_id, BOOK.rulebook_id, "2026-11-23", "small"):
        assert words in page.text
    assert "3,000 tokens in, 1,000 out" in page.text


def test_page__costs_are_the_engines_for_the_mix(figures: FleetFigures) -> None:
    tokens = Tokens(1000, 3000)
    page = Reader(fleet_report(ENGINE, BOOK, fleets.TABLE, tokens))
    shown = {row["offer"]: row["USD per 1M tokens"] for row in page.rows("offers by the tenants who get them")}

    # 1 in to 3 out, of 5 and 15 USD.
    assert shown["a|big"] == "$12.50"
    assert shown["b|free"] == "$0"
    assert shown["c|unpriced"] == "unknown"
    assert "1,000 tokens in, 3,000 out" in page.text


def test_page__bars_say_in_words_what_they_show(page: Reader) -> None:
    bars = dict(page.pictures)
    everybody = fleets.counted(ANSWERS, lambda _: True)
    for offer, tenants in everybody["winners"].items():
        assert f"{offer} {tenants} (" in bars["every tenant"]
    assert f"none left {everybody['none_left']} (" in bars["every tenant"]
    assert f"refused {everybody['refused']} (" in bars["every tenant"]


def test_page__rule_costs_are_those_of_dearest_rules(page: Reader, figures: FleetFigures) -> None:
    rows = {row["rule"]: row for row in page.rows("what rules cost")}

    assert set(rows) == {rule.rule for rule in figures.dearest.rules if rule.changed}
    for rule in figures.dearest.rules:
        if rule.changed:
            assert int(rows[rule.rule]["none left by it"]) == rule.gained
            assert int(rows[rule.rule]["other winner"]) == rule.changed


def test_page__same_inputs_give_the_same_bytes() -> None:
    again = fleet_report(fleets.engine(), fleets.rulebook(), fleets.TABLE.slice(0))

    assert again == fleet_report(ENGINE, BOOK, fleets.TABLE)
    assert again.encode()


def test_page__grows_with_no_fleet_and_says_what_it_leaves_out() -> None:
    def page_of_many(count: int) -> str:
        states = [
            {"tenant_id": f"{'x' * 300}{at}", "plan": "paid", "most": 0.5 + at / 100, "providers": [f"p{at}", "a"]}
            for at in range(count)
        ]
        rows = [{**dict.fromkeys(fleets.TABLE.column_names), **state} for state in states]
        return fleet_report(ENGINE, BOOK, fleets.table_of(rows))

    few, many = page_of_many(150), page_of_many(300)
    assert len(many) < len(few) + 200
    assert (
        "and 88 more groups of tenants; tenantrank tenants … -o FILE writes a row for every tenant."
        in Reader(many).text
    )


@pytest.mark.parametrize("offers", [[], [{"id": "a|x", "provider_id": "a", "model_family": "x"}]], ids=["none", "bare"])
def test_page__of_nothing_is_a_page(offers: list[dict[str, Any]]) -> None:
    book = tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": {"n": {"type": "number", "optional": True}},
            "rules": [{"id": "r", "require": [["top"]]}],
        }
    )
    engine = tr.Engine(tr.Catalog.from_records(offers))
    for rows in ([], ["t1"]):
        page = Reader(fleet_report(engine, book, pa.table({"tenant_id": pa.array(rows, pa.string())})))
        assert "No quality field is known" in page.text
        assert f"of {'1 tenant' if rows else '0 tenants'} ha" in page.text
        assert "no day stated" in page.text


def test_report__refuses_what_it_cannot_use() -> None:
    with pytest.raises(CatalogError, match="no number field 'bench_y' in this catalog, did you mean 'bench_x'"):
        fleet_report(ENGINE, BOOK, fleets.TABLE, quality="bench_y")
    with pytest.raises(RequestError, match="no tokens"):
        fleet_report(ENGINE, BOOK, fleets.TABLE, Tokens(0, 0))
    with pytest.raises(RulebookError):
        fleet_report(ENGINE, {}, fleets.TABLE)  # type: ignore[arg-type]
    with pytest.raises(TenantError, match="no column"):
        fleet_report(ENGINE, BOOK, fleets.TABLE.drop_columns(["plan"]))
