"""Whether a JSON value is a term of the language, decided totally and before anything else happens to it.

Source: the language's specification, section 1. Nothing is coerced and nothing is ignored: an unknown op, field, tier
or key is refused, and the answer for a value depends on that value and the vocabulary alone. `one_pass` admits the same
values, in a fraction of the time but without a word on the others: it goes first, and what it lets down is told here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from tenantrank.errors import PolicyError
from tenantrank.policy.signature import (
    ACTIONS,
    MAX_DEPTH,
    MAX_NODES,
    OPS,
    RELATIONS,
    Fields,
    Op,
    Version,
    is_subterm,
)

_EXACT = 2**53
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _FaultError(Exception):
    """A fault found somewhere below; each level on the way out adds its step, innermost first."""

    def __init__(self, reason: str, *steps: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps = list(steps)

    def path(self) -> str:
        return "$" + "".join(reversed(self.steps))


class _Checker:
    """One admission: the vocabulary it is made against, and the count of nodes so far."""

    __slots__ = ("fields", "nodes", "ops", "version")

    def __init__(self, fields: Fields, version: Version) -> None:
        self.fields = fields
        self.version = version
        self.ops = OPS[version]
        self.nodes = 0

    def term(self, term: Any, expected: str | None, depth: int) -> str:
        """Check one subterm and give its sort."""
        if type(term) is not list or not term or type(term[0]) is not str:
            raise _FaultError(f"a term is an array that begins with an op name, got {shown(term)}")
        if depth > MAX_DEPTH:
            raise _FaultError(f"deeper than {MAX_DEPTH} levels")
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _FaultError(f"more than {MAX_NODES} subterms")
        op = self.ops.get(term[0])
        if op is None:
            raise _FaultError(f"unknown op {shown(term[0])} in {self.version}")
        if expected is not None and op.sort != expected:
            raise _FaultError(f"expected a {expected}, got {op.name}, a {op.sort}")
        slots = self._slots(op, len(term) - 1)
        for index, slot in enumerate(slots, 1):
            try:
                if is_subterm(slot):
                    self.term(term[index], slot, depth + 1)
                else:
                    _PARAMETERS[slot](self, term[index])
            except _FaultError as fault:
                fault.steps.append(f".{op.name}[{index}]")
                raise
        return op.sort

    def _slots(self, op: Op, given: int) -> tuple[str, ...]:
        if op.variadic:
            if given == 0:
                raise _FaultError(f"{op.name} takes one argument or more, got none")
            return op.slots * given
        if given != len(op.slots):
            raise _FaultError(f"{op.name} takes {len(op.slots)} argument(s), got {given}")
        return op.slots

    def num_field(self, value: Any) -> None:
        self._field(value, "Num")

    def bool_field(self, value: Any) -> None:
        self._field(value, "Bool")

    def _field(self, value: Any, sort: str) -> None:
        _text(value, "a field name")
        found = self.fields.sort_of(value, self.version)
        if found is None:
            raise _FaultError(f"undeclared field {shown(value)}")
        if found != sort:
            raise _FaultError(f"field {shown(value)} is a {found} field, expected a {sort} field")

    def tier(self, value: Any) -> None:
        _text(value, "a tier name")
        if value not in self.fields.tier_order:
            raise _FaultError(f"unknown tier {shown(value)}, expected one of {', '.join(self.fields.tier_order)}")

    def relation(self, value: Any) -> None:
        if type(value) is not str or value not in RELATIONS:
            raise _FaultError(f"expected a relation ({' '.join(RELATIONS)}), got {shown(value)}")

    def number(self, value: Any) -> None:
        _number(value, "a finite number")

    def count(self, value: Any) -> None:
        _number(value, "an integer of at least 1")
        if value < 1 or value != int(value):
            raise _FaultError(f"expected an integer of at least 1, got {shown(value)}")

    def text(self, value: Any) -> None:
        _text(value, "a string")

    def scalar(self, value: Any) -> None:
        if type(value) is str:
            _text(value, "a string")
        elif type(value) is not bool:
            _number(value, "a string, a boolean or a finite number")

    def chain(self, value: Any) -> None:
        if type(value) is not list:
            raise _FaultError(f"expected a list of provider and model pairs, got {shown(value)}")
        for index, pair in enumerate(value):
            _at(f"[{index}]", _chain_pair, pair)

    def recipe(self, value: Any) -> None:
        if type(value) is not list:
            raise _FaultError(f"expected a list of strings or flat records, got {shown(value)}")
        for index, entry in enumerate(value):
            _at(f"[{index}]", _recipe_entry, entry)

    def action(self, value: Any) -> None:
        if type(value) is not dict:
            raise _FaultError(f"an action is a record, got {shown(value)}")
        for key, given in value.items():
            _text(key, "a string key")
            _at(_step(key), _ACTION_KEYS.get(key, _finite), given)
        # Only now, when every key is a plain string: looking one up could run a foreign key's code.
        if "action" not in value:
            raise _FaultError("an action needs the key 'action'")


def _at(step: str, check: Callable[[Any], None], value: Any) -> None:
    try:
        check(value)
    except _FaultError as fault:
        fault.steps.append(step)
        raise


def _step(key: str) -> str:
    """Write the step to a record's key: ``.key``, or ``["key"]`` where the key is not a plain word, clipped."""
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{_clipped(ascii(key))}]"


