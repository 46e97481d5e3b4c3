"""Linting a customer base: every distinct policy once, and what was found by rule, with how many tenants have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenantrank.engine import Engine
from tenantrank.lint.finding import CODES, Finding
from tenantrank.lint.linting import Linter, of_compiled
from tenantrank.policy.arguments import check_type
from tenantrank.tenants import CompiledPolicy, Fleet


@dataclass(frozen=True, slots=True)
class FleetFinding:
    """One thing that the policies of some tenants may not do as the rulebook's author expects.

    Attributes
    ----------
    finding : as one of those policies has it, one that most of the tenants share
    rule : the rules that asked for what it is about, joined by ``, ``; ``None`` for the policy as a whole
    tenants : how many tenants have it, ``None`` for what the rulebook says of itself
    policies : how many distinct policies have it
    example : the first of those tenants
    """

    finding: Finding
    rule: str | None
    tenants: int | None
    policies: int
    example: str | None

    def __str__(self) -> str:
        if self.tenants is None:
            return str(self.finding)
        rule = "" if self.rule is None else f"{self.rule}: "
        count = f"{self.tenants:,} tenant{'' if self.tenants == 1 else 's'}, for example {self.example}"
        return f"{self.finding.code}: {rule}{self.finding.words} ({count})"

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value: the finding's members, and these."""
        counted = {"rule": self.rule, "tenants": self.tenants, "policies": self.policies, "example": self.example}
        return {**self.finding.to_json(), **counted}


def lint_fleet(
    engine: Engine,
    fleet: Fleet,
    warnings: Sequence[str] = (),
    on_progress: Callable[[int], None] | None = None,
) -> tuple[FleetFinding, ...]:
    """Lint the policies of a fleet's tenants.

    Findings are one where code, rules and what they are about are the same: a name, a field, or a clause; numbers that
    tenants fill in make no difference. No request is involved.

    Parameters
    ----------
    engine
        the engine that would rank them
    fleet
        compiled tenants
    warnings
        what the rulebook says of itself, `Rulebook.warnings`
    on_progress
        called with how many distinct policies are done, now and then

    Returns
    -------
    tuple of FleetFinding
        by code; of one code those of most tenants first
    """
    check_type(fleet, Fleet, "a Fleet")
    linter = Linter(engine)
    counts = np.bincount(fleet.index[fleet.index >= 0], minlength=len(fleet.policies)).tolist()
    known: dict[str, tuple[Finding, ...]] = {}
    groups: dict[tuple[str, str | None, str], _Group] = {}
    for at, compiled in enumerate(fleet.policies):
        found = known.get(compiled.policy.identity)
        if found is None:
            found = known[compiled.policy.identity] = linter.lint(compiled.policy)
        for key, finding in {_key(each): each for each in _told(engine, compiled, found)}.items():
            groups.setdefault(key, _Group(at)).add(finding, counts[at], compiled.policy.identity)
        if on_progress is not None:
            on_progress(1)
    first = {int(position): row for row, position in reversed(list(enumerate(fleet.index.tolist())))}
    told = [FleetFinding(Finding("TR206", line, "filter"), None, None, 0, None) for line in warnings]
    for (_, rule, _), group in groups.items():
        example = fleet.tenants[first[group.first]]
        told.append(FleetFinding(group.typical, rule, group.tenants, len(group.policies), example))
    place = {code: at for at, code in enumerate(CODES)}
    return tuple(sorted(told, key=lambda each: (place[each.finding.code], -(each.tenants or 0))))


class _Group:
    """The findings that are one, and who has them; ``first`` is the place of the first policy that does."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.tenants = 0
        self.policies: set[str] = set()
        self._by_words: Counter[str] = Counter()
        self._findings: dict[str, Finding] = {}

    def add(self, finding: Finding, tenants: int, identity: str) -> None:
        """Count the finding of one policy."""
        self.tenants += tenants
        self.policies.add(identity)
        self._by_words[finding.words] += tenants
        self._findings.setdefault(finding.words, finding)

    @property
    def typical(self) -> Finding:
        """The finding in the words that most tenants have, the first of those that as many have."""
        return self._findings[self._by_words.most_common(1)[0][0]]


def _told(engine: Engine, compiled: CompiledPolicy, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Give the findings of one compiled policy; where no offer passes, with what keeps the nearest out."""
    told = of_compiled(found, compiled)
    if not any(finding.code == "TR401" for finding in told):
        return told
    nearest = "; ".join(engine.nearest_miss(compiled))
    nobody = Finding("TR401", f"no offer passes; what keeps the nearest out: {nearest}", data={"deciding": nearest})
    return tuple([nobody if finding.code == "TR401" and nearest else finding for finding in told])


def _key(finding: Finding) -> tuple[str, str | None, str]:
    rules = ", ".join(dict.fromkeys(origin.rule for origin in finding.origins)) or None
    about = finding.name or finding.field or finding.clause
    return finding.code, rules, about if about is not None else (finding.words if finding.part is None else "")
