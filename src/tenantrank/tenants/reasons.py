"""Why a tenant has each part of its policy, and what gave way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from tenantrank.policy.normal_form import Node, clauses_of, conjunction
from tenantrank.tenants.drafts import CHOICES
from tenantrank.tenants.origin import Choice, Conflict, Origin
from tenantrank.tenants.parts import Part, Placed
from tenantrank.tenants.preparing import PreparedRule
from tenantrank.tenants.settling import choose, settle_bounds
from tenantrank.tenants.states import State


@dataclass(frozen=True, slots=True)
class Reasons:
    """Where every part of one policy comes from; the attributes are those of `CompiledPolicy`, but for two.

    ``never_relaxed`` holds the ids of the rules that are marked `never_relax`; ``absorbed`` the other hard clauses with
    their origins, in normal-form order, where one of them lets no offer pass and the policy has only that.
    """

    origins: Mapping[str, tuple[Origin, ...]]
    preference: Origin
    selector: Origin
    failure_plan: Origin
    transforms: tuple[Origin, ...]
    conflicts: tuple[Conflict, ...]
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    never_relaxed: frozenset[str]
    absorbed: tuple[tuple[Node, tuple[Origin, ...]], ...]

    def __post_init__(self) -> None:
        # Tenants of one state share this object.
        object.__setattr__(self, "origins", MappingProxyType(dict(self.origins)))

    def __reduce__(self) -> tuple[Any, ...]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self), tuple((values | {"origins": dict(self.origins)}).values())


def reasons_of(
    applying: Sequence[PreparedRule], defaults: Mapping[Choice, Part], state: State, clauses: Sequence[Node]
) -> Reasons:
    """Give the reasons behind the policy that rules make of a state.

    Parameters
    ----------
    applying
        the rules that apply, in file order
    defaults
        what stands where no rule makes a choice
    state
        the values of all tenant fields that these read; no part of the rules is refused for it
    clauses
        those of the policy
    """
    bounds, bound_conflicts = settle_bounds(applying, state)
    hard = [clause.place(state) for rule in applying for clause in rule.clauses] + bounds
    origins = origins_in(hard)
    chosen = {key: choose(key, applying, defaults, state) for key in CHOICES}
    preference = chosen["preference"][0]
    return Reasons(
        {clause.encoding: origins[clause.encoding] for clause in clauses},
        preference.origins[0],
        chosen["selector"][0].origins[0],
        chosen["failure_plan"][0].origins[0],
        tuple([rule.transform.place(state).origins[0] for rule in applying if rule.transform is not None]),
        (*bound_conflicts, *(conflict for _, conflicts in chosen.values() for conflict in conflicts)),
        tuple([rule.id for rule in applying]),
        tuple(_warnings(preference, clauses)) if preference.leveled else (),
        frozenset([rule.id for rule in applying if rule.never_relax]),
        tuple([(node, origins[node.encoding]) for node in _absorbed(hard)]) if clauses[0].op == "bot" else (),
    )


def _absorbed(hard: Sequence[Placed]) -> Iterator[Node]:
    """Give in normal-form order what hard clauses there are beside one that lets no offer pass, each once."""
    nodes = {
        node.encoding: node for placed in hard for node in clauses_of(placed.node) if node.op not in ("bot", "top")
    }
    if nodes:
        yield from clauses_of(conjunction(list(nodes.values())))


def origins_in(hard: Sequence[Placed]) -> dict[str, tuple[Origin, ...]]:
    """Give the origins of each clause that hard parts come to, by its encoding, in the order of the parts."""
    origins: dict[str, tuple[Origin, ...]] = {}
    for placed in hard:
        found = placed.origins
        for clause in clauses_of(placed.node):
            known = origins.get(clause.encoding)
            origins[clause.encoding] = found if known is None else _merged(known, found)
    return origins


def _merged(known: tuple[Origin, ...], more: tuple[Origin, ...]) -> tuple[Origin, ...]:
    return known + tuple([origin for origin in more if origin not in known])


def _warnings(preference: Placed, clauses: Sequence[Node]) -> Iterator[str]:
    """Name the fields whose normalized score one survivor of unknown, infinite value would level for all."""
    guarded = {c.parameters[0] for c in clauses if c.op == "cmp" and c.parameters[1] in ("lt", "le", "eq")}
    if any(c.op == "is" and c.parameters[0] == "priced" for c in clauses):
        guarded |= {"price_in", "price_out"}
    for name in sorted(preference.leveled - guarded):
        yield (
            f"{preference.origins[0]}: the ranking normalizes {name}, and nothing keeps offers of unknown {name} out; "
            "one such survivor levels the known values of all others"
        )
