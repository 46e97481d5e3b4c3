"""Admission, normal form, canonical encoding and identity of policy terms, as plainly as they can be written."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from tests.reference.signature import (
    ACTIONS,
    MAX_DEPTH,
    MAX_NODES,
    RELATIONS,
    SIGNATURES,
    TERM_SORTS,
    TIER_ORDER,
    V2,
    Fields,
    Term,
    field_sort,
)


class RefusedError(ValueError):
    """A term that admission refuses, with the path to the fault."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def admit(term: Any, fields: Fields, tier_order: Sequence[str] = TIER_ORDER, version: str = V2) -> str:
    """The sort of a term; anything that is not a term of the version raises RefusedError and nothing else."""
    signatures = SIGNATURES[version]
    nodes = 0

    def subterm(value: Any, path: str, depth: int) -> str:
        nonlocal nodes
        nodes += 1
        if depth > MAX_DEPTH:
            raise RefusedError(path, f"deeper than {MAX_DEPTH}")
        if nodes > MAX_NODES:
            raise RefusedError(path, f"more than {MAX_NODES} subterms")
        if not isinstance(value, list) or not value or not isinstance(value[0], str):
            raise RefusedError(path, "a term is a list that begins with its op")
        op = value[0]
        if op not in signatures:
            raise RefusedError(path, f"unknown op {op!r}")
        sort, kinds = signatures[op]
        count = len(value) - 1
        if kinds and kinds[0].endswith("+"):
            if count == 0:
                raise RefusedError(path, f"{op} needs at least one argument")
            kinds = (kinds[0][:-1],) * count
        if count != len(kinds):
            raise RefusedError(path, f"{op} takes {len(kinds)} arguments, got {count}")
        for index, kind in enumerate(kinds, start=1):
            argument, at = value[index], f"{path}[{index}]"
            if kind in TERM_SORTS:
                found = subterm(argument, at, depth + 1)
                if found != kind:
                    raise RefusedError(at, f"expected {kind}, got {found}")
            else:
                check_parameter(argument, kind, at, fields, tier_order, version)
        return sort

    return subterm(term, "$", 1)


def check_parameter(value: Any, kind: str, path: str, fields: Fields, tier_order: Sequence[str], version: str) -> None:
    def want(condition: bool, what: str) -> None:
        if not condition:
            raise RefusedError(path, f"expected {what}")

    if kind == "Num":
        want(is_number(value), "a finite number")
    elif kind == "Count":
        want(is_number(value) and value >= 1 and float(value).is_integer(), "an integer of at least 1")
    elif kind == "String":
        want(is_text(value), "a string")
    elif kind == "Scalar":
        want(isinstance(value, bool) or is_number(value) or is_text(value), "a number, a string or a boolean")
    elif kind == "Rel":
        want(is_text(value) and value in RELATIONS, "a relation")
    elif kind == "Tier":
        want(is_text(value) and value in tier_order, "a known tier")
    elif kind in ("NumField", "BoolField"):
        want(is_text(value) and field_sort(value, fields, version) == kind.removesuffix("Field"), f"a {kind}")
    elif kind == "Chain":
        want(isinstance(value, list) and all(is_chain_link(link) for link in value), "a list of provider and model")
    elif kind == "Recipe":
        want(isinstance(value, list) and all(is_recipe_step(step) for step in value), "a list of recipe steps")
    elif kind == "Action":
        check_action(value, path)
    else:
        raise AssertionError(kind)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite double; a boolean is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def is_text(value: Any) -> bool:
    """Whether a JSON value is a string that has a UTF-8 form; half a surrogate pair has none."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def is_chain_link(value: Any) -> bool:
    if not isinstance(value, dict) or not all(is_text(name) for name in value.values()):
        return False
    if not value.keys() <= {"provider", "provider_id", "model", "model_family"}:
        return False
    return ("provider" in value or "provider_id" in value) and ("model" in value or "model_family" in value)


def is_recipe_step(value: Any) -> bool:
    if isinstance(value, dict):
        return all(is_text(key) and is_number(number) for key, number in value.items())
    return is_text(value)


def check_action(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise RefusedError(path, "an action is a record")
    if "action" not in value:
        raise RefusedError(path, "an action names its action")
    for key, entry in value.items():
        if not is_text(key):
            raise RefusedError(path, "a key that is not text")
        if key in ("action", "then_action"):
            if not isinstance(entry, str) or entry not in ACTIONS:
                raise RefusedError(path, f"{key} is not one of {', '.join(ACTIONS)}")
        elif key == "backoff_ms" and isinstance(entry, list):
            if not all(is_number(number) for number in entry):
                raise RefusedError(path, "backoff_ms lists finite numbers")
        elif not is_number(entry):
            raise RefusedError(path, f"{key} must be a finite number")


def sort_of(term: Any, fields: Fields, tier_order: Sequence[str] = TIER_ORDER, version: str = V2) -> str | None:
    """The sort of a term, None where admission refuses it."""
    try:
        return admit(term, fields, tier_order, version)
    except RefusedError:
        return None


def kinds_of(term: Term, version: str) -> tuple[str, ...]:
    """The kinds of an admitted term's arguments, one each."""
    kinds = SIGNATURES[version][term[0]][1]
    if kinds and kinds[0].endswith("+"):
        return (kinds[0][:-1],) * (len(term) - 1)
    return kinds


