"""The price of a clause and of a rule to one tenant: every one left out by hand, and ranked by the reference."""

from __future__ import annotations

import pickle
from collections import Counter
from random import Random
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.errors import RulebookError
from tenantrank.policy.builder import chain
from tenantrank.whatif.clause_price import ClausePrice, ClausePrices, RulePrice, clause_prices
from tenantrank.whatif.winner import Winner
from tests.engine.samples import catalog_of, offer, policy_of, ranked, same, term_of
from tests.fuzz.differential import Case, World
from tests.reference.evaluate import rank
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.language import normal_form
from tests.reference.observe import Setting, offer_id
from tests.reference.signature import V2
from tests.whatif.prices import TOKENS, cost_of, plain_term, random_cases, without

BOUNDS: dict[str, Any] = {
    "version": 1,
    "fields": {"plan": {"type": "enum", "values": ["free", "team"]}, "most": {"type": "number", "optional": True}},
    "rules": [
        {"id": "base", "require": [["is", "priced"]], "preference": ["field", "price_out"]},
        {"id": "wide", "ceiling": {"price_out": 20}},
        {"id": "middle", "when": {"plan": "team"}, "ceiling": {"price_out": 8}},
        {"id": "tight", "when": {"plan": "team"}, "ceiling": {"price_out": 2}},
    ],
}
PRICED = catalog_of(*(offer(f"o{price}", price_in=1, price_out=price) for price in (1, 2, 5, 8, 15, 20, 30)))


def prices_of(
    book: dict[str, Any], tenant: dict[str, Any], catalog: tr.Catalog = PRICED, **options: Any
) -> ClausePrices:
    compiled = tr.Rulebook.from_value(book).bind(catalog.fields).compile(tenant)
    return clause_prices(tr.Engine(catalog), compiled, tokens=TOKENS, **options)


def clause_of(prices: ClausePrices, words: str) -> ClausePrice:
    (found,) = [clause for clause in prices.clauses if clause.words == words]
    return found


def rule_of(prices: ClausePrices, rule: str) -> RulePrice:
    (found,) = [each for each in prices.rules if each.rule == rule]
    return found


# --- against the reference ---------------------------------------------------


def reference_winner(world: World, case: Case, term: Any, envelope: Any) -> Winner:
    ctx = {"request": case.request, "state": world.state, "seed": case.seed}
    result = rank(term, world.offers, ctx, WORLD_FIELDS, world.tier_order, case.version, envelope=envelope)
    survivors = len(world.offers) - len(result.rejected)
    if not result.ordered:
        return Winner(None, None, survivors)
    (won,) = [each for each in world.offers if offer_id(each) == result.ordered[0]]
    setting = Setting(ctx, WORLD_FIELDS, world.tier_order, case.version)
    cost = cost_of(setting.number("price_in", won), setting.number("price_out", won))
    return Winner(result.ordered[0], cost, survivors)


def split(condition: Any) -> list[Any]:
    return list(condition[1:]) if condition[0] == "and" else [condition]


def joined(clauses: list[Any]) -> Any:
    return ["and", *clauses] if clauses else ["top"]


def test_clause_prices__agree_with_the_reference_on_every_clause_of_random_policies() -> None:
    seen: Counter[str] = Counter()
    for world, case, _, engine, admitted, decision in ranked(seed=61, count=18):
        prices = clause_prices(engine, admitted, case.request, TOKENS, case.seed, envelope=True)
        term = normal_form(case.term, case.version)
        own = [clause for clause in prices.clauses if not clause.enveloped]
        assert [clause.encoding for clause in own] == list(dict.fromkeys(c.encoding for c in admitted.clauses))
        assert prices.now == reference_winner(world, case, case.term, world.envelope)
        nodes = list(dict.fromkeys(admitted.clauses))
        for clause, node in zip(own, nodes, strict=True):
            rest = [each for each in split(term[-5]) if each != node.term()]
            fewer = [*term[:-5], joined(rest), *term[-4:]]
            assert clause.now == prices.now
            assert clause.without == reference_winner(world, case, fewer, world.envelope)
            seen["changes"] += clause.changes
            seen["gains"] += clause.gains
            seen["more"] += bool(clause.more)
            seen["unknown"] += clause.changes and clause.difference is None and not clause.gains
        enveloped = [clause for clause in prices.clauses if clause.enveloped]
        parts = [] if world.envelope is None else split(normal_form(world.envelope, V2))
        assert len(enveloped) == len(parts)
        for at, clause in enumerate(enveloped):
            seen["enveloped"] += 1
            rest = joined(parts[:at] + parts[at + 1 :])
            assert clause.without == reference_winner(world, case, case.term, rest)
        assert same(engine.rank(admitted, case.request, case.seed), decision)
    assert min(seen[what] for what in ("changes", "gains", "more", "unknown", "enveloped")) >= 1, seen


