"""A rulebook's document to rules ready for tenants, everything checked that can be checked before a tenant comes.

All faults of a document are found in one go; the vocabulary is a catalog's, or else what the terms themselves use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenantrank.errors import PolicyError, TenantError
from tenantrank.policy.policy import admit_term
from tenantrank.policy.signature import V2, Fields
from tenantrank.tenants.conditions import Applies, prepare_condition
from tenantrank.tenants.document import Document, Rule
from tenantrank.tenants.drafts import (
    BOUNDS,
    CHOICES,
    Draft,
    default_drafts,
    located,
    named,
    rule_drafts,
    sampled,
    scorer_drafts,
)
from tenantrank.tenants.nearest import hint
from tenantrank.tenants.origin import DEFAULTS, SCORERS, BoundKind, Choice
from tenantrank.tenants.parts import BoundPart, ListPart, Part
from tenantrank.tenants.passing import passed_by_unknown
from tenantrank.tenants.vocabulary import Use, fault, inferred, uses


@dataclass(frozen=True, slots=True)
class PreparedRule:
    """A rule ready for tenants.

    Attributes
    ----------
    applies : its condition
    hard : whether it adds anything whose lack would loosen a policy: clauses, bounds, transforms, a selector with a
        chain
    strength : (tenant fields tested, priority, position in the file); the greatest wins what only one rule can have
    clauses : hard clauses
    bounds : (``floor`` or ``ceiling``, offer field, part)
    transform, choices : the rest; choices by the keys of `CHOICES`
    reads : the tenant fields that decide what its parts say and where that came from
    never_relax : whether no suggestion of what to relax may touch its hard clauses
    """

    id: str
    applies: Applies
    hard: bool
    strength: tuple[int, int, int]
    clauses: tuple[Part, ...]
    bounds: tuple[tuple[BoundKind, str, Part], ...]
    transform: Part | None
    choices: Mapping[Choice, Part]
    reads: tuple[str, ...]
    never_relax: bool

    def undecided(self, field: str | None) -> TenantError:
        """Give the error of a tenant that lacks the field on which this rule turns, where the rule is hard."""
        return TenantError(
            f"rule {self.id!r} turns on {field!r}, which the tenant lacks, and does not say what absence means",
            field,
            self.id,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready for tenants, with the vocabulary its terms were checked against."""

    rules: tuple[PreparedRule, ...]
    defaults: Mapping[Choice, Part]
    fields: Fields
    warnings: tuple[str, ...]


def prepare(document: Document, fields: Fields | None) -> tuple[Prepared | None, list[str]]:
    """Check a document and make it ready.

    Parameters
    ----------
    document
        a document of valid shape
    fields
        the vocabulary of a catalog; ``None`` infers one from use

    Returns
    -------
    the rules, ``None`` where there are faults; and the faults, each naming rule and place
    """
    faults: list[str] = []
    conditions: dict[str, Applies] = {}
    drafts: list[Draft] = [*default_drafts(document, faults), *scorer_drafts(document)]
    both = sorted({*document.ignore} & {*document.fields})
    faults += [f"ignore: {name!r} is a declared field, and so decides something" for name in both]
    for rule in document.rules:
        if rule.id in conditions or rule.id in (DEFAULTS, SCORERS):
            faults.append(f"rule {rule.id!r}: this id is {'used twice' if rule.id in conditions else 'reserved'}")
            continue
        known = len(faults)
        condition, wrong = prepare_condition(rule, document.fields)
        faults += [f"rule {rule.id!r}, {path}: {reason}" for path, reason in wrong]
        conditions[rule.id] = condition
        found = list(rule_drafts(rule, condition, document, faults))
        if not found and len(faults) == known:
            faults.append(f"rule {rule.id!r}: adds nothing")
        drafts += [] if wrong else found
    drafts = [sampled(draft, conditions.get(draft.rule), document, faults) for draft in drafts]
    vocabulary = _vocabulary(drafts, fields, faults)
    for draft in drafts:
        _admit_samples(draft, vocabulary, faults)
    faults += [] if faults else _needless(document, drafts)
    if faults:
        return None, faults
    parts = {(draft.rule, draft.path): _part(draft, vocabulary) for draft in drafts}
    rules = tuple(_rule(i, rule, conditions[rule.id], drafts, parts) for i, rule in enumerate(document.rules))
    defaults = {key: parts[DEFAULTS, key] for key in CHOICES}
    warnings = () if fields is None else tuple(_warnings(document, drafts, fields))
    return Prepared(rules, defaults, vocabulary, warnings), []


