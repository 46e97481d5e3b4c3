"""Score parts: they add up to the score to the bit, and each is what the reference gives for it alone."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.engine.score_parts import ScorePart
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import ABC, PLAN, catalog_of, offer, policy_of, ranked
from tests.reference.evaluate import score
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.language import normal_form
from tests.reference.observe import Setting, offer_id
from tests.reference.signature import V1, Term

FIELDS = ("price_in", "price_out", "context", "tok_s", "success_rate", "bench", "latency_ms", "credits")
ODD = (0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 5e-324, 1e308, -1e308, 2.5)
NUMBERS = st.sampled_from(ODD) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.sampled_from(ODD) | st.floats(0, 100)
CONDITIONS = st.sampled_from(
    [["is", "region_eu"], ["cmp", "price_out", "le", 2], ["or", ["has_cap", "x"], ["tier_eq", "partner"]], ["bot"]]
)


def scorers(more: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
    leaves = st.builds(lambda name: ["field", name], st.sampled_from(FIELDS)) | st.builds(
        lambda number: ["lit", number], NUMBERS
    )
    leaves |= st.sampled_from([["zero"], *([name] for name in more)])
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=4).map(lambda parts: ["add", *parts])
            | st.builds(lambda factor, part: ["scale", factor, part], NUMBERS, inner)
            | st.builds(lambda condition, part: ["gate", condition, part], CONDITIONS, inner)
            | st.builds(lambda low, high, part: ["clamp", low, high, part], NUMBERS, NUMBERS, inner)
            | inner.map(lambda part: ["neg", part])
            | inner.map(lambda part: ["normalize", part])
        ),
        max_leaves=8,
    )


OFFERS = st.lists(
    st.fixed_dictionaries(
        {"tier": st.sampled_from([None, "partner"]), "region_eu": st.sampled_from([None, True, False])}
        | dict.fromkeys(("price_in", "price_out", "tok_s", "success_rate", "bench", "latency_ms"), VALUES)
    ),
    min_size=1,
    max_size=6,
)


def catalog(offers: list[dict[str, Any]]) -> tr.Catalog:
    kept = [{name: value for name, value in each.items() if value is not None} for each in offers]
    return catalog_of(*(offer(f"o{at}", "pq"[at % 2], **each) for at, each in enumerate(kept)))


def added(parts: tuple[ScorePart, ...], scorer: Term) -> float:
    """Add parts up as the language does: from 0, left to right; a scorer that is no sum is its one part."""
    if scorer[0] != "add":
        (part,) = parts
        return part.value
    total = 0.0
    for part in parts:
        total = total + part.value
    return total


def bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else np.float64(value).tobytes()


def check(decision: tr.Decision, scorer: Term) -> None:
    explanation = decision.explain()
    for name, value in zip(decision.offer_ids, decision.scores, strict=True):
        accepted = explanation.accepted(name)
        assert accepted is not None
        assert accepted.score is not None
        assert bits(accepted.score) == bits(value)
        assert bits(added(accepted.parts, scorer)) == bits(value)


@settings(max_examples=15 if JIT_DISABLED else 150)
@given(OFFERS, scorers())
def test_parts__add_up_to_the_score_to_the_bit(offers: list[dict[str, Any]], scorer: Term) -> None:
    made = catalog(offers)
    policy = policy_of(made, ["top"], scorer)
    check(tr.Engine(made, {"credits": {"p": 3.0}}).rank(policy), policy.term[-4])


@settings(max_examples=10 if JIT_DISABLED else 100)
@given(OFFERS, scorers(("quality", "speed", "cost", "free_credit", "partner")), st.sampled_from([None, 100.0, 1e-300]))
def test_parts__of_the_first_version_do_too(offers: list[dict[str, Any]], scorer: Term, longest: float | None) -> None:
    made = catalog(offers)
    term = ["policy", ["ev_zero"], ["top"], scorer, ["argmax"], ["id"], PLAN]
    health = {"ema": {"p|m": {"ema_latency_ms": 50.0, "price_in": 2.0, "last_quality_eval": 1.5}}, "credits": {"q": 1}}
    policy = tr.admit(term, made.fields)
    decision = tr.Engine(made, health).rank(policy, {"requirements": {"max_latency_ms": longest}})
    check(decision, policy.term[-4])


NOTHING_LEFT = ["add", ["field", "price_out"], ["scale", -1, ["field", "price_out"]], ["field", "context"]]


@pytest.mark.parametrize(
    ("scorer", "values"),
    [
        # A sum begins with 0, so that negative zeros add up to a positive one.
        (["add", ["scale", -1, ["field", "free"]], ["scale", -2, ["field", "free"]]], [0.0, 0.0, 0.0]),
        (["scale", -1, ["field", "free"]], [-0.0, -0.0, -0.0]),
        # Infinity less infinity is no number; rescaled it is 0.
        (NOTHING_LEFT, [1.0, 3.0, math.nan]),
        (["normalize", NOTHING_LEFT], [0.0, 1.0, 0.0]),
        (["normalize", ["scale", -1, ["field", "price_out"]]], [1.0, 0.0, 0.0]),
        (["normalize", ["clamp", 5, 2, ["field", "price_out"]]], [1.0, 0.0, 0.0]),
        (["clamp", 5, 2, ["field", "price_out"]], [5.0, 2.0, 2.0]),
    ],
)
def test_parts__follow_the_language_where_doubles_are_odd(scorer: Term, values: list[float]) -> None:
    made = tr.Catalog.from_records(
        [
            offer("a", price_out=3.0, free=0, capabilities={"context": 1}),
            offer("b", price_out=9.0, free=0, capabilities={"context": 3}),
            offer("c", free=0),
        ]
    )
    policy = policy_of(made, ["top"], scorer, ["ordered"])
    decision = tr.Engine(made).rank(policy)
    assert [bits(value) for value in decision.scores] == [bits(value) for value in values]
    check(decision, policy.term[-4])


def test_parts__each_is_what_the_reference_gives_for_it_alone() -> None:
    told = 0
    for world, case, _, _, policy, decision in ranked(93, 18):
        selector = policy.selector
        while selector.op == "top_k":
            selector = selector.children[0]
        if selector.op == "chain":
            continue
        explanation = decision.explain()
        setting = Setting({"request": case.request, "state": world.state}, WORLD_FIELDS, world.tier_order, case.version)
        passing = [one for one in world.offers if offer_id(one) not in decision.rejected]
        for at, one in enumerate(passing[:6]):
            accepted = explanation.accepted(offer_id(one))
            assert accepted is not None
            parts = list(accepted.parts)
            while parts:
                part = parts.pop()
                wanted = score(normal_form(term_of(part, policy), policy.version), passing, setting)[at]
                assert bits(part.value) == bits(wanted), part.encoding
                parts += part.parts
                told += 1
    assert told > 100


def term_of(part: ScorePart, policy: tr.Policy) -> Term:
    """The scorer that a part's canonical text stands for, looked up in the policy."""
    nodes = [policy.scorer]
    while nodes:
        node = nodes.pop()
        if node.encoding == part.encoding:
            return node.term()
        nodes += node.children
    raise AssertionError(part.encoding)


