"""A small rulebook that the tests of this package vary, and a second, plain compiler to compare with."""

from __future__ import annotations

from typing import Any

from tenantrank.tenants import Rulebook

FIELDS: dict[str, Any] = {
    "plan": {"type": "enum", "values": ["free", "team", "enterprise"]},
    "region": {"type": "enum", "values": ["global", "eu", "us"], "optional": True},
    "vip": {"type": "boolean", "optional": True},
    "seats": {"type": "integer", "optional": True},
    "floor": {"type": "number", "minimum": 0, "maximum": 1, "optional": True},
    "approved": {"type": "list", "optional": True},
}
BASE: dict[str, Any] = {"id": "base", "require": [["is", "priced"]]}


def book(*rules: dict[str, Any], **top: Any) -> Rulebook:
    """Make a rulebook of a base rule and these."""
    return Rulebook.from_value({"version": 1, "fields": FIELDS, "rules": [BASE, *rules], **top})


def plain_compile(value: dict[str, Any], tenant: dict[str, Any]) -> list[Any] | None:
    """Give the policy term of one tenant by the rulebook's text alone; None where the tenant gets an error.

    Understands rules of `require` with `provider_in`, of `floor`, `ceiling` and of `preference` by term.
    """
    clauses: list[Any] = []
    floors: dict[str, list[float]] = {}
    ceilings: dict[str, list[float]] = {}
    best: tuple[tuple[int, int, int], Any] = ((-1, 0, 0), ["zero"])
    for position, rule in enumerate(value["rules"]):
        answers = [_answer(test, tenant.get(name)) for name, test in rule.get("when", {}).items()]
        if False in answers:
            continue
        if None in answers:
            if any(key in rule for key in ("require", "floor", "ceiling")):
                return None
            continue
        for op, argument in rule.get("require", []):
            if op != "provider_in":
                clauses.append([op, argument])
                continue
            names = tenant.get(argument["tenant"]) if isinstance(argument, dict) else argument
            if names is None:
                return None
            clauses.append(["or", *(["provider_eq", name] for name in names)] if names else ["bot"])
        for key, bounds in (("floor", floors), ("ceiling", ceilings)):
            for field, bound in rule.get(key, {}).items():
                number = tenant.get(bound["tenant"]) if isinstance(bound, dict) else bound
                if number is None:
                    return None
                bounds.setdefault(field, []).append(number)
        if "preference" in rule:
            best = max(
                best, ((len(answers), rule.get("priority", 0), position), rule["preference"]), key=lambda b: b[0]
            )
    clauses += [["cmp", field, "ge", max(bounds)] for field, bounds in floors.items()]
    clauses += [["cmp", field, "le", min(bounds)] for field, bounds in ceilings.items()]
    distinct = [clause for place, clause in enumerate(clauses) if clause not in clauses[:place]]
    return ["policy", ["and", *distinct], best[1], ["argmax"], ["id"], ["always", {"action": "next_candidate"}]]


def _answer(test: Any, value: Any) -> bool | None:
    if not isinstance(test, dict):
        test = {"in": test if isinstance(test, list) else [test]}
    if value is None:
        return test.get("absent", test.get("or_absent"))
    answers = {
        "in": lambda operand: value in operand,
        "ne": lambda operand: value != operand,
        "ge": lambda operand: value >= operand,
        "lt": lambda operand: value < operand,
        "absent": lambda operand: not operand,
        "or_absent": lambda operand: True,
    }
    return all(answers[key](operand) for key, operand in test.items())
