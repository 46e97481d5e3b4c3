"""Programs taken over to another catalog: decisions of a fresh engine, with hardly anything lowered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.engine import compiled as compiled_module
from tenantrank.policy.signature import DEFAULT_TIER_ORDER, V1, V2
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import (
    FIELDS,
    catalog_of,
    offer,
    old_term_of,
    policy_of,
    same,
    term_of,
    world_catalog,
    worlds,
)
from tests.fuzz.differential import draw_world
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.signature import Term

OLD = catalog_of(
    offer("a", "p", "m", price_out=3.0, region_eu=True, tier="partner"),
    offer("b", "q", "m", price_out=1.0, region_eu=False, tier="fallback"),
    offer("c", "r", "n", price_out=2.0, region_eu=True, tier="partner"),
)
NEW = catalog_of(
    offer("z", "r", "m", price_out=5.0, region_eu=True, tier="partner"),
    offer("c", "r", "n", price_out=0.5, region_eu=True, tier="partner"),
    offer("a", "p", "m", price_out=3.0, region_eu=False, tier="fallback"),
    offer("n", "new", "m", price_out=0.1, region_eu=True, tier="partner"),
)
CHAIN: Term = ["chain", [{"provider": "r", "model": "n"}, {"provider": "p", "model": "m"}]]


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The scorers of what is lowered meanwhile."""
    found: list[Any] = []
    lower = compiled_module.lower

    def noted(condition: Any, scorer: Any, *rest: Any) -> Any:
        found.append(scorer)
        return lower(condition, scorer, *rest)

    monkeypatch.setattr(compiled_module, "lower", noted)
    return found


def mixed_up(offers: list[dict[str, Any]], rng: Random) -> list[dict[str, Any]]:
    """The offers in another order, some of them missing, and one twice."""
    kept = rng.sample(offers, max(len(offers) - rng.randrange(3), min(len(offers), 1)))
    again = {key: value for key, value in kept[0].items() if key not in ("id", "offer_id")} if kept else None
    return kept if again is None else [*kept, {**again, "offer_id": "again"}]


def test_with_catalog__is_a_fresh_engine_over_the_other_catalog(lowered: list[Any]) -> None:
    rng = Random(5)
    fewer = 0
    for world, catalog in worlds(31, 30):
        engine = tr.Engine(catalog, world.state, world.envelope)
        policies = [tr.admit(case.term, catalog.fields) for case in world.cases]
        before = [
            engine.rank(policy, case.request, case.seed) for policy, case in zip(policies, world.cases, strict=True)
        ]
        engine.rank_rows(policies)
        changed = engine
        for _ in range(2):
            offers = mixed_up(world.offers, rng)
            other = tr.Catalog.from_records(offers, WORLD_FIELDS, world.tier_order)
            try:
                fresh = tr.Engine(other, world.state, world.envelope)
            except tr.PolicyError:
                with pytest.raises(tr.PolicyError):
                    changed.with_catalog(other)
                continue
            changed = changed.with_catalog(other)
            assert changed.provenance == fresh.provenance
            counts = []
            for ranking in (changed, fresh):
                lowered.clear()
                found = []
                for policy, case in zip(policies, world.cases, strict=True):
                    try:
                        found.append([ranking.rank(policy, case.request, case.seed), ranking.rank(policy, k=1)])
                    except tr.PolicyError as error:
                        found.append([str(error)])
                counts.append((len(lowered), found))
            for mine, wanted in zip(counts[0][1], counts[1][1], strict=True):
                assert mine == wanted if isinstance(wanted[0], str) else all(map(same, mine, wanted))
            fewer += counts[0][0] < counts[1][0]
        for policy, case, decision in zip(policies, world.cases, before, strict=True):
            assert same(engine.rank(policy, case.request, case.seed), decision)
    assert fewer > 3


def test_with_catalog__lowers_nothing_again_that_holds_over_both(lowered: list[Any]) -> None:
    engine = tr.Engine(OLD, {"breakers": {"p": True}}, ["not", ["is", "breaker_open"]])
    policies = [policy_of(OLD, ["cmp", "price_out", "le", at / 4], ["field", "price_out"]) for at in range(20)]
    policies += [policy_of(OLD, ["or", ["provider_eq", name], ["is", "region_eu"]]) for name in "pqr"]
    policies += [tr.admit(old_term_of(["tier_eq", "partner"], ["quality"]), OLD.fields)]
    for policy in policies:
        engine.rank(policy)
    lowered.clear()
    other = engine.with_catalog(NEW)
    found = [other.rank(policy) for policy in policies]
    batch = other.rank_many(policies, k=2)
    assert lowered == []
    fresh = tr.Engine(NEW, {"breakers": {"p": True}}, ["not", ["is", "breaker_open"]])
    assert all(same(one, fresh.rank(policy)) for one, policy in zip(found, policies, strict=True))
    assert batch.equals(fresh.rank_many(policies, k=2))
    assert other.health is engine.health


