"""What could give way where nothing passes: against every subset of clauses, and proven by ranking again."""

from __future__ import annotations

import itertools
import json
import math
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.policy.policy import admit_term
from tenantrank.whatif.relax import relax
from tenantrank.whatif.relax_results import Relaxations
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import FIELDS as ENGINE_FIELDS
from tests.engine.samples import catalog_of, offer, old_term_of, policy_of, ranked
from tests.reference.predicates import holds
from tests.reference.signature import V2

Clause = list[Any]
Offer = dict[str, Any]
Key = tuple[Any, ...]

FIELDS: dict[str, dict[str, Any]] = {
    "x": {"sort": "Num", "default": 0.0},
    "y": {"sort": "Num", "default": 5.0},
    "f": {"sort": "Bool", "default": False},
    "g": {"sort": "Bool", "default": True},
}
CASES = 4 if JIT_DISABLED else 12
UPPER, LOWER = ("le", "lt"), ("ge", "gt")


def encoded(clause: Clause) -> str:
    return admit_term(clause, FIELDS, V2, "Pred").root.encoding


def bound_of(clause: Clause) -> tuple[str, str, float] | None:
    """The field, the relation by which its bound would stand moved, and the bound; None for what is dropped."""
    inside = clause[0] == "not"
    inner = clause[1] if inside else clause
    if inner[0] != "cmp" or inner[2] in ("eq", "ne"):
        return None
    upper = (inner[2] in UPPER) is not inside
    return inner[1], "le" if upper else "ge", float(inner[3])


def moved(clause: Clause, to: float) -> Clause:
    bound = bound_of(clause)
    assert bound is not None
    return ["cmp", bound[0], bound[1], to]


def passes(clause: Clause, one: Offer) -> bool:
    return holds(clause, one, {}, {**FIELDS, **BUILT_IN}) is None


BUILT_IN: dict[str, Any] = {
    "price_out": {"sort": "Num", "default": math.inf},
    "no_log": {"sort": "Bool", "default": False},
}


def draw_offers(rng: Random) -> list[Offer]:
    offers = []
    for at in range(rng.randint(1, 7)):
        one = offer(f"o{at}", rng.choice("pqr"), rng.choice("mn"))
        for name, values in (("x", (0, 1, 2, 3.5)), ("y", (-2, 0, 4, 5)), ("price_out", (0, 1, 2, 2.5, 9))):
            if rng.random() < 0.75:
                one[name] = rng.choice(values)
        for name in ("f", "g", "no_log"):
            if rng.random() < 0.7:
                one[name] = rng.random() < 0.5
        offers.append(one)
    return offers


def draw_clause(rng: Random, depth: int = 1) -> Clause:
    kind = rng.randrange(9 if depth else 6)
    if kind < 3:
        field = rng.choice(("x", "y", "price_out"))
        relation = rng.choice(("le", "le", "lt", "ge", "ge", "gt", "eq", "ne"))
        return ["cmp", field, relation, rng.choice((-3, 0, 0.5, 1, 2, 4, 5, 8))]
    if kind < 5:
        return rng.choice(([["is", "f"]], [["is", "g"]], [["is", "no_log"]]))[0]
    if kind == 5:
        return ["provider_eq", rng.choice("pqrz")]
    if kind == 6:
        return ["not", draw_clause(rng, 0)]
    if kind == 7:
        return ["or", ["provider_eq", "p"], ["provider_eq", rng.choice("qz")]]
    return ["or", draw_clause(rng, 0), draw_clause(rng, 0)]


def draw_clauses(rng: Random) -> list[Clause]:
    drawn = [draw_clause(rng) for _ in range(rng.randint(1, 5))]
    if rng.random() < 0.05:
        drawn.append(["bot"])
    found = {encoded(clause): clause for clause in drawn}
    # A disjunction that comes to everything is no clause.
    return [found[key] for key in sorted(found) if key != "(top)"]


def subsets_that_work(clauses: list[Clause], fixed: list[Clause], offers: list[Offer]) -> list[tuple[int, ...]]:
    """The smallest subsets of clauses that, dropped or moved to values that offers state, let an offer through.

    Every subset and every move is tried that does not let pass what is unknown and did not pass before.
    """
    for size in range(len(clauses) + 1):
        found = []
        for subset in itertools.combinations(range(len(clauses)), size):
            rest = fixed + [clause for at, clause in enumerate(clauses) if at not in subset]
            bounds = [(clauses[at], bound) for at in subset if (bound := bound_of(clauses[at])) is not None]
            choices = [values_for(clause, bound[0], offers) for clause, bound in bounds]
            for values in itertools.product(*choices):
                instead = [moved(clause, value) for (clause, _), value in zip(bounds, values, strict=True)]
                if any(all(passes(clause, one) for clause in rest + instead) for one in offers):
                    found.append(subset)
                    break
        if found:
            return found
    return []


