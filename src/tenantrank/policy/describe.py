"""Terms in plain English: one line for each clause, for the people who have to approve a policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from tenantrank.errors import PolicyError
from tenantrank.policy.arguments import check_type
from tenantrank.policy.encoding import encode_parameter, encode_text
from tenantrank.policy.failure_plan import UNKNOWN
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Term

_RELATIONS = {
    "lt": "below",
    "le": "at most",
    "eq": "exactly",
    "ne": "other than",
    "ge": "at least",
    "gt": "above",
}
_FIXED = {
    "top": "every offer passes",
    "bot": "no offer passes",
    "meets_req": "the offer meets the request's requirements",
    "scope_matches": "the offer's scope, where it has one, is the request's",
}
_FIXED_NEGATED = {
    "meets_req": "the offer does not meet the request's requirements",
    "scope_matches": "the offer has a scope that is not the request's",
}
_NAMING = {
    "tier_eq": "the tier is",
    "min_tier": "the tier is at least",
    "family_eq": "the model family is",
    "provider_eq": "the provider is",
    "served_by_eq": "the offer is served by",
}
_FIXED_SCORERS = {
    "zero": "0",
    "quality": "quality",
    "speed": "speed",
    "cost": "cheapness for this request",
    "free_credit": "free credit",
    "partner": "partner standing",
}
_ACTIONS = {
    "retry_same": "try the same offer again",
    "next_candidate": "go to the next offer",
    "next_provider_same_model": "go to the next offer of the same model, or end where there is none",
    "disable_provider": "disable the provider and go to the next offer",
    "abort": "stop with the error",
}
_BARE = re.compile(r"[\w.:/@+-]+")


def describe(term: Term) -> list[str]:
    """Describe an admitted term, one line a clause.

    A policy gives a line for each clause of its filter, then how survivors are scored, how they are ordered, what
    changes in the request (where something does), and what follows a failure. Other sorts give their own lines. A name
    that is more than one plain word stands in quotes, with everything unprintable escaped, so that no name can end a
    line or read as part of the sentence.

    Raises
    ------
    PolicyError
        for what is no admitted term
    """
    check_type(term, Term, "an admitted term (tenantrank.admit)", partial(PolicyError, "$"))
    return _BY_SORT[term.sort](term.root)


def describe_clause(node: Node) -> str:
    """Describe one Pred in normal form on one line."""
    if node.op in _FIXED:
        return _FIXED[node.op]
    if node.op in ("and", "or"):
        return _names(node, "one of") or f" {node.op} ".join(map(_operand, node.children))
    if node.op == "not":
        return _negated(node.children[0])
    if node.op == "is":
        return f"{_name(node.parameters[0])} holds"
    if node.op == "cmp":
        return _comparison(node, "is")
    if node.op == "has_cap":
        return f"the offer has the capability {_name(node.parameters[0])}"
    return f"{_NAMING[node.op]} {_name(node.parameters[0])}"


def describe_scorer(node: Node) -> str:
    """Describe one Scorer in normal form, as part of a line."""
    return _scorer(node)


def describe_selector(node: Node) -> str:
    """Describe one Selector in normal form, as part of a line."""
    return _selector(node)


def _negated(node: Node) -> str:
    if node.op in _FIXED_NEGATED:
        return _FIXED_NEGATED[node.op]
    if node.op in ("and", "or"):
        return _names(node, "none of") or f"it is not so that ({describe_clause(node)})"
    if node.op == "is":
        return f"{_name(node.parameters[0])} does not hold"
    if node.op == "cmp":
        return _comparison(node, "is not")
    if node.op == "has_cap":
        return f"the offer lacks the capability {_name(node.parameters[0])}"
    return f"{_NAMING[node.op].replace(' is', ' is not')} {_name(node.parameters[0])}"


def _names(node: Node, quantity: str) -> str | None:
    """Write an `or` that lists names of one kind as that list; ``None`` for anything else."""
    kinds = {child.op for child in node.children}
    if node.op != "or" or len(kinds) != 1 or not kinds <= _NAMING.keys() - {"min_tier"}:
        return None
    names = ", ".join(_name(child.parameters[0]) for child in node.children)
    return f"{_NAMING[kinds.pop()]} {quantity} {names}"


def _comparison(node: Node, verb: str) -> str:
    field, relation, bound = node.parameters
    return f"{_name(field)} {verb} {_RELATIONS[relation]} {_number(bound)}"


def _operand(node: Node) -> str:
    """Describe a clause inside another; brackets keep what belongs together."""
    inner = node.children[0] if node.op == "not" else node
    line = describe_clause(node)
    return f"({line})" if inner.op in ("and", "or") else line


def _name(text: str) -> str:
    return text if _BARE.fullmatch(text) else _printable(encode_text(text))


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() else f"\\u{ord(mark):04x}" for mark in text)


def _scorer(node: Node) -> str:
    if node.op in _FIXED_SCORERS:
        return _FIXED_SCORERS[node.op]
    if node.op == "field":
        return _name(node.parameters[0])
    if node.op == "lit":
        return _number(node.parameters[0])
    if node.op == "add":
        return " + ".join(_scorer(child) for child in node.children)
    if node.op == "gate":
        return f"({_scorer(node.children[1])} where {describe_clause(node.children[0])}, else 0)"
    inner = _scorer(node.children[0])
    if node.op == "scale":
        return f"{_number(node.parameters[0])} × {_grouped(inner, node.children[0])}"
    if node.op == "neg":
        return f"1 − {_grouped(inner, node.children[0])}"
    if node.op == "clamp":
        low, high = map(_number, node.parameters)
        return f"({inner}, kept between {low} and {high})"
    return f"({inner}, rescaled to 0–1 between the survivors)"


def _grouped(text: str, node: Node) -> str:
    return f"({text})" if node.op in ("add", "scale", "neg") else text


def _selector(node: Node) -> str:
    if node.op == "top_k":
        return f"the first {_number(node.parameters[0])} of: {_selector(node.children[0])}"
    if node.op == "argmax":
        return "highest score first, ties in catalog order"
    if node.op == "ordered":
        return "catalog order"
    if node.op == "sample":
        return f"drawn at random by the seed, higher scores favoured, at temperature {_number(node.parameters[0])}"
    pairs = ", ".join(map(_pair, node.parameters[0]))
    return f"only, and in this order: {pairs}" if pairs else "no offer: the list is empty"


def _pair(pair: dict[str, str]) -> str:
    model, provider = pair.get("model", pair.get("model_family")), pair.get("provider", pair.get("provider_id"))
    return f"{_name(str(model))} at {_name(str(provider))}"


def _transform(node: Node) -> list[str]:
    return [f"request: {_change(child)}" for child in (node.children if node.op == "seq" else (node,))]


def _change(node: Node) -> str:
    if node.op == "when":
        condition, inner = node.children
        return f"where {describe_clause(condition)}: {_change(inner)}"
    if node.op == "seq":
        # A condition reaches to the end of the line, so that one inside a list needs brackets.
        changes = [(child.op, _change(child)) for child in node.children]
        return "; ".join(f"({change})" if op == "when" else change for op, change in changes)
    return _CHANGES[node.op](*node.parameters)


_CHANGES: dict[str, Callable[..., str]] = {
    "id": lambda: "unchanged",
    "set_param": lambda name, value: f"set {_name(name)} to {'the seed' if value == 'from_ctx' else _scalar(value)}",
    "inject_seed": lambda name: f"set {_name(name)} to the seed",
    "clamp_param": lambda name, low, high: f"keep {_name(name)} between {_number(low)} and {_number(high)}",
    "jitter": lambda name, amplitude: f"shift {_name(name)} by up to {_number(amplitude)}, decided by the seed",
    "filter_text": lambda recipe: f"filter text by {_counted(len(recipe), 'step')}",
    "filter_image": lambda recipe: f"filter images by {_counted(len(recipe), 'step')}",
    "custom": lambda name: f"apply the operator's transform {_name(name)}",
}


def _counted(count: float, noun: str) -> str:
    return f"{_number(count)} {noun}{'' if count == 1 else 's'}"


def _failure_plan(node: Node) -> list[str]:
    actions: dict[str, Any] = {}
    while node.op == "override":
        actions[node.parameters[0]] = node.parameters[1]
        node = node.children[0]
    base = actions.pop(UNKNOWN, node.parameters[0])
    named = [f"on {_name(reason)}: {_action(actions[reason])}" for reason in sorted(actions)]
    return [*named, f"on any {'other ' if named else ''}failure: {_action(base)}"]


def _action(action: dict[str, Any]) -> str:
    words = _ACTIONS[action["action"]]
    if action["action"] == "retry_same":
        words += (
            f", up to {_counted(action.get('attempts', 1.0), 'more time')}{_waiting(action.get('backoff_ms', 0.0))}"
        )
        # What else `then_action` may name, the run goes on in plain order.
        words += f", then {_ACTIONS['abort' if action.get('then_action') == 'abort' else 'next_candidate']}"
    if "open_breaker_ms" in action:
        words += ", and open the provider's breaker"
    return words


def _waiting(backoff: float | list[float]) -> str:
    if isinstance(backoff, list):
        waits = ", ".join(map(_number, backoff))
        return f", waiting {waits} ms in turn" if any(backoff) else ""
    return f", waiting {_number(backoff)} ms" if backoff else ""


def _scalar(value: str | bool | float) -> str:
    return _number(value) if type(value) is float else _printable(encode_parameter(value))


def _number(value: float) -> str:
    """Write a number in the fewest digits that name it; the canonical text always has seventeen."""
    return str(int(value)) if value == int(value) and abs(value) <= 2**53 else repr(float(value))


def _filter(node: Node) -> list[str]:
    return [describe_clause(clause) for clause in (node.children if node.op == "and" else (node,))]


def _policy(node: Node) -> list[str]:
    condition, scorer, selector, transform, plan = node.children[-5:]
    return [
        *_filter(condition),
        f"score: {_scorer(scorer)}",
        f"order: {_selector(selector)}",
        *(_transform(transform) if transform.op != "id" else ()),
        *_failure_plan(plan),
    ]


_BY_SORT: dict[str, Callable[[Node], list[str]]] = {
    "Policy": _policy,
    "Pred": _filter,
    "Scorer": lambda node: [f"score: {_scorer(node)}"],
    "Selector": lambda node: [f"order: {_selector(node)}"],
    "Xform": _transform,
    "FailPlan": _failure_plan,
    "Evidence": lambda node: [f"evidence, which decides nothing: {_printable(node.encoding)}"],
}
