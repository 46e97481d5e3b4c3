"""Metrics: what happened is counted, under labels that no client and no tenant has a part in."""

from __future__ import annotations

import re

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from tenantrank.gateway.metrics import CONTENT_TYPE, Metrics
from tests.gateway.shown import attempt, record

CANARY = "canary-7f3a"


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name.removeprefix("tenantrank_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_finished__counts_what_a_request_came_to() -> None:
    metrics = Metrics()
    metrics.began("chat")
    metrics.finished(record(retries=2, cut="attempts", stream=True))
    found = samples(metrics)

    assert found["requests_total", (("code", ""), ("route", "chat"), ("status", "200"))] == 1
    assert found["request_seconds_sum", (("route", "chat"),)] == 0.0225
    assert found["decision_seconds_sum", ()] == 8.5e-6
    assert found["added_seconds_sum", (("route", "chat"),)] == 0.75e-3
    assert found["in_flight", (("route", "chat"),)] == 1
    assert found["streams_total", (("outcome", "answered"), ("route", "chat"))] == 1
    assert found["attempts_total", (("kind", "answered"), ("provider", "alpha"))] == 1
    assert found["attempts_total", (("kind", "timeout"), ("provider", "beta"))] == 1
    assert found["first_byte_seconds_sum", (("provider", "alpha"),)] == 0.01
    assert (found["retries_total", ()], found["fallbacks_total", ()]) == (2, 1)
    assert found["plans_cut_total", (("limit", "attempts"),)] == 1
    assert found["tokens_total", (("provider", "alpha"), ("type", "input"))] == 12
    assert found["tokens_total", (("provider", "alpha"), ("type", "output"))] == 34
    metrics.ended("chat")
    assert samples(metrics)["in_flight", (("route", "chat"),)] == 0


def test_finished__takes_a_request_of_which_little_is_known() -> None:
    metrics = Metrics()
    bare = dict.fromkeys(("rule", "tokens_in", "tokens_out", "decision_us", "total_ms", "added_ms", "chosen"))
    metrics.finished(record(**bare, attempts=(), fallbacks=0, status=400, code="invalid_policy"))
    found = samples(metrics)

    assert found["requests_total", (("code", "invalid_policy"), ("route", "chat"), ("status", "400"))] == 1
    assert not any(name.startswith("tokens_total") for name, _ in found)


def test_labels__hold_nothing_of_a_tenant_a_key_an_offer_or_a_client() -> None:
    metrics = Metrics()
    metrics.finished(
        record(
            label=CANARY,
            tenant=CANARY,
            caller=CANARY,
            chosen=CANARY,
            finish_reasons=(CANARY,),
            attempts=(attempt(offer_id=CANARY, credential=CANARY, upstream_id=CANARY),),
            ranked=((CANARY, 1.0),),
        )
    )
    metrics.breakers([("offer", CANARY, "open")])
    page = metrics.render().decode()

    assert CANARY not in page
    labels = {"code", "kind", "le", "provider", "route", "scope", "status", "type"}
    assert set(re.findall(r"(\w+)=", page)) == labels


def test_series__have_a_bound() -> None:
    metrics = Metrics()
    for number in range(3000):
        metrics.answered("chat", 400, f"code-{number}", 0.0)
    found = samples(metrics)
    counted = {labels: value for (name, labels), value in found.items() if name == "requests_total"}

    assert len(counted) == 1001
    assert sum(counted.values()) == 3000
    assert counted[("code", "other"), ("route", "other"), ("status", "other")] == 2000


def test_breakers__are_those_of_now() -> None:
    metrics = Metrics()
    metrics.breakers([("provider", "alpha", "open"), ("credential", "alpha/KEY", "half_open"), ("offer", "o", "open")])
    before = samples(metrics)
    metrics.breakers([])
    after = samples(metrics)

    assert before["breaker_state", (("name", "alpha"), ("scope", "provider"))] == 1
    assert before["breaker_state", (("name", "alpha/KEY"), ("scope", "credential"))] == 0.5
    assert before["breakers_open", (("scope", "offer"),)] == 1
    assert after["breaker_state", (("name", "alpha"), ("scope", "provider"))] == 0
    assert after["breakers_open", (("scope", "provider"),)] == 0


def test_catalog__is_shown_with_its_reloads() -> None:
    metrics = Metrics()
    metrics.catalog(3, 8981)
    metrics.reloaded("taken")
    metrics.reloaded("refused")
    metrics.reloaded("refused")
    found = samples(metrics)

    assert (found["catalog_generation", ()], found["catalog_offers", ()]) == (3, 8981)
    assert found["catalog_reloads_total", (("outcome", "refused"),)] == 2


def test_render__is_a_page_of_its_own_registry() -> None:
    metrics, other = Metrics(), Metrics()
    metrics.finished(record())

    assert CONTENT_TYPE.startswith("text/plain")
    assert b"_created" not in metrics.render()
    assert b'route="chat"' not in other.render()
    assert not any(family.name.startswith("tenantrank") for family in REGISTRY.collect())