def values_for(clause: Clause, field: str, offers: list[Offer]) -> list[float]:
    """The values to which a bound may move."""
    stated = {one[field] for one in offers if field in one}
    nothing = offer("nothing")
    return [value for value in stated if passes(clause, nothing) or not passes(moved(clause, value), nothing)]


def order_key(subset: tuple[int, ...], clauses: list[Clause], fixed: list[Clause], offers: list[Offer]) -> Key:
    """Where a working subset belongs among the others, from the offers that fail just these clauses."""
    moving = [at for at in subset if bound_of(clauses[at]) is not None]
    bounds = [bound for at in moving if (bound := bound_of(clauses[at])) is not None]
    there = [
        one
        for one in offers
        if all(passes(clause, one) for clause in fixed)
        and tuple(at for at, clause in enumerate(clauses) if not passes(clause, one)) == subset
        and all(
            one.get(bound[0]) in values_for(clauses[at], bound[0], offers)
            for at, bound in zip(moving, bounds, strict=True)
        )
    ]

    def distance(one: Offer) -> tuple[float, float]:
        far = [abs(float(one[name]) - value) for name, _, value in bounds]
        near = [
            (by / abs(value) if value else math.inf) if by else 0.0
            for by, (_, _, value) in zip(far, bounds, strict=True)
        ]
        return sum(near), sum(far)

    nearest = min(there, key=distance)
    instead = [["cmp", name, relation, nearest[name]] for name, relation, _ in bounds]
    brings = sum(all(passes(clause, one) for clause in instead) for one in there)
    return len(subset) - len(bounds), *distance(nearest), -brings, subset


def applied(clauses: list[Clause], changes: Any) -> list[Clause]:
    """The clauses with changes made by what they say."""
    made = {change.clause: change for change in changes}
    kept = [clause for clause in clauses if encoded(clause) not in made]
    for clause in clauses:
        change = made.get(encoded(clause))
        if change is not None and change.to is not None:
            bound = bound_of(clause)
            assert bound is not None
            assert (change.field, change.bound) == (bound[0], bound[2])
            kept.append(moved(clause, change.to))
            assert change.instead == encoded(kept[-1])
        elif change is not None:
            assert bound_of(clause) is None
            assert change.instead is None
    return kept or [["top"]]


@settings(max_examples=20 if JIT_DISABLED else 120)
@given(st.integers(0, 2**32))
def test_relax__gives_all_smallest_subsets_of_clauses_in_order(seed: int) -> None:
    rng = Random(seed)
    offers = draw_offers(rng)
    catalog = tr.Catalog.from_records(offers, FIELDS)
    envelope = draw_clause(rng) if rng.random() < 0.3 else None
    fixed = [] if envelope is None else [envelope]
    engine = tr.Engine(catalog, envelope=envelope)
    for _ in range(CASES):
        asked = draw_clauses(rng)
        if ["bot"] in asked:
            asked = [["bot"]]
        # What the envelope asks as well is the envelope's.
        clauses = [clause for clause in asked if encoded(clause) not in map(encoded, fixed)]
        pairs = rng.sample([(provider, family) for provider in "pqrz" for family in "mn"], rng.randint(1, 4))
        chained = rng.random() < 0.3
        selector = (
            ["chain", [{"provider": provider, "model": family} for provider, family in pairs]] if chained else None
        )
        policy = policy_of(catalog, ["and", *asked] if asked else ["top"], None, selector)
        found = relax(engine, policy, limit=100, k=100)
        listed = [one for one in offers if not chained or (one["provider_id"], one["model_family"]) in pairs]
        working = subsets_that_work(clauses, fixed, listed)
        if working == [()]:
            assert found.cause == "none"
            assert found.alternatives == found.standing == ()
            continue
        assert found.cause == ("selector" if not listed or engine.rank(policy).survivors else "clauses")
        expected = sorted(working, key=lambda subset: order_key(subset, clauses, fixed, listed))
        given_ = [[change.clause for change in one.changes] for one in found.alternatives]
        assert given_ == [[encoded(clauses[at]) for at in subset] for subset in expected]
        assert found.sets == len(working)
        assert bool(found.standing) is (bool(listed) and not working)
        if found.standing:
            stuck = [stuck_at(one, clauses, fixed) for one in listed]
            assert {one.clause for one in found.standing} in [
                each for each in stuck if len(each) == min(map(len, stuck))
            ]
        for one in found.alternatives:
            changed = applied(asked, one.changes)
            decision = engine.rank(policy_of(catalog, ["and", *changed], None, selector))
            assert decision.offer_ids == one.offer_ids != ()
            assert decision.survivors == one.survivors
            assert decision.policy.identity == one.policy.identity
            for at, change in enumerate(one.changes):
                fewer = applied(asked, one.changes[:at] + one.changes[at + 1 :])
                assert engine.rank(policy_of(catalog, ["and", *fewer], None, selector)).offer_ids == ()
                assert change.distance == (None if change.to is None else order_distance(change.bound, change.to))