BLEND = [
    "add",
    ["scale", 0.75, ["neg", ["normalize", ["field", "price_out"]]]],
    ["gate", ["is", "region_eu"], ["lit", 0.125]],
]


def test_parts__show_weight_ends_condition_and_source() -> None:
    guarded = ["cmp", "price_out", "le", 10]
    accepted = tr.Engine(ABC).rank(policy_of(ABC, guarded, BLEND)).explain().accepted("c")
    assert accepted is not None
    gate, price = accepted.parts

    assert (gate.words, gate.value, gate.holds) == ("(0.125 where region_eu holds, else 0)", 0.125, True)
    assert gate.observations == ()
    assert (price.weight, price.weighed, price.value) == (0.75, 0.5, 0.375)
    (negated,) = price.parts
    (scaled,) = negated.parts
    assert (scaled.ends, scaled.value) == ((1.0, 3.0), 0.5)
    (seen,) = price.observations
    assert (seen.name, seen.value, seen.kind) == ("price_out", 2.0, "untold")
    assert accepted.score == 0.5


def test_parts__are_json_whatever_the_numbers() -> None:
    accepted = tr.Engine(ABC).rank(policy_of(ABC, ["top"], BLEND)).explain().accepted("d")
    assert accepted is not None
    text = json.dumps([part.to_json() for part in accepted.parts], allow_nan=False)
    (gate, price) = json.loads(text)
    scaled = price["parts"][0]["parts"][0]
    assert gate["holds"] is False
    assert scaled["ends"] == [1.0, None]
    assert scaled["parts"][0]["observed"][0]["words"] == "price_out: unknown, no source states it"


@pytest.mark.parametrize(
    ("scorer", "values"),
    [
        ("quality", [("quality", 1.5, 1.0, "live")]),
        ("speed", [("latency_ms", 50.0, 50.0, "live")]),
        ("cost", [("price_in", 2.0, 2.0, "live"), ("price_out", None, 0.0, "live")]),
        ("free_credit", [("credits", None, 0.0, "live")]),
        ("partner", [("tier", "partner", None, "untold")]),
    ],
)
def test_parts__of_the_first_version_say_what_they_look_at(scorer: str, values: list[tuple[Any, ...]]) -> None:
    made = catalog_of(offer("a", price_in=7.0, price_out=8.0, tier="partner"))
    health = {"ema": {"p|m": {"ema_latency_ms": 50.0, "price_in": 2.0, "last_quality_eval": 1.5}}}
    term = ["policy", ["ev_zero"], ["top"], [scorer], ["argmax"], ["id"], PLAN]
    accepted = tr.Engine(made, health).rank(tr.admit(term, made.fields, V1)).explain().accepted("a")
    assert accepted is not None
    seen = accepted.parts[0].observations
    assert [(each.name, each.value, each.read, each.kind) for each in seen] == values
