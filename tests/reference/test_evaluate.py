"""Every scorer and selector, worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.reference.evaluate import Result, random_draws, rank
from tests.reference.language import RefusedError
from tests.reference.samples import ALWAYS, FIELDS, offer
from tests.reference.signature import V1, Term


def ranked(scorer: Term, offers: list[dict[str, Any]], selector: Term | None = None, **ctx: Any) -> Result:
    return rank(["policy", ["top"], scorer, selector or ["argmax"], ["id"], ALWAYS], offers, ctx, FIELDS)


def scores_of(scorer: Term, values: list[float | None]) -> list[float]:
    """The scores, in catalog order, of offers whose price_in is given."""
    offers = [offer(str(at), price_in=value) for at, value in enumerate(values)]
    return ranked(scorer, offers, ["ordered"]).scores


@pytest.mark.parametrize(
    ("scorer", "prices", "expected"),
    [
        (["zero"], [1.0, None], [0.0, 0.0]),
        (["lit", 3], [1.0, None], [3.0, 3.0]),
        (["field", "price_in"], [1.0, None], [1.0, math.inf]),
        (["neg", ["field", "price_in"]], [0.25, None], [0.75, -math.inf]),
        (["scale", -2, ["field", "price_in"]], [1.5], [-3.0]),
        # Summed in the order of the normal form: (-1e16 + 1) + 1e16 loses the 1 that the written order keeps.
        (["add", ["lit", 1e16], ["lit", -1e16], ["lit", 1]], [1.0], [0.0]),
        (["gate", ["cmp", "price_in", "le", 1], ["lit", 7]], [1.0, 2.0], [7.0, 0.0]),
        # A gate's own normalize is still relative to every survivor.
        (["gate", ["cmp", "price_in", "le", 2], ["normalize", ["field", "price_in"]]], [1.0, 2.0, 5.0],
         [0.0, 0.25, 0.0]),
        (["clamp", 0, 1, ["field", "price_in"]], [-1.0, 0.5, 2.0], [0.0, 0.5, 1.0]),
        (["clamp", 5, 1, ["field", "price_in"]], [4.0, 5.0, 6.0], [5.0, 1.0, 1.0]),
        (["normalize", ["field", "price_in"]], [1.0, 3.0, 2.0], [0.0, 1.0, 0.5]),
        (["normalize", ["field", "price_in"]], [1.0, 3.0, None], [0.0, 0.0, 1.0]),
        (["normalize", ["field", "price_in"]], [2.0, 2.0], [0.0, 0.0]),
        (["normalize", ["field", "price_in"]], [None, None], [0.0, 0.0]),
        (["normalize", ["neg", ["field", "price_in"]]], [1.0, 3.0, None], [1.0, 0.0, 0.0]),
        (["normalize", ["field", "price_in"]], [-1.7e308, 0.0, 1.7e308], [0.0, 0.0, 1.0]),
        # inf − inf is the only way to a NaN; its normalize is 0.
        (["normalize", ["add", ["field", "price_in"], ["scale", -1, ["field", "price_in"]]]], [1.0, None], [0.0, 0.0]),
    ],
)  # fmt: skip
def test_score__works_out_by_hand(scorer: Term, prices: list[float | None], expected: list[float]) -> None:
    assert scores_of(scorer, prices) == expected


def test_score__the_older_versions_own_scorers() -> None:
    seen = {"last_quality_eval": 1.5, "ema_latency_ms": 100.0, "price_in": 2.0, "price_out": 4.0}
    offers = [offer("a", "p", tier="partner"), offer("b", "q", tier="marketplace", quality_hint=0.3), offer("c", "r")]
    wanted = {"max_latency_ms": 400, "estimated_input_tokens": 500, "max_cost_usd": 0.012}
    ctx = {"request": {"requirements": wanted}, "state": {"ema": {"p|m": seen}, "credits": {"p": 1, "q": 0.99}}}

    def old(scorer: Term) -> list[float]:
        policy: Term = ["policy", ["ev_zero"], ["top"], scorer, ["ordered"], ["id"], ALWAYS]
        return rank(policy, offers, ctx, FIELDS, version=V1).scores

    assert old(["quality"]) == [1.0, 0.3, 0.5]
    assert old(["speed"]) == [0.75, 0.5, 0.5]
    # (2·500 + 4·500) / 1e6 = 0.003 of 0.012; without a known price the cost is 0.
    assert old(["cost"]) == [0.75, 1.0, 1.0]
    assert old(["free_credit"]) == [1.0, 0.0, 0.0]
    assert old(["partner"]) == [1.0, 0.5, 0.0]
    # No pinned ends: the largest value over an infinite range is NaN, and NaN ranks last.
    policy: Term = ["policy", ["ev_zero"], ["top"], ["normalize", ["field", "price_in"]], ["argmax"], ["id"], ALWAYS]
    result = rank(policy, offers, ctx, FIELDS, version=V1)
    assert result.ordered == ["a", "b", "c"]
    assert result.scores[0] == 0.0
    assert all(map(math.isnan, result.scores[1:]))


def test_rank__ties_keep_catalog_order_and_nan_comes_last() -> None:
    spread: Term = ["add", ["field", "price_in"], ["scale", -1, ["field", "latency_ms"]]]
    offers = [
        offer("nan"),
        offer("minus", price_in=1.0),
        offer("two", price_in=3.0, latency_ms=1.0),
        offer("one", price_in=2.0, latency_ms=1.0),
        offer("also two", price_in=3.0, latency_ms=1.0),
        offer("nan too"),
    ]
    assert ranked(spread, offers).ordered == ["two", "also two", "one", "minus", "nan", "nan too"]


def test_rank__normalize_is_relative_to_what_the_filter_and_the_envelope_keep() -> None:
    offers = [offer(str(price), price_in=price) for price in (1.0, 2.0, 3.0, 9.0)]
    policy: Term = [
        "policy",
        ["cmp", "price_in", "lt", 9],
        ["normalize", ["field", "price_in"]],
        ["argmax"],
        ["id"],
        ALWAYS,
    ]
    assert rank(policy, offers, {}, FIELDS).scores == [1.0, 0.5, 0.0]
    narrowed = rank(policy, offers, {}, FIELDS, envelope=["cmp", "price_in", "le", 2])
    assert (narrowed.ordered, narrowed.scores) == (["2.0", "1.0"], [1.0, 0.0])
    # One normal form of both: "le" sorts before "lt", and so names the reason.
    assert narrowed.rejected == [("3.0", "cmp:price_in:le"), ("9.0", "cmp:price_in:le")]


def test_rank__refuses_what_is_no_policy() -> None:
    with pytest.raises(RefusedError):
        rank(["top"], [], {}, FIELDS)
    with pytest.raises(RefusedError):
        rank(["policy", ["top"], ["zero"], ["argmax"], ["id"], ALWAYS], [], {}, FIELDS, envelope=["zero"])


ABCD = [offer("a", "p"), offer("b", "q"), offer("c", "r"), offer("d", "q")]


def test_select__chain_follows_the_list_and_the_last_mention_counts() -> None:
    q, p = {"provider": "q", "model": "m"}, {"provider_id": "p", "model_family": "m"}
    both = {"provider": "r", "provider_id": "p", "model": "m"}
    result = ranked(["lit", 1], ABCD, ["chain", [q, p, q]])
    assert (result.ordered, result.scores) == (["a", "b", "d"], [-2.0, -3.0, -3.0])
    assert result.rejected == []
    assert ranked(["lit", 1], ABCD, ["chain", [both]]).ordered == ["c"]
    assert ranked(["lit", 1], ABCD, ["chain", []]).ordered == []
    assert ranked(["lit", 1], ABCD, ["top_k", 1, ["chain", [q, p]]]).ordered == ["b"]


def test_select__ordered_and_top_k() -> None:
    offers = [offer("a", price_in=1.0), offer("b", price_in=2.0)]
    assert ranked(["field", "price_in"], offers, ["ordered"]).ordered == ["a", "b"]
    assert ranked(["field", "price_in"], offers, ["top_k", 1, ["argmax"]]).ordered == ["b"]
    assert ranked(["field", "price_in"], offers, ["top_k", 2.0**53, ["ordered"]]).ordered == ["a", "b"]


def test_random_draws__are_the_minimal_standard_generators_after_four_steps() -> None:
    draw = random_draws(1)
    assert [draw() * 2147483647 for _ in range(3)] == pytest.approx([1144108930, 470211272, 101027544])
    assert random_draws(2**31)() == random_draws(1)()
    # 0 and 2147483647 are moved up, and so is no other seed; −1 is 2147483646 by its mod.
    assert random_draws(0)() == random_draws(2147483647)() == random_draws(-1)()


def test_select__sample_draws_without_replacement() -> None:
    # q = 3/4, weights 1, .75, .5625, .421875; the draws of seed 1 are .5328, .2190, .0470: targets 1.457 of 2.734
    # (the second), .434 of 1.984 (the first), .046 of .984 (the first).
    assert ranked(["zero"], ABCD, ["sample", 3], seed=1).ordered == ["b", "a", "c", "d"]
    assert ranked(["zero"], ABCD, ["sample", -5], seed=1).ordered == ["a", "b", "c", "d"]
    # Seed 0 stands in for none.
    unseeded = ranked(["zero"], ABCD, ["sample", 3]).ordered
    assert unseeded == ranked(["zero"], ABCD, ["sample", 3], seed=0).ordered
