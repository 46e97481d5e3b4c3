"""Request transforms against the reference, and what is written into the request."""

from __future__ import annotations

import copy
import json
import math
from random import Random
from typing import Any

import pytest

from tenantrank.errors import PolicyError, RequestError
from tenantrank.policy.normal_form import Node, normalize
from tenantrank.policy.policy import admit
from tenantrank.policy.randomness import MODULUS, Rng, text_hash
from tenantrank.policy.signature import V2, VERSIONS, Version
from tenantrank.policy.transform import apply_transform
from tests.policy.samples import ALWAYS, FIELDS, generated
from tests.reference import generate
from tests.reference.predicates import holds
from tests.reference.signature import Term
from tests.reference.terms import random_xform
from tests.reference.transform import transform as reference

REQUESTS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.7, "top_p": 1, "max_tokens": 4096, "seed": 3, "日本": -2.5},
    {"temperature": "hot", "top_p": None, "max_tokens": True, "seed": [1], "日本": {"a": 1}},
    {"temperature": 1e308, "top_p": -0.0, "max_tokens": 10**400, "messages": [{"role": "user", "content": "x"}]},
    {"temperature": math.nan, "_filters": {"text": "mine", "other": 1}},
]


def greet(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "greeted": body.get("greeted", 0) + 1}


def applied(term: Term, request: dict[str, Any], seed: int | None = None, passes: bool = True) -> dict[str, Any]:
    return apply_transform(normalize(term, V2), request, lambda _: passes, seed, {"greet": greet})


@pytest.mark.parametrize("version", VERSIONS)
def test_apply_transform__equals_the_reference(version: Version) -> None:
    rng = Random(6)
    offers = generate.random_catalog(rng, 20)
    words = generate.Vocabulary.of(offers, version)
    terms = [random_xform(rng, version, words, 6) for _ in range(120)] + [term[-2] for term in generated(version)[:60]]
    for term in terms:
        ctx = generate.random_ctx(rng, offers, words, version)
        offer, seed = rng.choice(offers), ctx.get("seed")

        def condition(node: Node, offer: Any = offer, ctx: Any = ctx) -> bool:
            return holds(node.term(), offer, ctx, generate.FIELDS, version=version) is None

        for request in REQUESTS:
            if any(value == 10**400 for value in request.values()):
                continue
            kept = copy.deepcopy(request)
            found = apply_transform(normalize(term, version), request, condition, seed, {"greet": greet})
            expected = reference(term, request, offer, ctx, generate.FIELDS, version=version, customs={"greet": greet})
            assert repr(sorted_(found)) == repr(sorted_(expected))
            assert repr(request) == repr(kept)


