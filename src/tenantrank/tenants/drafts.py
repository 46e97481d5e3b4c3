"""The terms of a rulebook on their way to becoming parts: gathered from the rules, and tried with sample values.

A term with placeholders is lowered once for each sample value of the tenant fields that fill it: every allowed value of
an enum that the rule's own condition leaves, each allowed item and none of a list, a number within its range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tenantrank.errors import PolicyError
from tenantrank.tenants.conditions import Applies
from tenantrank.tenants.document import Document, FieldSpec, Placeholder, Rule
from tenantrank.tenants.lowering import is_placeholder, lower, placeholders, restricts
from tenantrank.tenants.nearest import hint
from tenantrank.tenants.origin import DEFAULTS, SCORERS, BoundKind, Choice
from tenantrank.tenants.preferences import scorer_term

CHOICES: dict[Choice, str] = {"preference": "Scorer", "selector": "Selector", "failure_plan": "FailPlan"}
"""The sort of term that each choice is."""
BOUNDS: dict[BoundKind, str] = {"floor": "ge", "ceiling": "le"}
"""The relation that the clause of each kind of bound asks."""

_ANY_TEXT = "any text"


@dataclass(frozen=True, slots=True)
class Draft:
    """A term of a rule on its way to a part."""

    rule: str
    key: str
    path: str
    sort: str
    term: Any
    tested: tuple[str, ...] = ()
    samples: tuple[Any, ...] = ()

    @property
    def hard(self) -> bool:
        """Whether its lack would loosen a policy: true of all that is not a choice, and of a selector with a chain."""
        return self.key not in CHOICES or (self.key == "selector" and restricts(self.term))


def default_drafts(document: Document, faults: list[str]) -> Iterator[Draft]:
    """Give the terms of a rulebook's defaults; what is no term is added to the faults."""
    for key, sort in CHOICES.items():
        yield from _choice(DEFAULTS, key, sort, getattr(document.defaults, key), (), document, faults)


def scorer_drafts(document: Document) -> Iterator[Draft]:
    """Give the terms of a rulebook's named scorers, so that one is checked whether it is used or not."""
    for name, scorer in document.scorers.items():
        yield Draft(SCORERS, "preference", name, "Scorer", scorer_term(scorer, document.scorers))


def rule_drafts(rule: Rule, condition: Applies, document: Document, faults: list[str]) -> Iterator[Draft]:
    """Give the terms of a rule in a fixed order; what is no term is added to the faults."""
    tested = condition.fields
    for index, term in enumerate(rule.require):
        yield Draft(rule.id, "require", f"require[{index}]", "Pred", term, tested)
    for kind, relation in BOUNDS.items():
        for field, bound in getattr(rule, kind).items():
            value = bound.model_dump() if isinstance(bound, Placeholder) else bound
            yield Draft(rule.id, kind, f"{kind}.{field}", "Pred", ["cmp", field, relation, value], tested)
    if rule.transform is not None:
        yield Draft(rule.id, "transform", "transform", "Xform", rule.transform, tested)
    for key, sort in CHOICES.items():
        yield from _choice(rule.id, key, sort, getattr(rule, key), tested, document, faults)


def _choice(
    rule: str, key: str, sort: str, given: Any, tested: tuple[str, ...], document: Document, faults: list[str]
) -> Iterator[Draft]:
    if given is None:
        return
    try:
        term = scorer_term(given, document.scorers) if key == "preference" else given
    except PolicyError as error:
        faults.append(f"{named(rule)}, {key}: {error.reason}")
        return
    yield Draft(rule, key, key, sort, term, tested)


def named(rule: str) -> str:
    """Name a rule at the start of a fault."""
    return rule if rule in (DEFAULTS, SCORERS) else f"rule {rule!r}"


def sampled(draft: Draft, condition: Applies | None, document: Document, faults: list[str]) -> Draft:
    """Lower a draft with sample values of the tenant fields that fill it, one field at a time."""
    where = f"{named(draft.rule)}, {draft.path}"
    hard = draft.hard
    candidates: dict[str, list[Any]] = {}
    for placeholder in placeholders(draft.term):
        name = placeholder["tenant"]
        spec = document.fields.get(name)
        extra = set(placeholder) - {"tenant", "default"}
        if spec is None:
            faults.append(f"{where}: undeclared tenant field {name!r}{hint(name, document.fields)}")
        elif extra:
            faults.append(f"{where}: a placeholder has the keys 'tenant' and 'default', not {sorted(extra)[0]!r}")
        elif "default" in placeholder and (hard or is_placeholder(placeholder["default"])):
            faults.append(f"{where}: a default is not allowed where a missing value would loosen the policy")
        else:
            candidates[name] = _samples(name, spec, condition)
            continue
        return draft
    if not all(candidates.values()):
        faults.append(f"{where}: the rule's condition leaves no value for its placeholder")
        return draft
    first = {name: values[0] for name, values in candidates.items()}
    states = [first, *({**first, name: value} for name, values in candidates.items() for value in values[1:])]
    lowered: list[Any] = []
    try:
        lowered = [lower(draft.term, state) for state in states]
    except PolicyError as error:
        faults.append(f"{where}: {located(error)}")
    return replace(draft, samples=tuple(lowered))


def _samples(name: str, spec: FieldSpec, condition: Applies | None) -> list[Any]:
    tests = [test for test in condition.tests if test.field == name] if condition is not None else []
    if spec.type == "list":
        return [(item,) for item in spec.values or [_ANY_TEXT]] + [()]
    if spec.type == "boolean":
        values: list[Any] = [True, False]
    elif spec.type in ("number", "integer"):
        low = spec.minimum if spec.minimum is not None else min(1, spec.maximum if spec.maximum is not None else 1)
        high = spec.maximum if spec.maximum is not None else low + 1
        # A number that is no integer shows up a number put where the language wants a count.
        return (
            [max(int(low), 1) if int(low) < high else int(low)] if spec.type == "integer" else [(low + high) / 2 + 0.0]
        )
    else:
        values = list(spec.values or [_ANY_TEXT])
        tests = tests if spec.values else []
    return [value for value in values if all(test(value) for test in tests)]


def located(error: PolicyError) -> str:
    """Say what was refused inside a term, and where in it."""
    return error.reason if error.path == "$" else f"{error.reason} (at {error.path})"