def stuck_at(one: Offer, clauses: list[Clause], fixed: list[Clause]) -> set[str]:
    """What an offer fails that cannot give way to it."""
    stuck = {encoded(clause) for clause in fixed if not passes(clause, one)}
    for clause in clauses:
        bound = bound_of(clause)
        if (
            not passes(clause, one)
            and bound is not None
            and one.get(bound[0]) not in values_for(clause, bound[0], [one])
        ):
            stuck.add(encoded(clause))
    return stuck


def order_distance(bound: Any, to: float) -> float:
    far = abs(to - bound)
    return 0.0 if far == 0.0 else far / abs(bound) if bound else math.inf


def test_relax__moves_one_bound_no_further_than_the_nearest_offer() -> None:
    catalog = catalog_of(*(offer(f"o{at}", price_out=price) for at, price in enumerate((9, 2.5, 2.4, 30))))
    engine = tr.Engine(catalog)
    (one,) = relax(engine, policy_of(catalog, ["cmp", "price_out", "le", 2.1])).alternatives
    (change,) = one.changes
    assert str(one) == "raise price_out from 2.1 to 2.4"
    assert one.offer_ids == ("o2",)
    assert change.distance == pytest.approx(1 / 7)
    tighter = ["cmp", "price_out", "le", math.nextafter(2.4, 0)]
    assert engine.rank(policy_of(catalog, tighter)).offer_ids == ()


@pytest.mark.parametrize(
    ("clause", "text", "instead"),
    [
        (["cmp", "price_out", "lt", 2], "raise price_out from 2 to 3", '(cmp "price_out" "le" 3)'),
        (["cmp", "price_out", "lt", 3], "let price_out be exactly 3 as well", '(cmp "price_out" "le" 3)'),
        (["cmp", "bench", "gt", 0.75], "lower bench from 0.75 to 0.71", '(cmp "bench" "ge" 0.70999999999999996)'),
        (["not", ["cmp", "bench", "le", 0.71]], "let bench be exactly 0.71 as well", None),
        (["not", ["cmp", "price_out", "gt", 1]], "raise price_out from 1 to 3", '(cmp "price_out" "le" 3)'),
        (["cmp", "context", "eq", 5], "drop: context is exactly 5", None),
        (["provider_eq", "a"], "allow provider p or q", None),
        (["not", ["or", ["provider_eq", "p"], ["provider_eq", "q"]]], "allow provider p or q", None),
        (["family_eq", "a"], "allow model family m", None),
        (["tier_eq", "partner"], "allow tier fallback", None),
        (["served_by_eq", "a"], "allow server peer or q", None),
        (["has_cap", "supports_seed"], "drop: the offer has the capability supports_seed", None),
        (["is", "no_log"], "allow offers that log or offers that do not say whether they log", None),
        (["is", "has_tee"], "allow offers for which has_tee is unknown", None),
        (["is", "disabled"], "allow offers for which disabled is false", None),
        (["not", ["is", "trains"]], "allow offers for which trains holds", None),
        (["is", "region_eu"], "allow region us", None),
        (["or", ["is", "region_eu"], ["is", "region_us"]], "allow offers that state no region", None),
        (["bot"], "drop the clause that no offer passes", None),
        (["or", ["provider_eq", "a"], ["is", "disabled"]], "drop: disabled holds or the provider is a", None),
    ],
)
def test_relax__says_what_would_have_to_be_allowed(clause: Clause, text: str, instead: str | None) -> None:
    fields = ENGINE_FIELDS | {"region_us": {"sort": "Bool", "default": False}}
    rest = {"price_out": 3, "bench": 0.71, "tier": "fallback"}
    both = clause[0] == "or" and clause[1][0] == "is"
    catalog = tr.Catalog.from_records(
        [
            offer("a", "p", no_log=False, offer={"peer_id": "peer"}, **({} if both else {"region_us": True}), **rest),
            offer("b", "q", **rest),
        ],
        fields,
    )
    (one,) = relax(tr.Engine(catalog), policy_of(catalog, clause)).alternatives
    (change,) = one.changes
    assert change.text == text
    assert one.offer_ids == ("a", "b")
    if instead is not None:
        assert change.instead == instead


