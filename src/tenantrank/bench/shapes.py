"""Policies grouped by shape: what differs between the tenants of one shape becomes columns of a table.

One query a shape can then rank all its tenants by a join, which is how a database would be asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Rule, Some, conditions
from tenantrank.bench.workload import Columns, Workload


def provider_bits(columns: Columns) -> npt.NDArray[np.int64]:
    """Give each offer's provider as one set bit: a set of providers is then a number, and membership one and."""
    return np.int64(1) << columns.providers.astype(np.int64)


def mask_of(names: tuple[str, ...], columns: Columns) -> int:
    """Give a set of providers as the bits of `provider_bits`."""
    return sum(1 << code for code in columns.codes(names))


@dataclass
class Constants:
    """The constants of one rule, and the columns that hold them, in the order in which a rule is walked.

    Numbers are columns ``p0``, ``p1`` …; sets of providers ``m0``, ``m1`` …, as bits. A weight of 1 is no constant.
    """

    numbers: list[float] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)

    def number(self, value: float) -> str:
        """Put a number in a column of its own and give the column's name."""
        self.numbers.append(value)
        return f"p{len(self.numbers) - 1}"

    def mask(self, value: int) -> str:
        """Put a set of providers in a column of its own and give the column's name."""
        self.masks.append(value)
        return f"m{len(self.masks) - 1}"

    @classmethod
    def of(cls, rule: Rule, columns: Columns) -> Constants:
        """Collect the constants of a rule: those of its condition, then the weights."""
        found = cls()
        for condition in conditions(rule.condition):
            if isinstance(condition, Compare):
                found.number(condition.bound)
            elif isinstance(condition, OneOf):
                found.mask(mask_of(condition.names, columns))
        for part in rule.parts:
            if part.weight != 1.0:
                found.number(part.weight)
        return found


@dataclass(frozen=True)
class Shape:
    """Tenants whose policies differ in constants only.

    Attributes
    ----------
    rule : one tenant's rule, for its form
    tenants : a table with ``tenant``, the position in the workload (int32), and the constants of each tenant in the
        columns that `Constants` names
    """

    rule: Rule
    tenants: pa.Table


def group_by_shape(work: Workload) -> list[Shape]:
    """Group a workload's policies by shape, in the order of the first of each."""
    groups: dict[str, list[int]] = {}
    for at, rule in enumerate(work.rules):
        parts = [(part.weight == 1.0, part.field, part.reversed) for part in rule.parts]
        groups.setdefault(f"{_outline(rule.condition)} {parts}", []).append(at)
    return [Shape(work.rules[members[0]], _table(work, members)) for members in groups.values()]


def _outline(condition: Condition) -> str:
    match condition:
        case Compare(name, relation, _):
            return f"{name} {relation}"
        case Flag(name):
            return name
        case OneOf():
            return "provider"
        case Not(part):
            return f"not({_outline(part)})"
        case Every(parts) | Some(parts):
            return f"{type(condition).__name__}({', '.join(map(_outline, parts))})"


def _table(work: Workload, members: list[int]) -> pa.Table:
    constants = [Constants.of(work.rules[at], work.columns) for at in members]
    table = {"tenant": pa.array(members, pa.int32())}
    for place in range(len(constants[0].numbers)):
        table[f"p{place}"] = pa.array([each.numbers[place] for each in constants], pa.float64())
    for place in range(len(constants[0].masks)):
        table[f"m{place}"] = pa.array([each.masks[place] for each in constants], pa.int64())
    return pa.table(table)