def test_clause_prices__agree_with_the_text_of_random_rulebooks_without_each_rule() -> None:
    seen: Counter[str] = Counter()
    for offers, book, catalog in random_cases(seed=7, count=30):
        engine = tr.Engine(catalog)
        rulebook = tr.Rulebook.from_value(book).bind(catalog.fields)
        for plan in ("free", "team", "enterprise"):
            tenant = {"plan": plan}
            term = plain_term(book, tenant)
            if term is None:
                continue
            compiled = rulebook.compile(tenant)
            prices = clause_prices(engine, compiled, tokens=TOKENS)
            assert [rule.rule for rule in prices.rules] == list(compiled.rules)
            assert prices.now == plain_winner(term, offers)
            for rule in prices.rules:
                fewer = plain_term(without(book, rule.rule), tenant)
                seen["refused"] += fewer is None
                assert (rule.refused is None) == (fewer is not None)
                assert rule.without == (None if fewer is None else plain_winner(fewer, offers))
                seen["changes"] += rule.changes
                seen["gains"] += rule.gains
                seen["ranks"] += rule.ranks
    assert min(seen.values()) >= 3, seen


def plain_winner(term: Any, offers: list[dict[str, Any]]) -> Winner:
    result = rank(term, offers, {}, {})
    survivors = len(offers) - len(result.rejected)
    if not result.ordered:
        return Winner(None, None, survivors)
    (won,) = [each for each in offers if each["id"] == result.ordered[0]]
    return Winner(result.ordered[0], cost_of(won.get("price_in"), won.get("price_out")), survivors)


# --- what gave way stands again ----------------------------------------------


def test_clause__left_out_brings_back_the_strictest_bound_that_gave_way_to_it() -> None:
    prices = prices_of(BOUNDS, {"plan": "team"})
    ceiling = clause_of(prices, "price_out is at most 2")

    assert [str(back) for back in ceiling.returns] == ["price_out is at most 8 (middle <- plan='team')"]
    assert prices.now.offer_id == "o2"
    assert ceiling.without is not None
    assert (ceiling.without.offer_id, ceiling.more) == ("o8", 2)
    assert ceiling.difference == pytest.approx((2 - 8) * 500 / 1e6)


def test_rule__left_out_gives_the_bound_that_the_rulebook_then_has() -> None:
    prices = prices_of(BOUNDS, {"plan": "team"})

    assert rule_of(prices, "tight").without == Winner("o8", cost_of(1, 8), 4)
    for rule in ("middle", "wide"):
        assert rule_of(prices, rule).difference == 0.0
        assert rule_of(prices, rule).more == 0


def test_clause__without_a_rival_is_gone_for_good() -> None:
    prices = prices_of(BOUNDS, {"plan": "free"})
    ceiling = clause_of(prices, "price_out is at most 20")

    assert ceiling.returns == ()
    assert ceiling.without is not None
    assert ceiling.without.offer_id == "o30"


def test_clause__of_a_floor_brings_back_the_highest_of_the_lower_ones_with_all_its_rules() -> None:
    floors = [{"id": f"r{at}", "floor": {"price_out": value}} for at, value in enumerate((5, 1, 15, 5))]
    book = {**BOUNDS, "rules": [{"id": "cheap", "preference": ["neg", ["field", "price_out"]]}, *floors]}
    (clause,) = prices_of(book, {"plan": "free"}).clauses

    assert str(clause) == "price_out is at least 15 (r2)"
    assert [str(back) for back in clause.returns] == ["price_out is at least 5 (r0; r3)"]
    assert clause.without is not None
    assert clause.without.offer_id == "o5"