def test_relax__names_no_more_than_a_few_and_quotes_what_is_no_plain_word() -> None:
    catalog = catalog_of(*(offer(f"o{at}", f"p {at}\n") for at in range(8)))
    (one,) = relax(tr.Engine(catalog), policy_of(catalog, ["provider_eq", "z"])).alternatives
    assert str(one) == "allow provider " + " or ".join(rf'"p {at}\n"' for at in range(5)) + " (or 3 more)"
    assert one.changes[0].admits == tuple(f"p {at}\n" for at in range(8))


def test_relax__does_not_reach_what_is_unknown_by_moving_a_bound() -> None:
    # Of `a` nothing states a price, of `b` neither price nor bench, which is then taken for 0.5.
    catalog = catalog_of(offer("a", bench=0.8), offer("b"), offer("c", price_out=0.1, bench=0.6))
    engine = tr.Engine(catalog)
    condition = ["and", ["cmp", "price_out", "le", 2], ["cmp", "bench", "ge", 0.9]]
    (one,) = relax(engine, policy_of(catalog, condition)).alternatives
    assert (str(one), one.offer_ids) == ("lower bench from 0.9 to 0.6", ("c",))

    unpriced = catalog_of(offer("a"), offer("b"))
    found = relax(tr.Engine(unpriced), policy_of(unpriced, ["cmp", "price_out", "le", 2]))
    assert found.alternatives == ()
    (clause,) = found.standing
    assert clause.why == ("unknown",)
    assert found.lines[0] == (
        "no offer passes; nothing that may give way would help; in the way stands: "
        "price_out is at most 2, cannot move to offers that state no price_out"
    )
    # Inside a clause that is dropped whole, what is unknown is no obstacle.
    either = ["or", ["cmp", "price_out", "le", 2], ["is", "has_tee"]]
    (one,) = relax(tr.Engine(unpriced), policy_of(unpriced, either)).alternatives
    assert one.offer_ids == ("a", "b")


@pytest.mark.parametrize("value", [0.5, 0.4])
def test_relax__moves_no_bound_to_where_the_unknown_would_pass(value: float) -> None:
    catalog = catalog_of(offer("a", bench=value))
    found = relax(tr.Engine(catalog), policy_of(catalog, ["cmp", "bench", "ge", 0.6]))
    assert found.standing[0].why == ("assumed",)
    assert found.remedy.endswith(
        "bench is at least 0.6, cannot move as far as 0.5, which an unknown bench is taken for"
    )
    # Where it passes already, nothing more of the unknown is let through.
    low = catalog_of(offer("a", bench=0.1))
    (one,) = relax(tr.Engine(low), policy_of(low, ["cmp", "bench", "ge", 0.3])).alternatives
    assert str(one) == "lower bench from 0.3 to 0.1"
    strict = relax(tr.Engine(low), policy_of(low, ["cmp", "bench", "gt", 0.5]))
    assert strict.standing[0].why == ("assumed",)


def test_relax__sees_what_health_observes_and_a_version_reads() -> None:
    catalog = catalog_of(offer("a", "p", "m", tok_s=50))
    health = {"ema": {"p|m": {"price_out": 7.0, "ema_tok_s": 20.0}}}
    engine = tr.Engine(catalog, health)
    (one,) = relax(engine, policy_of(catalog, ["cmp", "price_out", "le", 2])).alternatives
    assert str(one) == "raise price_out from 2 to 7"
    old = tr.admit(old_term_of(["cmp", "tok_s", "ge", 100]), catalog.fields)
    assert [str(one) for one in relax(engine, old).alternatives] == ["lower tok_s from 100 to 20"]
    new = policy_of(catalog, ["cmp", "tok_s", "ge", 100])
    assert [str(one) for one in relax(engine, new).alternatives] == ["lower tok_s from 100 to 50"]
    # Without observed speed the first version knows none, whatever the offer says.
    assert relax(tr.Engine(catalog), old).standing[0].why == ("unknown",)


def test_relax__never_suggests_what_the_envelope_asks() -> None:
    catalog = catalog_of(offer("a", "p", price_out=3, no_log=False), offer("b", "q", price_out=9, no_log=True))
    engine = tr.Engine(catalog, envelope=["is", "no_log"])
    for policy in (
        policy_of(catalog, ["and", ["is", "no_log"], ["cmp", "price_out", "le", 2]]),
        tr.admit(old_term_of(["cmp", "price_out", "le", 2]), catalog.fields),
    ):
        (one,) = relax(engine, policy).alternatives
        assert str(one) == "raise price_out from 2 to 9"
        assert one.policy.version == policy.version
        assert engine.rank(one.policy).offer_ids == ("b",)
    shut = tr.Engine(catalog, envelope=["bot"])
    found = relax(shut, policy_of(catalog, ["is", "region_eu"]))
    assert [(one.clause, one.why) for one in found.standing] == [("(bot)", ("envelope",))]
    assert "no offer passes (envelope), the operator's own" in found.remedy