def _vocabulary(drafts: list[Draft], fields: Fields | None, faults: list[str]) -> Fields:
    used: list[tuple[Draft, Use]] = [
        (draft, use) for draft in drafts for use in dict.fromkeys(u for term in draft.samples for u in uses(term))
    ]
    vocabulary = inferred(use for _, use in used) if fields is None else fields
    for draft, use in used:
        reason = fault(use, vocabulary)
        if reason is not None:
            faults.append(f"{named(draft.rule)}, {draft.path}: {reason}")
    return vocabulary


def _admit_samples(draft: Draft, vocabulary: Fields, faults: list[str]) -> None:
    for term in draft.samples:
        if any(fault(use, vocabulary) for use in uses(term)):
            continue
        try:
            admit_term(term, vocabulary, V2, draft.sort)
        except PolicyError as error:
            faults.append(f"{named(draft.rule)}, {draft.path}: {located(error)}")
            return


def _part(draft: Draft, vocabulary: Fields) -> Part:
    fitting = (kind for kind in (BoundPart, ListPart) if draft.sort == "Pred" and kind.fits(draft.term))
    kind = next(fitting, Part)
    return kind(draft.rule, draft.path, draft.sort, draft.term, draft.tested, vocabulary)


def _rule(
    index: int, rule: Rule, condition: Applies, drafts: list[Draft], parts: Mapping[tuple[str, str], Part]
) -> PreparedRule:
    own = [(draft, parts[draft.rule, draft.path]) for draft in drafts if draft.rule == rule.id]
    bounds = tuple((kind, draft.term[1], part) for kind in BOUNDS for draft, part in own if draft.key == kind)
    clauses = tuple(part for draft, part in own if draft.key == "require")
    transform = next((part for draft, part in own if draft.key == "transform"), None)
    return PreparedRule(
        rule.id,
        condition,
        any(draft.hard for draft, _ in own),
        (len(condition.tests), rule.priority, index),
        clauses,
        bounds,
        transform,
        {key: part for key in CHOICES for draft, part in own if draft.key == key},
        tuple(dict.fromkeys(name for _, part in own for name in part.reads)),
        rule.never_relax,
    )


def _needless(document: Document, drafts: list[Draft]) -> Iterator[str]:
    """Name what a rule lists under `unknown_passes` and does not test, and a mark on hard clauses where it has none."""
    for rule in document.rules:
        if rule.never_relax and not (rule.require or rule.floor or rule.ceiling):
            yield f"rule {rule.id!r}, never_relax: it has no hard clause (require, floor, ceiling)"
        own = [term for draft in drafts if draft.rule == rule.id and draft.sort == "Pred" for term in draft.samples]
        tested = {use.name for term in own for use in uses(term) if use.sort != "Tier"}
        for name in rule.unknown_passes:
            if name not in tested:
                yield f"rule {rule.id!r}, unknown_passes: no hard clause tests {name!r}{hint(name, tested)}"


def _warnings(document: Document, drafts: list[Draft], fields: Fields) -> Iterator[str]:
    """Name the hard clauses that an offer passes by stating nothing, but for what the rule says is meant so."""
    meant = {rule.id: rule.unknown_passes for rule in document.rules}
    for draft in drafts:
        if draft.sort != "Pred":
            continue
        told: set[str] = set()
        for term in draft.samples:
            for name, words in passed_by_unknown(admit_term(term, fields, V2, "Pred").root, fields):
                if name not in told and name not in meant[draft.rule]:
                    told.add(name)
                    unknown = fields[name].default
                    counts = f"{unknown:g}" if fields[name].sort == "Num" else str(unknown).lower()
                    what = f"this {draft.key}" if draft.key in BOUNDS else repr(words)
                    yield (
                        f"{named(draft.rule)}, {draft.path}: an offer that states no {name} counts as {counts} "
                        f"and passes {what}"
                    )
