"""One tenant's state to one policy: which rules apply, what each adds, and how their disagreements are settled.

Hard clauses add up. Of two bounds on one offer field the stricter stands. Of two rankings, selectors or failure plans
the one of the most specific rule stands: the rule that tests most tenant fields, then the one of higher priority, then
the one later in the file. Transforms run one after the other in file order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
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


class Compiler:
    """Prepared rules with a memory of what they compiled.

    Parameters
    ----------
    prepared
        the rules
    limit
        most compiled policies to remember, past which the memory starts anew; ``None``: no limit
    """

    def __init__(self, prepared: Prepared, limit: int | None = None) -> None:
        self._prepared = prepared
        self._limit = limit
        self._reads: dict[tuple[int, ...], tuple[str, ...]] = {}
        self._compiled: dict[tuple[tuple[int, ...], tuple[Value, ...]], CompiledPolicy] = {}
        self._policies: dict[str, Policy] = {}

    def compile(self, state: State) -> CompiledPolicy:
        """Compile one checked state.

        States to which the same rules apply, and in which those rules read the same values, give one and the same
        object while it is remembered; policies of equal identity are likewise one object.

        Parameters
        ----------
        state
            every declared field with its value

        Raises
        ------
        TenantError
            where a rule with hard parts turns on an absent field, a part cannot be filled, no rule states a hard
            clause, or the policy would be too large
        """
        applying = [rule for rule in self._prepared.rules if _applies(rule, state)]
        positions = tuple([rule.strength[2] for rule in applying])
        reads = self._reads.get(positions)
        if reads is None:
            reads = self._reads[positions] = tuple(dict.fromkeys(n for rule in applying for n in rule.reads))
        key = (positions, tuple([state[name] for name in reads]))
        known = self._compiled.get(key)
        if known is None:
            if self._limit is not None and len(self._compiled) >= self._limit:
                self._compiled.clear()
                self._policies.clear()
            known = self._compiled[key] = _assembled(self._prepared, applying, state, self._policies)
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
    """A policy in the making: its clauses and their origins by encoding, and how large it is."""

    clauses: dict[str, Node] = field(default_factory=dict)
    origins: dict[str, tuple[Origin, ...]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    size: int = 2
    depth: int = 0

    def add(self, placed: Placed) -> None:
        """Add a hard clause; one that is there already gains origins."""
        node = placed.node
        for clause in node.children if node.op == "and" else (node,):
            encoding = clause.encoding
            known = self.origins.get(encoding)
            self.clauses[encoding] = clause
            self.origins[encoding] = placed.origins if known is None else _merged(known, placed.origins)
        self.count(placed, 2)

    def count(self, placed: Placed, level: int) -> None:
        """Take a placed part into account that hangs `level` levels below the root."""
        self.size += placed.size
        if level + placed.depth > self.depth:
            self.depth = level + placed.depth


def _merged(known: tuple[Origin, ...], more: tuple[Origin, ...]) -> tuple[Origin, ...]:
    return known + tuple([origin for origin in more if origin not in known])


def _assembled(
    prepared: Prepared, applying: Sequence[PreparedRule], state: State, policies: dict[str, Policy]
) -> CompiledPolicy:
    assembly = _Assembly()
    for rule in applying:
        for clause in rule.clauses:
            assembly.add(clause.place(state))
    for bound in _settled_bounds(applying, state, assembly.conflicts):
        assembly.add(bound)
    if not assembly.clauses:
        raise TenantError(
            "no rule says what this tenant may use; a rule that lets every offer through says so by 'require: [[top]]'"
        )
    scorer, selector, plan = (_chosen(key, prepared, applying, state, assembly.conflicts) for key in CHOICES)
    transforms = [rule.transform.place(state) for rule in applying if rule.transform is not None]
    for placed in (scorer, selector, plan):
        assembly.count(placed, 1)
    for placed in transforms:
        assembly.count(placed, 2)
    if assembly.size > MAX_NODES or assembly.depth > MAX_DEPTH:
        raise TenantError(
            f"the policy would have {assembly.size} subterms on {assembly.depth} levels, more than the {MAX_NODES} on "
            f"{MAX_DEPTH} that the language allows"
        )
    filter_ = conjunction(list(assembly.clauses.values()))
    clauses = filter_.children if filter_.op == "and" else (filter_,)
    children = (filter_, scorer.node, selector.node, _sequence([placed.node for placed in transforms]), plan.node)
    return CompiledPolicy(
        _policy(children, prepared.fields, policies),
        {clause.encoding: assembly.origins[clause.encoding] for clause in clauses},
        scorer.origins[0],
        selector.origins[0],
        plan.origins[0],
        tuple([placed.origins[0] for placed in transforms]),
        tuple(assembly.conflicts),
        tuple([rule.id for rule in applying]),
        tuple(_warnings(scorer, clauses)) if scorer.leveled else (),
    )


def _settled_bounds(applying: Sequence[PreparedRule], state: State, conflicts: list[Conflict]) -> Iterator[Placed]:
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
    key: str, prepared: Prepared, applying: Sequence[PreparedRule], state: State, conflicts: list[Conflict]
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


def _policy(children: tuple[Node, ...], fields: Fields, policies: dict[str, Policy]) -> Policy:
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
