"""The engine as a whole: the laws that hold of every ranking, and what is refused."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.engine import batches
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import (
    ABC,
    FIELDS,
    catalog_of,
    offer,
    old_term_of,
    policy_of,
    ranked,
    same,
    survivors,
    term_of,
    world_catalog,
    worlds,
)
from tests.fuzz.differential import draw_world
from tests.reference.evaluate import rank as reference_rank
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.generate import Vocabulary
from tests.reference.signature import V2
from tests.reference.terms import random_atom


def test_rank__orders_by_score_then_catalog_order() -> None:
    policy = policy_of(ABC, ["top"], ["neg", ["normalize", ["field", "price_out"]]])
    decision = tr.Engine(ABC).rank(policy)
    # d has no known price, which is infinite: every known one normalizes to 0, and neg makes that 1.
    assert decision.offer_ids == ("a", "b", "c", "d")
    assert decision.scores == (1.0, 1.0, 1.0, 0.0)
    known = policy_of(ABC, ["cmp", "price_out", "lt", 9], ["neg", ["normalize", ["field", "price_out"]]])
    decision = tr.Engine(ABC).rank(known, k=2)
    assert (decision.offer_ids, decision.scores, decision.survivors) == (("b", "c"), (1.0, 0.5), 3)
    assert dict(decision.rejected) == {"d": "cmp:price_out:lt"}


def test_rank__of_no_offers_is_empty() -> None:
    empty = tr.Catalog.from_records([])
    decision = tr.Engine(empty).rank(tr.admit(term_of(["top"]), empty.fields), k=3)
    assert (decision.offer_ids, decision.scores, decision.survivors) == ((), (), 0)
    assert dict(decision.rejected) == {}


def test_rank__does_not_change_with_the_normal_form() -> None:
    for _, case, catalog, engine, policy, decision in ranked(11, 30):
        again = tr.admit(policy.term, catalog.fields, policy.version)
        assert again == policy
        assert same(tr.Engine(catalog, engine.health, engine.envelope).rank(again, case.request, case.seed), decision)


def test_rank__of_a_permuted_catalog_is_the_permuted_answer() -> None:
    rng = Random(3)
    for world, catalog in worlds(12, 30):
        order = rng.sample(range(len(world.offers)), len(world.offers))
        other = tr.Catalog.from_records([world.offers[at] for at in order], WORLD_FIELDS, world.tier_order)
        for case in world.cases[:4]:
            # Ties fall in catalog order, and so they alone may change places; what cuts or shuffles them is left out.
            term = [*case.term[:-3], ["argmax"], *case.term[-2:]]
            found = [
                tr.Engine(one, world.state).rank(tr.admit(term, one.fields), case.request) for one in (catalog, other)
            ]
            assert found[0].survivors == found[1].survivors
            assert np.array_equal(found[0].scores, found[1].scores, equal_nan=True)
            assert groups(found[0]) == groups(found[1])
            assert dict(found[0].rejected) == dict(found[1].rejected)


def groups(decision: tr.Decision) -> list[set[str]]:
    """The sets of offers with equal scores, best first."""
    found: list[set[str]] = []
    last: float | None = None
    for name, score in zip(decision.offer_ids, decision.scores, strict=True):
        if found and (score == last or (score != score and last != last)):
            found[-1].add(name)
        else:
            found.append({name})
        last = score
    return found


def test_rank__with_one_more_clause_keeps_no_offer_that_was_rejected() -> None:
    rng = Random(4)
    narrowed = 0
    for world, case, catalog, engine, policy, decision in ranked(13, 30):
        words = Vocabulary.of(world.offers, case.version)
        clause = random_atom(rng, case.version, words)
        term = list(case.term)
        term[-5] = ["and", clause, term[-5]]
        stricter = engine.rank(tr.admit(term, catalog.fields), case.request, case.seed)
        assert survivors(stricter, catalog) <= survivors(decision, catalog)
        narrowed += stricter.survivors < decision.survivors
        assert policy != tr.admit(term, catalog.fields) or stricter.survivors == decision.survivors
    assert narrowed > 0


def test_rank__k_gives_the_beginning_of_the_whole_order() -> None:
    for _, case, catalog, engine, policy, decision in ranked(14, 18):
        for k in (1, 2, 3, 7, 64, 10**9, 2**70):
            best = engine.rank(policy, case.request, case.seed, k)
            assert best.offer_ids == decision.offer_ids[:k]
            assert np.array(best.scores).tobytes() == np.array(decision.scores[:k]).tobytes()
            assert (best.survivors, dict(best.rejected)) == (decision.survivors, dict(decision.rejected))
        assert len(catalog) >= decision.survivors >= len(decision.offer_ids)


def test_rank__every_offer_survives_or_is_rejected() -> None:
    for world, case, catalog, engine, _, decision in ranked(15, 30):
        everything = [*case.term[:-4], ["zero"], ["ordered"], *case.term[-2:]]
        kept = engine.rank(tr.admit(everything, catalog.fields), case.request).offer_ids
        assert set(kept) | set(decision.rejected) == set(catalog.offer_ids)
        assert not set(kept) & set(decision.rejected)
        assert len(kept) == decision.survivors == len(world.offers) - len(decision.rejected)
        assert set(decision.offer_ids) <= set(kept)


def test_rank_many__is_ranking_one_by_one_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_CHUNK", 3)
    for world, catalog in worlds(17, 8):
        engine = tr.Engine(catalog, world.state, world.envelope)
        policies = [tr.admit(case.term, catalog.fields) for case in world.cases] * 2
        requests = [case.request for case in world.cases] * 2
        seeds = [case.seed for case in world.cases] + [7] * len(world.cases)
        done: list[int] = []
        table = engine.rank_many(policies, requests, 4, seeds, done.append)
        assert sum(done) == len(policies)
        assert max(done) <= 3
        fresh = tr.Engine(catalog, world.state, world.envelope)
        for row, policy, request, seed in zip(table.to_pylist(), policies, requests, seeds, strict=True):
            single = fresh.rank(policy, request, seed, 4)
            assert tuple(row["offer_ids"]) == single.offer_ids
            assert np.array(row["scores"]).tobytes() == np.array(single.scores).tobytes()
            assert (row["survivors"], row["identity"]) == (single.survivors, policy.identity)


def test_rank_many__gives_a_table_of_its_documented_shape() -> None:
    engine = tr.Engine(ABC)
    table = engine.rank_many([policy_of(ABC, ["top"]), policy_of(ABC, ["bot"])], k=2)
    assert table.schema.names == ["identity", "survivors", "offer_ids", "scores"]
    assert table.schema.field("survivors").type == pa.int32()
    assert table["offer_ids"].to_pylist() == [["a", "b"], []]
    assert table["survivors"].to_pylist() == [4, 0]
    none = engine.rank_many([])
    assert none.schema == table.schema
    assert none.num_rows == 0


def test_rank_many__keeps_the_order_of_both_versions_mixed() -> None:
    engine = tr.Engine(ABC, {"ema": {"q|m": {"price_out": 9.0}}})
    new = tr.admit(term_of(["top"], ["field", "price_out"], ["ordered"]), ABC.fields)
    old = tr.admit(old_term_of(["top"], ["field", "price_out"], ["ordered"]), ABC.fields)
    # The first version prefers the state's price, the second the offer's.
    scores = engine.rank_many([old, new, old], k=4)["scores"].to_pylist()
    assert scores == [[3.0, 9.0, 2.0, 9.0], [3.0, 1.0, 2.0, 9.0], [3.0, 9.0, 2.0, 9.0]]


def test_rank_many__judges_one_request_by_the_version_of_each_policy() -> None:
    catalog = catalog_of(offer("a", "p", tok_s=50.0), offer("b", "q", tok_s=5.0))
    engine = tr.Engine(catalog, {"ema": {"q|m": {"ema_tok_s": 90.0}}})
    new = tr.admit(term_of(["meets_req"]), catalog.fields)
    old = tr.admit(old_term_of(["meets_req"]), catalog.fields)
    request = {"requirements": {"min_tok_s": 20}}
    # The first version reads the observed speed, the second the offer's own.
    assert engine.rank_many([old, new], [request] * 2)["offer_ids"].to_pylist() == [["b"], ["a"]]
    assert engine.rank(old, request).offer_ids == ("b",)
    assert engine.rank(new, request).offer_ids == ("a",)


def test_rank_many__refuses_lists_of_other_lengths() -> None:
    engine, policies = tr.Engine(ABC), [policy_of(ABC, ["top"])] * 2
    with pytest.raises(tr.RequestError, match="1 requests for 2 policies"):
        engine.rank_many(policies, requests=[None])
    with pytest.raises(tr.RequestError, match="3 seeds for 2 policies"):
        engine.rank_rows(policies, seeds=[1, 2, 3])


def test_with_health__is_a_fresh_engine_over_the_same_catalog() -> None:
    for number in range(2 if JIT_DISABLED else 8):
        world = draw_world(18, number, size=20)
        catalog = world_catalog(world)
        first = tr.Engine(catalog, envelope=world.envelope)
        policies = [tr.admit(case.term, catalog.fields) for case in world.cases]
        before = [first.rank(policy) for policy in policies]
        for state in (world.state, draw_world(19, number, size=20).state, None):
            changed, fresh = first.with_health(state), tr.Engine(catalog, state, world.envelope)
            for policy, case in zip(policies, world.cases, strict=True):
                assert same(changed.rank(policy, case.request, case.seed), fresh.rank(policy, case.request, case.seed))
        # The engine it came from is as it was.
        assert all(same(first.rank(policy), decision) for policy, decision in zip(policies, before, strict=True))


def test_narrowed__is_an_engine_under_both_conditions_and_never_permits_more() -> None:
    for number in range(2 if JIT_DISABLED else 8):
        world = draw_world(23, number, size=20)
        catalog = world_catalog(world)
        further = ["not", ["is", "has_tee"]]
        both = further if world.envelope is None else ["and", world.envelope, further]
        first = tr.Engine(catalog, world.state, world.envelope)
        narrowed, fresh = first.narrowed(further), tr.Engine(catalog, world.state, both)
        assert narrowed.provenance == fresh.provenance
        for case in world.cases:
            policy = tr.admit(case.term, catalog.fields)
            found = narrowed.rank(policy, case.request, case.seed)
            assert same(found, fresh.rank(policy, case.request, case.seed))
            assert found.rejected == fresh.rank(policy, case.request, case.seed).rejected
            if policy.selector.op not in ("sample", "top_k"):
                assert set(found.offer_ids) <= set(first.rank(policy, case.request, case.seed).offer_ids)
    assert first.narrowed(None) is first
    with pytest.raises(tr.PolicyError):
        first.narrowed(["argmax"])


def test_engine__goes_to_another_process_as_what_it_was_made_of() -> None:
    world = draw_world(29, 3, size=20)
    catalog = world_catalog(world)
    engine = tr.Engine(catalog, world.state, world.envelope, threads=3).narrowed(["not", ["is", "has_tee"]])
    policies = [tr.admit(case.term, catalog.fields) for case in world.cases]
    answers = [engine.rank(policy, case.request, case.seed) for policy, case in zip(policies, world.cases, strict=True)]
    for other in (pickle.loads(pickle.dumps(engine)), copy.deepcopy(engine)):
        assert other.provenance == engine.provenance
        assert other._threads == 3
        for policy, case, answer in zip(policies, world.cases, answers, strict=True):
            assert same(other.rank(policy, case.request, case.seed), answer)


def test_engine__answers_threads_as_it_answers_one() -> None:
    world = draw_world(20, 0, size=20 if JIT_DISABLED else 300)
    catalog = world_catalog(world)
    cases = [case for number in range(2 if JIT_DISABLED else 20) for case in draw_world(20, number, size=20).cases]
    policies = [tr.admit(case.term, catalog.fields) for case in cases]
    serial = tr.Engine(catalog, world.state)
    wanted = [serial.rank(policy, case.request, case.seed, 8) for policy, case in zip(policies, cases, strict=True)]
    shared = tr.Engine(world_catalog(world), world.state)

    def work(thread: int) -> list[tuple[int, tr.Decision]]:
        order = Random(thread).sample(range(len(cases)), len(cases))
        return [(at, shared.rank(policies[at], cases[at].request, cases[at].seed, 8)) for at in order]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(8)):
            for at, decision in found:
                assert same(decision, wanted[at])


def test_rank__refuses_a_policy_of_another_vocabulary() -> None:
    richer = tr.Fields({"bench_new": {"sort": "Num"}, "region_eu": {"sort": "Num"}}, ("fallback", "gold"))
    engine = tr.Engine(ABC)
    for condition in (["cmp", "bench_new", "ge", 1], ["cmp", "region_eu", "ge", 1], ["min_tier", "gold"]):
        policy = tr.admit(term_of(["or", condition, ["top"], ["not", condition]]), richer)
        assert engine.rank(policy).survivors == 4  # the normal form is top alone
        with pytest.raises(tr.PolicyError):
            engine.rank(tr.admit(term_of(condition), richer))
        with pytest.raises(tr.PolicyError):
            engine.rank_many([tr.admit(term_of(["not", condition]), richer)])
    # The same words with the same sorts are no other vocabulary.
    lean = tr.admit(term_of(["is", "region_eu"]), {"region_eu": {"sort": "Bool"}})
    assert engine.rank(lean).offer_ids == ("a", "c")


def test_rank__agrees_with_the_reference_where_a_policy_of_fewer_fields_is_ranked() -> None:
    term = term_of(["cmp", "bench", "ge", 0.5], ["field", "bench"])
    offers = [offer("a", bench=0.4), offer("b"), offer("c", bench=0.9)]
    declared = {"bench": {"sort": "Num", "default": 0.5}}
    wanted = reference_rank(term, offers, {}, declared, version=V2)
    found = tr.Engine(catalog_of(*offers)).rank(tr.admit(term, declared))
    assert (list(found.offer_ids), list(found.scores)) == (wanted.ordered, wanted.scores) == (["c", "b"], [0.9, 0.5])


@pytest.mark.parametrize("k", [0, -1, 1.0, True, "3", np.int64(3)])
def test_rank__refuses_a_k_that_is_no_count(k: Any) -> None:
    engine, policy = tr.Engine(ABC), policy_of(ABC, ["top"])
    with pytest.raises(tr.RequestError, match="k must be"):
        engine.rank(policy, k=k)
    with pytest.raises(tr.RequestError, match="k must be"):
        engine.rank_many([policy], k=k)


@pytest.mark.parametrize("seed", [1.0, True, "3", [], 2.5])
def test_rank__refuses_a_seed_that_is_no_integer(seed: Any) -> None:
    engine, policy = tr.Engine(ABC), policy_of(ABC, ["top"])
    with pytest.raises(tr.RequestError, match="seed must be"):
        engine.rank(policy, seed=seed)
    with pytest.raises(tr.RequestError, match="seed must be"):
        engine.rank_many([policy], seeds=[seed])


def test_rank__refuses_bad_requests_health_and_policies() -> None:
    engine, policy = tr.Engine(ABC), policy_of(ABC, ["top"])
    with pytest.raises(tr.RequestError):
        engine.rank(policy, {"requirements": {"min_contxt": 5}})
    with pytest.raises(tr.RequestError):
        engine.rank_many([policy], [{"scope": 5}])
    with pytest.raises(tr.HealthError):
        tr.Engine(ABC, {"breaker": {}})
    with pytest.raises(tr.HealthError):
        engine.with_health({"breakers": {"p": "open"}})
    bare: Any = term_of(["top"])
    with pytest.raises(tr.RequestError, match="admit"):
        engine.rank(bare)


def test_observed__is_what_policies_see_now() -> None:
    engine = tr.Engine(ABC, {"ema": {"q|m": {"price_out": 9.0}}, "credits": {"p": 4}})
    assert engine.observed("price_out").tolist() == [3.0, 1.0, 2.0, 9.0]
    assert engine.observed("price_out", "sigma-pol/v1").tolist() == [3.0, 9.0, 2.0, 9.0]
    assert engine.observed("credits").tolist() == [4.0, 0.0, 0.0, 0.0]
    assert engine.observed("bench").tolist() == [0.5] * 4


def test_transform__is_applied_for_one_offer() -> None:
    term = term_of(["top"])
    term[-2] = ["seq", ["when", ["is", "region_eu"], ["set_param", "zone", "eu"]], ["custom", "greet"]]
    engine, policy = tr.Engine(ABC), tr.admit(term, ABC.fields)
    greet = {"greet": lambda body: {**body, "hello": 1}}
    body = {"model": "x"}
    assert engine.transform(policy, body, "a", custom=greet) == {"model": "x", "zone": "eu", "hello": 1}
    assert engine.transform(policy, body, "b", custom=greet) == {"model": "x", "hello": 1}
    assert body == {"model": "x"}
    with pytest.raises(KeyError):
        engine.transform(policy, body, "nobody", custom=greet)
    with pytest.raises(tr.PolicyError):
        engine.transform(policy, body, "a")


def test_rank_many__bounds_what_many_distinct_requests_take(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = catalog_of(offer("a", "p", tok_s=50.0), offer("b", "q", tok_s=5.0))
    requests = [{"requirements": {"min_context": at}} for at in range(20)]
    policies = [tr.admit(make(["meets_req"]), catalog.fields) for make in (term_of, old_term_of) for _ in range(10)]
    expected = tr.Engine(catalog).rank_many(policies, requests)
    monkeypatch.setattr("tenantrank.engine.batches._REQUEST_BYTES", 1)
    calls: list[int] = []
    assert tr.Engine(catalog).rank_many(policies, requests, on_progress=calls.append).equals(expected)
    assert calls == [1] * 20


def test_rank__tells_policies_of_one_fingerprint_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantrank.policy.encoding.fingerprint", lambda _: "1-1")
    engine = tr.Engine(ABC)
    one, other = (policy_of(ABC, ["provider_eq", name]) for name in ("p", "q"))
    assert one.fingerprint == other.fingerprint
    assert engine.rank(one).offer_ids != engine.rank(other).offer_ids


def test_rank__an_offer_without_a_tier_is_below_all_where_the_order_has_no_fallback() -> None:
    catalog = tr.Catalog.from_records([offer("a"), offer("b", tier="low")], FIELDS, ["low", "high"])
    decision = tr.Engine(catalog).rank(tr.admit(term_of(["min_tier", "low"]), catalog.fields))
    assert decision.offer_ids == ("b",)
    assert dict(decision.rejected) == {"a": "min_tier"}


def test_rank__a_zero_of_either_sign_in_a_request_is_one_request() -> None:
    catalog = catalog_of(offer("a", "p"), offer("b", "q"))
    health = {"ema": {"p|m": {"ema_latency_ms": 5}}}
    policy = tr.admit(old_term_of(["top"], ["speed"]), catalog.fields)
    requests = [{"requirements": {"max_latency_ms": zero}} for zero in (0.0, -0.0)]
    found = [tr.Engine(catalog, health).rank(policy, request).scores for request in requests]
    warm = tr.Engine(catalog, health)
    assert found[0] == found[1] == warm.rank(policy, requests[1]).scores == warm.rank(policy, requests[0]).scores


def test_rank__unknown_quality_counts_as_0_for_a_required_quality() -> None:
    fields = {**FIELDS, "quality_hint": {"sort": "Num", "default": 0.9}}
    catalog = tr.Catalog.from_records([offer("a"), offer("b", quality_hint=0.6)], fields)
    policy = tr.admit(old_term_of(["meets_req"]), catalog.fields)
    assert tr.Engine(catalog).rank(policy, {"requirements": {"min_quality": 0.5}}).offer_ids == ("b",)


def test_transform__refuses_what_is_no_seed() -> None:
    policy = policy_of(ABC, ["top"])
    for seed in (1.5, True, "x"):
        with pytest.raises(tr.RequestError, match="seed"):
            tr.Engine(ABC).transform(policy, {}, "a", seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [None, 0, "ab", {1: 2}, {"a"}])
def test_rank_many__refuses_what_is_no_list(given: Any) -> None:
    engine, policy = tr.Engine(ABC), policy_of(ABC, ["top"])
    for wrong in (
        lambda: engine.rank_many(given),
        lambda: engine.rank_rows(given),
        lambda: engine.unknown_names(given),
    ):
        with pytest.raises(tr.RequestError, match=r"^policies must be a list, got "):
            wrong()
    if given is not None:
        with pytest.raises(tr.RequestError, match=r"^requests must be a list, got "):
            engine.rank_many([policy], requests=given)
        with pytest.raises(tr.RequestError, match=r"^seeds must be a list, got "):
            engine.rank_many([policy], seeds=given)


def test_engine__refuses_arguments_of_another_type() -> None:
    engine, policy, none = tr.Engine(ABC), policy_of(ABC, ["top"]), cast(Any, None)
    with pytest.raises(tr.CatalogError, match=r"^expected a Catalog, got None$"):
        tr.Engine(none)
    with pytest.raises(tr.RulebookError, match=r"^expected a Rulebook, got None$"):
        engine.rank_tenants(none, none)
    with pytest.raises(tr.CatalogError, match="no field"):
        engine.observed("no field")
    unhashable: Any = []
    for wrong in (lambda: engine.transform(policy, {}, unhashable), lambda: engine.row_of_offer(unhashable)):
        with pytest.raises(tr.RequestError, match=r"^expected an offer id, got an array$"):
            wrong()
    with pytest.raises(KeyError):
        engine.row_of_offer("nobody")