def test_relax__of_the_first_version_holds_the_envelope_apart_from_an_equal_clause() -> None:
    catalog = catalog_of(offer("a", price_out=3), offer("b", price_out=1))
    health = {"ema": {"p|m": {"price_out": 5.0}}}
    engine = tr.Engine(catalog, health, envelope=["cmp", "price_out", "le", 4])
    # The envelope sees the offers' own 3 and 1, the policy the observed 5.
    policy = tr.admit(old_term_of(["cmp", "price_out", "le", 4]), catalog.fields)
    (one,) = relax(engine, policy).alternatives
    assert (str(one), one.offer_ids) == ("raise price_out from 4 to 5", ("a", "b"))


@pytest.mark.parametrize("wrap", [lambda chain: chain, lambda chain: ["top_k", 1, chain]], ids=["chain", "top_k"])
def test_relax__tells_a_selector_that_lists_none_of_what_passes(wrap: Any) -> None:
    catalog = catalog_of(offer("a", "p", price_out=1), offer("b", "q", price_out=5), offer("c", "r", price_out=3))
    engine = tr.Engine(catalog)
    listed = wrap(["chain", [{"provider": "q", "model": "m"}, {"provider_id": "r", "model_family": "m"}]])
    found = relax(engine, policy_of(catalog, ["cmp", "price_out", "le", 2], None, listed))
    assert found.cause == "selector"
    assert found.lines[0].startswith("the selector keeps none of the 1 offers that pass; one clause could give way")
    assert [str(one) for one in found.alternatives] == ["raise price_out from 2 to 3"]
    assert found.alternatives[0].offer_ids == ("c",)
    assert found.alternatives[0].survivors == 2

    nobody = wrap(["chain", [{"provider": "z", "model": "m"}]])
    found = relax(engine, policy_of(catalog, ["cmp", "price_out", "le", 2], None, nobody))
    assert (found.cause, found.lines) == ("selector", ["the selector lists no offer of the catalog"])

    # Nothing passes at all: the clauses are the cause, and only what is listed counts as an offer.
    found = relax(engine, policy_of(catalog, ["cmp", "price_out", "le", 0.5], None, listed))
    assert (found.cause, [str(one) for one in found.alternatives]) == ("clauses", ["raise price_out from 0.5 to 3"])


def test_relax__has_nothing_to_say_where_an_offer_passes_or_none_exists() -> None:
    catalog = catalog_of(offer("a"))
    assert relax(tr.Engine(catalog), policy_of(catalog, ["top"])).lines == ["an offer passes; nothing has to give way"]
    empty = catalog_of()
    found = relax(tr.Engine(empty), policy_of(empty, ["is", "no_log"]))
    assert (found.cause, found.lines) == ("catalog", ["the catalog has no offers"])


def test_relax__asks_less_of_a_request() -> None:
    catalog = catalog_of(offer("a", capabilities={"context": 100}), offer("b", capabilities={"context": 50}))
    request = {"requirements": {"needs": ["tools"], "min_context": 80}}
    policy = policy_of(catalog, ["meets_req"], ["field", "context"])
    (one,) = relax(tr.Engine(catalog), policy, request).alternatives
    assert one.changes[0].text == "ask less of it in the request: missing_capability:tools"
    assert one.changes[0].admits == ("missing_capability:tools",)
    assert one.offer_ids == ("a", "b")
    scoped = catalog_of(offer("a", scope="one"), offer("b", scope="two"))
    (one,) = relax(tr.Engine(scoped), policy_of(scoped, ["scope_matches"]), {"scope": "three"}).alternatives
    assert str(one) == "allow scope one or two"


def test_relax__moves_a_bound_on_what_a_call_costs() -> None:
    catalog = catalog_of(offer("a", price_in=1, price_out=2), offer("b", price_out=1))
    request = {"requirements": {"estimated_input_tokens": 1e6, "estimated_output_tokens": 1e6}}
    policy = policy_of(catalog, ["cmp", "expected_cost_usd", "le", 2])
    engine = tr.Engine(catalog)
    found = relax(engine, policy, request)
    assert [str(one) for one in found.alternatives] == ["raise expected_cost_usd from 2 to 3"]
    assert (found.alternatives[0].costs, found.tokens) == ((3.0,), Tokens(1e6, 1e6))
    assert relax(engine, policy).standing[0].why == ("unknown",)


def test_relax__gives_expected_costs_where_they_are_known() -> None:
    catalog = catalog_of(offer("a", price_in=1, price_out=2), offer("b", price_out=1))
    found = relax(tr.Engine(catalog), policy_of(catalog, ["is", "no_log"]))
    assert found.tokens == USUAL
    assert found.alternatives[0].costs == (pytest.approx(0.005), None)
    found = relax(tr.Engine(catalog), policy_of(catalog, ["is", "no_log"]), tokens=Tokens(0, 1e6), k=2)
    assert found.alternatives[0].costs == (2.0, 1.0)


