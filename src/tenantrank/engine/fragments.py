"""What lowering remembers: parts of policies that depend on the catalog's index and the language's version alone.

Policies share most of them, and a part that is known costs a look-up by its encoding.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from tenantrank.policy.normal_form import Node
from tenantrank_kernels import opcodes as op

_MOST_KEPT = 4096
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Form(NamedTuple):
    """A scorer that says no more than a field and how it is looked at: as it is, normalized, from 1, or both.

    Attributes
    ----------
    column : of the field
    part : the scorer as a part of a blend, but for the place of its ends
    mode, alone : where it is the whole scorer of the second version, the kernel that ranks by it and its code; its ends
        are then the program's first
    """

    column: int
    part: int
    mode: int
    alone: tuple[int, ...]


class Fragments:
    """What was lowered before, in one version over one index.

    Attributes
    ----------
    clauses : instructions of clauses without numbers, and how high their stack reaches, by encoding and by how they are
        joined
    leaves : what an atomic condition reads, and where, by encoding
    cuts : the operation of a clause that compares a field, without how it is joined, the field's column, and where the
        number of the clause is noted, by field and relation; the relations that take two comparisons are not among them
    forms : scorers of that kind, by encoding; there are four a field
    """

    __slots__ = ("clauses", "cuts", "forms", "leaves")

    def __init__(self) -> None:
        self.clauses: dict[tuple[str, int], tuple[list[int], int]] = {}
        self.leaves: dict[str, tuple[int, int]] = {}
        self.cuts: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.forms: dict[str, Form] = {}


def keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    """Keep one more value, and give it; what is full starts anew."""
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    kept[key] = value
    return value


def form_of(scorer: Node, position: dict[str, int]) -> Form | None:
    """Give what a scorer comes to by the places of the columns, ``None`` for a scorer of another kind."""
    part, mode = op.PART, op.GREATEST_FIRST
    after: tuple[int, ...] = ()
    if scorer.op == "neg":
        part, mode, after = part | op.REVERSED, op.LEAST_FIRST, (op.NEGATE, 0, 0)
        scorer = scorer.children[0]
    if scorer.op == "normalize":
        part, after = part | op.NORMALIZED, (op.NORMALIZE, 0, 0, *after)
        scorer = scorer.children[0]
    if scorer.op != "field":
        return None
    column = position[scorer.parameters[0]]
    return Form(column, part, mode, (op.FIELD, column, 0, *after))
