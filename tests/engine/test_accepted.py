"""Accepted offers: places, margins, ties, and what the selector did."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import tenantrank as tr
from tests.engine.samples import ABC, catalog_of, offer, policy_of, ranked
from tests.reference.evaluate import best_first

PRICED = catalog_of(
    offer("a", "p", "m", price_out=3.0),
    offer("b", "q", "m", price_out=1.0),
    offer("c", "r", "n", price_out=2.0),
    offer("d", "q", "n", price_out=1.0),
    offer("e", "s", "n", price_out=9.0),
)
CHEAPEST = ["neg", ["field", "price_out"]]
UNDER_9 = ["cmp", "price_out", "lt", 9]


def accepted(name: str, selector: Any, k: int | None = None, seed: int | None = None, scorer: Any = CHEAPEST) -> Any:
    policy = policy_of(PRICED, UNDER_9, scorer, selector)
    found = tr.Engine(PRICED).rank(policy, seed=seed, k=k).explain().accepted(name)
    assert found is not None
    return found


def test_accepted__by_score_says_who_is_next_by_how_much_and_who_ties() -> None:
    best, second, third, last = (accepted(name, ["argmax"]) for name in "bdca")

    assert [one.place for one in (best, second, third, last)] == [1, 2, 3, 4]
    assert (best.next_id, best.margin, best.tied, best.ties) == ("d", 0.0, 1, ("d",))
    assert (second.next_id, second.margin, second.ties) == ("c", 1.0, ("b",))
    assert (third.next_id, third.margin, third.tied) == ("a", 1.0, 0)
    assert (last.next_id, last.margin) == (None, None)
    assert best.why == "place 1 of 4 by score; 1 other has the same score, and catalog order decides"
    assert third.why == "place 3 of 4 by score"


def test_accepted__what_is_cut_has_no_place_and_says_by_whom() -> None:
    kept, cut = accepted("b", ["top_k", 1, ["argmax"]]), accepted("c", ["top_k", 1, ["argmax"]])
    assert (kept.place, kept.next_id, kept.margin) == (1, "d", 0.0)
    assert (cut.place, cut.by_score, cut.score) == (None, 3, -1.0)
    assert cut.why == "place 3 of 4 by score; cut: the policy keeps 1"
    assert accepted("c", ["argmax"], k=2).why == "place 3 of 4 by score; cut: k is 2"
    assert accepted("d", ["top_k", 3, ["argmax"]], k=1).why.endswith("; cut: k is 1")


def test_accepted__under_other_selectors_scores_do_not_decide() -> None:
    listed = ["chain", [{"provider": "nobody", "model": "m"}, {"provider_id": "r", "model_family": "n"}]]
    chained, unlisted = accepted("c", listed), accepted("a", listed)
    assert (chained.place, chained.score, chained.parts, chained.by_score) == (1, -2.0, (), None)
    assert chained.why == "number 2 of the policy's list"
    assert (unlisted.place, unlisted.score, unlisted.tied) == (None, None, 0)
    assert unlisted.why == "the policy's list does not name it"
    twice = ["top_k", 1, ["chain", [{"provider": "q", "model": "m"}, {"provider": "r", "model": "n"}]]]
    assert accepted("c", twice).why == "number 2 of the policy's list; cut: the policy keeps 1"

    ordered = accepted("c", ["ordered"])
    assert (ordered.place, ordered.by_score, ordered.next_id, ordered.margin) == (3, 3, None, None)
    assert ordered.why == "catalog order decides, whatever the score"

    drawn = [accepted(name, ["sample", 1.0], seed=3) for name in "abcd"]
    assert sorted(one.place for one in drawn) == [1, 2, 3, 4]
    assert [one.by_score for one in drawn] == [4, 1, 3, 2]
    assert drawn[0].why == "drawn by seed 3, from place 4 of 4 by score"
    assert {one.next_id for one in drawn} == {None}
    assert accepted("a", ["sample", 1.0]).why.startswith("drawn by seed 0")


def test_accepted__equal_chain_places_are_ties() -> None:
    both = catalog_of(offer("a", "p", "m"), offer("b", "p", "m"), offer("c", "q", "m"))
    chain = ["chain", [{"provider": "p", "model": "m"}]]
    found = tr.Engine(both).rank(policy_of(both, ["top"], None, chain)).explain().accepted("b")
    assert found is not None
    assert (found.place, found.ties) == (2, ("a",))
    assert found.why == "number 1 of the policy's list; 1 other has the same number, and catalog order decides"


def test_accepted__names_ten_of_many_ties() -> None:
    many = catalog_of(*(offer(f"o{at}") for at in range(15)))
    found = tr.Engine(many).rank(policy_of(many, ["top"])).explain().accepted("o3")
    assert found is not None
    assert found.tied == 14
    assert found.ties == tuple(f"o{at}" for at in range(11) if at != 3)
    assert found.why.endswith("; 14 others have the same score, and catalog order decides")


def test_accepted__infinite_and_missing_numbers_leave_no_margin() -> None:
    engine = tr.Engine(ABC)
    infinite = engine.rank(policy_of(ABC, ["top"], ["field", "price_out"])).explain()
    first, second = infinite.accepted("d"), infinite.accepted("a")
    assert first is not None
    assert second is not None
    assert (first.score, first.next_id, first.margin) == (math.inf, "a", None)
    assert (second.next_id, second.margin) == ("c", 1.0)
    nothing = engine.rank(policy_of(ABC, ["top"], ["scale", 0.5, ["add", *NAN]])).explain().accepted("d")
    assert nothing is not None
    assert nothing.score is not None
    assert math.isnan(nothing.score)
    assert (nothing.by_score, nothing.margin, nothing.tied) == (4, None, 0)
    assert json.loads(json.dumps(nothing.to_json(), allow_nan=False))["score"] is None


NAN = (["field", "price_out"], ["scale", -1, ["field", "price_out"]])


def test_accepted__is_nothing_for_a_rejected_offer_and_refuses_what_is_no_offer() -> None:
    explanation = tr.Engine(PRICED).rank(policy_of(PRICED, UNDER_9)).explain()
    assert explanation.accepted("e") is None
    assert explanation.of("a") == ()
    with pytest.raises(KeyError):
        explanation.accepted("nobody")
    wrong: Any = 3
    with pytest.raises(tr.RequestError, match=r"^expected an offer id, got a number$|^expected an offer id, got 3$"):
        explanation.accepted(wrong)


@pytest.mark.parametrize(
    ("selector", "by", "passed", "kept", "limit", "seed"),
    [
        (["argmax"], "score", 4, 4, None, None),
        (["top_k", 3, ["top_k", 2, ["argmax"]]], "score", 4, 2, 2, None),
        (["top_k", 30, ["ordered"]], "catalog", 4, 4, 30, None),
        (["top_k", 1, ["sample", 0.5]], "chance", 4, 1, 1, 7),
        (["chain", [{"provider": "q", "model": "m"}, {"provider": "s", "model": "n"}]], "list", 4, 1, None, None),
        (["chain", []], "list", 4, 0, None, None),
    ],
)
def test_selection__says_what_the_selector_did(
    selector: Any, by: str, passed: int, kept: int, limit: int | None, seed: int | None
) -> None:
    policy = policy_of(PRICED, UNDER_9, CHEAPEST, selector)
    found = tr.Engine(PRICED).rank(policy, seed=7, k=1).explain().selection
    assert (found.by, found.passed, found.kept, found.limit, found.seed) == (by, passed, kept, limit, seed)
    assert found.words


def test_accepted__places_and_ties_are_those_of_the_decision() -> None:
    tied = 0
    for _, _, catalog, _, policy, decision in ranked(94, 24):
        explanation = decision.explain()
        base = policy.selector
        while base.op == "top_k":
            base = base.children[0]
        passing = [name for name in catalog.offer_ids if name not in decision.rejected]
        found = {name: explanation.accepted(name) for name in passing[:12]}
        places = {name: place for place, name in enumerate(decision.offer_ids, 1)}
        scores = dict(zip(decision.offer_ids, decision.scores, strict=True))
        values = explanation.acceptance.scores.tolist()
        for name, one in found.items():
            assert one is not None
            assert one.place == places.get(name)
            if name in scores:
                assert one.score is not None
                assert one.score == scores[name] or (math.isnan(one.score) and math.isnan(scores[name]))
            if base.op == "chain":
                continue
            rank = [{"id": other} for other in passing]
            order = [each["id"] for each, _ in best_first(rank, values)]
            assert one.by_score == order.index(name) + 1
            mine = values[passing.index(name)]
            same = [
                other
                for other, value in zip(passing, values, strict=True)
                if other != name and (value == mine or (math.isnan(value) and math.isnan(mine)))
            ]
            assert (one.tied, one.ties) == (len(same), tuple(same[:10]))
            tied += bool(same)
            if base.op == "argmax" and one.by_score < len(order):
                following = order[one.by_score]
                assert one.next_id == following
                gap = 0.0 if following in same else mine - values[passing.index(following)]
                assert one.margin == gap or (one.margin is None and not math.isfinite(gap))
            else:
                assert one.next_id is None
    assert tied > 5
