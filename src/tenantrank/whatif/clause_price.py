"""The price of a clause: what one tenant's choice would be without one of its clauses, or without one of its rules.

Everything is ranked again by the engine with one thing left out. A difference in cost is that of the two winners, for
one mix of tokens: the cost with the clause minus the cost without, so that what makes a tenant's choice dearer is above
zero, and what makes it cheaper, as a ceiling may, below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.engine import Engine, Request
from tenantrank.engine.envelope import ORIGIN
from tenantrank.engine.given import parts_of, request_of
from tenantrank.errors import TenantError
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node, clauses_of, conjunction
from tenantrank.policy.policy import Policy, admit, admit_term
from tenantrank.tenants import CompiledPolicy, Origin
from tenantrank.tenants.origin import attributed
from tenantrank.whatif.left_out import LeftOut, dearest
from tenantrank.whatif.winner import Winner, winners


@dataclass(frozen=True, slots=True)
class Returning:
    """A clause that had given way to another, and stands once that is left out."""

    encoding: str
    words: str
    origins: tuple[Origin, ...]

    def __str__(self) -> str:
        return attributed(self.words, self.origins)


@dataclass(frozen=True, slots=True)
class ClausePrice(LeftOut):
    """One clause of the effective filter, and what wins without it.

    Attributes
    ----------
    encoding : its canonical text; words : the same as a line of plain English
    origins : the rules that asked for it; empty for a policy that no rulebook compiled
    enveloped : whether it is left out of the operator's envelope, and not of the tenant's policy
    returns : the clauses that stand in its place when it is left out: the next strictest bound in place of a floor or
        ceiling, and all that rules ask for besides in place of a `bot`, which lets no offer pass
    """

    encoding: str
    words: str
    origins: tuple[Origin, ...]
    enveloped: bool = False
    returns: tuple[Returning, ...] = ()

    def __str__(self) -> str:
        return attributed(self.words, self.origins)


@dataclass(frozen=True, slots=True)
class RulePrice(LeftOut):
    """One rule that applies to a tenant, and what wins where it does not.

    Attributes
    ----------
    rule : its id
    gives : the choices of the policy that are this rule's: of ``preference``, ``selector``, ``failure_plan``. A rule
        that gives the preference may be meant to cost, as where premium pays for the best answer
    refused : why the tenant has no policy without it; ``None`` where it has one
    """

    rule: str
    gives: tuple[str, ...] = ()
    refused: str | None = None

    @property
    def ranks(self) -> bool:
        """Whether the tenant's preference or selector is this rule's."""
        return "preference" in self.gives or "selector" in self.gives


@dataclass(frozen=True, slots=True)
class ClausePrices:
    """What each clause and each rule costs one tenant.

    Attributes
    ----------
    now : the winner as things are
    clauses : the policy's clauses in the order tried, then the envelope's
    rules : the rules that apply, in file order; none for a policy that no rulebook compiled
    tokens : the mix that costs are for
    """

    now: Winner
    clauses: tuple[ClausePrice, ...]
    rules: tuple[RulePrice, ...]
    tokens: Tokens

    def dearest_clauses(self) -> list[ClausePrice]:
        """Give the clauses, dearest first, in the order of `dearest`."""
        return dearest(self.clauses)

    def dearest_rules(self) -> list[RulePrice]:
        """Give the rules, dearest first, in the order of `dearest`."""
        return dearest(self.rules)


def clause_prices(
    engine: Engine,
    policy: Policy | CompiledPolicy,
    request: Mapping[str, Any] | Request | None = None,
    tokens: Tokens | None = None,
    seed: int | None = None,
    envelope: bool = False,
) -> ClausePrices:
    """Leave out each clause and each rule of one tenant's policy in turn, and rank again.

    Leaving out a clause is to ask for it nowhere in the policy, whichever rules do. What had given way to it stands
    then: of floors and ceilings, which `CompiledPolicy.conflicts` records, the strictest. Leaving out a rule is
    `CompiledPolicy.without`: its clauses go only where no other rule asks for them, and all that had given way to it
    stands again.

    Parameters
    ----------
    engine
        whose catalog, health and envelope it is ranked under; the envelope holds with every clause left out
    policy
        the tenant's policy; one that no rulebook compiled has clauses alone
    request, seed
        as of `Engine.rank`; under `sample` the winners are those of the seed, with the clause and without
    tokens
        the mix that costs are for; unless given what the request estimates, else 3,000 in and 1,000 out
    envelope
        whether the envelope's own clauses are left out too, one at a time; otherwise they are listed with nothing
        beside them

    Raises
    ------
    PolicyError, RequestError
        as `Engine.rank`
    RulebookError
        for a compiled policy that was pickled
    """
    admitted, origins = parts_of(policy)
    request = request_of(request)
    tokens = tokens or request.tokens or USUAL
    compiled = policy if isinstance(policy, CompiledPolicy) else None
    # A policy that no rulebook made may hold a clause twice.
    clauses = tuple(dict.fromkeys(admitted.clauses))
    returns = [() if compiled is None else _returning(clause, compiled) for clause in clauses]
    trial = [
        _with_filter(admitted, [*(other for other in clauses if other != clause), *(node for node, _ in back)])
        for clause, back in zip(clauses, returns, strict=True)
    ]
    alone = [] if compiled is None else [_without_rule(compiled, rule) for rule in compiled.rules]
    fewer = [each for each in alone if isinstance(each, Policy)]
    now, *others = winners(engine, [admitted, *trial, *fewer], tokens, request, seed)
    found = iter(others)
    own = [
        ClausePrice(
            now,
            next(found),
            tokens,
            clause.encoding,
            describe_clause(clause),
            () if origins is None else origins[clause.encoding],
            returns=tuple([Returning(node.encoding, describe_clause(node), whose) for node, whose in back]),
        )
        for clause, back in zip(clauses, returns, strict=True)
    ]
    rules = [
        RulePrice(now, next(found), tokens, rule, gives)
        if isinstance(each, Policy)
        else RulePrice(now, None, tokens, rule, gives, each)
        for (rule, gives), each in zip(_choices(compiled), alone, strict=True)
    ]
    enveloped = _of_envelope(engine, admitted, now, request, tokens, seed, envelope)
    return ClausePrices(now, (*own, *enveloped), tuple(rules), tokens)


def _with_filter(policy: Policy, clauses: Sequence[Node]) -> Policy:
    """Give a policy with another filter, of clauses that it or one like it had."""
    term = policy.term
    term[-5] = ["and", *[clause.term() for clause in clauses]] if clauses else ["top"]
    return admit(term, policy.fields, policy.version)


def _returning(clause: Node, compiled: CompiledPolicy) -> tuple[tuple[Node, tuple[Origin, ...]], ...]:
    """Give the clauses that gave way to one of a policy, with their origins."""
    hard = compiled.hard_clauses
    if clause.op == "bot":
        return tuple([(other.node, other.origins) for other in hard if other.node != clause])
    weaker = next(own.weaker for own in hard if own.node == clause)
    if not weaker:
        return ()
    field, relation, _ = clause.parameters
    strictest = weaker[0].value
    node = admit_term(["cmp", field, relation, strictest], compiled.policy.fields, compiled.policy.version).root
    return ((node, tuple(dict.fromkeys(bound.origin for bound in weaker if bound.value == strictest))),)


def _without_rule(compiled: CompiledPolicy, rule: str) -> Policy | str:
    """Give a tenant's policy without a rule, or why it has none."""
    try:
        return compiled.without(rule).policy
    except TenantError as error:
        return str(error)