@pytest.mark.parametrize(
    "make",
    [
        lambda: policy_of(OLD, ["top"], None, CHAIN),
        lambda: policy_of(OLD, ["top"], None, ["top_k", 1, CHAIN]),
        lambda: policy_of(OLD, ["provider_eq", "new"]),
        lambda: policy_of(OLD, ["not", ["or", ["provider_eq", "new"], ["provider_eq", "p"]]]),
        lambda: policy_of(OLD, ["top"], ["gate", ["provider_eq", "new"], ["lit", 2]]),
        lambda: tr.admit(old_term_of(["has_cap", "supports_new"], ["zero"], CHAIN), OLD.fields),
    ],
)
def test_with_catalog__lowers_again_what_speaks_of_rows_or_of_names_without_one(make: Any, lowered: list[Any]) -> None:
    policy, other = make(), policy_of(OLD, ["is", "region_eu"])
    engine = tr.Engine(OLD)
    before = engine.rank(policy)
    for each in (other, *(policy_of(OLD, ["cmp", "price_out", "le", at]) for at in range(3))):
        engine.rank(each)
    if policy.version == V1:  # as many others of its version
        engine.rank(tr.admit(old_term_of(["top"]), OLD.fields))
    lowered.clear()
    after = engine.with_catalog(NEW)
    assert same(after.rank(policy), tr.Engine(NEW).rank(policy))
    assert len(lowered) == 2  # by both engines
    assert same(after.rank(other), tr.Engine(NEW).rank(other))
    assert len(lowered) == 3  # by the fresh one
    assert same(engine.rank(policy), before)


def test_with_catalog__starts_anew_where_fields_or_tiers_are_others() -> None:
    policies = [policy_of(OLD, ["cmp", "bench", "ge", 0.2]), policy_of(OLD, ["min_tier", "partner"])]
    offers = [offer("a", "p", bench=0.1, price_out=3.0), offer("b", "q", tier="partner", bench=0.5)]
    for fields, tiers in (
        ({"a_new_one": {"sort": "Num"}, **FIELDS}, DEFAULT_TIER_ORDER),
        ({**FIELDS, "trains": {"sort": "Num"}}, DEFAULT_TIER_ORDER),
        (FIELDS, ["partner", "marketplace", "fallback"]),
        (FIELDS, ["partner", "further"]),
    ):
        engine = tr.Engine(OLD)
        for policy in policies:
            engine.rank(policy)
        catalog = tr.Catalog.from_records(offers, fields, tiers)
        other = engine.with_catalog(catalog)
        for policy in policies:
            assert same(other.rank(policy), tr.Engine(catalog).rank(policy))


def test_with_catalog__starts_anew_where_a_flag_is_missing() -> None:
    engine, policy = tr.Engine(OLD), policy_of(OLD, ["is", "trains"])
    assert engine.rank(policy).survivors == 3
    lean = {name: field for name, field in FIELDS.items() if name != "trains"}
    other = engine.with_catalog(tr.Catalog.from_records([offer("a", price_out=1.0, region_eu=True)], lean))
    with pytest.raises(tr.PolicyError, match="trains"):
        other.rank(policy)


def test_with_catalog__refuses_what_engine_refuses() -> None:
    engine = tr.Engine(OLD, None, ["cmp", "bench", "ge", 0])
    engine.rank(policy_of(OLD, ["top"]))
    none: Any = None
    with pytest.raises(tr.CatalogError, match=r"^expected a Catalog, got None$"):
        engine.with_catalog(none)
    with pytest.raises(tr.PolicyError, match="bench"):
        engine.with_catalog(tr.Catalog.from_records([offer("a")]))
    with pytest.raises(tr.PolicyError, match="bench"):
        lean = tr.Catalog.from_records([offer("a")])
        tr.Engine(OLD).with_catalog(lean).rank(policy_of(OLD, ["cmp", "bench", "ge", 0]))


def test_with_catalog__keeps_within_bounds_what_only_earlier_catalogs_had() -> None:
    def catalog(number: int) -> tr.Catalog:
        return catalog_of(*(offer(f"{at}", f"p{number}-{at}", price_out=1.0) for at in range(40)))

    engine = tr.Engine(catalog(0))
    for number in range(6):
        for at in range(40):
            policy = policy_of(engine.catalog, ["provider_eq", f"p{number}-{at}"])
            assert engine.rank(policy).offer_ids == (f"{at}",)
            assert engine.rank(policy_of(engine.catalog, ["provider_eq", f"p0-{at}"])).survivors == (number == 0)
        engine = engine.with_catalog(catalog(number + 1))
        assert len(engine._now.compiled.index._row_of) <= 98
        assert engine._now.compiled.programs[V2].count <= 2 * len(engine._now.compiled.programs[V2].at_of) <= 200


