"""Clauses by themselves: those that turn everybody away or nobody, and those that unknown values decide."""

from __future__ import annotations

from collections.abc import Iterator

from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.lint.finding import Finding, of_clause
from tenantrank.lint.names import names_nobody
from tenantrank.lint.subject import Subject, fields_of, walk
from tenantrank.lint.surroundings import OBSERVED_BY_V1
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import STATE_FIELDS, V1
from tenantrank.tenants.passing import passed_by_unknown

FEW = 0.5
"""A field is known for few offers where it is known for less than this share of the catalog."""
READ_WHERE_UNSTATED = frozenset({"deprecated", "beta", "price_zero_listed"})
"""Flags whose absence says something: nobody announces an end, a beta, or a price of 0."""


def passed_by_none(subject: Subject) -> Iterator[Finding]:
    """Name the clauses that no offer of the catalog passes."""
    for clause, passes in zip(subject.clauses, subject.passes, strict=True):
        if len(passes) and not passes.any() and not _hangs_on_estimates(subject, clause):
            words = "the filter is `bot`" if clause.op == "bot" else describe_clause(clause)
            told = f"none of the {len(passes):,} offers passes: {words}"
            yield of_clause("TR201", told, clause, _tested(clause), offers=len(passes))


def passed_by_all(subject: Subject) -> Iterator[Finding]:
    """Name the clauses that every offer of the catalog passes.

    Nothing is said of what depends on a request or on live state, which is there for other requests and other times,
    nor of a clause with a name that no offer has, which is told as such.
    """
    for clause, passes in zip(subject.clauses, subject.passes, strict=True):
        if len(passes) and passes.all() and not _depends_on_now(subject, clause) and not names_nobody(subject, clause):
            words = f"every one of the {len(passes):,} offers passes: {describe_clause(clause)}"
            yield of_clause("TR202", words, clause, _tested(clause), offers=len(passes))


def known_for_few(subject: Subject) -> Iterator[Finding]:
    """Name the clauses that turn away, for being unknown and for nothing else, offers of a field known for few."""
    failing = ~subject.passes
    fails = failing.sum(axis=0)
    for clause, fails_it in zip(subject.clauses, failing, strict=True):
        field = _tested(clause)
        if field is None or _hangs_on_estimates(subject, clause):
            continue
        unknown = subject.unknown(field)
        known = 1.0 - float(unknown.mean()) if len(unknown) else 1.0
        alone = int((unknown & fails_it & (fails == 1) & subject.around.within).sum())
        if known < FEW and alone:
            words = (
                f"{describe_clause(clause)}: {field} is known for {known:.0%} of the offers; "
                f"{alone:,} that pass everything else are turned away for being unknown"
            )
            yield of_clause("TR203", words, clause, field, known=known, turned_away=alone)


def passed_by_saying_nothing(subject: Subject) -> Iterator[Finding]:
    """Name the clauses that offers pass of which nothing is known, where some of them pass the whole filter."""
    fields = subject.around.catalog.fields
    for clause in subject.clauses:
        for field, test in dict.fromkeys(passed_by_unknown(clause, fields)):
            count = int((subject.unknown(field) & subject.survivors).sum())
            if count and field not in READ_WHERE_UNSTATED and field != EXPECTED_COST:
                default = fields[field].default
                counts = str(default).lower() if isinstance(default, bool) else f"{default:g}"
                words = (
                    f"{count:,} of the {subject.passing:,} offers that pass state no {field}, "
                    f"which counts as {counts} and passes {test!r}"
                )
                yield of_clause("TR206", words, clause, field, offers=count)


def _tested(clause: Node) -> str | None:
    """Give the field that a clause tests, where it tests one and nothing else."""
    test = clause.children[0] if clause.op == "not" else clause
    return str(test.parameters[0]) if test.op in ("is", "cmp") else None


def _depends_on_now(subject: Subject, clause: Node) -> bool:
    live = STATE_FIELDS | OBSERVED_BY_V1 if subject.policy.version == V1 else STATE_FIELDS
    if any(node.op in ("meets_req", "scope_matches") for node in walk(clause)):
        return True
    return any(field in live or field == EXPECTED_COST for field in fields_of(clause))


def _hangs_on_estimates(subject: Subject, clause: Node) -> bool:
    return subject.around.costs_unknown and EXPECTED_COST in fields_of(clause)
