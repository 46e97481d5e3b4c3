"""Rows of a table to groups of one policy each: the same rules apply to them, and read the same values.

Each test of a condition is put to each distinct value of its column once; all else is done with whole columns of codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from tenantrank.errors import TenantError
from tenantrank.tenants.columns import Codes, Column, group_rows
from tenantrank.tenants.conditions import FieldTest
from tenantrank.tenants.preparing import Prepared, PreparedRule
from tenantrank.tenants.rule_set import RuleSet, Values

_Answers = npt.NDArray[np.int8]
_NO, _UNKNOWN, _YES = 0, 1, 2  # the least of a rule's tests is its answer
_CODE_OF = {False: _NO, None: _UNKNOWN, True: _YES}


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows by what decides their policy.

    Attributes
    ----------
    members : each group's rule set and what it reads, in the order of the groups' first rows; to be gone through once
    rows, group : int64 (m,), the rows whose rules are known, ascending, and the group of each
    undecided : for each other row the error of the first hard rule that turns on a field which the row lacks
    """

    members: Iterator[tuple[RuleSet, Values]]
    rows: Codes
    group: Codes
    undecided: Mapping[int, TenantError]


def group_by_policy(prepared: Prepared, columns: Mapping[str, Column], rows: Codes) -> Groups:
    """Group rows to which the same rules apply, and in which those rules read the same values.

    Parameters
    ----------
    prepared
        the rules
    columns
        every declared field
    rows
        int64, ascending: the rows to group, none of which is bad in any column
    """
    answers = [_answers(rule, columns) for rule in prepared.rules]
    undecided = _undecided(prepared.rules, answers, columns, rows)
    rows = np.setdiff1d(rows, np.fromiter(undecided, np.int64, len(undecided)), assume_unique=True)
    applying = [(answer == _YES).astype(np.int64) for answer in answers]
    of_row, first = group_rows(applying, rows)
    rule_sets = [
        RuleSet(prepared, [position for position, applies in enumerate(applying) if applies[row]])
        for row in first.tolist()
    ]
    used = list(dict.fromkeys(name for rule_set in rule_sets for name in rule_set.reads))
    keys = [of_row]
    for name in used:
        read = np.array([name in rule_set.reads for rule_set in rule_sets])
        keys.append(np.where(read[of_row], _canonical(columns[name])[rows] + 1, 0))
    group, chosen = group_rows(keys, np.arange(len(rows)))
    members = _members([rule_sets[at] for at in of_row[chosen].tolist()], columns, used, rows[chosen])
    return Groups(members, rows, group, undecided)


def _answers(rule: PreparedRule, columns: Mapping[str, Column]) -> _Answers:
    """Say for each row of the table whether a rule applies to it; rows with a bad value are of no account."""
    count = len(next(iter(columns.values())).codes)
    found = np.full(count, _YES, np.int8)
    for test in rule.applies.tests:
        column = columns[test.field]
        of_value = np.array([_answer(test, value) for value in column.values], np.int8)
        np.minimum(found, of_value[column.codes], out=found)
    return found


def _answer(test: FieldTest, value: Any) -> int:
    return _NO if isinstance(value, TenantError) else _CODE_OF[test(value)]


def _undecided(
    rules: Sequence[PreparedRule], answers: Sequence[_Answers], columns: Mapping[str, Column], rows: Codes
) -> dict[int, TenantError]:
    errors: dict[int, TenantError] = {}
    told: dict[tuple[str, str | None], TenantError] = {}
    for rule, answer in zip(rules, answers, strict=True):
        if not rule.hard:
            continue
        for row in rows[answer[rows] == _UNKNOWN].tolist():
            if row in errors:
                continue
            state = {name: columns[name].values[columns[name].codes[row]] for name in rule.applies.fields}
            _, field = rule.applies(state)
            if (rule.id, field) not in told:
                told[rule.id, field] = rule.undecided(field)
            errors[row] = told[rule.id, field]
    return errors


def _canonical(column: Column) -> Codes:
    """Give codes that are equal exactly where the values are: text may spell one number in two ways."""
    place: dict[object, int] = {}
    places = [place.setdefault(value, len(place)) for value in column.values]
    return column.codes if len(place) == len(places) else np.array(places, np.int64)[column.codes]


def _members(
    rule_sets: Sequence[RuleSet], columns: Mapping[str, Column], used: Sequence[str], rows: Codes
) -> Iterator[tuple[RuleSet, Values]]:
    """Give each rule set with what it reads in the row beside it."""
    read: dict[RuleSet, list[int]] = {}
    cells = [[columns[name].values[code] for code in columns[name].codes[rows].tolist()] for name in used]
    for rule_set, state in zip(rule_sets, zip(*cells, strict=True) if cells else repeat(()), strict=False):
        places = read.get(rule_set)
        if places is None:
            places = read[rule_set] = [used.index(name) for name in rule_set.reads]
        yield rule_set, tuple([state[place] for place in places])
