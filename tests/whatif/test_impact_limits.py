"""Limits: read from text, and held against comparisons below, at and above them."""

from __future__ import annotations

from decimal import Decimal

import pytest

import tenantrank as tr
from tenantrank.whatif.impact import Impact, impact
from tenantrank.whatif.impact_limits import COST_INCREASE, COUNTED, Limit, percent_words, tenants_words
from tests.whatif.worlds import BASE, CAP, EU, engine_of, offer, rulebook_of, table_of

RULES = rulebook_of(BASE, CAP, EU)


@pytest.fixture(scope="module")
def found() -> Impact:
    """Of eight tenants: three lose their winner, of whom one is left with none; two keep one offer; prices double."""
    before = engine_of(offer("a|1", 1.0, region_eu=True), offer("b|1", 3.0, region_eu=True), offer("c|1", 9.0))
    after = engine_of(offer("a|1", 2.0), offer("b|1", 3.0, region_eu=True), offer("c|1", 9.0))
    table = table_of(
        *[(f"any{at}", "free", "any", None) for at in range(5)],
        *[(f"eu{at}", "free", "eu", None) for at in range(2)],
        ("capped", "free", "eu", 1.5),
    )
    return impact((before, RULES), (after, RULES), table)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("winner-changes", 3),
        ("order-changes", 3),
        ("stranded", 1),
        ("one-left", 2),
        ("refused", 0),
        ("cost-unknown", 0),
    ],
)
def test_limit__is_exceeded_only_past_it(found: Impact, name: str, number: int) -> None:
    share = Decimal(number * 100) / 8
    for text, exceeded in (
        (str(number), False),
        (str(number + 1), False),
        (f"{share}%", False),
        (f"{share + Decimal('0.0001')}%", False),
    ):
        assert Limit.parse(name, text).check(found).exceeded is exceeded, text
    if number:
        assert Limit.parse(name, str(number - 1)).check(found).exceeded
        assert Limit.parse(name, f"{share - Decimal('0.0001')}%").check(found).exceeded


def test_limit__on_cost_is_held_against_what_is_known_on_both_sides(found: Impact) -> None:
    # Five go from 0.004 to 0.008, two from 0.004 to 0.012; the one left with no offer counts on neither side.
    assert found.cost.known == 7
    rise = (5 * 0.008 + 2 * 0.012) / (7 * 0.004) * 100 - 100
    assert found.cost.percent == pytest.approx(rise)
    assert Limit.parse(COST_INCREASE, "128.5%").check(found).exceeded
    assert not Limit.parse(COST_INCREASE, "128.6%").check(found).exceeded


# From 5 to 5.25 is 5% and, in doubles, a little more.
@pytest.mark.parametrize(("price", "exceeded"), [(5.245, False), (5.25, False), (5.2501, True)])
def test_limit__on_cost_at_its_bound(price: float, exceeded: bool) -> None:
    one = table_of(("t1", "free", "any", None))
    rises = impact((engine_of(offer("a|1", 5.0)), RULES), (engine_of(offer("a|1", price)), RULES), one)
    assert Limit.parse(COST_INCREASE, "5%").check(rises).exceeded is exceeded


def test_limit__on_cost_that_rises_from_nothing_is_exceeded_and_of_nobody_is_kept() -> None:
    one = table_of(("t1", "free", "any", None))
    rises = impact((engine_of(offer("a|1", 0.0)), RULES), (engine_of(offer("a|1", 1.0)), RULES), one)
    check = Limit.parse(COST_INCREASE, "1000%").check(rises)
    assert (check.exceeded, check.words) == (True, "cost up from nothing, 1000% allowed")
    unknown = impact((engine_of(offer("a|1")), RULES), (engine_of(offer("a|1", 1.0)), RULES), one)
    check = Limit.parse(COST_INCREASE, "0%").check(unknown)
    assert (check.exceeded, check.words) == (False, "cost unknown, 0% allowed")


def test_limit__on_cost_that_is_newly_unknown() -> None:
    one = table_of(("t1", "free", "any", None))
    lost = impact((engine_of(offer("a|1", 1.0)), RULES), (engine_of(offer("a|1")), RULES), one)
    check = Limit.parse("cost-unknown", "0").check(lost)
    assert (check.exceeded, check.words) == (True, "1 tenant whose cost was known and no longer is, 0 allowed")


def test_limit__of_no_tenants_is_kept() -> None:
    nobody = impact((engine_of(), RULES), (engine_of(), RULES), table_of())
    for name in COUNTED:
        assert not Limit.parse(name, "0%").check(nobody).exceeded
        assert not Limit.parse(name, "0").check(nobody).exceeded


def test_check__says_what_was_found_and_what_is_allowed(found: Impact) -> None:
    assert Limit.parse("stranded", "0").check(found).words == "1 tenant newly left with no offer, 0 allowed"
    told = Limit.parse("winner-changes", "2.50%").check(found).words
    assert told == "3 tenants (37.50% of 8) with another winner, 2.5% allowed"


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "1e3", "5 %", "5%%", "½", "nan", "inf", "0x1", "1_000"])
def test_limit__refuses_what_is_no_number_of_tenants(text: str) -> None:
    with pytest.raises(tr.RequestError, match="expected a number of tenants"):
        Limit.parse("stranded", text)


@pytest.mark.parametrize("text", ["5", "-5%", "five%"])
def test_limit__on_cost_is_a_percentage(text: str) -> None:
    with pytest.raises(tr.RequestError, match="expected a percentage"):
        Limit.parse(COST_INCREASE, text)


def test_limit__refuses_an_unknown_name() -> None:
    with pytest.raises(tr.RequestError, match="no limit 'fun'"):
        Limit.parse("fun", "3")


@pytest.mark.parametrize(
    ("percent", "words"), [(None, "unknown"), (0.0, "unchanged"), (5.0, "+5.00%"), (-0.5, "-0.50%")]
)
def test_words__of_a_change(percent: float | None, words: str) -> None:
    assert percent_words(percent) == words


def test_words__of_a_number_of_tenants() -> None:
    assert [tenants_words(count) for count in (0, 1, 1000)] == ["0 tenants", "1 tenant", "1,000 tenants"]
