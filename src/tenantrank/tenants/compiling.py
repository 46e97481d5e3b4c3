"""One tenant's state to one policy: which rules apply, what each adds, and how their disagreements are settled.

Hard clauses add up. Of two bounds on one offer field the stricter stands. Of two rankings, selectors or failure plans
the one of the most specific rule stands: the rule that tests most tenant fields, then the one of higher priority, then
the one later in the file. Transforms run one after the other in file order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field

from tenantrank.errors import TenantError
from tenantrank.policy.normal_form import Node, conjunction
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import MAX_DEPTH, MAX_NODES, OPS, V2, Fields
from tenantrank.tenants.drafts import CHOICES
from tenantrank.tenants.origin import Conflict, Origin
from tenantrank.tenants.parts import Placed
from tenantrank.tenants.preparing import Prepared, PreparedRule
from tenantrank.tenants.states import State, Value

_SLOTS = OPS[V2]["policy"].slots


@dataclass(frozen=True)
class CompiledPolicy:
    """A tenant's policy, and why each part of it is there.

    Attributes
    ----------
    policy : the policy, as `tenantrank.admit` would give it for its own term
    origins : for the encoding of each of ``policy.clauses`` the origins of that clause, in rule order, at least one
    preference, selector, failure_plan : the origin of each, rule ``defaults`` for what the rulebook's defaults give
    transforms : the origins of what is done to each request, in order; none: nothing is
    conflicts : what rules disagreed on and which stood; a rule overriding the defaults is no conflict
    rules : ids of the rules that applied, in file order
    warnings : what the policy may not do as its author expects, each one line
    """

    policy: Policy
    origins: Mapping[str, tuple[Origin, ...]]
    preference: Origin
    selector: Origin
    failure_plan: Origin
    transforms: tuple[Origin, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Compiled = MutableMapping[tuple[tuple[int, ...], tuple[Value, ...]], CompiledPolicy]
"""Compiled policies by what decides them: the positions of the rules that apply, and the values that those read."""
Policies = MutableMapping[str, Policy]
"""Policies by the encoding of their normal form, so that equal ones are one object."""


def compile_state(prepared: Prepared, state: State, compiled: Compiled, policies: Policies) -> CompiledPolicy:
    """Compile one checked state.

    Parameters
    ----------
    prepared
        the rules
    state
        every declared field with its value
    compiled, policies
        memories to look in first and to add to

    Raises
    ------
    TenantError
        where a rule with hard parts turns on an absent field, a part cannot be filled, no rule states a hard clause, or
        the policy would be too large
    """
    applying = tuple([rule for rule in prepared.rules if _applies(rule, state)])
    read = dict.fromkeys(name for rule in applying for part in rule.parts for name in part.reads)
    key = (tuple([rule.strength[2] for rule in applying]), tuple([state[name] for name in read]))
    known = compiled.get(key)
    if known is None:
        known = compiled[key] = _assembled(prepared, applying, state, policies)
    return known


def _applies(rule: PreparedRule, state: State) -> bool:
    answer, turning_on = rule.applies(state)
    if answer is None and rule.hard:
        raise TenantError(
            f"rule {rule.id!r} turns on {turning_on!r}, which the tenant lacks, and does not say what absence means",
            turning_on,
            rule.id,
        )
    return answer is True


@dataclass(slots=True)
class _Assembly:
    """A policy in the making."""

    clauses: dict[str, Node] = field(default_factory=dict)
    origins: dict[str, list[Origin]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    size: int = 2
    depth: int = 0

    def add(self, placed: Placed) -> None:
        """Add a hard clause; one that is there already gains origins."""
        node = placed.node
        for clause in node.children if node.op == "and" else (node,):
            if clause.encoding not in self.clauses:
                self.clauses[clause.encoding] = clause
                self.origins[clause.encoding] = []
            self.origins[clause.encoding].extend(placed.origins)
        self.count(placed, 2)

    def count(self, placed: Placed, level: int) -> None:
        """Take a placed part into account that hangs `level` levels below the root."""
        self.size += placed.size
        self.depth = max(self.depth, level + placed.depth)


def _assembled(
    prepared: Prepared, applying: tuple[PreparedRule, ...], state: State, policies: Policies
) -> CompiledPolicy:
    assembly = _Assembly()
    for rule in applying:
        for clause in rule.clauses:
            assembly.add(clause.place(state))
    for placed in _settled_bounds(applying, state, assembly.conflicts):
        assembly.add(placed)
    if not assembly.clauses:
        raise TenantError(
            "no rule says what this tenant may use; a rule that lets every offer through says so by 'require: [[top]]'"
        )
    chosen = {key: _chosen(key, prepared, applying, state, assembly.conflicts) for key in CHOICES}
    transforms = [rule.transform.place(state) for rule in applying if rule.transform is not None]
    for placed in (*chosen.values(), *transforms):
        assembly.count(placed, 1 if placed not in transforms else 2)
    if assembly.size > MAX_NODES or assembly.depth > MAX_DEPTH:
        raise TenantError(
            f"the policy would have {assembly.size} subterms on {assembly.depth} levels, more than the {MAX_NODES} on "
            f"{MAX_DEPTH} that the language allows"
        )
    filter_ = conjunction(list(assembly.clauses.values()))
    scorer, selector, plan = (chosen[key].node for key in CHOICES)
    children = (filter_, scorer, selector, _sequence([placed.node for placed in transforms]), plan)
    clauses = filter_.children if filter_.op == "and" else (filter_,)
    return CompiledPolicy(
        _policy(children, prepared.fields, policies),
        {clause.encoding: tuple(dict.fromkeys(assembly.origins[clause.encoding])) for clause in clauses},
        chosen["preference"].origins[0],
        chosen["selector"].origins[0],
        chosen["failure_plan"].origins[0],
        tuple(placed.origins[0] for placed in transforms),
        tuple(assembly.conflicts),
        tuple(rule.id for rule in applying),
        tuple(_warnings(chosen["preference"], clauses)),
    )


def _settled_bounds(applying: tuple[PreparedRule, ...], state: State, conflicts: list[Conflict]) -> Iterator[Placed]:
    """Give the strictest bounds on each offer field, every one that is as strict; note what gave way."""
    asked: dict[tuple[str, str], list[tuple[float, Placed]]] = {}
    for rule in applying:
        for kind, name, part in rule.bounds:
            placed = part.place(state)
            asked.setdefault((kind, name), []).append((placed.node.parameters[-1], placed))
    for (kind, name), bounds in asked.items():
        strictest = (max if kind == "floor" else min)(value for value, _ in bounds)
        kept = next(placed.origins[0] for value, placed in bounds if value == strictest)
        for value, placed in bounds:
            if value == strictest:
                yield placed
            else:
                reason = "the stricter bound stands"
                conflicts.append(Conflict(kind, name, kept, placed.origins[0], strictest, value, reason))  # type: ignore[arg-type]


def _chosen(
    key: str, prepared: Prepared, applying: tuple[PreparedRule, ...], state: State, conflicts: list[Conflict]
) -> Placed:
    """Give what the most specific rule says; note the others that say something else."""
    rivals = sorted((rule for rule in applying if key in rule.choices), key=lambda rule: rule.strength, reverse=True)
    if not rivals:
        return prepared.defaults[key].place(state)
    winner = rivals[0].choices[key].place(state)
    for rule in rivals[1:]:
        loser = rule.choices[key].place(state)
        if loser.node.encoding != winner.node.encoding:
            reason = _why(rivals[0], rule)
            kept, dropped = winner.origins[0], loser.origins[0]
            values = winner.node.encoding, loser.node.encoding
            conflicts.append(Conflict(key, None, kept, dropped, *values, reason))  # type: ignore[arg-type]
    return winner


def _why(winner: PreparedRule, loser: PreparedRule) -> str:
    if winner.strength[0] != loser.strength[0]:
        return f"more specific, {winner.strength[0]} tenant field(s) against {loser.strength[0]}"
    if winner.strength[1] != loser.strength[1]:
        return f"equally specific, priority {winner.strength[1]} against {loser.strength[1]}"
    return "equally specific, later in the file"


def _sequence(nodes: list[Node]) -> Node:
    steps = [step for node in nodes for step in (node.children if node.op == "seq" else (node,)) if step.op != "id"]
    if not steps:
        return Node("id", "(id)")
    if len(steps) == 1:
        return steps[0]
    return Node("seq", f"(seq {' '.join(step.encoding for step in steps)})", tuple(steps))


def _policy(children: tuple[Node, ...], fields: Fields, policies: Policies) -> Policy:
    encoding = f"(policy {' '.join([child.encoding for child in children])})"
    known = policies.get(encoding)
    if known is None:
        known = policies[encoding] = Policy(V2, "Policy", Node("policy", encoding, children, (), _SLOTS), fields)
    return known


def _warnings(preference: Placed, clauses: tuple[Node, ...]) -> Iterator[str]:
    """Name the fields whose normalized score one survivor of unknown, infinite value would level for all."""
    guarded = {c.parameters[0] for c in clauses if c.op == "cmp" and c.parameters[1] in ("lt", "le", "eq")}
    if any(c.op == "is" and c.parameters[0] == "priced" for c in clauses):
        guarded |= {"price_in", "price_out"}
    for name in sorted(preference.leveled - guarded):
        yield (
            f"{preference.origins[0]}: the ranking normalizes {name}, and nothing keeps offers of unknown {name} out; "
            "one such survivor levels the known values of all others"
        )
