"""The field `expected_cost_usd`: the same decisions as a column that states the same values."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.catalog.costs import Tokens
from tests.engine.samples import PLAN

COST = "expected_cost_usd"
PRICED: tuple[dict[str, float], ...] = (
    {"price_in": 1.0, "price_out": 4.0},
    {"price_in": 0.5, "price_out": 9.0, "price_cache_read": 0.05},
    {"price_in": 0.0, "price_out": 0.0},
    {"price_in": 2.0},
)
RECORDS: list[dict[str, Any]] = [
    {"id": f"o{at}", "provider_id": "pq"[at % 2], "model_family": "m", **prices} for at, prices in enumerate(PRICED)
]


def request_of(taken: float, given: float, **rest: Any) -> dict[str, Any]:
    return {"requirements": {"estimated_input_tokens": taken, "estimated_output_tokens": given, **rest}}


def policy_of(condition: Any, catalog: tr.Catalog, scorer: Any = None, transform: Any = None) -> tr.Policy:
    term = [
        "policy",
        condition,
        scorer or ["neg", ["normalize", ["field", COST]]],
        ["argmax"],
        transform or ["id"],
        PLAN,
    ]
    return tr.admit(term, catalog.fields)


@pytest.fixture
def catalog() -> tr.Catalog:
    return tr.Catalog.from_records(RECORDS)


def test_a_policy_filters_and_ranks_by_what_the_call_costs(catalog: tr.Catalog) -> None:
    engine = tr.Engine(catalog)
    policy = policy_of(["cmp", COST, "le", 0.006], catalog)
    decision = engine.rank(policy, request_of(2000, 500))
    assert decision.offer_ids == ("o2", "o0", "o1")
    assert decision.expected_costs == (0.0, 0.004, 0.0055)
    assert decision.rejected == {"o3": f"cmp:{COST}:le"}
    long_prompt = engine.rank(policy, request_of(10_000, 100, estimated_cached_share=1.0))
    assert long_prompt.offer_ids == ("o2", "o1")
    assert long_prompt.expected_costs == (0.0, 0.0014)


def test_without_estimates_no_cost_is_known_and_none_passes(catalog: tr.Catalog) -> None:
    engine = tr.Engine(catalog)
    policy = policy_of(["cmp", COST, "le", 1e9], catalog)
    for request in (None, {"requirements": {"estimated_input_tokens": 5}}, request_of(-1, 5), request_of(5, 1e300)):
        decision = engine.rank(policy, request)
        assert decision.offer_ids == ()
        assert set(decision.rejected) == {"o0", "o1", "o2", "o3"}
    everybody = policy_of(["top"], catalog, ["zero"])
    assert engine.rank(everybody).expected_costs == (None,) * 4
    assert engine.rank(everybody, request_of(1000, 0)).expected_costs == (0.001, 0.0005, 0.0, 0.002)
    assert engine.rank(everybody, request_of(1000, 1)).expected_costs[3] is None


def test_live_prices_count_as_the_version_says() -> None:
    records = [{"id": "o", "provider_id": "p", "model_family": "m", "price_in": 1.0, "price_out": 1.0}]
    catalog = tr.Catalog.from_records([*records, {"id": "u", "provider_id": "q", "model_family": "m"}])
    state = {"ema": {key: {"price_in": 7.0, "price_out": 7.0} for key in ("p|m", "q|m")}}
    engine = tr.Engine(catalog, state)
    new = tr.admit(["policy", ["top"], ["field", COST], ["argmax"], ["id"], PLAN], catalog.fields)
    old = tr.admit(["policy", ["ev_zero"], ["top"], ["field", COST], ["argmax"], ["id"], PLAN], catalog.fields)
    request = request_of(1_000_000, 0)
    decisions = {policy.version[-2:]: engine.rank(policy, request) for policy in (new, old)}
    assert decisions["v2"].scores == (7.0, 1.0)
    assert decisions["v2"].expected_costs == (7.0, 1.0)
    assert decisions["v1"].scores == (7.0, 7.0)


def test_an_operators_own_column_stands(catalog: tr.Catalog) -> None:
    own = tr.Catalog.from_records([{**record, COST: 5.0 - at} for at, record in enumerate(RECORDS)])
    assert not own.expects_costs
    decision = tr.Engine(own).rank(policy_of(["cmp", COST, "le", 4.0], own), request_of(2000, 500))
    assert decision.offer_ids == ("o3", "o2", "o1")


def test_envelopes_transforms_explanations_and_counts_see_the_same_cost(catalog: tr.Catalog) -> None:
    engine = tr.Engine(catalog, envelope=["cmp", COST, "lt", 0.005])
    request = request_of(2000, 500)
    plain = policy_of(["top"], catalog, ["zero"], ["when", ["cmp", COST, "gt", 0.001], ["set_param", "dear", True]])
    decision = engine.rank(plain, request)
    assert decision.offer_ids == ("o0", "o2")
    assert [failure.observed for failure in decision.explain().of("o1")] == [0.0055]
    assert engine.rejections(plain, request).counts.tolist() == [2]
    assert engine.clause_counts(plain, request).tolist() == [2]
    assert engine.transform(plain, {}, "o0", request) == {"dear": True}
    assert engine.transform(plain, {}, "o2", request) == {}
    assert engine.transform(plain, {}, "o0") == {"dear": True}  # unknown is an infinity
    old = tr.admit(["policy", ["ev_zero"], ["top"], ["zero"], ["argmax"], ["id"], PLAN], catalog.fields)
    assert engine.rank(old, request).offer_ids == ("o0", "o2")
    assert engine.rank(old).offer_ids == ()


def _random_policies(rng: Random, field: str, fields: Any, count: int) -> list[tr.Policy]:
    """Policies that use one field in filters and scorers, the same ones for the same generator."""
    found = []
    for _ in range(count):
        bound = rng.choice((0.0, 0.001, 0.004, 0.0055, 0.02))
        clause = ["cmp", field, rng.choice(("lt", "le", "eq", "ne", "ge", "gt")), bound]
        condition = rng.choice((clause, ["not", clause], ["or", clause, ["provider_eq", "p"]], ["top"]))
        own = ["normalize", ["field", field]]
        scorer = rng.choice(
            (
                own,
                ["neg", own],
                ["field", field],
                ["zero"],
                ["add", ["scale", 0.3, ["neg", own]], ["gate", clause, own]],
            )
        )
        found.append(tr.admit(["policy", condition, scorer, ["argmax"], ["id"], PLAN], fields))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_decisions_are_those_of_a_column_with_the_same_values(seed: int) -> None:
    rng = Random(seed)
    sizes = (3, 64, 65, 130)
    records = [
        {"id": f"o{at}", "provider_id": rng.choice("pqr"), "model_family": "m"}
        | {name: rng.choice((0.0, 0.5, 1.0, 2.0, 9.0)) for name in ("price_in", "price_out") if rng.random() < 0.9}
        for at in range(sizes[seed])
    ]
    catalog = tr.Catalog.from_records(records)
    engine = tr.Engine(catalog)
    asked = [request_of(rng.choice((0, 1000, 2000)), rng.choice((0, 500))) for _ in range(3)]
    policies = _random_policies(Random(seed), COST, catalog.fields, 24)
    requests: list[Any] = [rng.choice([None, *asked]) for _ in policies]
    batch = engine.rank_many(policies, requests, k=5).to_pylist()
    for at, (policy, request) in enumerate(zip(policies, requests, strict=True)):
        tokens = tr.engine.Request.of(request).tokens
        costs = np.full(len(records), math.nan) if tokens is None else engine.costs(tokens)
        stated = tr.Catalog.from_records(
            [
                record if math.isnan(cost) else {**record, "stated": cost}
                for record, cost in zip(records, costs.tolist(), strict=True)
            ],
            {"stated": {"sort": "Num", "default": math.inf}},
        )
        beside = _random_policies(Random(seed), "stated", stated.fields, at + 1)[at]
        wanted = tr.Engine(stated).rank(beside)
        found = engine.rank(policy, request)
        assert (found.offer_ids, found.scores) == (wanted.offer_ids, wanted.scores)
        assert {key: reason.replace(COST, "stated") for key, reason in found.rejected.items()} == wanted.rejected
        assert batch[at]["offer_ids"] == list(found.offer_ids[:5])
        assert batch[at]["scores"] == list(found.scores[:5])
        assert batch[at]["survivors"] == found.survivors


def test_a_batch_of_many_requests_is_each_alone(catalog: tr.Catalog) -> None:
    engine = tr.Engine(catalog, threads=2)
    policies = [policy_of(["cmp", COST, "le", 0.0001 * at], catalog) for at in range(90)]
    plain = policy_of(["top"], catalog, ["neg", ["normalize", ["field", "price_in"]]])
    mixed = [policy if at % 3 else plain for at, policy in enumerate(policies)]
    requests = [request_of(100 * (at % 40), at % 7) if at % 5 else None for at in range(90)]
    table = engine.rank_many(mixed, requests, k=4, seeds=list(range(90)))
    for row, policy, request in zip(table.to_pylist(), mixed, requests, strict=True):
        alone = engine.rank(policy, request, k=4)
        assert (row["offer_ids"], row["scores"]) == (list(alone.offer_ids), list(alone.scores))


def test_a_change_of_health_keeps_costs_apart(catalog: tr.Catalog) -> None:
    engine = tr.Engine(catalog)
    policy = policy_of(["cmp", COST, "le", 0.006], catalog)
    request = request_of(2000, 500)
    before = engine.rank(policy, request)
    other = engine.with_health({"ema": {"q|m": {"price_in": 0.1, "price_out": 0.1}}})
    after = other.rank(policy, request)
    assert "o3" in after.offer_ids  # it stated no price_out
    assert after.expected_costs[after.offer_ids.index("o3")] == 2000 * 2.0 / 1e6 + 500 * 0.1 / 1e6
    assert engine.rank(policy, request).offer_ids == before.offer_ids
    assert other.with_health(None).rank(policy, request).offer_ids == before.offer_ids


@pytest.mark.parametrize(
    ("requirements", "wanted"),
    [
        ({"estimated_cached_share": 1.2}, "estimated_cached_share must be 0 to 1"),
        ({"estimated_cached_share": "half"}, "estimated_cached_share must be a finite number"),
        ({"estimated_residency": "mars"}, "estimated_residency must be one of africa"),
        ({"estimated_residency": 3}, "estimated_residency must be a string"),
    ],
    ids=["share", "text", "place", "number"],
)
def test_estimates_that_are_none_are_refused(requirements: dict[str, Any], wanted: str) -> None:
    with pytest.raises(tr.RequestError, match=wanted):
        tr.engine.Request.of({"requirements": requirements})


def test_a_request_knows_its_tokens() -> None:
    request = tr.engine.Request.of(request_of(7, 3, estimated_cached_share=0.5, estimated_residency="eu"))
    assert request.tokens == Tokens(7, 3, 0.5, "eu")


def test_what_is_unknown_of_the_cost_is_that_of_the_request(catalog: tr.Catalog) -> None:
    engine = tr.Engine(catalog)
    policy = policy_of(["cmp", COST, "lt", 0], catalog)
    found = {}
    for taken, given in ((2000, 500), (2000, 0), (0, 500)):
        (clause,) = engine.rank(policy, request_of(taken, given)).explain().clauses
        found[taken, given] = clause.failed, clause.unknown
    (without,) = engine.rank(policy).explain().clauses
    assert (without.failed, without.unknown) == (4, 4)
    # The last offer states what comes in alone.
    assert found == {(2000, 500): (4, 1), (2000, 0): (4, 0), (0, 500): (4, 1)}
