"""What callers hand to the engine."""

from __future__ import annotations

import os
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.engine.given import parts_of, places_of, request_of, threads_of
from tests.engine.samples import ABC, policy_of


def test_parts_of__takes_admitted_and_compiled_policies() -> None:
    policy = policy_of(ABC, ["top"])
    rules = [{"id": "base", "require": [["is", "region_eu"]]}]
    value = {"version": 1, "fields": {"plan": {"type": "enum", "values": ["a"]}}, "rules": rules}
    compiled = tr.Rulebook.from_value(value).bind(ABC.fields).compile({"plan": "a"})

    assert parts_of(policy) == (policy, None)
    assert parts_of(compiled) == (compiled.policy, compiled.origins)


@pytest.mark.parametrize("given", [None, ["policy"], "policy", 5])
def test_parts_of__refuses_what_was_not_admitted(given: Any) -> None:
    with pytest.raises(tr.RequestError, match="admit"):
        parts_of(given)


def test_request_of__none_asks_for_nothing() -> None:
    assert request_of(None) == tr.Request()
    assert request_of({"scope": "s"}) == tr.Request(scope="s")


def test_places_of__is_bounded_by_the_catalog() -> None:
    assert [places_of(k, 5) for k in (None, 1, 5, 6)] == [5, 1, 5, 5]


@pytest.mark.parametrize("k", [0, -1, True, 1.0, "3"])
def test_places_of__refuses_what_is_no_count(k: Any) -> None:
    with pytest.raises(tr.RequestError, match="at least 1"):
        places_of(k, 5)


def test_threads_of__is_one_for_each_processor_or_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [threads_of(threads) for threads in (1, 2, 500)] == [1, 2, 500]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert threads_of(None) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert threads_of(None) == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads_of(None) == 1


@pytest.mark.parametrize("threads", [0, -1, True, 1.0, "3"])
def test_threads_of__refuses_what_is_no_count(threads: Any) -> None:
    with pytest.raises(tr.RequestError, match="at least 1"):
        threads_of(threads)
