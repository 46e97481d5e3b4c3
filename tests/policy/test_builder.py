"""The builder: each helper's term, the operators, and what misuse says."""

from __future__ import annotations

import copy
import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tenantrank.errors import PolicyError
from tenantrank.policy import builder as b
from tenantrank.policy.builder import f, family, has, is_, provider, served_by, tier
from tenantrank.policy.policy import admit, admit_term
from tenantrank.policy.signature import V2
from tests.policy.samples import ALWAYS, FIELDS
from tests.reference.signature import SIGNATURES, Term

LE = ["cmp", "price_out", "le", 12]
AZURE, OPENAI = ["provider_eq", "azure"], ["provider_eq", "openai"]
LOG = ["is", "no_log"]
bound = 12
# Of no declared type, for what a type checker would refuse.
one: Any = is_("a")
score: Any = b.highest("a")
price: Any = f.price_in

TERMS: list[tuple[Any, Term]] = [
    (f.price_out <= 12, LE),
    (f.price_out < 12, ["cmp", "price_out", "lt", 12]),
    (f.price_out >= 12, ["cmp", "price_out", "ge", 12]),
    (f.price_out > 12, ["cmp", "price_out", "gt", 12]),
    (f.price_out == 12, ["cmp", "price_out", "eq", 12]),
    (f.price_out != 12, ["cmp", "price_out", "ne", 12]),
    (bound >= f.price_out, LE),
    (bound > f.price_out, ["cmp", "price_out", "lt", 12]),
    (bound <= f.price_out, ["cmp", "price_out", "ge", 12]),
    (bound < f.price_out, ["cmp", "price_out", "gt", 12]),
    (bound == f.price_out, ["cmp", "price_out", "eq", 12]),
    (f["bench_coding"] >= 0.5, ["cmp", "bench_coding", "ge", 0.5]),
    (is_("no_log"), LOG),
    (~is_("no_log"), ["not", LOG]),
    (has("supports_tools"), ["has_cap", "supports_tools"]),
    (b.at_least("partner"), ["min_tier", "partner"]),
    (provider == "azure", AZURE),
    (provider != "azure", ["not", AZURE]),
    (provider.is_in("azure", "openai"), ["or", AZURE, OPENAI]),
    (provider.is_in("azure"), ["or", AZURE]),
    (provider.is_in(), ["bot"]),
    (provider.not_in("azure", "openai"), ["not", ["or", AZURE, OPENAI]]),
    (provider.not_in(), ["not", ["bot"]]),
    (family == "m", ["family_eq", "m"]),
    (served_by == "peer", ["served_by_eq", "peer"]),
    (tier == "partner", ["tier_eq", "partner"]),
    (b.meets_request, ["meets_req"]),
    (b.scope_matches, ["scope_matches"]),
    (b.everything, ["top"]),
    (b.nothing, ["bot"]),
    (b.all_of(is_("no_log"), f.price_out <= 12), ["and", LOG, LE]),
    (b.all_of(), ["top"]),
    (b.any_of(is_("no_log"), f.price_out <= 12), ["or", LOG, LE]),
    (b.any_of(), ["bot"]),
    (is_("no_log") & (f.price_out <= 12), ["and", LOG, LE]),
    (is_("no_log") | (f.price_out <= 12), ["or", LOG, LE]),
    (is_("no_log") & (f.price_out <= 12) & (provider == "azure"), ["and", LOG, LE, AZURE]),
    (is_("no_log") & ((f.price_out <= 12) & (provider == "azure")), ["and", LOG, LE, AZURE]),
    (is_("no_log") | (f.price_out <= 12) & (provider == "azure"), ["or", LOG, ["and", LE, AZURE]]),
    (f.tok_s.score, ["field", "tok_s"]),
    (f.tok_s.score * 2, ["scale", 2, ["field", "tok_s"]]),
    (0.5 * f.tok_s.score, ["scale", 0.5, ["field", "tok_s"]]),
    (f.tok_s.score + f.context.score, ["add", ["field", "tok_s"], ["field", "context"]]),
    (f.tok_s.score + f.context.score + b.highest("credits"),
     ["add", ["field", "tok_s"], ["field", "context"], ["normalize", ["field", "credits"]]]),
    (f.tok_s.score.where(is_("no_log")), ["gate", LOG, ["field", "tok_s"]]),
    (f.tok_s.score.clamp(0, 10), ["clamp", 0, 10, ["field", "tok_s"]]),
    (f.tok_s.score.normalized(), ["normalize", ["field", "tok_s"]]),
    (f.tok_s.score.reversed(), ["neg", ["field", "tok_s"]]),
    (b.highest("tok_s"), ["normalize", ["field", "tok_s"]]),
    (b.lowest("price_in"), ["neg", ["normalize", ["field", "price_in"]]]),
    (b.cheapest("price_out"), ["neg", ["normalize", ["field", "price_out"]]]),
    (b.blend({"tok_s": 0.25, "price_in": -0.75}),
     ["add", ["scale", 0.25, ["normalize", ["field", "tok_s"]]],
      ["scale", 0.75, ["neg", ["normalize", ["field", "price_in"]]]]]),
    (b.blend({"tok_s": 1}, b.cheapest("price_in")),
     ["add", ["scale", 1, ["normalize", ["field", "tok_s"]]], ["neg", ["normalize", ["field", "price_in"]]]]),
    (b.blend(None, b.highest("tok_s")), ["add", ["normalize", ["field", "tok_s"]]]),
    (b.blend(), ["zero"]),
    (b.best_first, ["argmax"]),
    (b.catalog_order, ["ordered"]),
    (b.sample(0.5), ["sample", 0.5]),
    (b.chain(("azure", "m"), ("openai", "n")),
     ["chain", [{"provider": "azure", "model": "m"}, {"provider": "openai", "model": "n"}]]),
    (b.chain(), ["chain", []]),
    (b.top(3), ["top_k", 3, ["argmax"]]),
    (b.top(3, b.sample(1)), ["top_k", 3, ["sample", 1]]),
    (b.policy(b.everything), ["policy", ["top"], ["zero"], ["argmax"], ["id"], ALWAYS]),
    (b.policy(is_("no_log"), b.cheapest("price_in"), b.top(2), ["inject_seed", "seed"],
              ["always", {"action": "abort"}]),
     ["policy", LOG, ["neg", ["normalize", ["field", "price_in"]]], ["top_k", 2, ["argmax"]], ["inject_seed", "seed"],
      ["always", {"action": "abort"}]]),
]  # fmt: skip