def shown(value: Any) -> str:
    """Show a JSON scalar, clipped; of anything else show only its type, since a repr may run foreign code."""
    kind = type(value)
    # Compared by identity alone: a metaclass may define equality.
    if kind is str:
        return _clipped(repr(value[:61]))
    if kind is float or kind is bool or value is None:
        return repr(value)
    if kind is int:
        return _clipped(repr(value)) if value.bit_length() <= 2000 else "an integer of very many digits"
    if kind is list:
        return "an array"
    if kind is dict:
        return "a record"
    # The name as the interpreter keeps it: a metaclass may answer anything for `__name__`.
    name = type.__dict__["__name__"].__get__(kind)
    return f"a Python {_clipped(name) if name.isidentifier() else 'object'}"


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def _number(value: Any, wanted: str) -> None:
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            raise _FaultError(f"expected {wanted}, got {value}")
    elif kind is not int:
        raise _FaultError(f"expected {wanted}, got {shown(value)}")
    elif not -_EXACT <= value <= _EXACT:
        raise _FaultError(f"{shown(value)} is outside ±2^53, where a double holds every integer")


def _text(value: Any, wanted: str) -> None:
    if type(value) is not str:
        raise _FaultError(f"expected {wanted}, got {shown(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _FaultError("string with a lone surrogate, which no UTF-8 text holds") from None


def _finite(value: Any) -> None:
    _number(value, "a finite number")


def _one_action(value: Any) -> None:
    if type(value) is not str or value not in ACTIONS:
        raise _FaultError(f"expected an action ({' '.join(ACTIONS)}), got {shown(value)}")


def _backoff(value: Any) -> None:
    if type(value) is list:
        for index, entry in enumerate(value):
            _at(f"[{index}]", _finite, entry)
    else:
        _number(value, "a finite number or a list of them")


_ACTION_KEYS: dict[str, Callable[[Any], None]] = {
    "action": _one_action,
    "then_action": _one_action,
    "backoff_ms": _backoff,
}

_CHAIN_KEYS = frozenset({"provider", "provider_id", "model", "model_family"})


def _chain_pair(value: Any) -> None:
    if type(value) is not dict:
        raise _FaultError(f"expected a record of provider and model, got {shown(value)}")
    for key, given in value.items():
        if type(key) is not str or key not in _CHAIN_KEYS:
            raise _FaultError(f"unknown key {shown(key)}, expected provider or provider_id, and model or model_family")
        _at(f".{key}", lambda name: _text(name, "a string"), given)
    if "provider" not in value and "provider_id" not in value:
        raise _FaultError("a pair needs 'provider' or 'provider_id'")
    if "model" not in value and "model_family" not in value:
        raise _FaultError("a pair needs 'model' or 'model_family'")


def _recipe_entry(value: Any) -> None:
    if type(value) is dict:
        for key, given in value.items():
            _text(key, "a string key")
            _at(_step(key), _finite, given)
    else:
        _text(value, "a string or a flat record of numbers")


_PARAMETERS: dict[str, Callable[[_Checker, Any], None]] = {
    "NumField": _Checker.num_field,
    "BoolField": _Checker.bool_field,
    "Tier": _Checker.tier,
    "Rel": _Checker.relation,
    "Num": _Checker.number,
    "Count": _Checker.count,
    "Text": _Checker.text,
    "Scalar": _Checker.scalar,
    "Chain": _Checker.chain,
    "Recipe": _Checker.recipe,
    "Action": _Checker.action,
}


def check(term: Any, fields: Fields, version: Version, sort: str | None = None) -> str:
    """Check that a JSON value is a term, and give its sort.

    Parameters
    ----------
    term
        any Python value; only exact ``list dict str int float bool`` are JSON, everything else is refused
    fields
        the declared fields and tiers
    version
        the version of the language
    sort
        the sort the term must have, ``None`` for any

    Raises
    ------
    PolicyError
        with the path to the first fault in reading order, and nothing else for any value
    """
    try:
        return _Checker(fields, version).term(term, sort, 1)
    except _FaultError as fault:
        raise PolicyError(fault.path(), fault.reason) from None
