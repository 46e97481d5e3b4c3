"""Request transforms and failure plans, worked out by hand."""

from __future__ import annotations

import pytest

from tests.reference.samples import ALWAYS, FIELDS, offer
from tests.reference.signature import Term
from tests.reference.transform import classify, transform


def test_transform__changes_a_copy() -> None:
    request = {"temperature": 1.7, "top_p": 0.9, "user": "u"}
    term: Term = [
        "seq",
        ["set_param", "max_tokens", 4096],
        ["inject_seed", "seed"],
        ["set_param", "user", "from_ctx"],
        ["clamp_param", "temperature", 0, 1],
        ["clamp_param", "absent", 0, 1],
        ["jitter", "top_p", 0.1],
        ["filter_text", ["NFKC"]],
        ["filter_image", []],
        ["when", ["provider_eq", "p"], ["set_param", "here", True]],
        ["when", ["provider_eq", "q"], ["set_param", "there", True]],
        ["custom", "greet"],
    ]
    seeded = transform(
        term, request, offer("a"), {"seed": 42}, FIELDS, customs={"greet": lambda body: {**body, "hello": 1}}
    )
    assert seeded.pop("top_p") == pytest.approx(0.9462272027257026, abs=1e-12)
    filters = {"text": {"recipe": ["NFKC"], "seed": 42}, "image": {"recipe": [], "seed": 42}}
    expected = {"max_tokens": 4096, "seed": 42, "user": 42, "temperature": 1, "here": True, "hello": 1}
    assert seeded == {**expected, "_filters": filters}
    assert request == {"temperature": 1.7, "top_p": 0.9, "user": "u"}
    unseeded = transform(["seq", *term[2:8]], request, offer("a"), {}, FIELDS)
    assert unseeded == {"temperature": 1, "top_p": 0.9, "_filters": {"text": {"recipe": ["NFKC"]}}}


def test_transform__jitter_replaces_what_is_no_number() -> None:
    shift = transform(["jitter", "t", 0.3], {"t": "hot"}, offer("a"), {"seed": 4}, FIELDS)["t"]
    assert shift == transform(["jitter", "t", 0.3], {"t": True}, offer("a"), {"seed": 4}, FIELDS)["t"]
    assert transform(["jitter", "t", 0.3], {"t": 1}, offer("a"), {"seed": 4}, FIELDS)["t"] == 1 + shift


def test_classify__unknown_takes_the_bases_place() -> None:
    plan: Term = ["override", ["override", ALWAYS, "unknown", {"action": "abort"}], "x", {"action": "retry_same"}]
    assert classify(plan, "x") == {"action": "retry_same"}
    assert classify(plan, "y") == {"action": "abort"}
    # An override equal to the base is dropped, and its reason then falls to `unknown`.
    assert classify(["override", plan, "x", {"action": "next_candidate"}], "x") == {"action": "abort"}
