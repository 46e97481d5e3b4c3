"""One tenant's state to one policy: which rules apply, and what they make of the values that they read.

Hard clauses add up, and transforms run one after the other in file order; what else two rules disagree on is settled
first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantrank.policy.policy import Policy
from tenantrank.tenants.origin import Conflict, Origin
from tenantrank.tenants.preparing import Prepared, PreparedRule
from tenantrank.tenants.reasons import Reasons
from tenantrank.tenants.rule_set import RuleSet, Values
from tenantrank.tenants.states import State


class CompiledPolicy:
    """A tenant's policy, and why each part of it is there. Immutable; equal where all of that is.

    The reasons are worked out when first asked for: of a large table, those of a few tenants are.

    Parameters
    ----------
    policy
        the policy
    source, values
        the rules that made it, with what the tenant has in the fields they read; or else the reasons
    """

    __slots__ = ("_policy", "_source", "_values")

    def __init__(self, policy: Policy, source: RuleSet | Reasons, values: Values = ()) -> None:
        self._policy = policy
        self._source = source
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
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that applied, in file order."""
        return self._source.rules

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the policy may not do as its author expects, each one line."""
        return self._reasons.warnings

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
