"""Two sides compared for a whole table of tenants, against ranking each tenant alone on both."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.catalog.costs import Tokens
from tenantrank.whatif.impact import Impact, Move, Reason, impact
from tenantrank.whatif.impact_figures import Cost
from tenantrank.whatif.impact_table import SCHEMA
from tenantrank_kernels import JIT_DISABLED
from tests.whatif.worlds import BASE, BEST, CAP, EU, FIELDS, Alone, engine_of, offer, rulebook_of, table_of

NAMES = ("a|1", "a|2", "b|1", "b|2", "c|1")
RULES = (CAP, EU, BEST, {"id": "not-a", "when": {"plan": "free"}, "require": [["provider_not_in", ["a"]]]})
ENVELOPES: tuple[Any, ...] = (None, ["not", ["provider_eq", "b"]], ["cmp", "price_out", "le", 2])
HEALTH: tuple[Any, ...] = (None, {"disabled": {"a": {}}})

prices = st.sampled_from([None, 0.0, 1.0, 2.0, 3.0])
offers = st.lists(
    st.builds(
        lambda name, price, eu, bench: offer(name, price, region_eu=eu, bench=bench),
        st.sampled_from(NAMES),
        prices,
        st.sampled_from([None, False, True]),
        st.sampled_from([None, 0.2, 0.9]),
    ),
    max_size=5,
    unique_by=lambda one: one["id"],
)
engines = st.builds(
    lambda listed, state, envelope: engine_of(*listed, health=state, envelope=envelope),
    offers,
    st.sampled_from(HEALTH),
    st.sampled_from(ENVELOPES),
)
rulebooks = st.lists(st.sampled_from(RULES), unique_by=lambda rule: rule["id"]).map(
    lambda some: rulebook_of(BASE, *some)
)
states = st.lists(
    st.tuples(st.sampled_from(["free", "paid", "gold"]), st.sampled_from(["any", "eu"]), prices), max_size=8
).map(lambda rows: table_of(*[(f"t{at}", *row) for at, row in enumerate(rows)]))


@settings(max_examples=15 if JIT_DISABLED else 40)
@given(engines, rulebooks, engines, rulebooks, states, st.integers(1, 6))
def test_impact__is_ranking_each_tenant_alone_on_both_sides(
    old: tr.Engine, old_rules: tr.Rulebook, new: tr.Engine, new_rules: tr.Rulebook, table: pa.Table, k: int
) -> None:
    found = impact((old, old_rules), (new, new_rules), table, k=k)
    assert found.table.schema.equals(SCHEMA)
    counts: Counter[str] = Counter()
    moves: Counter[tuple[str | None, str | None]] = Counter()
    spent: list[tuple[float, float]] = []
    for row, state in zip(found.table.to_pylist(), table.to_pylist(), strict=True):
        before, after = Alone.of(old, old_rules, state), Alone.of(new, new_rules, state)
        expected: dict[str, Any] = {"tenant": state["tenant_id"]}
        for name, side in (("before", before), ("after", after)):
            policy = None if side.decision is None else side.decision.policy
            expected |= {
                f"status_{name}": side.status,
                f"winner_{name}": side.winner,
                f"survivors_{name}": None if policy is None else side.survivors,
                f"cost_{name}": side.cost,
                f"offers_{name}": None if policy is None else list(side.order[:k]),
                f"rules_{name}": side.rules,
                f"deciding_{name}": side.deciding,
                f"identity_{name}": None if policy is None else policy.identity,
            }
            assert (row.pop(f"error_{name}") is None) is (side.error is None)
        moved = before.winner != after.winner
        expected |= dict.fromkeys(("old_winner_now", "old_winner_why", "new_winner_then", "new_winner_why"))
        if moved and before.winner is not None:
            expected["old_winner_now"], expected["old_winner_why"] = after.fate(before.winner)
        if moved and after.winner is not None:
            expected["new_winner_then"], expected["new_winner_why"] = before.fate(after.winner)
        changed = {
            "winner": moved,
            "order": before.order[:k] != after.order[:k],
            "survivors": before.survivors != after.survivors,
            "policy": expected["identity_before"] != expected["identity_after"],
        }
        assert row == expected | {f"{name}_changed": truth for name, truth in changed.items()}
        statuses = before.status, after.status
        counts.update(name for name, truth in changed.items() if truth)
        counts["stranded"] += statuses == ("ranked", "no_offer")
        counts["gained"] += statuses == ("no_offer", "ranked")
        counts["one_left"] += before.survivors > 1 and after.survivors == 1
        counts["refused"] += "error" not in statuses[:1] and statuses[1] == "error"
        counts["accepted"] += statuses[0] == "error" and statuses[1] != "error"
        for name, side in (("before", before), ("after", after)):
            counts[f"none_{name}"] += side.status == "no_offer"
            counts[f"one_{name}"] += side.survivors == 1
            counts[f"refused_{name}"] += side.status == "error"
        if moved:
            moves[before.winner, after.winner] += 1
        if before.winner is not None and after.winner is not None:
            counts["unknown"] += None in (before.cost, after.cost)
            counts["newly_unknown"] += before.cost is not None and after.cost is None
        if before.cost is not None and after.cost is not None:
            spent.append((before.cost, after.cost))
    told = asdict(found.counts) | asdict(found.cost)
    assert {name: told[name] for name in counts} == dict(counts)
    assert found.counts.compared == found.counts.tenants == table.num_rows
    assert {(move.old, move.new): move.tenants for move in found.moves} == dict(moves)
    assert found.cost.known == len(spent)
    assert found.cost.before == pytest.approx(sum(one for one, _ in spent), rel=1e-12)
    assert found.cost.after == pytest.approx(sum(other for _, other in spent), rel=1e-12)
    assert (found.cost.dearer, found.cost.cheaper) == (sum(a < b for a, b in spent), sum(a > b for a, b in spent))
    _check_groups(found)


def _check_groups(found: Impact) -> None:
    """Groups hold what the table holds, each tenant once."""
    rows = found.table.to_pylist()
    moved = [row for row in rows if row["winner_changed"]]
    assert sum(move.tenants for move in found.moves) == len(moved)
    assert sum(reason.tenants for reason in found.reasons) == sum(row["winner_before"] is not None for row in moved)
    stranded = Counter(
        row["deciding_after"] for row in rows if (row["status_before"], row["status_after"]) == ("ranked", "no_offer")
    )
    assert {reason.why: reason.tenants for reason in found.stranded} == stranded
    refused = Counter(row["error_after"] for row in rows if row["error_after"] and not row["error_before"])
    assert {reason.why: reason.tenants for reason in found.refused} == refused
    assert sum(reason.tenants for reason in found.one_left) == found.counts.one_left
    rules = Counter((row["rules_before"], row["rules_after"]) for row in rows)
    assert {(group.before, group.after): group.tenants for group in found.rule_sets} == rules
    for name in ("winner", "order", "stranded", "one_left"):
        assert sum(getattr(group, name) for group in found.rule_sets) == getattr(found.counts, name)
    for groups in (found.moves, found.reasons, found.stranded, found.one_left, found.refused, found.rule_sets):
        sizes = [group.tenants for group in groups]
        assert sizes == sorted(sizes, reverse=True)
    for move in found.moves:
        first = next(row for row in moved if (row["winner_before"], row["winner_after"]) == (move.old, move.new))
        assert move.example == first["tenant"]
        assert (move.cost_before, move.cost_after) == (first["cost_before"], first["cost_after"])


OTHER_SIDE = {"before": "after", "after": "before"}


def mirrored_column(name: str) -> str:
    stem, _, side = name.rpartition("_")
    if side in OTHER_SIDE:
        return f"{stem}_{OTHER_SIDE[side]}"
    swap = {"old_winner_now": "new_winner_then", "old_winner_why": "new_winner_why"}
    return {**swap, **{new: old for old, new in swap.items()}}.get(name, name)


@settings(max_examples=10 if JIT_DISABLED else 25)
@given(engines, rulebooks, engines, rulebooks, states)
def test_impact__of_swapped_sides_is_its_mirror(
    old: tr.Engine, old_rules: tr.Rulebook, new: tr.Engine, new_rules: tr.Rulebook, table: pa.Table
) -> None:
    there = impact((old, old_rules), (new, new_rules), table)
    back = impact((new, new_rules), (old, old_rules), table)
    rows = [{mirrored_column(name): value for name, value in row.items()} for row in back.table.to_pylist()]
    assert rows == there.table.to_pylist()
    one, other = asdict(there.counts), asdict(back.counts)
    for name, swapped in (("stranded", "gained"), ("refused", "accepted"), ("none_before", "none_after")):
        assert (one[name], one[swapped]) == (other[swapped], other[name])
    assert [one[name] for name in ("winner", "order", "survivors", "policy")] == [
        other[name] for name in ("winner", "order", "survivors", "policy")
    ]
    assert (there.cost.before, there.cost.after) == (back.cost.after, back.cost.before)
    assert (there.cost.dearer, there.cost.cheaper, there.cost.unknown) == (
        back.cost.cheaper,
        back.cost.dearer,
        back.cost.unknown,
    )
    assert {(m.old, m.new, m.tenants) for m in there.moves} == {(m.new, m.old, m.tenants) for m in back.moves}


@settings(max_examples=5 if JIT_DISABLED else 10)
@given(engines, rulebooks, states)
def test_impact__of_a_side_on_itself_is_nothing(engine: tr.Engine, rules: tr.Rulebook, table: pa.Table) -> None:
    found = impact((engine, rules), (engine, rules), table)
    told = asdict(found.counts)
    for name in ("winner", "order", "survivors", "policy", "stranded", "gained", "one_left", "refused", "accepted"):
        assert told[name] == 0, name
    assert not found.moves
    assert not found.reasons
    assert not found.stranded
    assert found.cost.before == found.cost.after
    assert found.cost.percent in (None, 0.0)


TWO = table_of(("t1", "free", "any", None), ("t2", "paid", "eu", None))
RULEBOOK = rulebook_of(BASE, CAP, EU, BEST)


def test_reasons__name_what_became_of_the_winner_and_the_rule_behind_it() -> None:
    cheap, dear = offer("a|1", 1.0, region_eu=True, bench=0.9), offer("b|1", 2.0, region_eu=True, bench=0.1)
    before = engine_of(cheap, dear), RULEBOOK
    gone = impact(before, (engine_of(dear), RULEBOOK), TWO)
    assert gone.reasons == (Reason("not_offered", None, 2, "t1"),)
    away = impact(before, (engine_of({**cheap, "region_eu": False}, dear), RULEBOOK), TWO)
    assert away.reasons == (Reason("rejected", "region_eu holds (eu <- region='eu')", 1, "t2"),)
    assert away.moves == (Move("a|1", "b|1", 1, "t2", 0.004, 0.008),)
    new = impact(before, (engine_of(cheap, dear, offer("c|1", 0.5)), RULEBOOK), TWO)
    assert new.reasons == (Reason("outranked", "by an offer that was not in the catalog before", 1, "t1"),)
    cut = impact(before, (engine_of(cheap, {**dear, "price_out": 0.5}), RULEBOOK), TWO)
    assert cut.reasons == (Reason("outranked", "by an offer that came behind it before", 1, "t1"),)
    narrowed = impact(before, (before[0].narrowed(["not", ["provider_eq", "a"]]), RULEBOOK), TWO)
    assert narrowed.reasons == (Reason("rejected", "the provider is not a (envelope)", 2, "t1"),)
    widened = impact((before[0].narrowed(["not", ["provider_eq", "a"]]), RULEBOOK), before, TWO)
    passed = "by an offer that did not pass before: the provider is not a (envelope)"
    assert widened.reasons == (Reason("outranked", passed, 2, "t1"),)


def test_reasons__tell_what_a_chain_does_not_list_from_what_is_cut() -> None:
    engine = engine_of(offer("a|1", 1.0), offer("b|1", 2.0))
    listed = ["chain", [{"provider": "b", "model": "m"}]]
    one = table_of(("t1", "free", "any", None))
    ordinary = rulebook_of(BASE)
    chained = impact((engine, ordinary), (engine, rulebook_of(BASE, selector=listed)), one)
    assert chained.reasons == (Reason("unselected", None, 1, "t1"),)
    back = impact((engine, rulebook_of(BASE, selector=listed)), (engine, ordinary), one)
    assert back.reasons == (Reason("outranked", "by an offer that the selector did not list before", 1, "t1"),)
    both = ["top_k", 1, ["chain", [{"provider": "b", "model": "m"}, {"provider": "a", "model": "m"}]]]
    cut = impact((engine, ordinary), (engine, rulebook_of(BASE, selector=both)), one)
    assert cut.reasons == (Reason("outranked", "by an offer that came behind it before", 1, "t1"),)
    first = impact((engine, ordinary), (engine, rulebook_of(BASE, selector=["top_k", 1, listed])), one)
    assert first.reasons == (Reason("unselected", None, 1, "t1"),)
    none = impact((engine, ordinary), (engine, rulebook_of(BASE, selector=["chain", []])), one)
    assert none.reasons == (Reason("unselected", None, 1, "t1"),)
    assert none.stranded[0].why == "the selector keeps none of the 2 offers that pass (defaults)"
    assert (none.counts.stranded, none.counts.survivors) == (1, 0)


def test_stranded_and_one_left__name_the_clause_and_the_last_offer() -> None:
    before = engine_of(offer("a|1", 1.0, region_eu=True), offer("b|1", 2.0, region_eu=True), offer("c|1", 3.0))
    after = engine_of(offer("a|1", 1.0), offer("b|1", 2.0, region_eu=True), offer("c|1", 3.0))
    table = table_of(("t1", "free", "eu", None), ("t2", "free", "eu", 1.5), ("t3", "free", "any", None))
    found = impact((before, RULEBOOK), (after, RULEBOOK), table)
    assert found.one_left == (Reason("one_left", "b|1", 1, "t1"),)
    (stranded,) = found.stranded
    assert (stranded.tenants, stranded.example) == (1, "t2")
    assert stranded.why in ("price_out is at most 1.5 (cap <- most=1.5)", "region_eu holds (eu <- region='eu')")
    assert (found.counts.one_before, found.counts.one_after, found.counts.none_after) == (1, 1, 1)


def test_cost__counts_the_unknown_apart_and_takes_nothing_for_nothing() -> None:
    table = table_of(("t1", "free", "any", None), ("t2", "paid", "any", None))
    rules = rulebook_of(BASE, {"id": "best", "when": {"plan": "paid"}, "preference": {"highest": "bench"}})
    before = engine_of(offer("a|1", 1.0, bench=0.1), offer("b|1", 2.0, bench=0.9))
    unpriced = engine_of(offer("a|1", 1.0, bench=0.1), offer("b|1", bench=0.9))
    found = impact((before, rules), (unpriced, rules), table).cost
    assert found == Cost(1, 0.004, 0.004, 0, 0, 1, 1)
    assert found.percent == 0.0
    free = engine_of(offer("a|1", 0.0, bench=0.1), offer("b|1", 2.0, bench=0.9))
    assert impact((before, rules), (free, rules), table).cost == Cost(2, 0.012, 0.008, 0, 1, 0, 0)
    costly = impact((engine_of(offer("a|1", 0.0)), rules), (engine_of(offer("a|1", 1.0)), rules), table).cost
    assert costly.percent == float("inf")
    nothing = impact((before, rules), (engine_of(), rules), table).cost
    assert nothing == Cost(0, 0.0, 0.0, 0, 0, 0, 0)
    assert nothing.percent is None


def test_cost__is_that_of_the_tokens_given() -> None:
    one = table_of(("t1", "free", "any", None))
    before, after = engine_of(offer("a|1", 1.0)), engine_of(offer("a|1", 1.0, price_out=5.0))
    only_input = impact((before, RULEBOOK), (after, RULEBOOK), one, tokens=Tokens(1_000_000, 0))
    assert (only_input.cost.before, only_input.cost.after) == (1.0, 1.0)
    only_output = impact((before, RULEBOOK), (after, RULEBOOK), one, tokens=Tokens(0, 1_000_000))
    assert (only_output.cost.before, only_output.cost.after, only_output.cost.percent) == (1.0, 5.0, 400.0)
    assert only_output.counts.winner == 0


def test_impact__matches_tenants_of_two_tables_by_id() -> None:
    engine = engine_of(offer("a|1", 1.0), offer("b|1", 2.0, region_eu=True))
    rules = RULEBOOK.bind(engine.catalog.fields)
    old = rules.compile_many(
        table_of(("t1", "free", "any", None), ("t2", "free", "any", None), ("t2", "free", "eu", None))
    )
    new = rules.compile_many(
        table_of(("t3", "free", "any", None), ("t2", "free", "eu", None), ("t1", "free", "gold", None))
    )
    found = impact((engine, old), (engine, new))
    counts = found.counts
    assert (counts.tenants, counts.compared, counts.only_before, counts.only_after) == (4, 2, 1, 1)
    assert (counts.winner, counts.refused, counts.accepted) == (2, 1, 0)
    rows = found.table.to_pylist()
    assert [(row["tenant"], row["status_before"], row["status_after"]) for row in rows] == [
        ("t1", "ranked", "error"),
        ("t2", "ranked", "ranked"),
        ("t2", "error", "absent"),
        ("t3", "absent", "ranked"),
    ]
    assert [row["winner_changed"] for row in rows] == [True, True, None, None]
    assert rows[0]["error_after"].startswith("field 'region'")
    assert rows[0]["old_winner_now"] == "refused"
    assert (rows[2]["winner_after"], rows[3]["winner_before"], rows[3]["offers_before"]) == (None, None, None)
    assert (rows[2]["error_before"], rows[2]["error_after"]) == ("tenant 't2' is in row 1 already", None)
    assert [(reason.what, reason.tenants, reason.example) for reason in found.refused] == [("refused", 1, "t1")]


def test_moves__name_the_first_tenant_of_the_table() -> None:
    engine = engine_of(offer("a|1", 1.0))
    rules = RULEBOOK.bind(engine.catalog.fields)
    old = rules.compile_many(table_of(("t1", "free", "eu", None), ("t2", "gold", "any", None)))
    new = rules.compile_many(table_of(("t1", "free", "any", None), ("t2", "free", "any", None)))
    assert impact((engine, old), (engine, new)).moves == (Move(None, "a|1", 2, "t1", None, 0.004),)


def test_impact__of_tables_with_nobody_in_both() -> None:
    engine = engine_of(offer("a|1", 1.0))
    rules = RULEBOOK.bind(engine.catalog.fields)
    fleets = [rules.compile_many(table_of(*rows)) for rows in ([("t1", "free", "any", None)], [])]
    found = impact((engine, fleets[0]), (engine, fleets[1]))
    assert (found.counts.tenants, found.counts.compared, found.counts.only_before) == (1, 0, 1)
    assert not found.moves
    assert not found.rule_sets
    assert found.table.num_rows == 1


def test_impact__of_no_tenants_and_of_no_offers() -> None:
    empty, full = engine_of(), engine_of(offer("a|1", 1.0, region_eu=True))
    nobody = impact((empty, RULEBOOK), (full, RULEBOOK), table_of())
    assert set(asdict(nobody.counts).values()) == {0}
    assert nobody.table.num_rows == 0
    assert nobody.table.schema.equals(SCHEMA)
    lost = impact((full, RULEBOOK), (empty, RULEBOOK), TWO)
    assert lost.stranded == (Reason("no_offer", "the catalog has no offers", 2, "t1"),)
    assert lost.counts.order == 2


def test_impact__takes_fleets_and_rulebooks_alike() -> None:
    before, after = engine_of(offer("a|1", 1.0), offer("b|1", 2.0)), engine_of(offer("b|1", 2.0))
    fleets = [RULEBOOK.bind(engine.catalog.fields).compile_many(TWO) for engine in (before, after)]
    compiled = impact((before, fleets[0]), (after, fleets[1]))
    made = impact((before, RULEBOOK), (after, RULEBOOK), TWO)
    assert compiled.table.equals(made.table, check_metadata=True)


def test_impact__says_what_each_side_was_worked_out_from() -> None:
    catalogs = [
        tr.Catalog.from_records([offer("a|1", price)], FIELDS, as_of=date(2026, 11, 23)) for price in (1.0, 2.0)
    ]
    after = tr.Engine(catalogs[1], None, ["top"])
    found = impact((tr.Engine(catalogs[0]), RULEBOOK), (after, RULEBOOK), TWO).table.schema.metadata
    assert after.envelope is not None
    assert found == {
        b"catalog_id_before": catalogs[0].catalog_id.encode(),
        b"catalog_id_after": catalogs[1].catalog_id.encode(),
        b"as_of_before": b"2026-11-23",
        b"as_of_after": b"2026-11-23",
        b"envelope_identity_after": after.envelope.identity.encode(),
    }


def test_impact__ranks_each_distinct_policy_once_a_side() -> None:
    engine = engine_of(offer("a|1", 1.0))
    many = table_of(*[(f"t{at}", "free", "any", None) for at in range(50)])
    done: list[int] = []
    impact((engine, RULEBOOK), (engine, RULEBOOK), many, on_progress=done.append)
    assert sum(done) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ((1, 2), (1, 2)),
        ("before", "after"),
        ((engine_of(), RULEBOOK), (engine_of(), RULEBOOK)),
        ((engine_of(), "rules"), (engine_of(), "rules"), TWO),
        ((engine_of(),), (engine_of(),), TWO),
    ],
    ids=["no engines", "text", "no table", "no rulebook", "too few"],
)
def test_impact__refuses_what_is_no_side(arguments: Any) -> None:
    with pytest.raises(tr.RequestError):
        impact(*arguments)


def test_impact__binds_a_rulebook_to_the_catalog_of_each_side() -> None:
    lacking = tr.Engine(tr.Catalog.from_records([offer("a|1", 1.0)], {"region_eu": FIELDS["region_eu"]}))
    with pytest.raises(tr.RulebookError, match="bench"):
        impact((engine_of(offer("a|1", 1.0)), RULEBOOK), (lacking, RULEBOOK), TWO)


def test_impact__refuses_a_bad_k_and_bad_tokens() -> None:
    side = engine_of(), RULEBOOK
    with pytest.raises(tr.RequestError, match="k must be"):
        impact(side, side, TWO, k=0)
    with pytest.raises(tr.RequestError, match="Tokens"):
        impact(side, side, TWO, tokens=3000)  # type: ignore[arg-type]
