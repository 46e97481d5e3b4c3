"""Admission, normal form and encoding, each expected value worked out from the specification's text."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.reference.language import RefusedError, admit, encode, fingerprint, identity, sort_of
from tests.reference.samples import ALWAYS, FIELDS
from tests.reference.signature import V1, V2, Term


@pytest.mark.parametrize(
    ("term", "sort"),
    [
        (["top_k", 2.0, ["argmax"]], "Selector"),
        (["top_k", 1.5, ["argmax"]], None),
        (["top_k", 0, ["argmax"]], None),
        (["scale", True, ["zero"]], None),
        (["lit", math.nan], None),
        (["lit", math.inf], None),
        (["lit", 10**400], None),
        (["cmp", "bench", "le", 1], "Pred"),
        (["cmp", "region_eu", "le", 1], None),
        (["is", "bench"], None),
        (["cmp", "nope", "le", 1], None),
        (["cmp", "price_in", "==", 1], None),
        (["tier_eq", "gold"], None),
        (["and"], None),
        (["and", ["zero"]], None),
        (["top", 1], None),
        (["chain", [{"provider": "a", "model_family": "m"}]], "Selector"),
        (["chain", [{"provider": "a"}]], None),
        (["chain", [{"provider": 1, "model": "m"}]], None),
        (["chain", [{"provider": "a", "model": "m", "x": "y"}]], None),
        (["set_param", "p", True], "Xform"),
        (["set_param", "p", None], None),
        (["filter_image", ["a", {"b": 1}]], "Xform"),
        (["filter_text", [{"b": "c"}]], None),
        (["always", {"action": "retry_same", "backoff_ms": [], "anything": 1}], "FailPlan"),
        (["always", {"action": "retry_same", "anything": "x"}], None),
        (["always", {"attempts": 1}], None),
        (["always", {"action": "abort", "then_action": None}], None),
        (["family_eq", "\ud800"], None),
        ([["top"]], None),
        ({"op": "top"}, None),
        (None, None),
        (["and", *([["top"]] * 4095)], "Pred"),
        (["and", *([["top"]] * 4096)], None),
    ],
)
def test_admit__gives_the_sort_or_refuses(term: Any, sort: str | None) -> None:
    assert sort_of(term, FIELDS) == sort


def test_admit__refuses_below_the_sixty_fourth_level() -> None:
    term: Term = ["top"]
    for _ in range(63):
        term = ["not", term]
    assert admit(term, FIELDS) == "Pred"
    with pytest.raises(RefusedError) as refusal:
        admit(["not", term], FIELDS)
    assert refusal.value.path == "$" + "[1]" * 64


def test_admit__knows_each_version_by_its_own_ops() -> None:
    assert sort_of(["quality"], FIELDS, version=V1) == "Scorer"
    assert sort_of(["quality"], FIELDS, version=V2) is None
    assert sort_of(["provider_eq", "x"], FIELDS, version=V1) is None
    assert sort_of(["field", "quality_hint"], FIELDS, version=V2) is None
    old: Term = ["policy", ["ev_zero"], ["top"], ["zero"], ["argmax"], ["id"], ALWAYS]
    assert sort_of(old, FIELDS, version=V1) == "Policy"
    assert sort_of(old, FIELDS, version=V2) is None


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (["and", ["meets_req"], ["and", ["top"], ["is", "no_log"]]], "(and (is \"no_log\") (meets_req))"),
        (["and", ["is", "no_log"], ["or", ["bot"]]], "(bot)"),
        (["or", ["is", "no_log"], ["not", ["bot"]]], "(top)"),
        (["or", ["family_eq", "é"], ["family_eq", "b"], ["family_eq", "B"], ["family_eq", "b"]],
         '(or (family_eq "B") (family_eq "b") (family_eq "b") (family_eq "é"))'),
        (["and", ["top"]], "(top)"),
        (["not", ["not", ["not", ["meets_req"]]]], "(not (meets_req))"),
        (["scale", 1.0, ["scale", 2, ["scale", 3, ["lit", -0.0]]]], "(scale 2 (scale 3 (lit 0)))"),
        (["scale", 0, ["field", "bench"]], "(zero)"),
        (["add", ["zero"], ["scale", 2, ["zero"]]], "(zero)"),
        (["add", ["lit", 2], ["lit", 10]], "(add (lit 10) (lit 2))"),
        (["gate", ["top"], ["neg", ["lit", 1]]], "(neg (lit 1))"),
        (["gate", ["bot"], ["lit", 1]], "(zero)"),
        (["gate", ["meets_req"], ["zero"]], "(zero)"),
        (["normalize", ["normalize", ["lit", 1]]], "(normalize (lit 1))"),
        (["clamp", 5, 1, ["zero"]], "(clamp 5 1 (zero))"),
        (["seq", ["id"], ["seq", ["set_param", "b", 1], ["set_param", "a", True]]],
         '(seq (set_param "b" 1) (set_param "a" true))'),
        (["when", ["top"], ["seq", ["id"]]], "(when (top) (id))"),
        (["override", ["override", ALWAYS, "b", {"action": "abort"}], "a", {"action": "abort"}],
         '(override (override (always {"action":"next_candidate"}) "a" {"action":"abort"}) "b" {"action":"abort"})'),
        (["override", ["override", ALWAYS, "a", {"action": "abort"}], "a", {"action": "next_candidate"}],
         '(always {"action":"next_candidate"})'),
        (["filter_text", [{"z": 1, "a": 0.5}, {}, "n"]], '(filter_text [{"a":0.5,"z":1},[],"n"])'),
        (["chain", []], "(chain [])"),
        (["family_eq", 'a"\\\n\r\t\u2028/'], '(family_eq "a\\"\\\\\\n\\r\\t\u2028/")'),
        (["lit", 2**53], "(lit 9007199254740992)"),
        (["lit", 1e17], "(lit 1e+17)"),
        (["lit", 0.1], "(lit 0.10000000000000001)"),
        (["lit", 1e-5], "(lit 1.0000000000000001e-05)"),
    ],
)  # fmt: skip
def test_encode__writes_the_normal_form(term: Term, expected: str) -> None:
    assert encode(term) == f"sigma-pol/v2:{expected}"


def test_encode__evidence_is_normalized_and_encoded_only() -> None:
    term: Term = ["ev_add", ["ev_zero"], ["ev_scale", 1, ["from_prov", "self"]], ["decay", 0, ["ev_zero"]]]
    assert encode(term, V1) == 'sigma-pol/v1:(ev_add (decay 0 (ev_zero)) (ev_scale 1 (from_prov "self")))'


def test_fingerprint__is_the_published_one() -> None:
    encoding = encode(["cmp", "price_in", "le", 5.0])
    assert fingerprint(encoding) == "921304031-1509639523"
    assert fingerprint("") == "5381-52711"
    assert identity("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