def test_relax__orders_equal_sets_by_distance_then_offers_then_clause() -> None:
    catalog = catalog_of(
        offer("a", "p", price_out=20, bench=0.9),
        offer("b", "p", price_out=1, bench=0.7, no_log=True),
        offer("c", "q", price_out=1, bench=0.9),
        offer("d", "q", price_out=1, bench=0.9),
    )
    condition = ["and", ["provider_eq", "p"], ["cmp", "price_out", "le", 10], ["cmp", "bench", "ge", 0.8]]
    found = relax(tr.Engine(catalog), policy_of(catalog, condition), limit=2)
    assert [str(one) for one in found.alternatives] == ["lower bench from 0.8 to 0.7", "raise price_out from 10 to 20"]
    assert found.sets == 3
    assert found.lines[0] == ("no offer passes; one clause could give way, in 3 ways")


def test_relax__moves_several_bounds_to_the_offer_that_is_nearest_relative_to_them() -> None:
    catalog = tr.Catalog.from_records([offer("a", x=95, price_out=3), offer("b", x=50, price_out=1.2)], FIELDS)
    condition = ["and", ["cmp", "x", "ge", 100], ["cmp", "price_out", "le", 1]]
    (one,) = relax(tr.Engine(catalog), policy_of(catalog, condition)).alternatives
    assert str(one) == "raise price_out from 1 to 1.2 and lower x from 100 to 50"
    assert one.offer_ids == ("b",)


def test_relax__tells_equal_sets_apart_by_the_first_clause_that_they_do_not_share() -> None:
    flags = {"no_log": True, "has_tee": True, "f": True, "g": True}
    catalog = tr.Catalog.from_records(
        [offer("a", **flags | {"g": False, "has_tee": False}), offer("b", **flags | {"f": False, "no_log": False})],
        FIELDS,
    )
    condition = ["and", *(["is", name] for name in flags)]
    found = relax(tr.Engine(catalog), policy_of(catalog, condition))
    assert [[change.clause for change in one.changes] for one in found.alternatives] == [
        ['(is "f")', '(is "no_log")'],
        ['(is "g")', '(is "has_tee")'],
    ]


def test_relax__agrees_with_ranking_on_random_worlds() -> None:
    for _, case, _, engine, policy, decision in ranked(93, 12):
        found = relax(engine, policy, case.request, limit=50, k=1)
        assert (found.cause == "none") is bool(decision.offer_ids)
        for one in found.alternatives:
            again = engine.rank(one.policy, case.request, k=1)
            assert (again.offer_ids, again.survivors) == (one.offer_ids, one.survivors)
            assert again.offer_ids
            assert again.policy.term[-4:] == policy.term[-4:]
            assert tr.admit(one.policy.term, engine.catalog.fields).identity == one.policy.identity
        # What the least relaxed sets hold is at least what keeps offers out for lack of permission or knowledge.
        if found.cause == "clauses" and found.alternatives:
            assert len(found.alternatives[0].changes) >= len(decision.explain().deciding())


RULE_FIELDS = {"plan": {"type": "enum", "values": ["a"]}, "names": {"type": "list", "optional": True}}


def draw_rules(rng: Random) -> list[dict[str, Any]]:
    rules = []
    for at in range(rng.randint(1, 6)):
        rule: dict[str, Any] = {"id": f"r{at}"}
        kind = rng.randrange(4)
        if kind == 0:
            rule["floor"] = {rng.choice(("x", "y")): rng.choice((-3, 1, 2, 3, 4, 6))}
        elif kind == 1:
            rule["ceiling"] = {rng.choice(("y", "price_out")): rng.choice((-3, 0, 0.5, 2, 3))}
        elif kind == 2:
            rule["require"] = [draw_clause(rng) for _ in range(rng.randint(1, 2))]
        else:
            names = rng.choice(([], ["p"], ["q", "z"]))
            rule["require"] = [["provider_in", names]] if rng.random() < 0.7 else [["provider_not_in", ["p", "q"]]]
        if rng.random() < 0.35:
            rule["never_relax"] = True
        rules.append(rule)
    return rules


def lowered(clause: Clause) -> list[Clause]:
    if clause[0] == "provider_in":
        return [["or", *(["provider_eq", name] for name in clause[1])] if clause[1] else ["bot"]]
    if clause[0] == "provider_not_in":
        return [["not", ["provider_eq", name]] for name in clause[1]]
    return [clause]


