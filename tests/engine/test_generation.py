"""Generations: one health made ready, sharing what an earlier one has of the same catalog."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine import generation as module
from tenantrank.engine import observations
from tenantrank.engine.compiled import Compiled
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.generation import Generation
from tenantrank.engine.given import NO_REQUEST
from tenantrank.engine.index import CatalogIndex
from tenantrank.policy.signature import V1, V2
from tenantrank_kernels import JIT_DISABLED
from tenantrank_kernels import opcodes as op
from tests.engine.samples import ABC, policy_of, same, worlds
from tests.fuzz.differential import draw_world
from tests.kernels.reference import rows_of

VERSIONS = (V1, V2)


def compiled_of(catalog: tr.Catalog = ABC, envelope: Any = None) -> Compiled:
    return Compiled(CatalogIndex(catalog), Envelope(envelope, catalog))


def test_view__is_made_once_for_each_version() -> None:
    generation = Generation(compiled_of(), Health())
    for version in VERSIONS:
        assert generation.view(version) is generation.view(version)
        assert generation.view(version).version == version
    assert generation.view(V1) is not generation.view(V2)


def test_prepared__is_made_once_for_equal_requests() -> None:
    generation = Generation(compiled_of(), Health())
    for version in VERSIONS:
        plain = generation.prepared(version, NO_REQUEST)
        assert plain is generation.plain(version) is generation.prepared(version, NO_REQUEST)
        one, other = tr.Request(scope="s"), tr.Request.of({"scope": "s"})
        assert generation.prepared(version, one) is generation.prepared(version, other)
    assert generation.prepared(V1, tr.Request(scope="s")) is not generation.prepared(V2, tr.Request(scope="s"))


def test_prepared__keeps_requests_within_bounds_and_always_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REQUEST_BYTES_KEPT", 12_000)
    generation = Generation(compiled_of(), Health())
    plain = generation.plain(V2)
    first = generation.prepared(V2, tr.Request(min_context=0.0))
    for number in range(1, 20):
        generation.prepared(V2, tr.Request(min_context=float(number)))
    last = generation.prepared(V2, tr.Request(min_context=19.0))
    assert generation.prepared(V2, tr.Request(min_context=19.0)) is last
    assert generation.prepared(V2, tr.Request(min_context=0.0)) is not first
    assert generation.plain(V2) is plain


def test_prepared__holds_an_envelope_against_the_first_version_as_the_second_observes() -> None:
    """The envelope's row is every offer for the second version, whose filters have the envelope in them."""
    envelope = ["cmp", "price_out", "le", 2]
    health = Health.of({"ema": {"p|m": {"price_out": 1.0}, "q|m": {"price_out": 9.0}}})
    generation = Generation(compiled_of(ABC, envelope), health)
    # a 3, b 1, c 2, d unknown by the catalog; the state fills in what is unknown alone: d 9.
    held = generation.plain(V1).live_rows
    assert rows_of(held[op.ENVELOPE]) == {1, 2}
    assert rows_of(generation.plain(V2).live_rows[op.ENVELOPE]) == {0, 1, 2, 3}
    assert rows_of(Generation(compiled_of(), health).plain(V1).live_rows[op.ENVELOPE]) == {0, 1, 2, 3}


def test_generation__shares_observations_that_did_not_change() -> None:
    compiled = compiled_of()
    state = {"ema": {"p|m": {"price_in": 1.0, "ema_tok_s": 5.0}}, "credits": {"p": 2.0}}
    first = Generation(compiled, Health.of(state))
    views = {version: first.view(version) for version in VERSIONS}
    changes: list[tuple[dict[str, Any], dict[str, bool]]] = [
        ({"breakers": {"p": True}}, {V1: True, V2: True}),
        ({"disabled": {"q": {}}}, {V1: True, V2: True}),
        ({"credits": {"p": 2.0, "nobody": 9.0}}, {V1: True, V2: True}),
        ({"credits": {"p": 3.0}}, {V1: False, V2: False}),
        ({"ema": {"p|m": {"price_in": 1.0, "ema_tok_s": 6.0}}}, {V1: False, V2: True}),
        ({"ema": {"p|m": {"price_in": 1.5, "ema_tok_s": 5.0}}}, {V1: False, V2: False}),
        ({"ema": {**state["ema"], "ghost|m": {"price_in": 1.0}}}, {V1: True, V2: True}),
        ({"ema": {}}, {V1: False, V2: False}),
    ]
    for change, shared in changes:
        after = Generation(compiled, Health.of({**state, **change}), first)
        for version in VERSIONS:
            view = after.view(version)
            assert (view.observations is views[version].observations) == shared[version], (change, version)
            # Of what did change, the other columns are the same.
            kept = zip(view.observations.columns, views[version].observations.columns, strict=True)
            changed = [one is not other for one, other in kept]
            assert sum(changed) <= 2
            anew = Generation(compiled, Health.of({**state, **change})).view(version)
            assert np.array_equal(view.observations.columns, anew.observations.columns)


