"""Policies as read for the peers, and as grouped by shape."""

from __future__ import annotations

import pytest

import tenantrank as tr
from tenantrank.bench.rules import Compare, Every, Flag, Not, OneOf, Part, Rule, Some, read_rule
from tenantrank.bench.shapes import Constants, group_by_shape, mask_of, provider_bits
from tenantrank.bench.workload import Workload
from tenantrank.policy.builder import (
    Pred,
    Score,
    blend,
    cheapest,
    everything,
    f,
    has,
    highest,
    is_,
    policy,
    provider,
    top,
)

FIELDS = {name: {"sort": "Num", "default": 0.0} for name in ("price_in", "bench_coding")} | {
    "region_eu": {"sort": "Bool"}
}


def read(condition: Pred, score: Score) -> Rule:
    return read_rule(tr.admit(policy(condition, score), FIELDS))


def test_read_rule__conditions_and_parts_in_normal_form_order() -> None:
    condition = ~provider.is_in("b", "a") & (is_("region_eu") | has("supports_tools")) & (f.price_in <= 3)
    rule = read(condition, blend({"price_in": -0.75, "bench_coding": 0.25}))

    assert rule.condition == Every(
        (
            Compare("price_in", "le", 3.0),
            Not(OneOf(("a", "b"))),
            Some((Flag("supports_tools"), Flag("region_eu"))),
        )
    )
    assert rule.parts == (Part(0.25, "bench_coding", False), Part(0.75, "price_in", True))
    assert rule.clauses == rule.condition.parts
    assert rule.fields == ("bench_coding", "price_in")


def test_read_rule__one_clause_and_one_part() -> None:
    rule = read(f.price_in >= 1, highest("bench_coding"))

    assert rule.clauses == (Compare("price_in", "ge", 1.0),)
    assert rule.parts == (Part(1.0, "bench_coding", False),)
    assert read(f.price_in >= 1, cheapest("price_in")).parts == (Part(1.0, "price_in", True),)


@pytest.mark.parametrize(
    ("term", "what"),
    [
        (policy(everything, cheapest("price_in")), "condition"),
        (policy(f.price_in < 1, cheapest("price_in")), "condition"),
        (policy(f.price_in <= 1, f.price_in.score), "score"),
        (policy(f.price_in <= 1, cheapest("price_in"), top(3)), "argmax"),
    ],
)
def test_read_rule__other_forms_are_refused(term: list[object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_rule(tr.admit(term, FIELDS))


def test_group_by_shape__six_tables_hold_every_constant() -> None:
    work = Workload.make("six shapes", 64, 62)
    shapes = group_by_shape(work)

    assert [shape.tenants.num_rows for shape in shapes] == [11, 11, 10, 10, 10, 10]
    for shape in shapes:
        for tenant in shape.tenants.to_pylist():
            constants = Constants.of(work.rules[tenant.pop("tenant")], work.columns)
            numbers = {f"p{at}": value for at, value in enumerate(constants.numbers)}
            assert tenant == numbers | {f"m{at}": value for at, value in enumerate(constants.masks)}


def test_masks__are_the_providers_listed() -> None:
    columns = Workload.make("enterprise", 512, 1).columns
    names = (columns.names[3], columns.names[0], "nobody")
    member = (provider_bits(columns) & mask_of(names, columns)) != 0

    assert member.tolist() == [columns.names[code] in names for code in columns.providers]