def test_clause__that_two_rules_ask_for_is_left_out_of_both_and_a_rule_alone_changes_nothing() -> None:
    twice = {"id": "again", "require": [["cmp", "price_out", "le", 2]]}
    prices = prices_of({**BOUNDS, "rules": [*BOUNDS["rules"], twice]}, {"plan": "team"})
    ceiling = clause_of(prices, "price_out is at most 2")

    assert [origin.rule for origin in ceiling.origins] == ["again", "tight"]
    assert ceiling.without is not None
    assert ceiling.without.offer_id == "o8"
    assert not rule_of(prices, "tight").changes
    assert not rule_of(prices, "again").changes


def test_clause__that_lets_no_offer_pass_brings_back_all_that_it_hid() -> None:
    nothing = {"id": "nothing", "require": [["provider_in", []]]}
    prices = prices_of({**BOUNDS, "rules": [*BOUNDS["rules"], nothing]}, {"plan": "team"})
    (clause,) = prices.clauses

    assert clause.words == "no offer passes"
    assert {back.words for back in clause.returns} == {"priced holds", "price_out is at most 2"}
    assert clause.without == Winner("o2", cost_of(1, 2), 2)
    assert clause.gains
    assert rule_of(prices, "nothing").without == clause.without


# --- costs -------------------------------------------------------------------


def two(low: dict[str, Any], high: dict[str, Any]) -> ClausePrices:
    """Prices where a clause keeps the offer ``low`` out, and ``high`` wins with it."""
    catalog = catalog_of(offer("low", region_eu=False, **low), offer("high", region_eu=True, **high))
    return clause_prices(tr.Engine(catalog), policy_of(catalog, ["is", "region_eu"]), tokens=TOKENS)


def test_difference__is_cost_with_the_clause_minus_cost_without() -> None:
    (clause,) = two({"price_in": 1, "price_out": 2}, {"price_in": 3, "price_out": 6}).clauses

    assert clause.difference == pytest.approx(cost_of(2, 4))
    assert clause.difference_per_million == pytest.approx((2 * 2000 + 4 * 500) / 2500)
    assert (clause.changes, clause.gains, clause.more) == (True, False, 1)


def test_difference__to_a_price_of_zero_is_the_whole_cost() -> None:
    (clause,) = two({"price_in": 0, "price_out": 0}, {"price_in": 3, "price_out": 6}).clauses
    assert clause.difference == cost_of(3, 6)
    (clause,) = two({"price_in": 3, "price_out": 6}, {"price_in": 0, "price_out": 0}).clauses
    assert clause.difference == -(cost_of(3, 6) or 0.0)


@pytest.mark.parametrize("unknown", [{}, {"price_in": 1}, {"price_out": 1}])
def test_difference__is_unknown_where_either_winner_has_an_unknown_price(unknown: dict[str, Any]) -> None:
    known = {"price_in": 0, "price_out": 0}
    for prices in (two(unknown, known), two(known, unknown), two(unknown, unknown)):
        (clause,) = prices.clauses
        assert clause.changes
        assert clause.difference is None
        assert clause.difference_per_million is None


def test_difference__where_the_same_offer_wins_is_zero_whatever_it_costs() -> None:
    catalog = catalog_of(offer("first", region_eu=True), offer("second"))
    prices = clause_prices(tr.Engine(catalog), policy_of(catalog, ["is", "region_eu"]), tokens=TOKENS)

    assert prices.now.cost is None
    assert prices.clauses[0].difference == 0.0
    assert not prices.clauses[0].changes


def test_difference__of_a_price_that_no_token_is_billed_at_is_known() -> None:
    catalog = catalog_of(offer("low", price_in=1), offer("high", price_in=4, region_eu=True))
    for tokens, expected, per in ((Tokens(1000, 0), 0.003, 3.0), (Tokens(0, 0), 0.0, None)):
        prices = clause_prices(tr.Engine(catalog), policy_of(catalog, ["is", "region_eu"]), tokens=tokens)
        assert prices.clauses[0].difference == pytest.approx(expected)
        assert prices.clauses[0].difference_per_million == per


