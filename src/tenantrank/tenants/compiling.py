"""One tenant's state to one policy: which rules apply, what each adds, and where every part of the policy comes from.

Hard clauses add up, and transforms run one after the other in file order; what else two rules disagree on is settled
first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from tenantrank.errors import TenantError
from tenantrank.policy.normal_form import Node, clauses_of, conjunction
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import MAX_DEPTH, MAX_NODES, OPS, V2
from tenantrank.tenants.drafts import CHOICES
from tenantrank.tenants.origin import Conflict, Origin
from tenantrank.tenants.parts import Placed, measure
from tenantrank.tenants.preparing import Prepared, PreparedRule
from tenantrank.tenants.settling import choose, settle_bounds
from tenantrank.tenants.states import State, Value

_SLOTS = OPS[V2]["policy"].slots

_Key = tuple[tuple[int, ...], tuple[Value, ...]]
"""What decides a policy: the positions of the rules that apply, and the values that those read."""


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A tenant's policy, and why each part of it is there.

    Attributes
    ----------
    policy : the policy, as `tenantrank.admit` would give it for its own term
    origins : for the encoding of each of ``policy.clauses`` the origins of that clause, in rule order, at least one;
        read-only
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

    def __post_init__(self) -> None:
        # Tenants of one state share this object.
        object.__setattr__(self, "origins", MappingProxyType(dict(self.origins)))

    def __reduce__(self) -> tuple[Any, ...]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self), tuple((values | {"origins": dict(self.origins)}).values())


@dataclass(frozen=True, slots=True)
class _Clauses:
    """Hard clauses by encoding with their origins, and the subterms and levels that they may come to at most."""

    nodes: dict[str, Node]
    origins: dict[str, tuple[Origin, ...]]
    size: int
    depth: int

    def with_(self, more: Sequence[Placed]) -> _Clauses:
        """Give these and more; a clause that is there already gains origins."""
        nodes, origins = dict(self.nodes), dict(self.origins)
        size, depth = self.size, self.depth
        for placed in more:
            for clause in clauses_of(placed.node):
                known = origins.get(clause.encoding)
                nodes[clause.encoding] = clause
                origins[clause.encoding] = placed.origins if known is None else _merged(known, placed.origins)
            size += placed.size
            depth = max(depth, placed.depth)
        return _Clauses(nodes, origins, size, depth)


@dataclass(frozen=True, slots=True)
class _Unbounded:
    """A policy but for its floors and ceilings, which vary most between tenants."""

    clauses: _Clauses
    preference: Placed
    selector: Placed
    failure_plan: Placed
    transform: Node
    transforms: tuple[Origin, ...]
    conflicts: tuple[Conflict, ...]


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
        self._defaults_read = dict.fromkeys(name for part in prepared.defaults.values() for name in part.reads)
        self._reads: dict[tuple[int, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._unbounded: dict[_Key, _Unbounded] = {}
        self._compiled: dict[_Key, CompiledPolicy] = {}
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
            reads = self._reads[positions] = self._fields_read(applying)
        key = (positions, tuple([state[name] for name in reads[0]]))
        known = self._compiled.get(key)
        if known is None:
            if self._limit is not None and len(self._compiled) >= self._limit:
                for memory in (self._compiled, self._unbounded, self._policies):
                    memory.clear()
            key_unbounded = (positions, tuple([state[name] for name in reads[1]]))
            unbounded = self._unbounded.get(key_unbounded)
            if unbounded is None:
                unbounded = self._unbounded[key_unbounded] = _unbounded(self._prepared, applying, state)
            known = self._compiled[key] = self._bounded(unbounded, applying, state)
        return known

    def _bounded(self, unbounded: _Unbounded, applying: Sequence[PreparedRule], state: State) -> CompiledPolicy:
        bounds, conflicts = settle_bounds(applying, state)
        stated = unbounded.clauses.with_(bounds)
        if not stated.nodes:
            raise TenantError(
                "no rule says what this tenant may use; a rule that lets every offer through says 'require: [[top]]'"
            )
        filter_ = conjunction(list(stated.nodes.values()))
        plan = unbounded.failure_plan.node
        children = (filter_, unbounded.preference.node, unbounded.selector.node, unbounded.transform, plan)
        policy = self._policy(children)
        if stated.size > MAX_NODES or stated.depth > MAX_DEPTH:
            _check_size(policy)
        return CompiledPolicy(
            policy,
            {clause.encoding: stated.origins[clause.encoding] for clause in policy.clauses},
            unbounded.preference.origins[0],
            unbounded.selector.origins[0],
            unbounded.failure_plan.origins[0],
            unbounded.transforms,
            (*conflicts, *unbounded.conflicts),
            tuple([rule.id for rule in applying]),
            tuple(_warnings(unbounded.preference, policy.clauses)) if unbounded.preference.leveled else (),
        )

    def _fields_read(self, applying: Sequence[PreparedRule]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Give the tenant fields that decide the policy of these rules, and those that decide all of it but bounds."""
        every = dict.fromkeys(name for rule in applying for name in rule.reads)
        unbounded = dict.fromkeys(name for rule in applying for name in rule.reads_unbounded)
        return tuple(every | self._defaults_read), tuple(unbounded | self._defaults_read)

    def _policy(self, children: tuple[Node, ...]) -> Policy:
        encoding = f"(policy {' '.join([child.encoding for child in children])})"
        known = self._policies.get(encoding)
        if known is None:
            root = Node("policy", encoding, children, (), _SLOTS)
            known = self._policies[encoding] = Policy(V2, "Policy", root, self._prepared.fields)
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


def _unbounded(prepared: Prepared, applying: Sequence[PreparedRule], state: State) -> _Unbounded:
    clauses = _Clauses({}, {}, 0, 0).with_([clause.place(state) for rule in applying for clause in rule.clauses])
    chosen = {key: choose(key, applying, prepared.defaults, state) for key in CHOICES}
    transforms = [rule.transform.place(state) for rule in applying if rule.transform is not None]
    others = [placed for placed, _ in chosen.values()] + transforms
    return _Unbounded(
        # Two levels and two subterms for what holds the parts together: the policy, and an `and` or a `seq`.
        _Clauses(
            clauses.nodes,
            clauses.origins,
            clauses.size + 3 + sum(placed.size for placed in others),
            2 + max(clauses.depth, *(placed.depth for placed in others)),
        ),
        chosen["preference"][0],
        chosen["selector"][0],
        chosen["failure_plan"][0],
        _sequence([placed.node for placed in transforms]),
        tuple(placed.origins[0] for placed in transforms),
        tuple(conflict for _, conflicts in chosen.values() for conflict in conflicts),
    )


def _merged(known: tuple[Origin, ...], more: tuple[Origin, ...]) -> tuple[Origin, ...]:
    return known + tuple([origin for origin in more if origin not in known])


def _sequence(nodes: list[Node]) -> Node:
    steps = [step for node in nodes for step in (node.children if node.op == "seq" else (node,)) if step.op != "id"]
    if not steps:
        return Node("id", "(id)")
    if len(steps) == 1:
        return steps[0]
    return Node("seq", f"(seq {' '.join(step.encoding for step in steps)})", tuple(steps))


def _check_size(policy: Policy) -> None:
    size, depth = measure(policy.root)
    if size > MAX_NODES or depth > MAX_DEPTH:
        raise TenantError(
            f"the policy would have {size} subterms on {depth} levels, more than the {MAX_NODES} on {MAX_DEPTH} "
            "that the language allows"
        )


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
