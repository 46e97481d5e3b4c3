"""Scores: what unknown values do to them, and what they are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.lint.finding import Finding
from tenantrank.lint.subject import Doubles, Subject, fields_of, walk
from tenantrank.policy.normal_form import Node


def flattened(subject: Subject) -> Iterator[Finding]:
    """Name the fields whose unknown value, an infinity, makes a `normalize` give one value for all known ones.

    Where the known ones among the survivors are all equal nothing is lost, and nothing is said.
    """
    if subject.order.op not in ("argmax", "sample") or subject.passing < 2:
        return
    told: set[str] = set()
    for node in walk(subject.policy.scorer):
        if node.op != "normalize":
            continue
        values = operand(node.children[0], subject)
        known = values[np.isfinite(values)]
        if len(known) == len(values) or not len(known) or not known.min() < known.max():
            continue
        for field in dict.fromkeys(_unshielded(node.children[0])):
            unknown = int(np.isinf(subject.observed(field)[subject.survivors]).sum())
            if field not in told and 0 < unknown < subject.passing:
                told.add(field)
                words = (
                    f"{unknown:,} of the {subject.passing:,} offers that pass have no {field}: rescaled between "
                    f"survivors, every known {field} is 0; require that it is known"
                )
                yield Finding("TR301", words, "scorer", None, field, data={"unknown": unknown})


def without_estimates(subject: Subject) -> Iterator[Finding]:
    """Say that a policy asks for an expected cost, and the request does not say how many tokens it takes."""
    if not subject.around.costs_unknown:
        return
    for clause in subject.clauses:
        if EXPECTED_COST in fields_of(clause):
            yield Finding("TR307", _UNESTIMATED, "filter", clause.encoding, EXPECTED_COST)
            return
    if subject.order.op in ("argmax", "sample") and EXPECTED_COST in fields_of(subject.policy.scorer):
        yield Finding("TR307", _UNESTIMATED, "scorer", None, EXPECTED_COST)


_UNESTIMATED = (
    f"{EXPECTED_COST} is unknown for every offer, since the request has no estimated_input_tokens and "
    "estimated_output_tokens"
)


def operand(node: Node, subject: Subject) -> Doubles:
    """Give a scorer's value for each survivor, near enough to tell what is finite: (survivors,).

    The request's own scorers of the first version, which are never infinite, count as 0.5.
    """
    with np.errstate(all="ignore"):
        return _operand(node, subject)


def _operand(node: Node, subject: Subject) -> Doubles:
    if node.op == "field":
        return subject.observed(node.parameters[0])[subject.survivors]
    if node.op == "add":
        return np.sum([_operand(child, subject) for child in node.children], axis=0)  # type: ignore[no-any-return]
    if node.op == "scale":
        return np.float64(node.parameters[0]) * _operand(node.children[0], subject)
    if node.op == "neg":
        return 1.0 - _operand(node.children[0], subject)
    if node.op == "clamp":
        low, high = node.parameters
        inner = _operand(node.children[0], subject)
        return np.where(inner < low, low, np.where(inner > high, high, inner))
    if node.op == "gate":
        holds = subject.around.holds([node.children[0]], subject.policy.version)[0]
        return np.where(holds[subject.survivors], _operand(node.children[1], subject), 0.0)
    if node.op == "normalize":
        inner = _operand(node.children[0], subject)
        low, high = np.fmin.reduce(inner), np.fmax.reduce(inner)
        if not low < high:
            return np.zeros(subject.passing)
        between = np.where(inner >= high, 1.0, np.where(inner <= low, 0.0, (inner - low) / (high - low)))
        return np.where(np.isnan(between), 0.0, between)
    if node.op == "lit":
        return np.full(subject.passing, node.parameters[0])
    return np.full(subject.passing, 0.0 if node.op == "zero" else 0.5)


def _unshielded(node: Node) -> Iterator[str]:
    """Give the fields of a scorer whose infinity reaches its value: `clamp` and `normalize` let none through."""
    if node.op == "field":
        yield node.parameters[0]
    elif node.op not in ("clamp", "normalize"):
        for child in node.children[-1:] if node.op == "gate" else node.children:
            yield from _unshielded(child)