def plain(value: Any) -> Any:
    """A parameter with every number a double (never a negative zero), since 1 and 1.0 are one number."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value) + 0.0
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return {key: plain(entry) for key, entry in value.items()}


def normal_form(term: Term, version: str = V2) -> Term:
    """The normal form of an admitted term: its children's first, then the rules of its own op."""
    op = term[0]
    args: list[Any] = [
        normal_form(argument, version) if kind in TERM_SORTS else plain(argument)
        for kind, argument in zip(kinds_of(term, version), term[1:], strict=True)
    ]
    if op == "and":
        return flat(op, args, unit="top", absorbing="bot", version=version)
    if op == "or":
        return flat(op, args, unit="bot", absorbing="top", version=version)
    if op == "add":
        return flat(op, args, unit="zero", absorbing=None, version=version)
    if op == "ev_add":
        return flat(op, args, unit="ev_zero", absorbing=None, version=version)
    if op == "seq":
        return flat(op, args, unit="id", absorbing=None, version=version)
    if op == "not":
        (child,) = args
        if child[0] == "not":
            inner: Term = child[1]
            return inner
        return {"top": ["bot"], "bot": ["top"]}.get(child[0], ["not", child])
    if op == "scale":
        factor, child = args
        if factor == 0.0 or child == ["zero"]:
            return ["zero"]
        return child if factor == 1.0 else ["scale", factor, child]
    if op == "gate":
        condition, child = args
        if condition == ["bot"] or child == ["zero"]:
            return ["zero"]
        return child if condition == ["top"] else ["gate", condition, child]
    if op == "normalize" and args[0][0] == "normalize":
        return ["normalize", args[0][1]]
    if op == "override":
        return failure_plan(inner=args[0], reason=args[1], action=args[2])
    return [op, *args]


def flat(op: str, children: list[Term], unit: str, absorbing: str | None, version: str) -> Term:
    kept: list[Term] = []
    for child in children:
        if child[0] == op:
            kept.extend(child[1:])
        elif child[0] != unit:
            kept.append(child)
    if absorbing is not None and [absorbing] in kept:
        return [absorbing]
    if not kept:
        return [unit]
    if len(kept) == 1:
        return kept[0]
    if op != "seq":
        kept.sort(key=lambda child: encode_term(child, version).encode())
    return [op, *kept]


def failure_plan(inner: Term, reason: str, action: dict[str, Any]) -> Term:
    """One more override around a plan that is in normal form already."""
    overrides = {reason: action}
    while inner[0] == "override":
        inner, inner_reason, inner_action = inner[1:]
        overrides.setdefault(inner_reason, inner_action)
    plan, base = inner, encode_value(inner[1])
    for name in sorted(overrides, key=str.encode):
        if encode_value(overrides[name]) != base:
            plan = ["override", plan, name, overrides[name]]
    return plan


def encode_number(value: float) -> str:
    number = float(value)
    if number == 0.0:
        return "0"
    if number.is_integer() and abs(number) <= 2.0**53:
        return str(int(number))
    return f"{number:.17g}"


def encode_string(value: str) -> str:
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(character, escaped)
    return f'"{value}"'


def encode_value(value: Any) -> str:
    """A parameter's encoding."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return encode_string(value)
    if isinstance(value, int | float):
        return encode_number(value)
    if not value:
        return "[]"
    if isinstance(value, list):
        return "[" + ",".join(encode_value(entry) for entry in value) + "]"
    keys = sorted(value, key=str.encode)
    return "{" + ",".join(f"{encode_string(key)}:{encode_value(value[key])}" for key in keys) + "}"


def encode_term(term: Term, version: str) -> str:
    """A term's encoding without the version."""
    parts = [term[0]]
    for kind, argument in zip(kinds_of(term, version), term[1:], strict=True):
        parts.append(encode_term(argument, version) if kind in TERM_SORTS else encode_value(argument))
    return "(" + " ".join(parts) + ")"


def encode(term: Term, version: str = V2) -> str:
    """The canonical encoding of an admitted term's normal form."""
    return f"{version}:{encode_term(normal_form(term, version), version)}"


def fingerprint(encoding: str) -> str:
    h1, h2 = 5381, 52711
    for byte in encoding.encode():
        h1 = (h1 * 31 + byte) % 2147483647
        h2 = (h2 * 37 + byte) % 2147483629
    return f"{h1}-{h2}"


def identity(encoding: str) -> str:
    return hashlib.sha256(encoding.encode()).hexdigest()