def flat(rules: list[dict[str, Any]]) -> list[tuple[str, Clause, bool]]:
    """What rules ask for, clause by clause in plain terms: rule, clause, whether it is never relaxed."""
    found = []
    for rule in rules:
        asked = [one for clause in rule.get("require", []) for one in lowered(clause)]
        asked += [["cmp", name, "ge", value] for name, value in rule.get("floor", {}).items()]
        asked += [["cmp", name, "le", value] for name, value in rule.get("ceiling", {}).items()]
        found += [(rule["id"], clause, rule.get("never_relax", False)) for clause in asked]
    return found


def rulebook_of(rules: list[dict[str, Any]]) -> tr.Rulebook:
    base = {"id": "base", "require": [["top"]]}
    return tr.Rulebook.from_value({"version": 1, "fields": RULE_FIELDS, "rules": [base, *rules]})


@settings(max_examples=20 if JIT_DISABLED else 150)
@given(st.integers(0, 2**32))
def test_relax__leaves_alone_what_a_rulebook_never_relaxes(seed: int) -> None:
    rng = Random(seed)
    offers = draw_offers(rng)
    catalog = tr.Catalog.from_records(offers, FIELDS)
    engine = tr.Engine(catalog)
    for _ in range(CASES // 2):
        rules = draw_rules(rng)
        compiled = rulebook_of(rules).compile({"plan": "a"})
        found = relax(engine, compiled, limit=100)
        everything = flat(rules)
        kept = [clause for _, clause, never in everything if never]
        assert compiled.never_relax <= {encoded(clause) for clause in kept}
        if found.cause == "none":
            continue
        # All that may give way does: who then passes, and states what bounds were moved for, is what can be reached.
        reached = [one for one in offers if all(passes(clause, one) for clause in kept) and stating(one, everything)]
        assert bool(found.alternatives) is bool(reached)
        for one in found.alternatives:
            changed = rules_with(rules, one.changes)
            again = engine.rank(rulebook_of(changed).compile({"plan": "a"}))
            assert again.offer_ids[:3] == one.offer_ids != ()
            assert [clause for _, clause, never in flat(changed) if never] == kept
        for one in found.standing:
            assert "envelope" not in one.why
            if "never_relax" in one.why:
                assert one.clause in compiled.never_relax


def stating(one: Offer, everything: list[tuple[str, Clause, bool]]) -> bool:
    """Whether an offer states all that bounds it fails would have to move to."""
    return all(
        passes(clause, one)
        or never
        or (bound := bound_of(clause)) is None
        or one.get(bound[0]) in values_for(clause, bound[0], [one])
        for _, clause, never in everything
    )


def rules_with(rules: list[dict[str, Any]], changes: Any) -> list[dict[str, Any]]:
    """Rules with changes made, in just the rules that the changes name."""
    changed = json.loads(json.dumps(rules))
    for change in changes:
        named = {origin.rule for origin in change.origins} | {one.origin.rule for one in change.weaker}
        assert named
        for rule in changed:
            if rule["id"] not in named:
                continue
            assert not rule.get("never_relax")
            if change.to is not None:
                for key, stricter in (("floor", max), ("ceiling", min)):
                    mine = rule.get(key, {})
                    if change.field in mine and ("ge" in (change.instead or "")) is (key == "floor"):
                        mine[change.field] = (
                            change.to if stricter(mine[change.field], change.to) != change.to else mine[change.field]
                        )
            asked = [one for clause in rule.get("require", []) for one in lowered(clause)]
            kept = [clause for clause in asked if encoded(clause) != change.clause]
            kept += [
                moved(clause, change.to)
                for clause in asked
                if encoded(clause) == change.clause and change.to is not None
            ]
            rule["require"] = kept or [["top"]]
    return changed


def never(*rules: dict[str, Any]) -> Relaxations:
    offers = [offer("a", "p", x=3, price_out=9, f=False), offer("b", "q", x=1, price_out=2, f=True)]
    catalog = tr.Catalog.from_records(offers, FIELDS)
    book = tr.Rulebook.from_value({"version": 1, "fields": RULE_FIELDS, "rules": list(rules)})
    return relax(tr.Engine(catalog), book.compile({"plan": "a", "names": []}), limit=9)


def test_relax__moves_a_bound_as_far_as_a_weaker_one_of_a_rule_that_is_never_relaxed() -> None:
    high, low = {"id": "high", "floor": {"x": 5}}, {"id": "low", "floor": {"x": 2}, "never_relax": True}
    found = never(high, low)
    assert [str(one) for one in found.alternatives] == ["lower x from 5 to 3 (high)"]
    found = never(high, low | {"floor": {"x": 4}})
    assert found.alternatives == ()
    assert found.standing[0].why == ("limit",)
    assert found.lines == [
        "no offer passes; nothing that may give way would help; in the way stands: "
        "x is at least 5 (high), may move no further than 4 (low, never relaxed)"
    ]
    # Exactly as far is far enough.
    assert [str(one) for one in never(high, low | {"floor": {"x": 3}}).alternatives] == ["lower x from 5 to 3 (high)"]
    # A weaker bound that may give way as well has to.
    found = never(high, low, {"id": "mid", "floor": {"x": 4}})
    assert [str(one) for one in found.alternatives] == ["lower x from 5 to 3 (high) (4 of mid likewise)"]


def test_relax__names_what_is_never_relaxed_and_stands_in_the_way() -> None:
    found = never(
        {"id": "free", "require": [["is", "g"], ["not", ["is", "g"]]]},
        {"id": "law", "require": [["provider_eq", "z"]], "never_relax": True},
    )
    assert found.alternatives == ()
    assert found.lines == [
        "no offer passes; only clauses that are never relaxed keep the nearest out: the provider is z (law)"
    ]
    # A clause that another rule asks for as well is never relaxed either.
    twice = never(
        {"id": "free", "require": [["provider_eq", "z"]]},
        {"id": "law", "require": [["provider_eq", "z"]], "never_relax": True},
    )
    assert [origin.rule for origin in twice.standing[0].origins] == ["free", "law"]


def test_relax__does_not_lose_what_an_empty_list_absorbed() -> None:
    law = {"id": "law", "require": [["is", "f"]], "never_relax": True}
    empty = {"id": "list", "require": [["provider_in", {"tenant": "names"}]]}
    found = never(law, empty)
    assert [(str(one), one.offer_ids) for one in found.alternatives] == [
        ("drop the clause that no offer passes (list <- names=[])", ("b",))
    ]
    found = never(law, empty | {"never_relax": True})
    assert [one.clause for one in found.standing] == ["(bot)"]
    # With a bound that no offer meets there are two clauses to relax.
    (one,) = never(law, empty, {"id": "cap", "ceiling": {"price_out": 1}}).alternatives
    assert [change.text for change in one.changes] == [
        "raise price_out from 1 to 2",
        "drop the clause that no offer passes",
    ]


def test_relax__gives_json() -> None:
    found = never({"id": "high", "floor": {"x": 5}}, {"id": "mid", "floor": {"x": 4}})
    document = json.loads(json.dumps(found.document))
    assert document["alternatives"][0]["changes"][0] | {"words": ""} == {
        "clause": '(cmp "x" "ge" 5)',
        "words": "",
        "origins": [{"rule": "high", "field": None, "value": None}],
        "text": "lower x from 5 to 3",
        "instead": '(cmp "x" "ge" 3)',
        "field": "x",
        "bound": 5.0,
        "to": 3.0,
        "distance": 0.4,
        "admits": [],
        "weaker": [{"bound": 4.0, "rule": "mid", "field": None, "value": None}],
    }
    assert document["alternatives"][0]["offers"] == [{"offer_id": "a", "expected_cost_usd": None}]
    assert (document["cause"], document["sets"], document["standing"]) == ("clauses", 1, [])
    catalog = catalog_of(offer("a", price_out=3))
    (one,) = relax(tr.Engine(catalog), policy_of(catalog, ["cmp", "price_out", "le", 0])).document["alternatives"]
    assert (one["changes"][0]["bound"], one["changes"][0]["distance"]) == (0.0, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit must be an integer of at least 1, got 0"),
        ({"limit": True}, "limit must be an integer of at least 1, got True"),
        ({"k": "3"}, "k must be an integer of at least 1, got '3'"),
        ({"tokens": 3}, "expected tokens as tenantrank.catalog.costs.Tokens, got 3"),
        ({"request": {"requirements": {"min_kontext": 1}}}, "request.requirements has no key 'min_kontext'"),
        ({"policy": ["policy"]}, "expected an admitted policy (tenantrank.admit) or a compiled one, got list"),
        ({"engine": None}, "expected an Engine, got None"),
    ],
)
def test_relax__refuses_what_it_cannot_use(arguments: dict[str, Any], message: str) -> None:
    catalog = catalog_of(offer("a"))
    given_: Any = {"engine": tr.Engine(catalog), "policy": policy_of(catalog, ["is", "no_log"])} | arguments
    with pytest.raises(tr.RequestError) as caught:
        relax(**given_)
    assert str(caught.value) == message


def test_relax__does_not_change_a_decision() -> None:
    catalog = catalog_of(offer("a", price_out=3), offer("b", price_out=2))
    engine = tr.Engine(catalog)
    policies = [policy_of(catalog, ["cmp", "price_out", "le", at]) for at in (1, 2)]
    before = engine.rank_many(policies)
    relax(engine, policies[0])
    assert engine.rank_many(policies).equals(before)
    assert np.array_equal(engine.rejections(policies[0]).first, [0, 0])
