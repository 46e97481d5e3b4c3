"""Which offers each clause of a filter could be made to let through, and what stands in the way of the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine import Engine, Explanation, Request
from tenantrank.engine.stated import Stated
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import V1
from tenantrank.tenants import Origin
from tenantrank.tenants.hard_clauses import HardClause

Why = Literal["envelope", "never_relax", "limit", "unknown", "assumed"]
"""What keeps a clause from giving way to an offer: it is the operator's, or of a rule that is never relaxed, or its
bound would have to move past one of such a rule, or the offer states no value for it to move to, or it would then let
through what states none.
"""
Flags = NDArray[np.bool_]
Doubles = NDArray[np.float64]

_SIDES = {"le": ("most", False), "lt": ("most", True), "ge": ("least", False), "gt": ("least", True)}
_OTHER = {"most": "least", "least": "most"}


@dataclass(frozen=True, slots=True)
class Bound:
    """What a clause says that bounds a Num field from one side: the most or the least that it may be.

    ``strict`` says that the value itself is not let through.
    """

    field: str
    side: str
    value: float
    strict: bool

    @classmethod
    def of(cls, node: Node) -> Bound | None:
        """Read a `cmp`, or a `not` of one, that bounds its field; ``None`` for any other clause."""
        inverted = node.op == "not"
        inner = node.children[0] if inverted else node
        if inner.op != "cmp" or inner.parameters[1] not in _SIDES:
            return None
        field, relation, value = inner.parameters
        side, strict = _SIDES[relation]
        return cls(field, _OTHER[side] if inverted else side, value, strict is not inverted)

    def past(self, values: Doubles, limit: float) -> Flags:
        """Say which values lie past a limit on the side that the bound keeps out."""
        with np.errstate(invalid="ignore"):
            found: Flags = values > limit if self.side == "most" else values < limit
        return found

    def lets_through(self, value: float) -> bool:
        """Say whether a value passes."""
        if value == self.value:
            return not self.strict
        return value < self.value if self.side == "most" else value > self.value


@dataclass(frozen=True, eq=False)
class Held:
    """One clause of the filter that decides, over the whole catalog.

    Attributes
    ----------
    clause : with its origins and what weaker bounds gave way to it
    fails : (offers,), which offers fail it
    fixed : whether it is one of the operator's envelope or of a rule that is never relaxed, and which; else ``None``
    bound : what it bounds, ``None`` for a clause that is dropped to give way
    values : (offers,), of a bound, what it observes; NaN where nothing is stated
    unknown : of a bound, what a policy takes an unknown value for
    """

    clause: HardClause
    fails: Flags
    fixed: Why | None = None
    bound: Bound | None = None
    values: Doubles | None = None
    unknown: float = math.nan

    @cached_property
    def _obstacles(self) -> dict[Why, Flags]:
        """(offers,) each, which offers fail it and would whatever is made of it, by what is in the way."""
        if self.fixed is not None:
            return {self.fixed: self.fails}
        bound, values = self.bound, self.values
        if bound is None or values is None:
            return {}
        found: dict[Why, Flags] = {"unknown": self.fails & np.isnan(values)}
        if (furthest := self.clause.furthest) is not None:
            found["limit"] = self.fails & bound.past(values, furthest.value)
        if not bound.lets_through(self.unknown):
            found["assumed"] = self.fails & (bound.past(values, self.unknown) | (values == self.unknown))
        return found

    @cached_property
    def blocks(self) -> Flags:
        """(offers,), which offers fail it and would fail whatever is made of it."""
        found: Flags = np.zeros(len(self.fails), dtype=bool)
        for flags in self._obstacles.values():
            found = found | flags
        return found

    def why(self, offers: Flags) -> tuple[Why, ...]:
        """Say why it gives way to none of some offers that it blocks."""
        return tuple(reason for reason, flags in self._obstacles.items() if (flags & offers).any())

    @cached_property
    def moves(self) -> tuple[Doubles, Doubles]:
        """(offers,) each, how far the bound would have to move: relative to its value, and as it is.

        0 for an offer that passes and for a clause that is dropped; relative to a bound of 0 it is infinite.
        """
        if self.bound is None or self.values is None:
            return np.zeros(len(self.fails)), np.zeros(len(self.fails))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            far = np.where(self.fails & ~self.blocks, np.abs(self.values - self.bound.value), 0.0)
            relative = np.where(far > 0.0, far / abs(self.bound.value), 0.0)
        # A bound that excludes its own value moves by nothing to admit it, and yet has to move.
        return relative, far

    def admits(self, to: Doubles) -> Flags:
        """(offers,), which offers pass, or would with the bound at a value given for each."""
        if self.bound is None or self.values is None:
            return np.ones(len(self.fails), dtype=bool)
        with np.errstate(invalid="ignore"):
            within: Flags = self.values <= to if self.bound.side == "most" else self.values >= to
        found: Flags = ~self.fails | within
        return found


def held_clauses(
    engine: Engine,
    policy: Policy,
    hard: Sequence[HardClause],
    request: Request,
    origins: Mapping[str, tuple[Origin, ...]],
    with_clauses: Callable[[Sequence[Node]], Policy],
) -> tuple[list[Held], Explanation]:
    """Give the clauses that decide on offers under an engine, the envelope's among them, in the order tried.

    With them comes what they say of each offer, a `bot` left out.

    Parameters
    ----------
    engine, policy, request
        what was ranked
    hard
        the clauses of the policy, each once; of one with a `bot` also those that the `bot` absorbed
    origins
        of the policy's clauses
    with_clauses
        gives the policy that has just these clauses
    """
    # One that lets nothing through would absorb the others.
    absorbing = [clause for clause in hard if clause.node.op == "bot"]
    explained = with_clauses([clause.node for clause in hard if clause.node.op != "bot"])
    explanation = engine.explain(explained, request, origins)
    known = engine.stated(policy.version, request)
    by_encoding = {clause.node.encoding: clause for clause in hard}
    envelope = () if engine.envelope is None else clauses_of(engine.envelope.root)
    # A policy of the first version has the envelope's clauses before its own; one of the second has one set of them.
    apart = len(envelope) if policy.version == V1 else 0
    operators = {} if apart else {node.encoding: node for node in envelope}
    found: dict[tuple[bool, str], Held] = {}
    for at, (clause, fails) in enumerate(zip(explanation.clauses, explanation.failing, strict=True)):
        code = clause.encoding
        if at < apart or code in operators:
            node = envelope[at] if at < apart else operators[code]
            found.setdefault((True, code), Held(HardClause(node, clause.origins, False), fails, "envelope"))
        elif code in by_encoding:
            one = by_encoding[code]
            found.setdefault((False, code), _own(one, fails, known))
    nothing = np.ones(len(engine.catalog), dtype=bool)
    rejecting = [_own(one, nothing, known) for one in absorbing]
    return [*found.values(), *rejecting], explanation


def _own(clause: HardClause, fails: Flags, known: Stated) -> Held:
    if clause.never_relax:
        return Held(clause, fails, "never_relax")
    bound = Bound.of(clause.node)
    if bound is None:
        return Held(clause, fails)
    unknown = float(known.view.index.catalog.fields[bound.field].default)
    return Held(clause, fails, None, bound, _values(known, bound.field), unknown)


def _values(known: Stated, field: str) -> Doubles:
    """Give a Num field as a policy reads it, (offers,), NaN where nothing is known or the value is infinite."""
    values = known.view.values(field)
    there = known.view.index.unpack(known.known(("field", field)))
    return np.where(there & np.isfinite(values), values, math.nan)