def sorted_(value: Any) -> Any:
    """A value with its keys in order and all its numbers doubles, for comparison by its text, NaN and all."""
    if isinstance(value, dict):
        return {key: sorted_(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_(entry) for entry in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize(
    ("term", "request_", "seed", "expected"),
    [
        (["id"], {"a": 1}, 1, {"a": 1}),
        (["set_param", "a", 5], {}, None, {"a": 5}),
        (["set_param", "a", 5.0], {"a": 1}, None, {"a": 5}),
        (["set_param", "a", 0.5], {}, None, {"a": 0.5}),
        (["set_param", "a", False], {}, None, {"a": False}),
        (["set_param", "a", "x"], {}, None, {"a": "x"}),
        (["set_param", "a", "from_ctx"], {"a": 1}, 7, {"a": 7}),
        (["set_param", "a", "from_ctx"], {"a": 1}, None, {}),
        (["inject_seed", "a"], {}, -5, {"a": -5}),
        (["inject_seed", "a"], {"a": 1, "b": 2}, None, {"b": 2}),
        (["inject_seed", "a"], {}, None, {}),
        (["clamp_param", "a", 0, 1], {"a": 2}, None, {"a": 1}),
        (["clamp_param", "a", 0, 1], {"a": -2.5}, None, {"a": 0}),
        (["clamp_param", "a", 0, 1], {"a": 0.5}, None, {"a": 0.5}),
        (["clamp_param", "a", 0, 1], {"a": 10**400}, None, {"a": 1}),
        (["clamp_param", "a", 5, 1], {"a": 3}, None, {"a": 5}),
        (["clamp_param", "a", 0, 1], {"a": True}, None, {"a": True}),
        (["clamp_param", "a", 0, 1], {"a": "9"}, None, {"a": "9"}),
        (["clamp_param", "a", 0, 1], {}, None, {}),
        (["jitter", "a", 1], {"a": 1}, None, {"a": 1}),
        (["jitter", "a", 0], {"a": 1}, 4, {"a": 1.0}),
        (["jitter", "a", 1], {"a": 10**400}, 4, {"a": 10**400}),
        (["filter_text", ["NFKC", {"noise": 1, "x": 0.5}]], {}, None,
         {"_filters": {"text": {"recipe": ["NFKC", {"noise": 1, "x": 0.5}]}}}),
        (["filter_image", []], {"_filters": {"text": 1}}, -1,
         {"_filters": {"text": 1, "image": {"recipe": [], "seed": MODULUS - 1}}}),
        (["filter_text", []], {"_filters": "mine"}, MODULUS + 3, {"_filters": {"text": {"recipe": [], "seed": 3}}}),
        (["seq", ["set_param", "a", 1], ["set_param", "a", 2]], {}, None, {"a": 2}),
        (["seq", ["custom", "greet"], ["custom", "greet"]], {}, None, {"greeted": 2}),
    ],
)  # fmt: skip
def test_apply_transform__changes_one_thing(
    term: Term, request_: dict[str, Any], seed: int | None, expected: dict[str, Any]
) -> None:
    found = applied(term, request_, seed)
    assert found == expected
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in expected.items()}


def test_apply_transform__jitter_is_decided_by_seed_and_parameter() -> None:
    draw = Rng((9 + text_hash("jitter:top_p")) % MODULUS).draw()
    assert applied(["jitter", "top_p", 0.3], {"top_p": 0.5}, 9) == {"top_p": 0.5 + (draw * 2 - 1) * 0.3}
    assert applied(["jitter", "top_p", 0.3], {}, 9) == {"top_p": (draw * 2 - 1) * 0.3}
    assert applied(["jitter", "top_p", 0.3], {}, 9) != applied(["jitter", "top_p", 0.3], {}, 10)
    assert applied(["jitter", "a", 1], {}, 9)["a"] != applied(["jitter", "b", 1], {}, 9)["b"]


def test_apply_transform__when_asks_about_its_own_condition() -> None:
    asked: list[str] = []

    def condition(node: Node) -> bool:
        asked.append(node.encoding)
        return node.op == "is"

    term = ["seq", ["when", ["is", "no_log"], ["set_param", "a", 1]], ["when", ["meets_req"], ["set_param", "b", 1]],
            ["when", ["meets_req"], ["when", ["is", "no_log"], ["id"]]]]  # fmt: skip
    assert apply_transform(normalize(term, V2), {}, condition) == {"a": 1}
    assert asked == ['(is "no_log")', "(meets_req)", "(meets_req)"]


def test_apply_transform__writes_whole_numbers_the_same_however_the_policy_spells_them() -> None:
    def written(number: float) -> str:
        steps: Term = ["seq", ["set_param", "a", number], ["filter_text", [{"x": number}]]]
        return json.dumps(applied([*steps, ["clamp_param", "b", number, 9]], {"b": -4}, 1))

    assert written(2) == written(2.0) == '{"b": 2, "a": 2, "_filters": {"text": {"recipe": [{"x": 2}], "seed": 1}}}'


def test_apply_transform__shares_nothing_with_request_or_policy() -> None:
    policy = admit(["policy", ["top"], ["zero"], ["argmax"], ["filter_text", [{"x": 1}]], ALWAYS], FIELDS)
    request = {"messages": [{"content": "x"}]}
    body = apply_transform(policy.transform, request, lambda _: True)
    body["messages"][0]["content"] = "changed"
    body["_filters"]["text"]["recipe"][0]["x"] = 2
    assert request == {"messages": [{"content": "x"}]}
    assert policy.term[4] == ["filter_text", [{"x": 1}]]


def test_apply_transform__refuses_a_transform_that_is_not_registered() -> None:
    with pytest.raises(PolicyError, match="custom transform 'other' is not registered"):
        applied(["custom", "other"], {})
    assert applied(["when", ["top"], ["custom", "other"]], {}, passes=False) == {}


@pytest.mark.parametrize("body", [None, "x", [("a", 1)], 5])
def test_apply_transform__refuses_a_body_that_is_no_record(body: Any) -> None:
    with pytest.raises(RequestError, match=r"^expected the body of a request as a record, got "):
        applied(["id"], body)


def test_apply_transform__refuses_a_body_too_deep_to_copy_and_transforms_that_are_no_record() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RequestError, match="nested too deeply"):
        applied(["id"], {"messages": deep})
    wrong: Any = 5
    with pytest.raises(RequestError, match=r"^expected custom transforms by name, got 5$"):
        apply_transform(normalize(["id"], V2), {}, lambda _: True, custom=wrong)