def term_of(built: Any) -> Term:
    term: Term = built if isinstance(built, list) else built.term
    return term


@pytest.mark.parametrize(("built", "term"), TERMS, ids=lambda value: "")
def test_builder__writes_the_term_and_it_is_admitted(built: Any, term: Term) -> None:
    assert term_of(built) == term
    assert admit_term(term_of(built), FIELDS).encoding == admit_term(term, FIELDS).encoding


def test_builder__reaches_every_predicate_scorer_and_selector_of_the_current_version() -> None:
    def ops(term: Any) -> set[str]:
        parts = {term[0]} if isinstance(term, list) and term and isinstance(term[0], str) else set()
        return parts.union(*(ops(part) for part in term if isinstance(part, list))) if isinstance(term, list) else parts

    wanted = {op for op, (sort, _) in SIGNATURES[V2].items() if sort in ("Pred", "Scorer", "Selector", "Policy")}
    assert wanted - set().union(*(ops(term_of(built)) for built, _ in TERMS)) == {"lit"}
    assert admit_term(b.Score("lit", 2).term, FIELDS).sort == "Scorer"


def test_builder__the_documented_example() -> None:
    built = b.policy((f.price_out <= 12) & provider.is_in("azure", "openai") & ~is_("zdr"), b.cheapest("price_out"))
    policy = admit(built, FIELDS)
    assert policy.version == V2
    assert policy.encoding == (
        'sigma-pol/v2:(policy (and (cmp "price_out" "le" 12) (not (is "zdr"))'
        ' (or (provider_eq "azure") (provider_eq "openai"))) (neg (normalize (field "price_out")))'
        ' (argmax) (id) (always {"action":"next_candidate"}))'
    )


def test_builder__long_chains_of_operators_stay_shallow() -> None:
    names = [f"p{number}" for number in range(500)]
    either = functools.reduce(operator.or_, (provider == name for name in names))
    neither = functools.reduce(operator.and_, (provider != name for name in names))
    total = functools.reduce(operator.add, (f.tok_s.score for _ in names))
    assert either.term == provider.is_in(*names).term
    policy = admit(b.policy(either & neither, total), FIELDS)
    assert len(policy.clauses) == 501


def test_builder__operators_leave_their_operands_as_they_were() -> None:
    one, other = is_("no_log") & is_("has_tee"), is_("zdr") & is_("region_eu")
    kept = copy.deepcopy((one.term, other.term))
    _ = one & other, one | other, ~one, one & is_("zdr")
    assert (one.term, other.term) == kept


