"""Records in words: whose rule, what it did, and where each number comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import tenantrank as tr
from tenantrank.errors import TraceError
from tenantrank.trace.log import TraceLog
from tenantrank.trace.words import Told, failures_of, tell
from tests.engine.samples import ABC, old_term_of, policy_of
from tests.trace.decided import STATE, altered, decisions, logging, small_catalog, small_rulebook


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TraceLog]:
    with logging(tmp_path) as log:
        yield log


def told(log: TraceLog, decision: tr.Decision, **rest: object) -> Told:
    log.submit(decision, "tr_1", **rest).result(10)  # type: ignore[arg-type]
    return tell(log.store, log.store.find("tr_1"))


def test_tell__says_which_rule_applied_and_why(log: TraceLog, tmp_path: Path) -> None:
    book = small_rulebook(tmp_path)
    compiled = book.compile(STATE, "t2")
    decision = tr.Engine(small_catalog()).rank(compiled, {"requirements": {"min_quality": 0.1}})
    found = told(log, decision, tenant="t2", compiled=compiled, rulebook=book)

    assert found.summary == "Of 3 offers 1 passed the tenant's rules, and b|x came first."
    assert found.applied == ("base", "cap")
    assert {rule.words: (rule.whose, rule.turned_away) for rule in found.clauses} == {
        "price_out is at most 3": ("rule cap, since the tenant's most is 3.0", 2),
        "priced holds": ("rule base", 0),
    }
    score, order, *_ = found.then
    assert (score.whose, order.whose) == ("the rulebook's defaults", "the rulebook's defaults")
    numbers = {number.what: (number.value, number.source) for number in found.numbers}
    assert numbers["bound of price_out"] == ("3", "rule cap, since the tenant's most is 3.0")
    assert numbers["min quality"] == ("0.1", "the request")
    assert numbers["seed"] == ("0", "none given")
    assert numbers["price_out of b|x"] == ("2", "the catalog, which does not say whence")
    assert found.needs == ("min quality: 0.1",)
    assert found.replayed == "computed again it comes to the same, to the bit"
    assert found.ids["rulebook"] == book.rulebook_id
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("old", [False, True])
def test_tell__the_operators_envelope_is_told_apart(old: bool, log: TraceLog) -> None:
    condition = ["is", "region_eu"]
    engine = tr.Engine(ABC, None, ["and", ["provider_eq", "p"], ["cmp", "price_out", "le", 9]])
    policy = tr.admit(old_term_of(condition), ABC.fields) if old else policy_of(ABC, condition)
    found = told(log, engine.rank(policy))
    whose = {rule.whose for rule in found.clauses}

    assert whose == {"the operator's envelope", "the policy itself"}
    assert sum(rule.turned_away or 0 for rule in found.clauses) == 3
    assert ("9", "bound of price_out", "the operator's envelope") in found.numbers
    (failed, *_) = failures_of(log.store, log.store.find("tr_1"), "d")
    assert failed.whose == "the operator's envelope"


def test_tell__random_worlds_have_words(log: TraceLog) -> None:
    for at, decision in enumerate(list(decisions(23, 10))[::7]):
        log.submit(decision, f"w_{at}").result(10)
        found = tell(log.store, log.store.find(f"w_{at}"))
        assert found.replayed == "computed again it comes to the same, to the bit"
        assert len(found.clauses) == found_clauses(decision)
        for offer in list(decision.rejected)[:2]:
            failures = failures_of(log.store, log.store.find(f"w_{at}"), offer)
            assert failures[0].reason == decision.rejected[offer]
        json.dumps(found.to_json(), allow_nan=False)


def found_clauses(decision: tr.Decision) -> int:
    return len(decision.engine.rejections(decision.policy, decision.request).clauses)


def test_tell__values_of_the_bundled_catalog_name_their_sources(log: TraceLog) -> None:
    catalog = tr.Catalog.bundled(date(2026, 11, 23))
    policy = policy_of(catalog, ["cmp", "context", "ge", 1000], ["neg", ["normalize", ["field", "price_out"]]])
    found = told(log, tr.Engine(catalog).rank(policy, k=2))
    sources = {number.what: number.source for number in found.numbers}
    first = found.ranked[0][0]

    assert "@" in sources[f"price_out of {first}"]
    assert sources[f"price_out of {first}"].split(", ")[-1].startswith("202")
    assert sources[f"score of {first}"].startswith("score: ")


def test_tell__tells_defaults_and_the_live_state_apart(log: TraceLog) -> None:
    health = {"ema": {"q|m": {"price_out": 7.0}}, "credits": {"p": 2.0}}
    condition = ["or", ["cmp", "price_out", "ge", 0], ["cmp", "bench", "ge", 0], ["cmp", "credits", "ge", 0]]
    found = told(log, tr.Engine(ABC, health).rank(policy_of(ABC, condition, ["neg", ["field", "price_out"]])))
    numbers = {number.what: (number.value, number.source) for number in found.numbers}

    assert numbers["price_out of b"] == ("1", "the catalog, which does not say whence")
    assert numbers["bench of b"] == ("0.5", "no source states it: the field's default")
    assert numbers["credits of c"] == ("0", "the live state")
    assert failures_of(log.store, log.store.find("tr_1"), "d") == []


def test_tell__attempts_are_part_of_it(log: TraceLog) -> None:
    log.submit(tr.Engine(ABC).rank(policy_of(ABC, ["top"])), "tr_1").result(10)
    attempts = [
        {"offer": "a", "provider": "p", "number": 1, "outcome": "timeout"},
        {"offer": "b", "provider": "q", "number": 1, "tokens_in": 10, "tokens_out": 5, "cost_usd": 0.5},
    ]
    log.attempts("tr_1", attempts, outcome="answered", cost_usd=0.5)
    log.flush()
    found = tell(log.store, log.store.find("tr_1"))

    assert found.summary.endswith("After 2 attempts b answered.")
    assert ("10", "tokens in", "counted by q") in found.numbers
    assert ("0.5", "cost of b in USD", "recorded with the attempt") in found.numbers
    assert (found.cost_usd, found.outcome) == (0.5, "answered")


def test_tell__without_its_snapshots_the_record_is_told_alone(log: TraceLog) -> None:
    log.submit(tr.Engine(ABC).rank(policy_of(ABC, ["is", "region_eu"])), "tr_1").result(10)
    (stored,) = log.store.find("tr_1")
    alone = [altered(stored, lambda record: record.update(catalog_id="0" * 64))]
    found = tell(log.store, alone)

    assert found.replayed.startswith("it cannot be computed again: ")
    assert found.clauses[0].words == "region_eu holds"
    with pytest.raises(TraceError):
        failures_of(log.store, alone, "a")


def test_tell__what_is_no_decision_is_refused(log: TraceLog) -> None:
    log.submit(tr.Engine(ABC).rank(policy_of(ABC, ["top"])), "tr_1").result(10)
    (stored,) = log.store.find("tr_1")
    with pytest.raises(TraceError, match="no decision is recorded"):
        tell(log.store, log.store.find("tr_0"))
    with pytest.raises(TraceError, match="cannot be read"):
        tell(log.store, [altered(stored, lambda record: record.pop("rules"))])
    with pytest.raises(TraceError, match="has no offer 'zzz'"):
        failures_of(log.store, [stored], "zzz")
