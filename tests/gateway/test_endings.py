from __future__ import annotations

from typing import Any

import pytest

import tenantrank as tr
from tenantrank.gateway.endings import no_eligible_model, problem_of
from tenantrank.gateway.failure import KINDS, Failure
from tenantrank.gateway.walk import Outcome, Tried
from tenantrank.policy.failover import Target
from tests.gateway.shown import ENVELOPE, OFFERS, term_of

TARGET = Target("alpha|m-1", "alpha", "m-1")


def outcome(error: str, attempts: int = 1, **changes: Any) -> Outcome[Any]:
    kind = error.removeprefix("exhausted: ")
    tried = tuple(Tried(TARGET, number, kind, 500, False, 0.0, 1.0) for number in range(1, attempts + 1))
    values: dict[str, Any] = {
        "chosen": None,
        "answer": None,
        "error": error,
        "attempts": tried,
        "events": [],
        "waits": [],
        "cut": None,
        "limited": (),
        "retries": 0,
        "fallbacks": 0,
        "failure": None,
        "retry_after_ms": None,
        "began_ms": 0.0,
        "ended_ms": 1.0,
    }
    return Outcome(**{**values, **changes})


def decided(condition: list[Any], selector: list[Any] | None = None) -> tuple[tr.Decision, tr.Policy, tuple[str, ...]]:
    catalog = tr.Catalog.from_records(OFFERS)
    policy = tr.admit(term_of(condition, None, selector), catalog.fields)
    return tr.Engine(catalog, envelope=ENVELOPE).rank(policy), policy, catalog.offer_ids


def test_no_eligible_model__names_the_clause_that_would_have_to_give_way() -> None:
    problem = no_eligible_model(*decided(["cmp", "price_out", "le", 0.1]))

    assert (problem.status, problem.code, problem.type) == (422, "no_eligible_model", "invalid_request_error")
    assert "price_out" in str(problem)
    assert problem.to_json()["error"]["deciding"][0]["clause"].startswith('(cmp "price_out" "le" 0.1')
    assert problem.details["survivors"] == 0


def test_no_eligible_model__the_operators_envelope_is_told_without_its_words() -> None:
    problem = no_eligible_model(*decided(["and", ["provider_eq", "secret"], ["cmp", "price_out", "ge", 9]]))
    text = str(problem.to_json())

    assert "within what the operator permits" in str(problem)
    assert "(not" not in text
    assert [clause["clause"] for clause in problem.details["deciding"]] == [None]


def test_no_eligible_model__a_selector_may_leave_nothing_of_those_that_pass() -> None:
    decision, policy, offer_ids = decided(["provider_eq", "alpha"], ["top_k", 1, ["argmax"]])

    assert decision.survivors == 1
    assert "keeps none of the 1 offers" in str(no_eligible_model(decision, policy, offer_ids))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_problem_of__nobody_answered(kind: str) -> None:
    problem = problem_of(outcome(f"exhausted: {kind}", 2))

    assert problem.code == "exhausted"
    assert problem.status == {
        **dict.fromkeys(("bad_request", "content_filter", "context_overflow"), 400),
        "rate_limit": 429,
        "timeout": 504,
    }.get(kind, 502)
    assert KINDS[kind] in str(problem)
    assert "2 attempts" in str(problem)
    assert problem.details == {"reason": f"exhausted: {kind}", "attempts": 2}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("content_filter", "content_filter"),
        ("context_overflow", "context_length_exceeded"),
        ("bad_request", "bad_request"),
        ("auth_error", "auth_error"),
    ],
)
def test_problem_of__a_plan_that_gives_up_says_for_what(kind: str, code: str) -> None:
    problem = problem_of(outcome(kind))

    assert problem.code == code
    assert str(problem).startswith("the plan gave up")
    assert problem.details["reason"] == kind


def test_problem_of__a_limit_is_named() -> None:
    problem = problem_of(outcome("exhausted: timeout", cut="total_s"))

    assert problem.details["cut"] == "total_s"
    assert "total_s" in str(problem)


def test_problem_of__says_when_to_come_again() -> None:
    asked = Failure("rate_limit", "no", status=429, retry_after_s=7.2)

    assert problem_of(outcome("exhausted: rate_limit", failure=asked)).headers == {"retry-after": "8"}
    assert problem_of(outcome("exhausted: rate_limit", retry_after_ms=1500.0, failure=asked)).headers == {
        "retry-after": "2"
    }
    assert problem_of(outcome("exhausted: server_error", retry_after_ms=10.0)).headers == {"retry-after": "1"}
    # To come again would change nothing about these.
    assert problem_of(outcome("bad_request", failure=Failure("bad_request", "no", retry_after_s=7.0))).headers == {}


def test_problem_of__nothing_was_tried() -> None:
    problem = problem_of(outcome("no_candidates", 0, retry_after_ms=29_500.0))

    assert (problem.status, problem.code, problem.type) == (503, "exhausted", "server_error")
    assert problem.headers == {"retry-after": "30"}
    assert problem.details["attempts"] == 0
    assert problem_of(outcome("no_candidates", 0)).headers == {}