def test_nothing_passes__the_clause_that_alone_keeps_all_out_has_no_price_and_comes_first() -> None:
    catalog = catalog_of(offer("a", price_in=1, price_out=3), offer("b", price_in=1, price_out=5))
    condition = ["and", ["is", "region_eu"], ["cmp", "price_out", "le", 4]]
    prices = clause_prices(tr.Engine(catalog), policy_of(catalog, condition), tokens=TOKENS)
    first, second = prices.dearest_clauses()

    assert prices.now == Winner(None, None, 0)
    assert first.words == "region_eu holds"
    assert (first.gains, first.difference, first.more) == (True, None, 1)
    assert first.without == Winner("a", cost_of(1, 3), 1)
    assert (second.changes, second.difference, second.more) == (False, None, 0)


def test_dearest__puts_known_differences_before_unknown_ones_and_keeps_ties_in_order() -> None:
    catalog = catalog_of(
        offer("won", "p", price_in=2, price_out=2, region_eu=True),
        offer("free", "q", price_in=0, price_out=0, region_eu=True),
        offer("unpriced", "p", price_in=9, region_eu=False),
    )
    condition = ["and", ["is", "region_eu"], ["provider_eq", "p"], ["not", ["provider_eq", "x"]]]
    scorer = ["add", ["gate", ["provider_eq", "q"], ["lit", 1]], ["gate", ["not", ["is", "region_eu"]], ["lit", 1]]]
    engine = tr.Engine(catalog, envelope=["is", "trains"])
    prices = clause_prices(engine, policy_of(catalog, condition, scorer), tokens=TOKENS)

    assert prices.now.offer_id == "won"
    assert [clause.words for clause in prices.dearest_clauses()] == [
        "the provider is p",
        "the provider is not x",
        "region_eu holds",
        "trains holds",
    ]


# --- policies, selectors, envelopes ------------------------------------------


def test_chain__leaving_a_clause_out_brings_what_the_chain_names_first() -> None:
    catalog = catalog_of(
        offer("a", "p", "x", price_in=1, price_out=1), offer("b", "q", "y", price_in=2, price_out=2, region_eu=True)
    )
    selector = chain(("p", "x"), ("q", "y"))
    prices = clause_prices(
        tr.Engine(catalog), policy_of(catalog, ["is", "region_eu"], selector=selector), tokens=TOKENS
    )
    assert prices.now.offer_id == "b"
    assert prices.clauses[0].without == Winner("a", cost_of(1, 1), 2)


def test_chain__of_a_rule_that_is_left_out_may_leave_no_offer() -> None:
    named = ["chain", [{"model": "m", "provider": "p"}]]
    absent = ["chain", [{"model": "nobody", "provider": "p"}]]
    book = {**BOUNDS, "rules": [BOUNDS["rules"][0], {"id": "named", "when": {"plan": "free"}, "selector": named}]}
    book = {**book, "defaults": {"selector": absent}}
    prices = prices_of(book, {"plan": "free"})
    rule = rule_of(prices, "named")

    assert rule.gives == ("selector",)
    assert rule.ranks
    assert prices.now.offer_id == "o1"
    assert rule.without == Winner(None, None, len(PRICED))
    assert (rule.changes, rule.gains, rule.difference) == (True, False, None)


@pytest.mark.parametrize("seed", [None, 0, 7, -3])
def test_sample__winners_are_those_of_the_seed(seed: int | None) -> None:
    rng = Random(5)
    offers = [offer(f"o{at}", region_eu=at % 2 == 0, price_in=at, price_out=rng.random()) for at in range(12)]
    catalog = catalog_of(*offers)
    engine = tr.Engine(catalog)
    terms = [
        term_of(condition, ["field", "price_out"], ["sample", 0.5]) for condition in (["is", "region_eu"], ["top"])
    ]
    with_it, without_it = (tr.admit(term, catalog.fields) for term in terms)
    prices = clause_prices(engine, with_it, tokens=TOKENS, seed=seed)

    assert prices.now.offer_id == engine.rank(with_it, seed=seed).offer_ids[0]
    assert prices.clauses[0].without is not None
    assert prices.clauses[0].without.offer_id == engine.rank(without_it, seed=seed).offer_ids[0]