def test_generation__shares_nothing_with_one_that_made_no_view() -> None:
    compiled = compiled_of()
    first = Generation(compiled, Health())
    second = Generation(compiled, Health(), first)
    assert second.view(V2).observations is not first.view(V2).observations
    assert np.array_equal(second.view(V2).observations.columns, first.view(V2).observations.columns)


def drawn_changes(rng: Random, state: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A state between two: some entries of the other's parts, some left out."""
    changed: dict[str, Any] = {}
    for part in ("ema", "breakers", "disabled", "credits"):
        entries = {key: value for key, value in state.get(part, {}).items() if rng.random() < 0.9}
        taken = {key: value for key, value in other.get(part, {}).items() if rng.random() < 0.3}
        changed[part] = {**entries, **taken} if rng.random() < 0.7 else state.get(part, {})
    return changed


def test_with_health__answers_as_a_fresh_engine_through_many_changes() -> None:
    rng = Random(9)
    for world, catalog in worlds(91, 12):
        others = [draw_world(92, world.number, size=len(world.offers)).state, world.state]
        engine = tr.Engine(catalog, world.state, world.envelope, threads=1)
        policies = [tr.admit(case.term, catalog.fields) for case in world.cases]
        state = world.state
        for step in range(3 if JIT_DISABLED else 8):
            state = drawn_changes(rng, state, others[step % 2])
            engine = engine.with_health(state)
            fresh = tr.Engine(catalog, state, world.envelope, threads=1)
            for policy, case in zip(policies, world.cases, strict=True):
                if rng.random() < 0.5:
                    assert same(
                        engine.rank(policy, case.request, case.seed), fresh.rank(policy, case.request, case.seed)
                    )


def test_view__from_several_threads_is_one_view() -> None:
    for _ in range(20):
        before = Generation(compiled_of(), Health())
        before.view(V2)
        generation = Generation(before.compiled, Health(), before)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(generation.view, [V2] * 8))
        assert all(view is found[0] for view in found)


def test_with_health__makes_ready_what_plain_rankings_needed_before() -> None:
    policies = [policy_of(ABC, ["cmp", "price_out", "le", at], ["field", "price_out"]) for at in range(3)]
    engine = tr.Engine(ABC)
    assert engine.with_health({"breakers": {"p": True}})._now._plain == {}
    for policy in policies:
        engine.rank(policy, k=1)
    for change in ({"breakers": {"p": True}}, {"ema": {"q|m": {"price_out": 0.5}}}):
        after = engine.with_health(change)
        assert list(after._now._plain) == [V2]
        ready = after._now.plain(V2).ready
        assert ready is not None
        assert ready is after._ready
        assert (ready.token, ready.last) == (engine._ready.token, engine._ready.last)
        for policy in policies:
            assert same(after.rank(policy, k=1), tr.Engine(ABC, change).rank(policy, k=1))


def test_narrowed__engines_in_turn_find_no_cuts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    base = tr.Engine(ABC)
    base.rank(policy_of(ABC, ["cmp", "price_out", "le", 9]))
    engines = [base.narrowed(["not", ["provider_eq", name]]) for name in "pq"] + [base]
    found: list[int] = []
    right = observations.binder()

    def noted(frame: Any, begins: Any, begin: int, end: int, field: int) -> None:
        found.append(end - begin)
        right(frame, begins, begin, end, field)

    monkeypatch.setattr(observations, "binder", lambda: noted)
    for at in range(20):
        policy = policy_of(ABC, ["cmp", "price_out", "le", at / 8], ["field", "price_out"])
        for engine in engines:
            assert same(engine.rank(policy), tr.Engine(ABC, None, engine.envelope).rank(policy))
    assert len(found) >= 60
    assert set(found) == {1}


def test_with_health__plain_rankings_heed_what_was_opened_or_disabled_since() -> None:
    policies = [policy_of(ABC, ["not", ["is", name]]) for name in ("breaker_open", "disabled")]
    engine = tr.Engine(ABC)
    for policy in policies:
        engine.rank(policy)
    health = engine.health
    for change in (
        {"breakers": {"p": True}},
        {"disabled": {"q": {}}},
        {"breakers": {"p": False, "q": True}, "disabled": {"p": None}},
        {"disabled": {}},
    ):
        before, health = engine, health.updated(**change)
        engine = engine.with_health(health)
        for policy in policies:
            assert same(engine.rank(policy), tr.Engine(ABC, health).rank(policy))
            assert same(before.rank(policy), tr.Engine(ABC, before.health).rank(policy))