def _choices(compiled: CompiledPolicy | None) -> list[tuple[str, tuple[str, ...]]]:
    """Give each rule that applies, with the choices that are its own."""
    if compiled is None:
        return []
    chosen = {
        "preference": compiled.preference.rule,
        "selector": compiled.selector.rule,
        "failure_plan": compiled.failure_plan.rule,
    }
    return [(rule, tuple(kind for kind, by in chosen.items() if by == rule)) for rule in compiled.rules]


def _of_envelope(
    engine: Engine,
    policy: Policy,
    now: Winner,
    request: Mapping[str, Any] | Request | None,
    tokens: Tokens,
    seed: int | None,
    leave_out: bool,
) -> list[ClausePrice]:
    if engine.envelope is None:
        return []
    clauses = tuple(dict.fromkeys(clauses_of(engine.envelope.root)))
    bare = Engine(engine.catalog, engine.health) if leave_out else engine
    found = []
    for clause in clauses:
        without = None
        if leave_out:
            rest = conjunction([other for other in clauses if other is not clause])
            (without,) = winners(bare.narrowed(rest.term()), [policy], tokens, request, seed)
        words = describe_clause(clause)
        found.append(ClausePrice(now, without, tokens, clause.encoding, words, (ORIGIN,), enveloped=True))
    return found
