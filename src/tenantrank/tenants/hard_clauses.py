"""The hard clauses that rules ask of one tenant, and how far each of them may ever give way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tenantrank.policy.normal_form import Node
from tenantrank.tenants.drafts import BOUNDS
from tenantrank.tenants.origin import Conflict, Origin


@dataclass(frozen=True, slots=True)
class WeakerBound:
    """A bound that gave way to a stricter one: its value, its origin, and whether its rule is marked `never_relax`."""

    value: float
    origin: Origin
    never_relax: bool


@dataclass(frozen=True, slots=True)
class HardClause:
    """One hard clause.

    Attributes
    ----------
    node : its normal form
    origins : the rules that ask for it, in rule order, at least one
    never_relax : whether one of them is marked so: no suggestion may touch the clause
    weaker : of a floor or ceiling, the bounds that gave way to it, strictest first; they stand once it is gone
    """

    node: Node
    origins: tuple[Origin, ...]
    never_relax: bool
    weaker: tuple[WeakerBound, ...] = ()

    @property
    def furthest(self) -> WeakerBound | None:
        """The weaker bound past which this one may not move, ``None`` where no rule marked `never_relax` sets one."""
        return next((bound for bound in self.weaker if bound.never_relax), None)


def hard_clauses_of(
    clauses: Iterable[tuple[Node, tuple[Origin, ...]]], conflicts: Sequence[Conflict], never_relax: frozenset[str]
) -> tuple[HardClause, ...]:
    """Give hard clauses with what is known of each.

    Parameters
    ----------
    clauses
        normal forms with their origins
    conflicts
        what rules disagreed on
    never_relax
        ids of the rules marked so
    """
    weaker = _weaker(conflicts, never_relax)
    return tuple(
        HardClause(
            node,
            origins,
            any(origin.rule in never_relax for origin in origins),
            weaker.get(node.parameters, ()) if node.op == "cmp" else (),
        )
        for node, origins in clauses
    )


def _weaker(
    conflicts: Sequence[Conflict], never_relax: frozenset[str]
) -> Mapping[tuple[object, ...], tuple[WeakerBound, ...]]:
    """Give the bounds that gave way, strictest first, by the parameters of the `cmp` that stands."""
    found: dict[tuple[object, ...], list[WeakerBound]] = {}
    for conflict in conflicts:
        relation = next((relation for kind, relation in BOUNDS.items() if kind == conflict.kind), None)
        if relation is not None and isinstance(conflict.dropped_value, float):
            bound = WeakerBound(conflict.dropped_value, conflict.dropped, conflict.dropped.rule in never_relax)
            found.setdefault((conflict.field, relation, conflict.kept_value), []).append(bound)
    return {
        kept: tuple(sorted(bounds, key=lambda bound: bound.value, reverse=kept[1] == "ge"))
        for kept, bounds in found.items()
    }
