"""Descriptions: golden lines for every op, and laws that hold for every admitted term."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.errors import PolicyError
from tenantrank.policy.describe import describe, describe_clause
from tenantrank.policy.normal_form import Node, normalize
from tenantrank.policy.policy import admit, admit_term
from tenantrank.policy.signature import V1, V2, VERSIONS, Version
from tests.policy.samples import ALWAYS, FIELDS, OPS, generated, sample, subterms
from tests.reference import language
from tests.reference.signature import SIGNATURES, Term

LOG, TEE = ["is", "no_log"], ["is", "has_tee"]
EITHER = ["or", ["provider_eq", "azure"], ["provider_eq", "openai"]]
CHEAP = ["cmp", "price_out", "le", 12]

PREDICATES: list[tuple[Term, list[str]]] = [
    (["top"], ["every offer passes"]),
    (["bot"], ["no offer passes"]),
    (["meets_req"], ["the offer meets the request's requirements"]),
    (["not", ["meets_req"]], ["the offer does not meet the request's requirements"]),
    (["scope_matches"], ["the offer's scope, where it has one, is the request's"]),
    (["not", ["scope_matches"]], ["the offer has a scope that is not the request's"]),
    (LOG, ["no_log holds"]),
    (["not", LOG], ["no_log does not hold"]),
    (CHEAP, ["price_out is at most 12"]),
    (["not", CHEAP], ["price_out is not at most 12"]),
    (["cmp", "price_out", "lt", 0.5], ["price_out is below 0.5"]),
    (["cmp", "price_out", "eq", 1], ["price_out is exactly 1"]),
    (["cmp", "price_out", "ne", 1], ["price_out is other than 1"]),
    (["cmp", "price_out", "ge", -1], ["price_out is at least -1"]),
    (["cmp", "price_out", "gt", 1e100], ["price_out is above 1e+100"]),
    (["tier_eq", "partner"], ["the tier is partner"]),
    (["not", ["tier_eq", "partner"]], ["the tier is not partner"]),
    (["min_tier", "partner"], ["the tier is at least partner"]),
    (["not", ["min_tier", "partner"]], ["the tier is not at least partner"]),
    (["family_eq", "gpt-5.5"], ["the model family is gpt-5.5"]),
    (["not", ["family_eq", "gpt-5.5"]], ["the model family is not gpt-5.5"]),
    (["provider_eq", "azure"], ["the provider is azure"]),
    (["served_by_eq", "peer"], ["the offer is served by peer"]),
    (["not", ["served_by_eq", "peer"]], ["the offer is not served by peer"]),
    (["has_cap", "supports_tools"], ["the offer has the capability supports_tools"]),
    (["not", ["has_cap", "supports_tools"]], ["the offer lacks the capability supports_tools"]),
    (["and", LOG, CHEAP], ["price_out is at most 12", "no_log holds"]),
    (["or", LOG, CHEAP], ["price_out is at most 12 or no_log holds"]),
    (EITHER, ["the provider is one of azure, openai"]),
    (["not", EITHER], ["the provider is none of azure, openai"]),
    (["or", ["served_by_eq", "b"], ["served_by_eq", "a"]], ["the offer is served by one of a, b"]),
    (["not", ["or", ["served_by_eq", "b"], ["served_by_eq", "a"]]], ["the offer is served by none of a, b"]),
    (["or", ["min_tier", "partner"], ["min_tier", "fallback"]],
     ["the tier is at least fallback or the tier is at least partner"]),
    (["and", LOG, EITHER], ["no_log holds", "the provider is one of azure, openai"]),
    (["or", LOG, ["and", CHEAP, TEE]], ["(price_out is at most 12 and has_tee holds) or no_log holds"]),
    (["or", LOG, ["and", CHEAP, EITHER]],
     ["(price_out is at most 12 and (the provider is one of azure, openai)) or no_log holds"]),
    (["not", ["and", LOG, CHEAP]], ["it is not so that (price_out is at most 12 and no_log holds)"]),
    (["not", ["or", LOG, CHEAP]], ["it is not so that (price_out is at most 12 or no_log holds)"]),
    (["or", ["not", ["and", LOG, CHEAP]], TEE],
     ["has_tee holds or (it is not so that (price_out is at most 12 and no_log holds))"]),
    # A list of names deep inside does not take the negation of what is around it.
    (["not", ["or", LOG, ["and", TEE, EITHER]]],
     ["it is not so that ((has_tee holds and (the provider is one of azure, openai)) or no_log holds)"]),
    (["or", ["provider_eq", "azure"], ["family_eq", "m"]], ["the model family is m or the provider is azure"]),
]  # fmt: skip

OTHERS: list[tuple[Version, Term, list[str]]] = [
    (V2, ["zero"], ["score: 0"]),
    (V2, ["lit", -2.5], ["score: -2.5"]),
    (V2, ["field", "tok_s"], ["score: tok_s"]),
    (V2, ["add", ["field", "tok_s"], ["lit", 1]], ["score: tok_s + 1"]),
    (V2, ["scale", 0.5, ["add", ["field", "tok_s"], ["lit", 1]]], ["score: 0.5 × (tok_s + 1)"]),
    (V2, ["scale", 2, ["scale", 3, ["lit", 1]]], ["score: 2 × (3 × 1)"]),
    (V2, ["neg", ["normalize", ["field", "price_in"]]],
     ["score: 1 − (price_in, rescaled to 0–1 between the survivors)"]),
    (V2, ["neg", ["neg", ["lit", 1]]], ["score: 1 − (1 − 1)"]),
    (V2, ["gate", ["or", LOG, TEE], ["lit", 1]], ["score: (1 where has_tee holds or no_log holds, else 0)"]),
    (V2, ["clamp", 0, 10, ["field", "tok_s"]], ["score: (tok_s, kept between 0 and 10)"]),
    (V1, ["add", ["quality"], ["speed"], ["cost"], ["free_credit"], ["partner"]],
     ["score: cheapness for this request + free credit + partner standing + quality + speed"]),
    (V2, ["argmax"], ["order: highest score first, ties in catalog order"]),
    (V2, ["ordered"], ["order: catalog order"]),
    (V2, ["sample", 0.5], ["order: drawn at random by the seed, higher scores favoured, at temperature 0.5"]),
    (V2, ["top_k", 3, ["ordered"]], ["order: the first 3 of: catalog order"]),
    (V2, ["chain", []], ["order: no offer: the list is empty"]),
    (V2, ["chain", [{"provider": "azure", "model": "m"}, {"provider_id": "b", "model_family": "n"}]],
     ["order: only, and in this order: m at azure, n at b"]),
    (V2, ["chain", [{"provider_id": "no", "provider": "p", "model_family": "no", "model": "m"}]],
     ["order: only, and in this order: m at p"]),
    (V2, ["id"], ["request: unchanged"]),
    (V2, ["set_param", "max_tokens", 4096], ["request: set max_tokens to 4096"]),
    (V2, ["set_param", "stream", True], ["request: set stream to true"]),
    (V2, ["set_param", "user", "true"], ['request: set user to "true"']),
    (V2, ["set_param", "user", "the seed"], ['request: set user to "the seed"']),
    (V2, ["set_param", "user", "from_ctx"], ["request: set user to the seed"]),
    (V2, ["inject_seed", "seed"], ["request: set seed to the seed"]),
    (V2, ["clamp_param", "temperature", 0, 1], ["request: keep temperature between 0 and 1"]),
    (V2, ["jitter", "top_p", 0.1], ["request: shift top_p by up to 0.1, decided by the seed"]),
    (V2, ["filter_text", ["NFKC"]], ["request: filter text by 1 step"]),
    (V2, ["filter_image", []], ["request: filter images by 0 steps"]),
    (V2, ["custom", "redact"], ["request: apply the operator's transform redact"]),
    (V2, ["seq", ["inject_seed", "seed"], ["custom", "redact"]],
     ["request: set seed to the seed", "request: apply the operator's transform redact"]),
    (V2, ["when", LOG, ["seq", ["inject_seed", "seed"], ["custom", "redact"]]],
     ["request: where no_log holds: set seed to the seed; apply the operator's transform redact"]),
    (V2, ["when", LOG, ["seq", ["when", TEE, ["custom", "a"]], ["custom", "b"]]],
     ["request: where no_log holds: (where has_tee holds: apply the operator's transform a); "
      "apply the operator's transform b"]),
    (V2, ["when", ["top"], ["id"]], ["request: where every offer passes: unchanged"]),
    (V2, ALWAYS, ["on any failure: go to the next offer"]),
    (V2, ["always", {"action": "abort"}], ["on any failure: stop with the error"]),
    (V2, ["always", {"action": "next_provider_same_model"}],
     ["on any failure: go to the next offer of the same model, or end where there is none"]),
    (V2, ["always", {"action": "disable_provider", "open_breaker_ms": 0}],
     ["on any failure: disable the provider and go to the next offer, and open the provider's breaker"]),
    (V2, ["always", {"action": "retry_same"}],
     ["on any failure: try the same offer again, up to 1 more time, then go to the next offer"]),
    (V2, ["always", {"action": "retry_same", "attempts": 3, "backoff_ms": 250, "then_action": "abort"}],
     ["on any failure: try the same offer again, up to 3 more times, waiting 250 ms, then stop with the error"]),
    (V2, ["always", {"action": "retry_same", "backoff_ms": [100, 200.5], "then_action": "disable_provider"}],
     ["on any failure: try the same offer again, up to 1 more time, waiting 100, 200.5 ms in turn, "
      "then go to the next offer"]),
    (V2, ["always", {"action": "retry_same", "attempts": 0, "backoff_ms": []}],
     ["on any failure: try the same offer again, up to 0 more times, then go to the next offer"]),
    (V2, ["override", ["override", ALWAYS, "timeout", {"action": "abort"}], "rate_limit", {"action": "retry_same"}],
     ["on rate_limit: try the same offer again, up to 1 more time, then go to the next offer",
      "on timeout: stop with the error", "on any other failure: go to the next offer"]),
    (V2, ["override", ALWAYS, "unknown", {"action": "abort"}], ["on any failure: stop with the error"]),
    (V2, ["override", ["override", ALWAYS, "unknown", {"action": "abort"}], "timeout", {"action": "retry_same"}],
     ["on timeout: try the same offer again, up to 1 more time, then go to the next offer",
      "on any other failure: stop with the error"]),
    (V1, ["decay", 0.5, ["ev_add", ["from_prov", "a"], ["from_prov", "b"]]],
     ['evidence, which decides nothing: (decay 0.5 (ev_add (from_prov "a") (from_prov "b")))']),
    (V1, ["ev_scale", 2, ["ev_zero"]], ["evidence, which decides nothing: (ev_scale 2 (ev_zero))"]),
]  # fmt: skip


@pytest.mark.parametrize(("term", "lines"), PREDICATES, ids=lambda value: "")
def test_describe__predicates(term: Term, lines: list[str]) -> None:
    assert describe(admit_term(term, FIELDS)) == lines


@pytest.mark.parametrize(("version", "term", "lines"), OTHERS, ids=lambda value: "")
def test_describe__scorers_selectors_transforms_and_plans(version: Version, term: Term, lines: list[str]) -> None:
    assert describe(admit_term(term, FIELDS, version)) == lines


def test_describe__golden_lines_cover_every_op() -> None:
    rows = [(V2, term) for term, _ in PREDICATES] + [(version, term) for version, term, _ in OTHERS]
    seen = {part[0] for version, term in rows for part in subterms(term, version)}
    assert seen | {"policy"} == set(SIGNATURES[V1]) | set(SIGNATURES[V2])


def test_describe__a_policy_by_its_clauses_score_order_request_and_failures() -> None:
    parts = ["policy", ["and", LOG, EITHER], ["neg", ["normalize", ["field", "price_out"]]], ["top_k", 3, ["argmax"]]]
    plan = ["override", ALWAYS, "timeout", {"action": "abort"}]
    expected = [
        "no_log holds",
        "the provider is one of azure, openai",
        "score: 1 − (price_out, rescaled to 0–1 between the survivors)",
        "order: the first 3 of: highest score first, ties in catalog order",
        "on timeout: stop with the error",
        "on any other failure: go to the next offer",
    ]
    assert describe(admit([*parts, ["id"], plan], FIELDS)) == expected
    expected.insert(4, "request: set seed to the seed")
    assert describe(admit([*parts, ["inject_seed", "seed"], plan], FIELDS)) == expected


def test_describe__an_old_policy_leaves_out_its_evidence() -> None:
    term = ["policy", ["from_prov", "self"], LOG, ["quality"], ["argmax"], ["id"], ALWAYS]
    assert describe(admit(term, FIELDS)) == [
        "no_log holds",
        "score: quality",
        "order: highest score first, ties in catalog order",
        "on any failure: go to the next offer",
    ]


@pytest.mark.parametrize(("op", "version"), OPS)
def test_describe__every_op_alone(op: str, version: Version) -> None:
    lines = describe(admit_term(sample(op, version), FIELDS, version))
    assert lines
    assert all(line and line.isprintable() and line == line.strip() for line in lines)


@pytest.mark.parametrize("version", VERSIONS)
def test_describe__every_admitted_term_gives_whole_printable_lines(version: Version) -> None:
    for policy in generated(version):
        for term in [policy, *policy[1:]]:
            lines = describe(admit_term(term, FIELDS, version))
            assert lines
            assert all(line and line.isprintable() and line == line.strip() for line in lines)
            assert all(balanced(line) for line in lines)


def balanced(line: str) -> bool:
    """Whether brackets outside quotes match."""
    depth, quoted, escaped = 0, False, False
    for mark in line:
        if quoted:
            quoted = escaped or mark != '"'
            escaped = mark == "\\" and not escaped
        elif mark == '"':
            quoted = True
        else:
            depth += {"(": 1, ")": -1}.get(mark, 0)
            if depth < 0:
                return False
    return depth == 0 and not quoted


@pytest.mark.parametrize("version", VERSIONS)
def test_describe_clause__different_conditions_read_differently(version: Version) -> None:
    seen: dict[str, str] = {}
    for policy in generated(version):
        for term in subterms(policy, version):
            if SIGNATURES[version][term[0]][0] == "Pred":
                for node in (normalize(term, version), normalize(["not", term], version)):
                    assert seen.setdefault(describe_clause(node), node.encoding) == node.encoding
    assert len(seen) > 500


NAMES = [
    "", " ", "a b", "a\nb", "a\r\nb", "a\tb", "\x00", "\x1b[31m", "\u2028", "\u202e", "\x85", "\ufeff", "\U000e0001",
    '"', '"', "\\", "'", "openai or no_log holds", "x is one of y", "a, b", "(a)", "日本", "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_describe__no_name_ends_a_line_or_reads_as_a_sentence(name: str) -> None:
    terms: list[tuple[Version, Term]] = [
        (V2, ["provider_eq", name]),
        (V2, ["not", ["or", LOG, ["provider_eq", name]]]),
        (V2, ["or", ["family_eq", name], ["family_eq", "b"]]),
        (V2, ["has_cap", name]),
        (V2, ["chain", [{"provider": name, "model": name}]]),
        (V2, ["set_param", name, name]),
        (V2, ["inject_seed", name]),
        (V2, ["jitter", name, 1]),
        (V2, ["clamp_param", name, 0, 1]),
        (V2, ["custom", name]),
        (V2, ["override", ALWAYS, name, {"action": "abort"}]),
        (V1, ["from_prov", name]),
    ]
    for version, term in terms:
        lines = describe(admit_term(term, FIELDS, version))
        assert all(line.isprintable() and balanced(line) for line in lines)
        if " " in name:
            bare = [part for line in lines for part in line.split('"')[::2]]
            assert not any(name in part for part in bare if name.strip())
    fields = {name: {"sort": "Bool"}, f"{name}2": {"sort": "Num"}}
    for term in (["is", name], ["cmp", f"{name}2", "le", 1], ["field", f"{name}2"]):
        assert all(line.isprintable() for line in describe(admit_term(term, fields)))


def test_describe__names_of_plain_words_stand_bare_and_others_in_quotes() -> None:
    def line(name: str) -> str:
        return describe(admit_term(["provider_eq", name], FIELDS))[0].removeprefix("the provider is ")

    for name in ("gpt-5.5", "meta/llama:free", "本地", "a_b+c@d"):
        assert line(name) == name
    assert line("a b") == '"a b"'
    assert line('say "hi"\n') == '"say \\"hi\\"\\n"'
    assert line("\x1b\u202e") == '"\\u001b\\u202e"'
    assert line("") == '""'


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_describe__different_names_read_differently(one: str, other: str) -> None:
    lines = [describe(admit_term(["family_eq", name], FIELDS)) for name in (one, other)]
    assert (lines[0] == lines[1]) == (one == other)
    assert all(line.isprintable() for line in lines[0])


def test_describe__is_no_longer_than_the_policy_warrants() -> None:
    # Every change under one condition stands on one line, so that the condition is not repeated for each.
    condition = ["or", *(["family_eq", f"model-{number}"] for number in range(1000))]
    changes: list[Any] = ["seq", *(["set_param", f"p{number}", number] for number in range(1000))]
    term: Term = ["when", condition, ["when", condition, changes]]
    assert sum(map(len, describe(admit_term(term, FIELDS)))) < 2 * len(json.dumps(term))


def test_describe_clause__takes_nodes_in_normal_form() -> None:
    assert describe_clause(normalize(["and", LOG, CHEAP], V2)) == "price_out is at most 12 and no_log holds"
    assert describe_clause(Node("top", "(top)")) == "every offer passes"


def test_describe__terms_of_one_meaning_have_one_description() -> None:
    for policy in generated(V2)[:40]:
        assert describe(admit(policy, FIELDS)) == describe(admit(language.normal_form(policy), FIELDS))


@pytest.mark.parametrize("given", [None, [], ["top"], "top", normalize(["top"], V2)])
def test_describe__refuses_what_was_not_admitted(given: Any) -> None:
    with pytest.raises(PolicyError, match="expected an admitted term"):
        describe(given)
