"""Terms in plain English: one line for each clause, for the people who have to approve a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tenantrank.policy.encoding import encode_number, encode_parameter
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
    "next_provider_same_model": "go to the next offer of the same model",
    "disable_provider": "disable the provider and go to the next offer",
    "abort": "stop with the error",
}


def describe(term: Term) -> list[str]:
    """Describe an admitted term, one line a clause.

    A policy gives a line for each clause of its filter, then how survivors are scored, how they are ordered, what
    changes in the request (where something does), and what follows a failure. Other sorts give their own lines.
    """
    return _BY_SORT[term.sort](term.root)


def describe_clause(node: Node) -> str:
    """Describe one Pred in normal form on one line."""
    if node.op in _FIXED:
        return _FIXED[node.op]
    if node.op == "and":
        return " and ".join(_bracketed(child) for child in node.children)
    if node.op == "or":
        return _alternatives(node)
    if node.op == "not":
        return _negated(node.children[0])
    if node.op == "is":
        return f"{node.parameters[0]} holds"
    if node.op == "cmp":
        field, relation, bound = node.parameters
        return f"{field} is {_RELATIONS[relation]} {encode_number(bound)}"
    if node.op == "has_cap":
        return f"the offer has the capability {node.parameters[0]}"
    subject, verb = _NAMING[node.op]
    return f"{subject} {verb} {node.parameters[0]}"


_NAMING = {
    "tier_eq": ("the tier", "is"),
    "min_tier": ("the tier", "is at least"),
    "family_eq": ("the model family", "is"),
    "provider_eq": ("the provider", "is"),
    "served_by_eq": ("the offer", "is served by"),
}


def _alternatives(node: Node) -> str:
    """Write an `or` of one kind of name as a list of names."""
    kinds = {child.op for child in node.children}
    if len(kinds) == 1 and (kind := kinds.pop()) in _NAMING:
        subject, verb = _NAMING[kind]
        return f"{subject} {verb} one of {', '.join(child.parameters[0] for child in node.children)}"
    return " or ".join(_bracketed(child) for child in node.children)


def _negated(node: Node) -> str:
    if node.op == "is":
        return f"{node.parameters[0]} does not hold"
    if node.op == "has_cap":
        return f"the offer lacks the capability {node.parameters[0]}"
    if node.op in _NAMING and node.op not in ("min_tier", "served_by_eq"):
        return f"{_NAMING[node.op][0]} is not {node.parameters[0]}"
    if node.op == "or" and (line := _alternatives(node)) and " is one of " in line:
        return line.replace(" is one of ", " is none of ", 1)
    return f"it is not so that {describe_clause(node)}"


def _bracketed(node: Node) -> str:
    line = describe_clause(node)
    return f"({line})" if node.op in ("and", "or") and " is one of " not in line else line


def _filter(node: Node) -> list[str]:
    return [describe_clause(clause) for clause in (node.children if node.op == "and" else (node,))]


def _scorer(node: Node) -> str:
    if node.op in _FIXED_SCORERS:
        return _FIXED_SCORERS[node.op]
    if node.op == "field":
        return str(node.parameters[0])
    if node.op == "lit":
        return encode_number(node.parameters[0])
    if node.op == "add":
        return " + ".join(_scorer(child) for child in node.children)
    if node.op == "gate":
        return f"({_scorer(node.children[1])} where {describe_clause(node.children[0])}, else 0)"
    inner = _scorer(node.children[0])
    if node.op == "scale":
        return f"{encode_number(node.parameters[0])} × {_grouped(inner, node.children[0])}"
    if node.op == "neg":
        return f"1 − {_grouped(inner, node.children[0])}"
    if node.op == "clamp":
        low, high = map(encode_number, node.parameters)
        return f"({inner}, kept between {low} and {high})"
    return f"({inner}, rescaled to 0–1 between the survivors)"


def _grouped(text: str, node: Node) -> str:
    return f"({text})" if node.op in ("add", "scale", "neg") else text


def _selector(node: Node) -> str:
    if node.op == "top_k":
        return f"the first {encode_number(node.parameters[0])} of: {_selector(node.children[0])}"
    if node.op == "argmax":
        return "highest score first, ties in catalog order"
    if node.op == "ordered":
        return "catalog order"
    if node.op == "sample":
        return (
            f"drawn at random by the seed, higher scores favoured, at temperature {encode_number(node.parameters[0])}"
        )
    pairs = [
        f"{pair.get('provider', pair.get('provider_id'))}/{pair.get('model', pair.get('model_family'))}"
        for pair in node.parameters[0]
    ]
    return f"only, and in this order: {', '.join(pairs)}" if pairs else "no offer: the list is empty"


def _transform(node: Node) -> list[str]:
    if node.op == "id":
        return []
    if node.op == "seq":
        return [line for child in node.children for line in _transform(child)]
    if node.op == "when":
        condition, inner = node.children
        return [f"where {describe_clause(condition)}: {line}" for line in _transform(inner)]
    return [f"request: {_TRANSFORMS[node.op](*node.parameters)}"]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else encode_parameter(value)


_TRANSFORMS: dict[str, Callable[..., str]] = {
    "set_param": lambda name, value: f"set {name} to {'the seed' if value == 'from_ctx' else _shown(value)}",
    "inject_seed": lambda name: f"set {name} to the seed",
    "clamp_param": lambda name, low, high: f"keep {name} between {encode_number(low)} and {encode_number(high)}",
    "jitter": lambda name, amplitude: f"shift {name} by up to {encode_number(amplitude)}, decided by the seed",
    "filter_text": lambda recipe: f"filter text by {len(recipe)} step(s)",
    "filter_image": lambda recipe: f"filter images by {len(recipe)} step(s)",
    "custom": lambda name: f"apply the operator's transform {name}",
}


def _failure_plan(node: Node) -> list[str]:
    if node.op == "always":
        return [f"on any other failure: {_action(node.parameters[0])}"]
    reason, action = node.parameters
    return [f"on {reason}: {_action(action)}", *_failure_plan(node.children[0])]


def _action(action: dict[str, Any]) -> str:
    words = _ACTIONS[action["action"]]
    if action["action"] == "retry_same":
        words += f", up to {encode_number(action.get('attempts', 1.0))} more time(s)"
        words += f", then {_ACTIONS[action['then_action']]}" if "then_action" in action else ""
    if "open_breaker_ms" in action:
        words += ", and open the provider's breaker"
    return words


def _policy(node: Node) -> list[str]:
    condition, scorer, selector, transform, plan = node.children[-5:]
    return [
        *_filter(condition),
        f"score: {_scorer(scorer)}",
        f"order: {_selector(selector)}",
        *_transform(transform),
        *_failure_plan(plan),
    ]


_BY_SORT: dict[str, Callable[[Node], list[str]]] = {
    "Policy": _policy,
    "Pred": _filter,
    "Scorer": lambda node: [f"score: {_scorer(node)}"],
    "Selector": lambda node: [f"order: {_selector(node)}"],
    "Xform": lambda node: _transform(node) or ["request: unchanged"],
    "FailPlan": _failure_plan,
    "Evidence": lambda node: [f"evidence, which decides nothing: {node.encoding}"],
}