def test_with_catalog__keeps_no_more_of_what_does_not_hold_than_of_what_does() -> None:
    chains = [policy_of(OLD, ["cmp", "price_out", "le", at], None, CHAIN) for at in range(9)]
    engine = tr.Engine(OLD)
    for number in range(8):
        for policy in [*chains, policy_of(OLD, ["cmp", "price_out", "le", number])]:
            engine.rank(policy)
        engine = engine.with_catalog((NEW, OLD)[number % 2])
        assert engine._now.compiled.programs[V2].count <= 18


def test_with_catalog__leaves_what_two_engines_add_later_apart() -> None:
    engine = tr.Engine(OLD)
    first = policy_of(OLD, ["provider_eq", "p"])
    engine.rank(first)
    other = engine.with_catalog(NEW)
    policies = [
        policy_of(OLD, ["and", ["provider_eq", name], ["cmp", "price_out", "gt", at]]) for at, name in enumerate("pqrq")
    ]
    for number, policy in enumerate(policies + policies[::-1]):
        for ranking, catalog in ((engine, OLD), (other, NEW))[:: 1 if number % 2 else -1]:
            assert same(ranking.rank(policy), tr.Engine(catalog).rank(policy))
            assert ranking.rank(policy, k=1).offer_ids == tr.Engine(catalog).rank(policy, k=1).offer_ids


def test_with_catalog__while_four_threads_rank_new_policies() -> None:
    world = draw_world(20, 0, size=20)
    catalog = world_catalog(world)
    rng = Random(4)
    catalogs = [
        catalog,
        *(tr.Catalog.from_records(mixed_up(world.offers, rng), WORLD_FIELDS, world.tier_order) for _ in range(3)),
    ]
    terms = [
        term_of(
            ["and", case.term[1], ["cmp", "price_out", "le", at]] if case.version == V2 else ["top"],
            ["field", "price_in"],
        )
        for at, case in enumerate(
            case for number in range(2 if JIT_DISABLED else 12) for case in draw_world(20, number, size=20).cases
        )
    ]
    policies = [tr.admit(term, catalog.fields) for term in terms]
    fresh = [tr.Engine(each, world.state) for each in catalogs]
    wanted = [[engine.rank(policy, k=3) for policy in policies] for engine in fresh]
    current = [tr.Engine(catalog, world.state)]

    def work(thread: int) -> list[tuple[int, tr.Decision]]:
        order = Random(thread).sample(range(len(policies)), len(policies))
        return [(at, current[0].rank(policies[at], k=3)) for at in order]

    def swap(_: int) -> list[tuple[int, tr.Decision]]:
        for number in range(1 if JIT_DISABLED else 12):
            current[0] = current[0].with_catalog(catalogs[number % len(catalogs)]).with_health(world.state)
        return []

    with ThreadPoolExecutor(5) as pool:
        for found in pool.map(lambda number: swap(0) if number == 2 else work(number), range(6)):
            for at, decision in found:
                which = next(n for n, each in enumerate(catalogs) if each is decision.engine.catalog)
                assert same(decision, wanted[which][at])


def test_with_catalog__over_the_same_offers_of_which_few_or_many_have_other_values() -> None:
    rng = Random(6)
    rows = [
        {"price_out": rng.choice((1.0, 2.0, rng.random())), "context": float(rng.randrange(4)), "region_eu": True}
        for _ in range(60)
    ]
    catalogs = []
    for changed in (0, 0, 1, 2, 30, 1):
        for row in rng.sample(rows, changed):
            row["price_out"] = rng.choice((0.5, 2.0, rng.random()))
        catalogs.append(catalog_of(*(offer(f"o{at}", "pq"[at % 2], **row) for at, row in enumerate(rows))))
    policies = [
        policy_of(catalogs[0], ["and", ["cmp", "price_out", "le", at / 8], ["cmp", "context", "ge", at % 4]], scorer)
        for at in range(12)
        for scorer in (["field", "price_out"], ["neg", ["normalize", ["field", "context"]]])
    ]
    engine = tr.Engine(catalogs[0])
    engine.rank_rows(policies)
    for catalog in catalogs[1:]:
        before, engine = engine, engine.with_catalog(catalog)
        fresh, old = tr.Engine(catalog), tr.Engine(before.catalog)
        for policy in policies:
            assert same(engine.rank(policy), fresh.rank(policy))
            assert same(before.rank(policy), old.rank(policy))
