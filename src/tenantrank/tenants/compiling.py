"""One tenant's state to one policy: which rules apply, and what they make of the values that they read.

Hard clauses add up, and transforms run one after the other in file order; what else two rules disagree on is settled
first.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from tenantrank.errors import RulebookError
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Placed, Policy
from tenantrank.tenants.hard_clauses import HardClause, hard_clauses_of
from tenantrank.tenants.nearest import hint
from tenantrank.tenants.origin import Conflict, Origin
from tenantrank.tenants.preparing import Prepared, PreparedRule
from tenantrank.tenants.reasons import Reasons
from tenantrank.tenants.rule_set import RuleSet, Values
from tenantrank.tenants.states import State


class CompiledPolicy(Placed):
    """A tenant's policy, and why each part of it is there. Immutable; equal where all of that is.

    The reasons are worked out when first asked for: of a large table, those of a few tenants are.

    Parameters
    ----------
    policy
        the policy
    source, values
        the rules that made it, with what the tenant has in the fields they read; or else the reasons
    """

    __slots__ = ("_policy", "_rule_set", "_source", "_values")

    def __init__(self, policy: Policy, source: RuleSet | Reasons, values: Values = ()) -> None:
        self._policy = policy
        self._source = source
        self._rule_set = source if isinstance(source, RuleSet) else None
        self._values = values

    @property
    def policy(self) -> Policy:
        """The policy, as `tenantrank.admit` would give it for its own term."""
        return self._policy

    @property
    def origins(self) -> Mapping[str, tuple[Origin, ...]]:
        """For the encoding of each of ``policy.clauses`` the origins of that clause, in rule order, at least one;
        read-only.
        """
        return self._reasons.origins

    def origins_of(self, clauses: Sequence[Node]) -> Mapping[str, tuple[Origin, ...]]:
        """Give the part of `origins` for some of the policy's clauses, without the work for all of them.

        Nodes that are no clauses of the policy are left out.
        """
        source = self._source
        if isinstance(source, RuleSet):
            return source.origins(self._values, {clause.encoding for clause in clauses})
        known = source.origins
        return {clause.encoding: known[clause.encoding] for clause in clauses if clause.encoding in known}

    @property
    def preference(self) -> Origin:
        """The origin of the preference, rule ``defaults`` for what the rulebook's defaults give."""
        source = self._source
        return source.preference(self._values) if isinstance(source, RuleSet) else source.preference

    @property
    def selector(self) -> Origin:
        """The origin of the selector, likewise."""
        return self._reasons.selector

    @property
    def failure_plan(self) -> Origin:
        """The origin of the failure plan, likewise."""
        return self._reasons.failure_plan

    @property
    def transforms(self) -> tuple[Origin, ...]:
        """The origins of what is done to each request, in order; none: nothing is."""
        return self._reasons.transforms

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """What rules disagreed on and which stood; a rule overriding the defaults is no conflict."""
        return self._reasons.conflicts

    @property
    def hard_clauses(self) -> tuple[HardClause, ...]:
        """The clauses of ``policy``, in its order, each with its origins and how far it may give way.

        Where a rule asks for what no offer passes (`bot`), that is the policy's one clause; the others that the rules
        ask for then follow it, since they stand once it is gone.
        """
        reasons = self._reasons
        own = [(clause, reasons.origins[clause.encoding]) for clause in self._policy.clauses]
        return hard_clauses_of([*own, *reasons.absorbed], reasons.conflicts, reasons.never_relaxed)

    @property
    def never_relax(self) -> frozenset[str]:
        """Encodings of the hard clauses that a rule marked `never_relax` asks for."""
        return frozenset([clause.node.encoding for clause in self.hard_clauses if clause.never_relax])

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that applied, in file order."""
        return self._source.rules

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the policy may not do as its author expects, each one line."""
        return self._reasons.warnings

    def without(self, rule: str, known: MutableMapping[str, Policy] | None = None) -> CompiledPolicy:
        """Compile the same tenant by the rulebook without one of the rules that applied.

        What had given way to that rule stands again: a bound, a preference, a selector, a failure plan.

        Parameters
        ----------
        rule
            its id
        known
            policies by identity, of which one is taken where it is the same, and to which it is added where not

        Raises
        ------
        TenantError
            where the tenant would be refused without it, as where no other rule says what it may use
        RulebookError
            for a rule that did not apply, and for a policy that was pickled, which left its rulebook behind
        """
        if rule not in self.rules:
            raise RulebookError(f"rule {rule!r} does not apply to this tenant{hint(rule, self.rules)}")
        if self._rule_set is None:
            raise RulebookError("a policy that was pickled cannot be compiled again without one of its rules")
        fewer = self._rule_set.without(rule)
        state = dict(zip(self._rule_set.reads, self._values, strict=True))
        values = tuple([state[name] for name in fewer.reads])
        return CompiledPolicy(fewer.policy(values, {} if known is None else known), fewer, values)

    @property
    def _reasons(self) -> Reasons:
        source = self._source
        if isinstance(source, RuleSet):
            source = self._source = source.reasons(self._values, self._policy)
        return source

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompiledPolicy):
            return NotImplemented
        return self._policy == other._policy and self._reasons == other._reasons

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self.rules)}: {self._policy!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._policy, self._reasons)


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
        self._rule_sets: dict[tuple[int, ...], RuleSet] = {}
        self._compiled: dict[tuple[tuple[int, ...], Values], CompiledPolicy] = {}
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
        positions = tuple([rule.strength[2] for rule in self._prepared.rules if _applies(rule, state)])
        rule_set = self._rule_sets.get(positions)
        if rule_set is None:
            self._forget(len(self._rule_sets))
            rule_set = self._rule_sets[positions] = RuleSet(self._prepared, positions)
        values = tuple([state[name] for name in rule_set.reads])
        known = self._compiled.get((positions, values))
        if known is None:
            self._forget(len(self._compiled))
            policy = rule_set.policy(values, self._policies)
            known = self._compiled[positions, values] = CompiledPolicy(policy, rule_set, values)
        return known

    def _forget(self, remembered: int) -> None:
        if self._limit is not None and remembered >= self._limit:
            self._rule_sets.clear()
            self._compiled.clear()
            self._policies.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._prepared, self._limit)


def _applies(rule: PreparedRule, state: State) -> bool:
    answer, turning_on = rule.applies(state)
    if answer is None and rule.hard:
        raise rule.undecided(turning_on)
    return answer is True