def test_clause__held_twice_by_a_policy_is_left_out_whole_and_told_once() -> None:
    catalog = catalog_of(offer("a", price_out=9), offer("b", price_out=1))
    bound = ["cmp", "price_out", "le", 4]
    (clause,) = clause_prices(tr.Engine(catalog), policy_of(catalog, ["and", bound, bound])).clauses

    assert clause.without is not None
    assert clause.without.offer_id == "a"


def test_envelope__is_listed_and_holds_unless_it_is_to_be_left_out() -> None:
    catalog = catalog_of(
        offer("a", "p", price_in=1, price_out=1), offer("b", "q", price_in=2, price_out=2, region_eu=True)
    )
    engine = tr.Engine(catalog, envelope=["and", ["is", "region_eu"], ["not", ["provider_eq", "x"]]])
    admitted = policy_of(catalog, ["is", "region_eu"])
    own, *enveloped = clause_prices(engine, admitted, tokens=TOKENS).clauses

    assert own.without is not None
    assert own.without.offer_id == "b", "the envelope asks for it too"
    assert [(str(clause), clause.without, clause.changes) for clause in enveloped] == [
        ("region_eu holds (envelope)", None, False),
        ("the provider is not x (envelope)", None, False),
    ]
    anything = policy_of(catalog, ["top"])
    _, region, _ = clause_prices(engine, anything, tokens=TOKENS, envelope=True).clauses
    assert region.enveloped
    assert region.without == Winner("a", cost_of(1, 1), 2)


def test_rule__without_which_no_rule_says_anything_leaves_no_policy() -> None:
    book = {**BOUNDS, "rules": BOUNDS["rules"][:1]}
    rule = rule_of(prices_of(book, {"plan": "free"}), "base")

    assert rule.without is None
    assert (rule.changes, rule.more, rule.difference) == (False, None, None)
    assert "no rule says what this tenant may use" in str(rule.refused)


def test_policy__that_no_rulebook_compiled_has_no_rules_and_one_that_was_pickled_is_refused() -> None:
    compiled = tr.Rulebook.from_value(BOUNDS).bind(PRICED.fields).compile({"plan": "team"})

    assert clause_prices(tr.Engine(PRICED), compiled.policy).rules == ()
    with pytest.raises(RulebookError, match="pickled"):
        clause_prices(tr.Engine(PRICED), pickle.loads(pickle.dumps(compiled)))


def test_catalog__without_offers_has_no_winner_with_or_without() -> None:
    catalog = catalog_of()
    (clause,) = clause_prices(tr.Engine(catalog), policy_of(catalog, ["is", "region_eu"])).clauses

    assert clause.without == clause.now == Winner(None, None, 0)
    assert clause.difference is None


def test_clause_prices__are_for_the_tokens_of_the_request_unless_a_mix_is_given() -> None:
    catalog = tr.Catalog.from_records(
        [
            {"id": "x", "provider_id": "x", "model_family": "m", "price_in": 1.0, "price_out": 10.0},
            {"id": "y", "provider_id": "y", "model_family": "m", "price_in": 2.0, "price_out": 1.0},
        ]
    )
    scorer = ["neg", ["normalize", ["field", "expected_cost_usd"]]]
    plan = ["always", {"action": "next_candidate"}]
    term = ["policy", ["not", ["provider_eq", "x"]], scorer, ["argmax"], ["id"], plan]
    policy = tr.admit(term, catalog.fields)
    request = {"requirements": {"estimated_input_tokens": 100_000, "estimated_output_tokens": 100}}
    engine = tr.Engine(catalog)
    (price,) = clause_prices(engine, policy, request).clauses
    assert price.tokens == Tokens(100_000, 100)
    assert price.difference == pytest.approx(0.2001 - 0.101)
    (price,) = clause_prices(engine, policy, request, USUAL).clauses
    assert price.tokens == USUAL
    assert price.difference == pytest.approx(0.007 - 0.013)
