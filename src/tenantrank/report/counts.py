"""Tenants counted by what they win, over any set of them: a rule's, a segment's, everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.report.outcomes import NONE_LEFT, REFUSED, Outcomes
from tenantrank.tenants.columns import read_cells, read_column
from tenantrank.tenants.document import Document, FieldSpec
from tenantrank.tenants.states import Value, parse_cell, parse_value

ABSENT, NOT_ALLOWED = "absent", "a value that the rulebook does not allow"
MOST_FIELDS = 10
"""Tenant fields that make segments in one report, in declared order."""


@dataclass(frozen=True)
class Group:
    """Some tenants, and what they get.

    Attributes
    ----------
    label : what they have in common
    tenants : how many; ranked, none_left and refused are parts of it
    winners : catalog row and tenants of each offer that wins, most tenants first, ties by catalog order
    survivors : fewest and most offers that pass, over those with a policy; ``None`` where nobody has one
    """

    label: str
    tenants: int
    none_left: int
    refused: int
    winners: tuple[tuple[int, int], ...]
    survivors: tuple[int, int] | None

    @property
    def ranked(self) -> int:
        """How many have an offer."""
        return self.tenants - self.none_left - self.refused


@dataclass(frozen=True)
class Segments:
    """One tenant field, and a group for each of its values, most tenants first; of ``values`` the first are kept."""

    field: str
    groups: tuple[Group, ...]
    values: int


def group_of(outcomes: Outcomes, label: str, members: NDArray[np.bool_] | None = None) -> Group:
    """Count what some tenants get; everybody by default."""
    winner = outcomes.winner if members is None else outcomes.winner[members]
    survivors = outcomes.survivors if members is None else outcomes.survivors[members]
    rows, counts = np.unique(winner, return_counts=True)
    found = dict(zip(rows.tolist(), counts.tolist(), strict=True))
    none_left, refused = found.pop(NONE_LEFT, 0), found.pop(REFUSED, 0)
    with_policy = survivors[winner != REFUSED]
    return Group(
        label,
        len(winner),
        none_left,
        refused,
        tuple(sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))),
        (int(with_policy.min()), int(with_policy.max())) if len(with_policy) else None,
    )


def by_rule(outcomes: Outcomes, document: Document) -> tuple[Group, ...]:
    """Count by rule, in file order: a tenant is under each rule that applies to it."""
    fleet = outcomes.fleet
    position = {rule.id: at for at, rule in enumerate(document.rules)}
    applies = np.zeros((len(position), len(fleet.policies) + 1), dtype=bool)
    for at, compiled in enumerate(fleet.policies):
        applies[[position[rule] for rule in compiled.rules], at] = True
    # The last column is that of tenants without a policy, whose index is −1.
    groups = (group_of(outcomes, rule, applies[at, fleet.index]) for rule, at in position.items())
    return tuple(group for group in groups if group.tenants)


def by_rule_set(outcomes: Outcomes, most: int) -> tuple[tuple[Group, ...], int]:
    """Count by the whole set of rules that apply, most tenants first; gives the first sets, and how many there are."""
    return _by_code(outcomes, outcomes.rules, outcomes.rule_sets, most)


def by_segment(outcomes: Outcomes, document: Document, table: pa.Table, most: int) -> tuple[Segments, ...]:
    """Count by each value of the fields that have few: enums, booleans, and strings with their values listed.

    Absence is a value of its own, and so is, together, what the declaration does not allow. At most `MOST_FIELDS`
    fields, of each the ``most`` values with most tenants.
    """
    found = []
    for name in segment_fields(document)[:MOST_FIELDS]:
        codes, labels = _values(table, name, document.fields[name])
        groups, values = _by_code(outcomes, codes, labels, most)
        found.append(Segments(name, groups, values))
    return tuple(found)


def segment_fields(document: Document) -> list[str]:
    """Give the tenant fields by whose values tenants are counted, in declared order."""
    return [
        name
        for name, spec in document.fields.items()
        if spec.type == "boolean" or (spec.values is not None and spec.type != "list")
    ]


def _by_code(
    outcomes: Outcomes, codes: NDArray[np.int32], labels: Sequence[str], most: int
) -> tuple[tuple[Group, ...], int]:
    """Count by code, of which equal labels are one group; negative codes are in none."""
    sizes = np.bincount(codes[codes >= 0], minlength=len(labels))
    chosen = sorted(np.flatnonzero(sizes).tolist(), key=lambda code: (-sizes[code], labels[code]))
    return tuple(group_of(outcomes, labels[code], codes == code) for code in chosen[:most]), len(chosen)


def _values(table: pa.Table, name: str, spec: FieldSpec) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Give the value of a field for each row, as a code and the label of each code."""
    cells = read_cells(table, name)
    parse = parse_cell if cells.are_text else parse_value

    def check(cell: object) -> Value:
        return parse(name, spec, cell, False)

    column = read_column(cells, check)
    # Absence is another thing than a value of that name.
    labels = [_label(value) for value in column.values]
    places = {label: at for at, label in enumerate(dict.fromkeys(labels))}
    of_value = np.array([places[label] for label in labels] or [0], dtype=np.int32)
    codes = of_value[column.codes] if len(column.codes) else np.zeros(0, np.int32)
    return codes, tuple(label for _, label in places)


def _label(value: object) -> tuple[bool, str]:
    """Give whether a value is one that the tenant has, and what it is called."""
    if value is None:
        return False, ABSENT
    if isinstance(value, Exception):
        return False, NOT_ALLOWED
    return True, str(value).lower() if isinstance(value, bool) else str(value)
