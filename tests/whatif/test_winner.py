"""Winners of several policies, and the difference between two."""

from __future__ import annotations

import pytest

import tenantrank as tr
from tenantrank.catalog.costs import Tokens
from tenantrank.whatif.winner import Winner, difference, per_million, winners
from tests.engine.samples import ABC, old_term_of, policy_of


def test_winners__are_those_of_rank_for_policies_of_either_version_under_health() -> None:
    health = {"ema": {"q|m": {"price_in": 4.0, "price_out": 8.0}}}
    engine = tr.Engine(ABC, health)
    new = policy_of(ABC, ["tier_eq", "partner"], ["neg", ["field", "price_out"]])
    old = tr.admit(old_term_of(["tier_eq", "partner"], ["zero"]), ABC.fields)
    none = policy_of(ABC, ["bot"])
    found = winners(engine, [new, old, none], Tokens(1_000_000, 0))

    assert [winner.offer_id for winner in found] == [engine.rank(new).offer_ids[0], engine.rank(old).offer_ids[0], None]
    # To the one version the offer's own price counts first and to the other the observed one; b states none for input.
    assert found == [Winner("b", 4.0, 1), Winner("b", 4.0, 1), Winner(None, None, 0)]
    by_output = winners(engine, [new, old], Tokens(0, 1_000_000))
    assert [winner.cost for winner in by_output] == [1.0, 8.0]


def test_winners__take_the_request_and_the_seed() -> None:
    engine = tr.Engine(ABC)
    meets = policy_of(ABC, ["meets_req"], ["field", "price_out"], ["sample", 1])
    for seed in range(5):
        request = {"requirements": {"tier": "partner"}}
        assert winners(engine, [meets], Tokens(1, 1), request)[0].offer_id == "b"
        expected = engine.rank(meets, seed=seed).offer_ids[0]
        assert winners(engine, [meets], Tokens(1, 1), seed=seed)[0].offer_id == expected


@pytest.mark.parametrize(
    ("now", "without", "expected"),
    [
        (("a", 3.0), ("b", 1.0), 2.0),
        (("a", 1.0), ("b", 3.0), -2.0),
        (("a", 0.0), ("b", 0.0), 0.0),
        (("a", None), ("b", 1.0), None),
        (("a", 1.0), ("b", None), None),
        (("a", None), ("a", None), 0.0),
        ((None, None), ("b", 1.0), None),
        (("a", 1.0), (None, None), None),
        ((None, None), (None, None), None),
    ],
    ids=str,
)
def test_difference(
    now: tuple[str | None, float | None], without: tuple[str | None, float | None], expected: float | None
) -> None:
    assert difference(Winner(*now, 1), Winner(*without, 2)) == expected


def test_per_million__is_by_input_and_output_together() -> None:
    assert per_million(0.5, Tokens(3, 1)) == 125_000.0
    assert per_million(None, Tokens(3, 1)) is None
    assert per_million(0.0, Tokens(0, 0)) is None
