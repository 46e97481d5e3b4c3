"""Rows to groups of one policy."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from tenantrank.errors import TenantError
from tenantrank.tenants.columns import Column
from tenantrank.tenants.grouping import group_by_policy
from tests.tenants.books import FIELDS, book

RULEBOOK = book(
    {"id": "eu", "when": {"region": "eu"}, "preference": ["lit", 1]},
    {"id": "vip", "when": {"vip": True, "plan": ["free", "team"]}, "require": [["is", "no_log"]]},
    {"id": "big", "when": {"seats": {"ge": 5, "or_absent": False}}, "floor": {"x": {"tenant": "floor"}}},
    {"id": "list", "when": {"approved": {"contains": "a"}, "vip": {"absent": False}}, "require": [["meets_req"]]},
    defaults={"preference": ["lit", {"tenant": "floor", "default": 1}]},
)
PREPARED = RULEBOOK._prepared
VALUES = {
    "plan": ["free", "team", "enterprise"],
    "region": ["eu", "us", None],
    "vip": [True, False, None],
    "seats": [1, 5, 6, None],
    "floor": [0.5, 0.75, 0.5, None, TenantError("bad", "floor")],
    "approved": [("a",), ("b", "a"), (), None],
}
ROWS = st.lists(st.tuples(*(st.integers(0, len(VALUES[name]) - 1) for name in FIELDS)), max_size=12)


def columns_of(rows):
    columns = {}
    for place, name in enumerate(FIELDS):
        codes = np.array([row[place] for row in rows], np.int64)
        bad = np.array([isinstance(value, TenantError) for value in VALUES[name]])
        columns[name] = Column(codes, VALUES[name], bad[codes])
    return columns


def one_by_one(state):
    """Give the rules that apply with the values they read, or the error of a hard rule that nobody can decide."""
    applying = []
    for rule in PREPARED.rules:
        answer, field = rule.applies(state)
        if answer is None and rule.hard:
            return str(rule.undecided(field))
        if answer:
            applying.append(rule)
    reads = dict.fromkeys([name for rule in applying for name in rule.reads] + ["floor"])
    return tuple(rule.id for rule in applying), {name: state[name] for name in reads}


@settings(max_examples=300, derandomize=True, deadline=None)
@given(ROWS)
def test_groups__are_of_equal_rules_and_values_read(rows):
    columns = columns_of(rows)
    good = np.array([row for row in range(len(rows)) if not columns["floor"].bad[row]], np.int64)
    groups = group_by_policy(PREPARED, columns, good)
    members = [(found.rules, dict(zip(found.reads, values, strict=True))) for found, values in groups.members]
    expected = {
        row: one_by_one({name: column.values[column.codes[row]] for name, column in columns.items()})
        for row in good.tolist()
    }
    assert {row: str(error) for row, error in groups.undecided.items()} == {
        row: found for row, found in expected.items() if isinstance(found, str)
    }
    decided = {row: found for row, found in expected.items() if not isinstance(found, str)}
    assert groups.rows.tolist() == list(decided)
    assert [members[group] for group in groups.group.tolist()] == list(decided.values())
    # Each once, in the order of their first rows.
    assert members == [
        found for place, found in enumerate(decided.values()) if found not in list(decided.values())[:place]
    ]


def test_groups__share_a_rule_set_among_those_to_whom_the_same_rules_apply():
    rows = [(0, 1, 1, 0, place % 2, 2) for place in range(4)]
    members = list(group_by_policy(PREPARED, columns_of(rows), np.arange(4)).members)
    assert [values for _, values in members] == [(0.5,), (0.75,)]
    assert members[0][0] is members[1][0]
