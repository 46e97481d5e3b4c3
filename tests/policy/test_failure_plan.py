"""Classification of failures, against the reference."""

from __future__ import annotations

from typing import Any

import pytest

from tenantrank.errors import PolicyError, RequestError
from tenantrank.policy.failure_plan import classify
from tenantrank.policy.normal_form import normalize
from tenantrank.policy.policy import admit
from tenantrank.policy.signature import V2, VERSIONS, Version
from tests.policy.samples import ALWAYS, FIELDS, generated
from tests.reference import transform as reference
from tests.reference.signature import Term
from tests.reference.words import KINDS

REASONS = (*KINDS, "", "Unknown", "never heard of", "日本")


@pytest.mark.parametrize("version", VERSIONS)
def test_classify__equals_the_reference(version: Version) -> None:
    seen = set()
    for term in generated(version):
        plan = admit(term, FIELDS, version).failure_plan
        for reason in REASONS:
            action = classify(plan, reason)
            assert action == reference.classify(term[-1], reason, version)
            seen.add(action["action"])
    assert len(seen) == 5


ABORT: dict[str, Any] = {"action": "abort"}
RETRY: dict[str, Any] = {"action": "retry_same", "attempts": 2}
NEXT: dict[str, Any] = {"action": "next_candidate"}


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (ALWAYS, {"a": NEXT, "unknown": NEXT}),
        (["override", ALWAYS, "a", ABORT], {"a": ABORT, "A": NEXT, "b": NEXT, "unknown": NEXT}),
        (["override", ALWAYS, "unknown", ABORT], {"a": ABORT, "unknown": ABORT, "": ABORT}),
        (["override", ["override", ALWAYS, "unknown", ABORT], "a", RETRY], {"a": RETRY, "b": ABORT}),
        (["override", ["override", ALWAYS, "a", ABORT], "a", RETRY], {"a": RETRY, "b": NEXT}),
        # Equal to the base: dropped before anything is classified, and `unknown` speaks for it.
        (["override", ["override", ALWAYS, "unknown", ABORT], "a", NEXT], {"a": ABORT}),
        (["override", ALWAYS, "", ABORT], {"": ABORT, "a": NEXT}),
    ],
)
def test_classify__follows_the_normal_form(plan: Term, expected: dict[str, Any]) -> None:
    node = normalize(plan, V2)
    assert {reason: classify(node, reason) for reason in expected} == expected


def test_classify__gives_doubles_in_a_fresh_record() -> None:
    node = normalize(["always", {"action": "retry_same", "attempts": 2, "backoff_ms": [1, 2.5]}], V2)
    action = classify(node, "x")
    assert [type(action["attempts"]), *map(type, action["backoff_ms"])] == [float, float, float]
    action["backoff_ms"].clear()
    action["action"] = "abort"
    assert classify(node, "x") == {"action": "retry_same", "attempts": 2.0, "backoff_ms": [1.0, 2.5]}


@pytest.mark.parametrize("plan", [None, ALWAYS, "x", normalize(["top"], V2), normalize(["and", ["top"]], V2)])
def test_classify__refuses_what_is_no_plan(plan: Any) -> None:
    with pytest.raises(PolicyError, match="expected a FailPlan in normal form"):
        classify(plan, "x")


def test_classify__refuses_a_reason_that_is_no_string() -> None:
    reason: Any = []
    with pytest.raises(RequestError, match=r"^expected the reason of a failure as a string, got an array$"):
        classify(normalize(ALWAYS, V2), reason)
