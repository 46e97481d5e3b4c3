"""Lowering: what instructions a policy becomes, which kernel may rank it, and that stacks never run out."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine import fragments
from tenantrank.engine.fragments import Fragments, form_of
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.lower import lower
from tenantrank.engine.plan import Plan
from tenantrank.engine.request import Request, reduced_seed
from tenantrank.engine.view import View
from tenantrank.policy.signature import V1, V2
from tenantrank_kernels import opcodes as op
from tests.engine.samples import catalog_of, offer, old_term_of, policy_of
from tests.fuzz.differential import draw_world
from tests.kernels import reference
from tests.kernels.reference import rows_of
from tests.reference.evaluate import rank
from tests.reference.generate import FIELDS as WORLD_FIELDS

CATALOG = catalog_of(offer("a", "p", price_in=1.0), offer("b", "q", "n"), offer("c", "p", "n"), offer("d", "q", "n"))
VIEW = View(CatalogIndex(CATALOG), Health(), V2)
PRICE = VIEW.position["price_in"]
NEITHER = -1


def lowered(policy: tr.Policy, catalog: tr.Catalog = CATALOG) -> Plan:
    index = CatalogIndex(catalog)
    return lower(policy.filter, policy.scorer, policy.selector, index, View(index, Health(), policy.version))


def plan_of(condition: list[Any], scorer: list[Any] | None = None, selector: list[Any] | None = None) -> Plan:
    return lowered(policy_of(CATALOG, condition, scorer, selector))


def sections(plan: Plan) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]], list[tuple[int, ...]], list[int]]:
    """The instructions of the filter and of the scorer, the ends and the clauses."""
    code = list(plan.code)
    at = op.HEADER
    parts = []
    for part in (op.FILTER, op.SCORE, op.ENDS):
        end = at + 3 * code[part]
        parts.append([tuple(code[i : i + 3]) for i in range(at, end, 3)])
        at = end
    return parts[0], parts[1], parts[2], code[at : at + code[op.CLAUSES]]


def chain_of(plan: Plan) -> list[int]:
    count = plan.code[op.CHAIN]
    return list(plan.code[len(plan.code) - 2 * count :]) if count else []


def heights(plan: Plan) -> tuple[int, int, int]:
    """The greatest height of either stack when a plan runs, with room for the comparison at hand, and the last."""
    condition, scorer, _, _ = sections(plan)
    bits = vectors = most_bits = most_vectors = 0
    for operation, _, _ in condition + scorer:
        if operation < op.FIELD:
            popped = operation & op.SOURCE == op.TOP
            pushed = operation & op.JOIN == op.PUSH
            assert not (popped and pushed)
            assert bits >= (2 if popped else 0 if pushed else 1)
            most_bits = max(most_bits, bits + 1)
            bits += pushed - popped
        elif operation in (op.FIELD, op.LITERAL):
            vectors += 1
        elif operation >= op.PART:
            vectors = 1
        elif operation == op.ADD:
            vectors -= 1
        elif operation == op.GATE:
            bits -= 1
        most_bits, most_vectors = max(most_bits, bits), max(most_vectors, vectors)
        assert vectors >= 0
        assert bits >= 1
    return most_bits, most_vectors, vectors


def test_lower__a_small_policy_instruction_by_instruction() -> None:
    condition = ["and", ["cmp", "price_in", "le", 5], ["not", ["is", "disabled"]], ["meets_req"]]
    plan = plan_of(condition, ["neg", ["normalize", ["field", "price_in"]]])
    assert sections(plan) == (
        [
            (op.LE | op.PUSH, PRICE, 1),
            (op.LIVE | op.AND, op.MEETS_REQUEST, 0),
            (op.LIVE | op.AND | op.INVERT, op.DISABLED, 0),
        ],
        [(op.FIELD, PRICE, 0), (op.NORMALIZE, 0, 0), (op.NEGATE, 0, 0)],
        [(PRICE, NEITHER, 1)],
        [1, 2, 3],
    )
    assert list(plan.numbers) == [0.0, 5.0]
    assert plan.fields == {PRICE}
    assert (plan.code[op.MODE], plan.code[op.SELECTOR], plan.version) == (op.LEAST_FIRST, op.ARGMAX, V2)


def test_lower__relations_are_cuts_as_they_are_or_inverted() -> None:
    for relation, source in {"le": op.LE, "lt": op.LT, "gt": op.LE | op.INVERT, "ge": op.LT | op.INVERT}.items():
        assert sections(plan_of(["cmp", "price_in", relation, 2]))[0] == [(source, PRICE, 1)]
        inverted = sections(plan_of(["not", ["cmp", "price_in", relation, 2]]))[0]
        assert inverted == [(source ^ op.INVERT, PRICE, 1)]
    equal = [(op.LE | op.PUSH, PRICE, 1), (op.LT | op.AND | op.INVERT, PRICE, 2)]
    unequal = [(op.LT | op.PUSH, PRICE, 1), (op.LE | op.OR | op.INVERT, PRICE, 2)]
    assert sections(plan_of(["cmp", "price_in", "eq", 2]))[0] == equal
    assert sections(plan_of(["cmp", "price_in", "ne", 2]))[0] == unequal
    assert sections(plan_of(["not", ["cmp", "price_in", "eq", 2]]))[0] == unequal
    assert sections(plan_of(["not", ["cmp", "price_in", "ne", 2]]))[0] == equal
    nested = sections(plan_of(["or", ["cmp", "price_in", "eq", 2], ["top"]]))[0]
    assert nested == [(op.ROW | op.PUSH, 0, 0)]  # normal form: top absorbs or
    either = sections(plan_of(["or", ["cmp", "price_in", "eq", 2], ["is", "disabled"]]))[0]
    assert either == [*equal, (op.LIVE | op.OR, op.DISABLED, 0)]


def test_lower__what_is_nested_otherwise_is_pushed_and_joined() -> None:
    condition = ["and", ["is", "disabled"], ["or", ["is", "breaker_open"], ["meets_req"]]]
    assert sections(plan_of(condition))[0] == [
        (op.LIVE | op.PUSH, op.DISABLED, 0),
        (op.LIVE | op.PUSH, op.BREAKER_OPEN, 0),
        (op.LIVE | op.OR, op.MEETS_REQUEST, 0),
        (op.TOP | op.AND, 0, 0),
    ]
    # The negation of an `or` is the conjunction of the negations: nothing is nested.
    condition = ["and", ["is", "disabled"], ["not", ["or", ["is", "breaker_open"], ["meets_req"]]]]
    assert sections(plan_of(condition))[0] == [
        (op.LIVE | op.PUSH, op.DISABLED, 0),
        (op.LIVE | op.AND | op.INVERT, op.BREAKER_OPEN, 0),
        (op.LIVE | op.AND | op.INVERT, op.MEETS_REQUEST, 0),
    ]


@pytest.mark.parametrize(
    ("scorer", "mode"),
    [
        (["field", "price_in"], op.GREATEST_FIRST),
        (["scale", -2, ["field", "price_in"]], op.LEAST_FIRST),
        (["neg", ["scale", -2, ["normalize", ["field", "price_in"]]]], op.GREATEST_FIRST),
        (["clamp", 0, 1, ["neg", ["field", "price_in"]]], op.LEAST_FIRST),
        (["clamp", 1, 0, ["field", "price_in"]], op.GENERAL),
        (["normalize", ["neg", ["field", "price_in"]]], op.GENERAL),
        (["gate", ["is", "trains"], ["field", "price_in"]], op.GENERAL),
        (["add", ["field", "price_in"], ["neg", ["normalize", ["field", "context"]]]], op.BLEND),
        (["add", ["scale", 2, ["scale", 3, ["field", "price_in"]]], ["lit", 4]], op.BLEND),
        (["add", ["clamp", 0, 1, ["field", "price_in"]], ["lit", 4]], op.GENERAL),
        (["add", ["gate", ["is", "trains"], ["lit", 1]], ["lit", 4]], op.GENERAL),
    ],
)
def test_lower__chooses_the_kernel_by_the_scorer(scorer: list[Any], mode: int) -> None:
    assert plan_of(["top"], scorer).code[op.MODE] == mode


def test_lower__where_all_score_the_same_catalog_order_decides() -> None:
    for scorer in (["zero"], ["lit", 3], ["neg", ["scale", 2, ["lit", 1]]]):
        plan = plan_of(["top"], scorer)
        assert (plan.code[op.SELECTOR], plan.code[op.MODE]) == (op.ORDERED, op.GREATEST_FIRST)


def test_lower__what_was_lowered_before_changes_nothing() -> None:
    """Policies of one catalog lowered over what others left, twice, and each alone."""
    for number in range(15):
        world = draw_world(47, number, size=12)
        catalog = tr.Catalog.from_records(world.offers, WORLD_FIELDS, world.tier_order)
        index = CatalogIndex(catalog)
        left = {version: Fragments() for version in (V1, V2)}
        for _ in range(2):
            for case in world.cases:
                policy = tr.admit(case.term, catalog.fields)
                view = View(index, Health(), policy.version)
                parts = policy.filter, policy.scorer, policy.selector
                plan = lower(*parts, index, view, left[policy.version])
                assert plan == lower(*parts, index, view), policy.encoding


def test_lower__a_scorer_is_a_form_of_its_field_in_four_ways() -> None:
    field = ["field", "price_in"]
    for scorer, steps, mode in (
        (field, [], op.GREATEST_FIRST),
        (["neg", field], [op.NEGATE], op.LEAST_FIRST),
        (["normalize", field], [op.NORMALIZE], op.GREATEST_FIRST),
        (["neg", ["normalize", field]], [op.NORMALIZE, op.NEGATE], op.LEAST_FIRST),
    ):
        plan = plan_of(["cmp", "price_in", "ge", 2], scorer)
        code, (ends,) = sections(plan)[1:3]
        assert code == [(op.FIELD, PRICE, 0), *((step, 0, 0) for step in steps)]
        assert (ends, plan.code[op.MODE], plan.vectors) == ((PRICE, 1, NEITHER), mode, 2)
        known = form_of(policy_of(CATALOG, ["top"], scorer).scorer, VIEW.position)
        assert known is not None
        assert (known.column, known.mode, list(known.alone)) == (PRICE, mode, [each for step in code for each in step])
    for other in (["neg", ["neg", field]], ["normalize", ["neg", field]], ["scale", 2, field], ["lit", 1], ["zero"]):
        assert form_of(policy_of(CATALOG, ["top"], other).scorer, VIEW.position) is None


def test_keep__what_is_full_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "_MOST_KEPT", 3)
    index, left = CatalogIndex(CATALOG), Fragments()
    view = View(index, Health(), V2)
    for at in range(10):
        leaves = [["provider_eq", f"{at}"], ["not", ["family_eq", f"{at}"]], ["is", "trains"]]
        policy = policy_of(CATALOG, ["and", ["or", *leaves], ["cmp", "price_in", "le", at]])
        parts = policy.filter, policy.scorer, policy.selector
        assert lower(*parts, index, view, left) == lower(*parts, index, view)
        assert max(len(left.clauses), len(left.leaves)) <= 3


def test_bounds__say_which_numbers_are_of_which_clause() -> None:
    tied = ["or", ["cmp", "price_in", "eq", 1], ["and", ["is", "trains"], ["cmp", "tok_s", "ge", 2]]]
    scorer = ["gate", ["cmp", "context", "gt", 7], ["scale", 3, ["field", "price_in"]]]
    plan = plan_of(["and", tied, ["is", "trains"], ["cmp", "context", "lt", 4], ["cmp", "tok_s", "ne", 5]], scorer)
    bounds = plan.bounds()
    own = [plan.numbers[begin:end] for begin, end in pairwise(bounds)]
    assert own == [[4.0], [5.0, 5.0], [], [2.0, 1.0, 1.0]]
    assert plan.numbers[0] == 0.0
    assert plan_of(["top"], scorer, ["sample", 2]).bounds() == [1, 1]


def test_lower__notes_the_bounds_that_clauses_set_on_a_field_it_ranks_by() -> None:
    condition = ["and", ["cmp", "price_in", "le", 5], ["cmp", "price_in", "gt", 1], ["cmp", "context", "ge", 9]]
    scorer = ["add", ["normalize", ["field", "price_in"]], ["normalize", ["field", "tok_s"]], ["field", "context"]]
    plan = plan_of(condition, scorer)
    _, _, ends, _ = sections(plan)
    bounds = {field: [plan.numbers[at] if at >= 0 else None for at in pair] for field, *pair in ends}
    position = VIEW.position
    assert bounds == {PRICE: [1.0, 5.0], position["tok_s"]: [None, None], position["context"]: [9.0, None]}
    # A bound inside an `or` holds for some survivors only.
    some = plan_of(["or", ["cmp", "price_in", "le", 5], ["is", "trains"]], ["field", "price_in"])
    assert sections(some)[2] == [(PRICE, NEITHER, NEITHER)]


def test_lower__an_add_begins_at_zero() -> None:
    plan = plan_of(["top"], ["add", ["lit", 1], ["clamp", 0, 1, ["field", "price_in"]]])
    steps = [op.LITERAL, op.FIELD, op.CLAMP, op.ADD, op.LITERAL, op.ADD]
    assert [step[0] for step in sections(plan)[1]] == steps
    assert list(plan.numbers) == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_lower__a_blend_is_one_instruction_a_part_and_one_more_for_each_step_that_it_has_no_room_for() -> None:
    price, tok_s = ["field", "price_in"], ["field", "tok_s"]
    first, second = 0 << op.PLACE | op.PART, 1 << op.PLACE | op.PART
    tok_s_at = VIEW.position["tok_s"]
    cases: list[tuple[list[Any], list[tuple[int, int, float]]]] = [
        (price, [(first, PRICE, 1.0)]),
        (["scale", 3, price], [(first, PRICE, 3.0)]),
        (["neg", price], [(first | op.REVERSED, PRICE, 1.0)]),
        (["scale", 0.5, ["neg", ["normalize", price]]], [(first | op.NORMALIZED | op.REVERSED, PRICE, 0.5)]),
        (["neg", ["scale", 0.5, ["normalize", price]]], [(first | op.NORMALIZED, PRICE, 0.5), (op.NEGATE, 0, 0.0)]),
        (["scale", 2, ["scale", 3, price]], [(first, PRICE, 3.0), (op.SCALE, 0, 2.0)]),
        (["neg", ["neg", price]], [(first | op.REVERSED, PRICE, 1.0), (op.NEGATE, 0, 0.0)]),
    ]
    for part, wanted in cases:
        plan = plan_of(["top"], ["add", part, ["scale", 7, ["scale", 9, tok_s]]])
        found = [(step[0], step[1], plan.numbers[step[2]]) for step in sections(plan)[1]]
        # Parts come by their encodings; the other one stands behind or before.
        other = (second, tok_s_at, 9.0), (op.SCALE, 0, 7.0)
        swapped = [
            (step[0] ^ first ^ second if step[0] >= op.PART else step[0], *step[1:]) for step in (*other, *wanted)
        ]
        assert found in ([*wanted, *other], swapped), part
        assert plan.code[op.ENDS] == 2


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        (["lit", 4], 4.0),
        (["neg", ["zero"]], 1.0),
        (["neg", ["lit", 0.1]], 1.0 - 0.1),
        (["scale", 0.1, ["neg", ["scale", 3, ["lit", 0.1]]]], 0.1 * (1.0 - 3.0 * 0.1)),
        (["scale", 1e308, ["lit", 1e308]], np.inf),
    ],
)
def test_lower__a_constant_part_of_a_blend_is_worked_out(constant: list[Any], value: float) -> None:
    plan = plan_of(["top"], ["add", constant, ["field", "price_in"]])
    (found,) = [plan.numbers[b] for operation, _, b in sections(plan)[1] if operation & op.CONSTANT]
    assert found == value


def test_lower__older_policies_normalize_by_plain_division_and_have_scorers_of_their_own() -> None:
    scorer = ["add", ["normalize", ["cost"]], ["partner"]]
    plan = lowered(tr.admit(old_term_of(["top"], scorer), CATALOG.fields))
    view = View(CatalogIndex(CATALOG), Health(), V1)
    assert sections(plan)[1] == [
        (op.LITERAL, 0, 1),
        (op.FIELD, len(view.position) + op.COST, 0),
        (op.NORMALIZE_V1, -1, 0),
        (op.ADD, 0, 0),
        (op.FIELD, view.position["*partner"], 0),
        (op.ADD, 0, 0),
    ]
    assert plan.code[op.MODE] == op.GENERAL


@pytest.mark.parametrize(
    ("selector", "kind", "limit", "temperature"),
    [
        (["argmax"], op.ARGMAX, 2**31 - 1, 0.0),
        (["ordered"], op.ORDERED, 2**31 - 1, 0.0),
        (["sample", -2], op.SAMPLE, 2**31 - 1, -2.0),
        (["top_k", 5, ["top_k", 3.0, ["argmax"]]], op.ARGMAX, 3, 0.0),
        (["top_k", 3, ["top_k", 5, ["sample", 1]]], op.SAMPLE, 3, 1.0),
        (["top_k", 1e15, ["ordered"]], op.ORDERED, 2**31 - 1, 0.0),
    ],
)
def test_lower__selectors(selector: list[Any], kind: int, limit: int, temperature: float) -> None:
    plan = plan_of(["top"], ["field", "price_in"], selector)
    assert (plan.code[op.SELECTOR], plan.code[op.LIMIT], plan.numbers[0]) == (kind, limit, temperature)


def test_lower__a_chain_lists_rows_by_the_last_place_of_their_pair() -> None:
    links = [
        {"provider": "q", "model": "n"},
        {"provider_id": "p", "model_family": "m"},
        {"provider": "ghost", "model": "n"},
        {"provider": "q", "model": "n"},
        {"provider": "p", "provider_id": "q", "model": "n", "model_family": "m"},
    ]
    plan = plan_of(["top"], ["field", "price_in"], ["chain", links])
    assert plan.code[op.SELECTOR] == op.CHAINED
    assert chain_of(plan) == [0, 2, 1, 4, 3, 4, 2, 5]
    # A chain scores by place alone: nothing else is computed.
    assert sections(plan)[1] == []


def test_lower__a_name_that_no_offer_has_is_the_empty_row() -> None:
    assert sections(plan_of(["provider_eq", "ghost"]))[0] == [(op.ROW, 1, 0)]
    assert sections(plan_of(["bot"]))[0] == [(op.ROW, 1, 0)]
    assert sections(plan_of(["top"]))[0] == [(op.ROW, 0, 0)]


def test_lower__states_the_heights_that_a_plan_reaches() -> None:
    for number in range(15):
        world = draw_world(41, number, size=12)
        catalog = tr.Catalog.from_records(world.offers, WORLD_FIELDS, world.tier_order)
        for case in world.cases:
            plan = lowered(tr.admit(case.term, catalog.fields), catalog)
            most_bits, most_vectors, vectors = heights(plan)
            assert most_bits <= plan.bits <= most_bits + 1
            assert max(most_vectors, 2) == plan.vectors
            assert vectors == (0 if plan.code[op.SELECTOR] == op.CHAINED else 1)
            assert plan.ends >= plan.code[op.ENDS]
            _, _, _, clauses = sections(plan)
            assert clauses == sorted(clauses)
            assert clauses[-1] == plan.code[op.FILTER]


def test_lower__deep_terms_fit_their_heights() -> None:
    condition: list[Any] = ["is", "region_eu"]
    scorer: list[Any] = ["field", "price_in"]
    rng = Random(1)
    for _ in range(20):
        condition = [rng.choice(("and", "or")), ["is", "trains"], ["not", condition]]
        scorer = ["add", ["lit", 1], ["gate", ["is", "trains"], ["neg", scorer]]]
    plan = plan_of(condition, scorer)
    most_bits, most_vectors, _ = heights(plan)
    assert most_bits <= plan.bits <= most_bits + 1
    assert plan.vectors == most_vectors
    assert most_vectors > 15


def test_lower__negation_is_carried_to_the_leaves() -> None:
    """not(a and (b or not c)) is not a, or (not b and c): two bitsets high, as no bitset is inverted whole."""
    inner = ["or", ["is", "disabled"], ["not", ["is", "breaker_open"]]]
    assert sections(plan_of(["not", ["and", ["meets_req"], inner]]))[0] == [
        (op.LIVE | op.PUSH | op.INVERT, op.MEETS_REQUEST, 0),
        (op.LIVE | op.PUSH | op.INVERT, op.DISABLED, 0),
        (op.LIVE | op.AND, op.BREAKER_OPEN, 0),
        (op.TOP | op.OR, 0, 0),
    ]
    # An equality within an `or`: both of its comparisons are joined first.
    equal = ["cmp", "price_in", "eq", 2]
    assert sections(plan_of(["or", ["is", "disabled"], equal]))[0][:2] == [
        (op.LE | op.PUSH, PRICE, 1),
        (op.LT | op.AND | op.INVERT, PRICE, 2),
    ]
    either = sections(plan_of(["and", ["is", "disabled"], ["cmp", "price_in", "ne", 2]]))[0]
    assert either == [
        (op.LT | op.PUSH, PRICE, 1),
        (op.LE | op.OR | op.INVERT, PRICE, 2),
        (op.LIVE | op.AND, op.DISABLED, 0),
    ]


def test_lower__fields_are_those_compared_and_those_whose_ends_are_found() -> None:
    position = VIEW.position
    gate = ["gate", ["cmp", "tok_s", "ge", 1], ["normalize", ["field", "context"]]]
    assert plan_of(["cmp", "price_in", "le", 1], gate).fields == {PRICE, position["tok_s"], position["context"]}
    # Read for each survivor alone, and in no order: no order is made for it.
    assert plan_of(["top"], ["gate", ["is", "trains"], ["field", "context"]]).fields == set()
    assert plan_of(["top"], ["field", "context"]).fields == {position["context"]}
    parts = [["scale", 2, ["field", "context"]] for _ in range(5)]
    assert plan_of(["top"], ["add", *parts]).ends == 5
    assert plan_of(["top"], ["add", *parts]).code[op.ENDS] == 1


def decoded(plan: Plan) -> reference.Program:
    """A plan as the program that it is."""
    condition, scorer, ends, clauses = (
        [tuple(map(int, step)) if isinstance(step, tuple) else int(step) for step in part] for part in sections(plan)
    )
    chain = chain_of(plan)
    pairs = list(zip(chain[::2], chain[1::2], strict=True))
    code = plan.code
    found: Any = (condition, scorer, list(plan.numbers), code[op.MODE], code[op.SELECTOR], code[op.LIMIT])
    return reference.Program(*found, ends, clauses, pairs)  # type: ignore[arg-type]


def test_lower__a_plan_means_what_its_policy_means() -> None:
    """Programs evaluated instruction by instruction, offer by offer, without any kernel."""
    for number in range(12):
        world = draw_world(43, number, size=(0, 7, 40)[number % 3])
        catalog = tr.Catalog.from_records(world.offers, WORLD_FIELDS, world.tier_order)
        for case in world.cases:
            policy = tr.admit(case.term, catalog.fields)
            index = CatalogIndex(catalog)
            view = View(index, Health.of(world.state), policy.version)
            plan = lower(policy.filter, policy.scorer, policy.selector, index, view)
            request = Request.of(case.request)
            offers = reference.Offers(
                index.size,
                [column[: index.size].tolist() for column in view.observations.columns],
                [rows_of(bits) for bits in index.rows],
                [[rows_of(bits) for bits in view.live_rows(request)]],
                [view.request_columns(request)[:, : index.size].tolist()],
            )
            rows, scores, survivors = reference.rank(decoded(plan), offers, 0, reduced_seed(case.seed), index.size)
            ctx = {"request": case.request, "state": world.state, "seed": case.seed}
            wanted = rank(case.term, world.offers, ctx, WORLD_FIELDS, world.tier_order, case.version)
            assert [catalog.offer_ids[row] for row in rows] == wanted.ordered, policy.encoding
            assert np.array_equal(scores, wanted.scores, equal_nan=True)
            assert survivors == len(world.offers) - len(wanted.rejected)
