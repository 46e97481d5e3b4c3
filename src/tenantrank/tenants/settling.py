"""What stands where rules that apply to one tenant ask for different things, and the record of what gave way.

Of two bounds on one offer field the stricter stands. Of two rankings, selectors or failure plans the one of the most
specific rule stands: the rule that tests most tenant fields, then the one of higher priority, then the one later in the
file. Hard clauses never compete: they add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenantrank.tenants.origin import BoundKind, Choice, Conflict
from tenantrank.tenants.parts import Part, Placed
from tenantrank.tenants.preparing import PreparedRule
from tenantrank.tenants.states import State


def settle_bounds(applying: Sequence[PreparedRule], state: State) -> tuple[list[Placed], list[Conflict]]:
    """Give the strictest floor and ceiling on each offer field, each as often as a rule asks it; and what gave way."""
    stand: list[Placed] = []
    conflicts: list[Conflict] = []
    asked: dict[tuple[BoundKind, str], list[tuple[float, Placed]]] = {}
    for rule in applying:
        for kind, name, part in rule.bounds:
            placed = part.place(state)
            asked.setdefault((kind, name), []).append((placed.node.parameters[-1], placed))
    for (kind, name), bounds in asked.items():
        values = [value for value, _ in bounds]
        strictest = max(values) if kind == "floor" else min(values)
        kept = bounds[values.index(strictest)][1].origins[0]
        for value, placed in bounds:
            if value == strictest:
                stand.append(placed)
            else:
                reason = "the stricter bound stands"
                conflicts.append(Conflict(kind, name, kept, placed.origins[0], strictest, value, reason))
    return stand, conflicts


def by_rank(key: Choice, applying: Sequence[PreparedRule]) -> list[PreparedRule]:
    """Give the rules that make a choice, the most specific one, whose choice stands, first."""
    return sorted((rule for rule in applying if key in rule.choices), key=lambda rule: rule.strength, reverse=True)


def choose(
    key: Choice, applying: Sequence[PreparedRule], defaults: Mapping[Choice, Part], state: State
) -> tuple[Placed, list[Conflict]]:
    """Give what the most specific rule says, or else the default; and the rules that say something else."""
    rivals = by_rank(key, applying)
    if not rivals:
        return defaults[key].place(state), []
    first, *others = rivals
    winner = first.choices[key].place(state)
    conflicts = []
    for rule in others:
        loser = rule.choices[key].place(state)
        if loser.node.encoding != winner.node.encoding:
            texts = winner.node.encoding, loser.node.encoding
            conflicts.append(Conflict(key, None, winner.origins[0], loser.origins[0], *texts, _why(first, rule)))
    return winner, conflicts


def _why(winner: PreparedRule, loser: PreparedRule) -> str:
    if winner.strength[0] != loser.strength[0]:
        return f"more specific, {winner.strength[0]} tenant field(s) against {loser.strength[0]}"
    if winner.strength[1] != loser.strength[1]:
        return f"equally specific, priority {winner.strength[1]} against {loser.strength[1]}"
    return "equally specific, later in the file"