@pytest.mark.parametrize("number", [np.float64(1.5), np.float32(1.5), np.int64(3), np.array(2.5), np.uint8(7)])
def test_builder__takes_numpy_scalars_as_numbers(number: Any) -> None:
    plain = number.item()
    speed: Any = f.tok_s.score
    made: list[tuple[Any, Term]] = [
        (f.tok_s <= number, ["cmp", "tok_s", "le", plain]),
        (number >= f.tok_s, ["cmp", "tok_s", "le", plain]),
        (number < f.tok_s, ["cmp", "tok_s", "gt", plain]),
        (number == f.tok_s, ["cmp", "tok_s", "eq", plain]),
        (speed * number, ["scale", plain, speed.term]),
        (number * speed, ["scale", plain, speed.term]),
        (speed.clamp(number, number), ["clamp", plain, plain, speed.term]),
        (b.sample(number), ["sample", plain]),
    ]
    for built, term in made:
        assert term_of(built) == term
        admit_term(term_of(built), FIELDS)
    three: Any = np.int64(3)
    assert admit_term(b.top(three), FIELDS).term == ["top_k", 3, ["argmax"]]


def test_builder__leaves_wrong_values_for_admission_to_refuse() -> None:
    wrong: Any
    for wrong in (None, "12", True, np.array([1.0, 2.0]), f.price_in, float("nan"), 10**400, object(), np.bool_(True)):
        with pytest.raises(PolicyError):
            admit_term((f.price_out <= wrong).term, FIELDS)
    for term in (is_("price_in"), has(3), f.nope <= 1, b.at_least("gold"), provider == 3):  # type: ignore[arg-type]
        with pytest.raises(PolicyError):
            admit_term(term.term, FIELDS)


MISUSE: list[tuple[Callable[[], object], str]] = [
    (lambda: is_("a") and is_("b"), "join conditions with & | ~"),
    (lambda: is_("a") or is_("b"), "join conditions with & | ~"),
    (lambda: not is_("a"), "join conditions with & | ~"),
    (lambda: 0 < f.price_in < 12, "join conditions with & | ~"),
    (lambda: f.price_in in (1, 2), "join conditions with & | ~"),
    (lambda: (provider == "a") or "b", "join conditions with & | ~"),
    (lambda: [is_("a")] if f.price_in <= 1 else [], "join conditions with & | ~"),
    (lambda: b.highest("a") and b.highest("b"), "join scores with +"),
    (lambda: b.highest("a") or None, "join scores with +"),
    (lambda: f.price_in and f.price_out, r"compare it, as in f\.price_in <= 12"),
    (lambda: not f.no_log, "use is_"),
    (lambda: one & True, "unsupported operand"),
    (lambda: one | None, "unsupported operand"),
    (lambda: one & score, "unsupported operand"),
    (lambda: price <= 1 & price <= 2, "unsupported operand"),
    (lambda: ~price, "bad operand type"),
    (lambda: score + 1, "unsupported operand"),
    (lambda: score * score, "unsupported operand"),
    (lambda: {f.price_in}, "unhashable"),
    (lambda: {provider: 1}, "unhashable"),
]  # fmt: skip


@pytest.mark.parametrize(("misuse", "help_"), MISUSE, ids=lambda value: "")
def test_builder__misuse_is_a_type_error_that_helps(misuse: Callable[[], object], help_: str) -> None:
    with pytest.raises(TypeError, match=help_):
        misuse()


def test_policy__is_the_callers_own() -> None:
    first = b.policy(b.everything, None, b.best_first)
    first[1][0] = first[3][0] = "changed"
    first[5][1]["action"] = "abort"
    assert b.policy(b.everything, None, b.best_first) == ["policy", ["top"], ["zero"], ["argmax"], ["id"], ALWAYS]
    plan = ["always", {"action": "retry_same", "backoff_ms": [1]}]
    made = b.policy(b.everything, failure_plan=plan)
    plan[1]["backoff_ms"].append(2)  # type: ignore[index]
    assert made[5][1]["backoff_ms"] == [1]


def test_policy__an_empty_part_is_not_one_left_out() -> None:
    empty: Any
    for empty in ({"selector": []}, {"transform": []}, {"failure_plan": []}):
        with pytest.raises(PolicyError):
            admit(b.policy(b.everything, **empty), FIELDS)


def test_builder__shows_itself() -> None:
    assert repr(f.price_out) == "f.price_out"
    assert repr(is_("no_log")) == "Pred(['is', 'no_log'])"
    assert repr(b.highest("tok_s")) == "Score(['normalize', ['field', 'tok_s']])"
    assert not hasattr(f, "__wrapped__")
