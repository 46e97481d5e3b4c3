"""Requests: what of a body counts, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tenantrank.engine import Request
from tenantrank.engine.request import reduced_seed
from tenantrank.errors import RequestError
from tests.engine.samples import ranked
from tests.reference.generate import FIELDS, Vocabulary, random_request
from tests.reference.observe import Setting
from tests.reference.signature import TIER_ORDER, V2


def test_of__finds_the_needs_that_the_reference_finds() -> None:
    rng = Random(1)
    words = Vocabulary.of([], V2)
    for _ in range(300):
        record = random_request(rng, words)
        request = Request.of(record)
        setting = Setting({"request": record}, FIELDS, TIER_ORDER, V2)
        assert request.needs == tuple(need for need, _ in setting.needs)
        assert request.scope == record.get("scope")
        for name, value in record.get("requirements", {}).items():
            if name != "needs":
                assert getattr(request, name) == value


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        [],
        {"requirements": None},
        {"requirements": {}},
        {"requirements": []},
        {"requirements": {"needs": {}}},
        {"requirements": {"needs": [], "min_context": None}},
        {"requirements": {"needs": ["telepathy"]}},
        {"messages": [{"role": "user"}], "stream": True, "temperature": "hot"},
        {"images": [], "tools": {}, "response_format": {"type": "text"}},
        {"response_format": "json_object"},
    ],
)
def test_of__what_asks_for_nothing_is_the_empty_request(record: Any) -> None:
    assert Request.of(record) == Request()
    assert hash(Request.of(record)) == hash(Request())


def test_of__takes_images_tools_and_the_form_of_the_answer_for_needs() -> None:
    body = {"images": ["x"], "tools": [{}], "response_format": {"type": "json_object"}}
    assert Request.of(body).needs == ("tools", "vision", "json_mode")
    listed = {"requirements": {"needs": ["seed", "vision", "seed", "other"]}, "tools": {"a": 1}}
    assert Request.of(listed).needs == ("tools", "vision", "seed")
    request = Request.of(listed)
    assert Request.of(request) is request


@pytest.mark.parametrize(
    ("record", "at"),
    [
        ("text", "request"),
        (5, "request"),
        ([1], "request"),
        ({"requirements": "x"}, "request.requirements"),
        ({"requirements": [1]}, "request.requirements"),
        ({"requirements": {"min_contxt": 5}}, "min_contxt"),
        ({"requirements": {5: 5}}, "5"),
        ({"requirements": {"needs": "tools"}}, "request.requirements.needs"),
        ({"requirements": {"needs": [5]}}, "request.requirements.needs"),
        ({"requirements": {"min_context": "5"}}, "request.requirements.min_context"),
        ({"requirements": {"min_context": True}}, "request.requirements.min_context"),
        ({"requirements": {"min_tok_s": math.nan}}, "request.requirements.min_tok_s"),
        ({"requirements": {"min_tok_s": math.inf}}, "request.requirements.min_tok_s"),
        ({"requirements": {"max_cost_usd": -math.inf}}, "request.requirements.max_cost_usd"),
        ({"requirements": {"min_quality": 10**400}}, "request.requirements.min_quality"),
        ({"requirements": {"min_quality": -(10**5000)}}, "request.requirements.min_quality"),
        ({"requirements": {"tier": 5}}, "request.requirements.tier"),
        ({"requirements": {"model_family": ["m"]}}, "request.requirements.model_family"),
        ({"requirements": {"privacy": "strict"}}, "request.requirements.privacy"),
        ({"scope": 5}, "request.scope"),
        ({"images": "x"}, "request.images"),
        ({"tools": 5}, "request.tools"),
    ],
)
def test_of__refuses_in_one_line_that_names_the_key(record: Any, at: str) -> None:
    with pytest.raises(RequestError) as caught:
        Request.of(record)
    assert at in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of__takes_the_greatest_numbers_a_double_holds() -> None:
    largest = 1.7976931348623157e308
    assert Request.of({"requirements": {"min_context": largest}}).min_context == largest
    assert Request.of({"requirements": {"min_context": int(largest)}}).min_context == largest


def test_reduced_seed__is_a_remainder_that_is_never_negative() -> None:
    seeds = (None, 0, 1, -1, 2147483646, 2147483647, 2147483648, -2147483648, 2**70)
    assert [reduced_seed(seed) for seed in seeds] == [0, 0, 1, 2147483646, 2147483646, 0, 1, 2147483646, 256]


@pytest.mark.parametrize(
    "given",
    [
        {"privacy": "nolog"},
        {"needs": ("vison",)},
        {"needs": ["tools"]},
        {"min_context": "8000"},
        {"min_context": math.nan},
        {"scope": 5},
        {"tier": 1},
    ],
)
def test_request__built_by_hand_is_checked_too(given: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        Request(**given)


def test_of__refuses_a_misspelt_requirements_key() -> None:
    with pytest.raises(RequestError, match="requirement"):
        Request.of({"requirment": {"min_context": 5}})
    assert Request.of({"messages": [], "model": "m", "metadata": {}}) == Request()


def test_of__shows_no_more_of_a_strange_value_than_fits_a_line() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for strange in (deep, 10**5000, "x" * 10_000, object()):
        for record in (
            {"requirements": {"min_context": strange}},
            {"scope": [strange]},
            {"requirements": {"needs": strange}},
        ):
            with pytest.raises(RequestError) as caught:
                Request.of(record)
            assert len(str(caught.value)) < 200


def test_filtered_by__requests_that_agree_in_it_have_the_same_rejections() -> None:
    agreed = 0
    for _, _, _, engine, policy, decision in ranked(31, 20):
        request = decision.request
        names = ("max_latency_ms", "max_cost_usd", "estimated_input_tokens", "estimated_output_tokens")
        other = replace(request, **dict.fromkeys((*names, "free_credit_threshold_usd"), 7.0))
        assert engine.filtered_by(policy, other) == engine.filtered_by(policy, request)
        one, two = engine.rejections(policy, request), engine.rejections(policy, other)
        assert one.counts.tolist() == two.counts.tolist()
        assert one.first.tolist() == two.first.tolist()
        agreed += 1
    assert agreed > 10
