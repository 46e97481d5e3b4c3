"""Linting: every check over one policy, or over many on one engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from tenantrank.engine import Engine, Request
from tenantrank.engine.given import parts_of
from tenantrank.lint import bounds, clauses, names, scoring, winners
from tenantrank.lint.finding import CODES, Finding
from tenantrank.lint.subject import Subject, fields_of
from tenantrank.lint.surroundings import Surroundings
from tenantrank.policy.policy import Policy
from tenantrank.policy.stack import whatever_the_stack
from tenantrank.tenants.origin import Origin

if TYPE_CHECKING:
    from tenantrank.tenants import CompiledPolicy

MOST = 20
"""Findings of one code that are told one by one; a last one says that there are more."""

_CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    names.unknown_names,
    names.unserved_entries,
    clauses.passed_by_none,
    clauses.passed_by_all,
    clauses.known_for_few,
    bounds.never_deciding,
    bounds.contradicting,
    clauses.passed_by_saying_nothing,
    scoring.flattened,
    winners.zero_priced_winner,
    winners.deprecated_winner,
    winners.undecided_winner,
    scoring.without_estimates,
    winners.nobody_ranked,
)


def lint(
    engine: Engine,
    policy: Policy | CompiledPolicy,
    request: Mapping[str, Any] | Request | None = None,
    seed: int | None = None,
) -> tuple[Finding, ...]:
    """Say what a policy may not do as its author expects, over one catalog, health and envelope.

    Nothing is decided anew and nothing changes: `Engine.rank` gives the same before and after. Of the envelope nothing
    is told but that offers outside it do not pass.

    Parameters
    ----------
    engine
        the engine that would rank the policy
    policy
        an admitted policy, or one compiled from a rulebook, whose findings then carry their origins
    request, seed
        what it would be ranked for

    Returns
    -------
    tuple of Finding
        by code; of one code in the order of the policy

    Raises
    ------
    PolicyError, RequestError
        as `Engine.rank`
    """
    return Linter(engine, request, seed).lint(policy)


class Linter:
    """Lints policies on one engine for one request; what they share is worked out once. Not for several threads.

    Parameters and errors as of `lint`.
    """

    def __init__(
        self, engine: Engine, request: Mapping[str, Any] | Request | None = None, seed: int | None = None
    ) -> None:
        self._around = Surroundings(engine, request, seed)

    def lint(self, policy: Policy | CompiledPolicy) -> tuple[Finding, ...]:
        """Give the findings of one policy."""
        admitted, _ = parts_of(policy)
        self._around.engine.rank(admitted, self._around.request, k=1)  # refuses what does not fit the catalog
        found = whatever_the_stack(lambda: self._findings(admitted))
        return found if isinstance(policy, Policy) else of_compiled(found, policy)

    def _findings(self, policy: Policy) -> tuple[Finding, ...]:
        subject = Subject(policy, self._around)
        return tuple([finding for check in _CHECKS for finding in _bounded(check(subject))])


def of_compiled(findings: tuple[Finding, ...], compiled: CompiledPolicy) -> tuple[Finding, ...]:
    """Give the findings of a compiled policy's bare policy as those of the compiled one.

    They get their origins. What a rulebook is told when it is bound is not told again of its policies, and of bounds
    that different rules set the weaker one is no slip: rules narrow each other.
    """
    kept = [
        replace(finding, origins=_origins(finding, compiled))
        for finding in findings
        if finding.code != "TR206" and not (finding.code == "TR204" and _of_different_rules(finding, compiled))
    ]
    flattened = [finding.field for finding in kept if finding.code == "TR301"]
    may_flatten = [_told_by_rulebook(line, compiled) for line in compiled.warnings]
    # A field that does flatten the score is not told as one that may.
    kept += [finding for finding in may_flatten if finding.field not in flattened]
    return tuple(sorted(kept, key=lambda finding: _PLACE[finding.code]))


def _told_by_rulebook(line: str, compiled: CompiledPolicy) -> Finding:
    """Give what a rulebook says of a policy that it compiled: a line that begins with whose the preference is."""
    words = line.removeprefix(f"{compiled.preference}: ")
    fields = fields_of(compiled.policy.scorer)
    field = next((field for field in fields if f"normalizes {field}," in words), None)
    return Finding("TR302", words, "scorer", None, field, origins=(compiled.preference,))


_PLACE = {code: place for place, code in enumerate(CODES)}


def _origins(finding: Finding, compiled: CompiledPolicy) -> tuple[Origin, ...]:
    if finding.part == "scorer":
        return (compiled.preference,)
    if finding.part == "selector":
        return (compiled.selector,)
    if finding.part == "transform":
        return compiled.transforms
    return compiled.origins.get(finding.clause, ()) if finding.clause is not None else ()


def _of_different_rules(finding: Finding, compiled: CompiledPolicy) -> bool:
    of_both = [compiled.origins.get(clause, ()) for clause in (finding.clause or "", finding.data["beside"])]
    one, other = ({origin.rule for origin in origins} for origins in of_both)
    return not one & other


def _bounded(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Give the first findings of a check, and where there are more, one that says so."""
    found = list(islice(findings, MOST + 1))
    yield from found[:MOST]
    if len(found) > MOST:
        yield Finding(
            found[-1].code, f"and more like these: {CODES[found[-1].code]}", found[-1].part, data={"more": True}
        )
