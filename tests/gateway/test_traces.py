"""Traces: bounded, found by their owner alone, and nothing in them that nobody may see."""

from __future__ import annotations

import gc
import json
import random
import weakref
from datetime import UTC, datetime

import pytest

import tenantrank as tr
from tenantrank.gateway.record_parts import RuleRecord
from tenantrank.gateway.records import REFUSED, DecisionRecord
from tenantrank.gateway.traces import Traces, is_trace_id, new_trace_id
from tests.gateway.shown import BOOK, OFFERS, TRACE_ID, attempt, record, term_of


def test_ids__have_one_form_and_come_from_the_source_given() -> None:
    source = random.Random(7)
    ids = [new_trace_id(source.getrandbits) for _ in range(2000)]

    assert len(set(ids)) == len(ids)
    assert all(is_trace_id(found) and len(found) == 29 for found in ids)
    assert new_trace_id(random.Random(7).getrandbits) == ids[0]
    assert new_trace_id(lambda bits: 0) == "tr_" + "0" * 26
    assert new_trace_id(lambda bits: (1 << bits) - 1) == "tr_" + "z" * 26


@pytest.mark.parametrize("text", ["", "tr_", "tr_" + "0" * 25, "tr_" + "0" * 27, "tr_" + "i" * 26, "xx_" + "0" * 26])
def test_ids__of_another_form_are_none(text: str) -> None:
    assert is_trace_id(TRACE_ID)
    assert not is_trace_id(text)
    assert not is_trace_id("0" * 26)


def test_traces__are_found_by_their_caller_and_the_operator_alone() -> None:
    traces = Traces()
    traces.keep(record())

    assert traces.find(TRACE_ID, "backend") is traces.find(TRACE_ID, None) is not None
    assert traces.find(TRACE_ID, "other") is None
    assert traces.find("tr_" + "0" * 26, None) is None


def test_traces__keep_the_latest_so_many() -> None:
    traces = Traces(3)
    ids = [new_trace_id(random.Random(seed).getrandbits) for seed in range(5)]
    for trace_id in ids:
        traces.keep(record(trace_id=trace_id))
    traces.keep(record(trace_id=ids[4], status=201))

    assert len(traces) == 3
    assert [traces.find(trace_id, None) is not None for trace_id in ids] == [False, False, True, True, True]
    assert traces.find(ids[4], None).status == 201  # type: ignore[union-attr]
    nothing = Traces(0)
    nothing.keep(record())
    assert len(nothing) == 0


def test_rule__is_made_once_and_told_apart_by_its_origins() -> None:
    traces = Traces()
    catalog = tr.Catalog.from_records(OFFERS)
    policy = tr.admit(term_of(["is", "priced"]), catalog.fields)
    book = tr.Rulebook.from_value(BOOK).bind(catalog.fields)
    free, paid = book.compile({"plan": "free"}), book.compile({"plan": "free", "most": 3})

    assert traces.rule(policy, "policy_ir") is traces.rule(policy, "policy_ir")
    assert traces.rule(policy, "default").source == "default"
    assert traces.rule(free, "tenant").rules == ("base",)
    assert traces.rule(paid, "tenant").rules == ("base", "cap")
    shown = traces.rule(paid, "tenant").to_json()
    assert shown["clauses"][0] == {
        "clause": '(cmp "price_out" "le" 3)',
        "words": "price_out is at most 3",
        "origins": [{"rule": "cap", "field": "most"}],
    }


def test_rule__keeps_no_catalog_alive_and_is_bounded() -> None:
    catalog = tr.Catalog.from_records(OFFERS)
    long = ["and", *[["not", ["provider_eq", f"{number}-{'x' * 40}"]] for number in range(200)]]
    policy = tr.admit(term_of(long), catalog.fields)
    rule = RuleRecord.of(policy, "policy_ir")
    held = weakref.ref(policy), weakref.ref(catalog)
    del policy, catalog
    gc.collect()

    assert [found() for found in held] == [None, None]
    assert 50 < len(rule.clauses) <= 64
    assert len(rule.clauses) + rule.clauses_left_out == 200
    assert len(json.dumps(rule.to_json())) < 40_000


def test_record__bounds_what_a_client_chooses() -> None:
    endless = "x" * 100_000
    found = record(
        label=endless, tenant=endless, finish_reasons=(endless,) * 50, request=tr.Request(scope=endless, tier=endless)
    )

    assert len(json.dumps(found.to_json())) < 4000
    assert record().request is not None
    assert found.request == tr.Request(scope="x" * 199 + "…", tier="x" * 199 + "…")


def test_record__shows_credentials_to_the_operator_alone() -> None:
    found = record(attempts=(attempt(credential="openai/OPENAI_API_KEY", upstream_id="req_1"),))
    own, operators = found.to_json()["attempts"][0], found.to_json(operator=True)["attempts"][0]

    assert "credential" not in own
    assert "upstream_id" not in own
    assert (operators["credential"], operators["upstream_id"]) == ("openai/OPENAI_API_KEY", "req_1")
    assert json.loads(json.dumps(found.to_json())) == found.to_json()


def test_record__of_a_request_refused_early_says_what_is_known() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    found = DecisionRecord(TRACE_ID, "chat", began, "backend", outcome=REFUSED, status=400, code="invalid_policy")

    assert found.provider is None
    assert found.to_json()["rule"] is None
    assert found.to_json()["began"] == "2026-01-01T00:00:00.000+00:00"
