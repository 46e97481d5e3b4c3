"""The hard clauses of a tenant: whose they are, how far they may give way, and what gave way to them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.tenants.hard_clauses import HardClause, WeakerBound
from tenantrank.tenants.origin import Origin
from tests.tenants.books import BASE, FIELDS, book

TENANT = {"plan": "free"}


def named(*rules: dict[str, Any], **tenant: Any) -> dict[str, HardClause]:
    compiled = book(*rules).compile({**TENANT, **tenant})
    assert [clause.node for clause in compiled.hard_clauses][: len(compiled.policy.clauses)] == [
        *compiled.policy.clauses
    ]
    return {clause.node.encoding: clause for clause in compiled.hard_clauses}


def test_hard_clauses__know_their_rules_and_which_of_them_is_never_relaxed() -> None:
    found = named(
        {"id": "law", "require": [["is", "no_log"], ["is", "priced"]], "never_relax": True},
        {"id": "wish", "when": {"plan": "free"}, "require": [["is", "region_eu"]]},
    )
    assert {code: clause.never_relax for code, clause in found.items()} == {
        '(is "no_log")': True,
        '(is "priced")': True,  # the base rule alone would let it go
        '(is "region_eu")': False,
    }
    assert found['(is "priced")'].origins == (Origin("base"), Origin("law"))
    assert found['(is "region_eu")'].origins == (Origin("wish", "plan", "free"),)


def test_hard_clauses__hold_the_weaker_bounds_strictest_first() -> None:
    rules = [
        {"id": "a", "floor": {"bench": 0.5}, "ceiling": {"bench": 0.9}},
        {"id": "b", "floor": {"bench": 0.7}},
        {"id": "c", "floor": {"bench": 0.2}, "never_relax": True},
        {"id": "d", "floor": {"bench": 0.1}, "never_relax": True},
        {"id": "e", "floor": {"bench": {"tenant": "floor"}}},
        {"id": "f", "ceiling": {"bench": 0.95}, "never_relax": True},
    ]
    found = named(*rules, floor=0.6)
    floor, ceiling = found['(cmp "bench" "ge" 0.69999999999999996)'], found['(cmp "bench" "le" 0.90000000000000002)']
    assert floor.weaker == (
        WeakerBound(0.6, Origin("e", "floor", 0.6), False),
        WeakerBound(0.5, Origin("a"), False),
        WeakerBound(0.2, Origin("c"), True),
        WeakerBound(0.1, Origin("d"), True),
    )
    assert floor.furthest == floor.weaker[2]
    assert ceiling.weaker == (ceiling.furthest,) == (WeakerBound(0.95, Origin("f"), True),)
    assert not floor.never_relax
    # Equal bounds stand together, and then the clause is never relaxed.
    equal = named(*rules, {"id": "g", "floor": {"bench": 0.7}, "never_relax": True}, floor=0.6)
    assert equal['(cmp "bench" "ge" 0.69999999999999996)'].never_relax


def test_hard_clauses__remember_what_an_empty_list_absorbed() -> None:
    law = {"id": "law", "require": [["is", "no_log"], ["top"]], "never_relax": True}
    listed = {"id": "list", "require": [["provider_in", {"tenant": "approved"}]], "floor": {"bench": 0.3}}
    compiled = book(law, listed, {"id": "more", "floor": {"bench": 0.2}}).compile({**TENANT, "approved": []})
    assert compiled.policy.filter.encoding == "(bot)"
    assert [(clause.node.encoding, clause.never_relax) for clause in compiled.hard_clauses] == [
        ("(bot)", False),
        ('(cmp "bench" "ge" 0.29999999999999999)', False),
        ('(is "no_log")', True),
        ('(is "priced")', False),
    ]
    assert [bound.value for bound in compiled.hard_clauses[1].weaker] == [0.2]
    assert compiled.never_relax == {'(is "no_log")'}
    assert set(compiled.origins) == {"(bot)"}
    again = pickle.loads(pickle.dumps(compiled))
    assert again == compiled
    assert again.hard_clauses == compiled.hard_clauses


def test_hard_clauses__of_a_rulebook_without_marks_may_all_give_way() -> None:
    compiled = book({"id": "wish", "floor": {"bench": 0.2}}).compile(TENANT)
    assert compiled.never_relax == frozenset()
    assert all(clause.furthest is None for clause in compiled.hard_clauses)


@pytest.mark.parametrize("mark", [{}, {"never_relax": False}])
def test_rulebook_id__is_what_it_was_before_rules_could_be_marked(mark: dict[str, Any]) -> None:
    rule = {"id": "law", "require": [["is", "no_log"]]}
    plain, same, marked = book(rule), book(rule | mark), book(rule | {"never_relax": True})
    assert plain.rulebook_id == same.rulebook_id != marked.rulebook_id
    written = json.loads(marked.document.model_dump_json(by_alias=True, exclude_none=True))
    assert tr.Rulebook.from_value(written).rulebook_id == marked.rulebook_id
    assert "never_relax" not in json.loads(plain.document.model_dump_json(by_alias=True))["rules"][1]


def test_rulebook_id__of_a_rulebook_from_before_is_kept() -> None:
    value = {"version": 1, "fields": FIELDS, "rules": [BASE]}
    assert tr.Rulebook.from_value(value).rulebook_id == EARLIER


EARLIER = "b206015d7504016e0fb8039aaa0625d75ed40007a49069bc15181a153e03c5d8"


def test_never_relax__of_a_rule_without_hard_clauses_is_a_fault() -> None:
    with pytest.raises(
        tr.RulebookError, match=r"rule 'r', never_relax: it has no hard clause \(require, floor, ceiling\)"
    ):
        book({"id": "r", "preference": ["zero"], "never_relax": True})
    with pytest.raises(tr.RulebookError, match=r"rule 'r', never_relax: input should be a valid boolean"):
        book({"id": "r", "require": [["top"]], "never_relax": 1})


def test_never_relax__changes_no_policy() -> None:
    rules = [{"id": "r", "floor": {"bench": 0.5}, "require": [["is", "no_log"]]}, {"id": "s", "floor": {"bench": 0.7}}]
    marked = [rule | {"never_relax": True} for rule in rules]
    one, other = book(*rules).compile(TENANT), book(*marked).compile(TENANT)
    assert one.policy == other.policy
    assert (one.origins, one.conflicts) == (other.origins, other.conflicts)


def test_sample_rulebook__never_relaxes_what_law_and_contract_ask(repository: Path) -> None:
    rules = tr.Rulebook.load(repository / "data" / "rules.yaml")
    marked = {rule.id for rule in rules.document.rules if rule.never_relax}
    assert marked == {"residency", "sensitive-data", "regulated-data", "no-agreement"}
    tenant = {"plan": "free", "region": "eu", "data_class": "internal", "workload": "batch", "vip": False}
    assert rules.compile(tenant).never_relax == {'(is "region_only_eu")', '(is "trains_on_data_no")'}
