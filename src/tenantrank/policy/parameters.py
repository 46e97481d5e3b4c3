"""Plain arguments of a term: each checked, written in canonical form, and copied into the form that a node keeps.

Source: the language's specification, sections 1 and 3. Numbers become doubles without a sign on zero, and records have
their keys in order, so that equal encodings are equal JSON. What is no valid argument is a ``LookupError`` or a
``ValueError`` without a word on why: `admission` gives the reason. No foreign value's own code is run.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any

from tenantrank.policy.encoding import encode_text
from tenantrank.policy.signature import ACTIONS, RELATIONS

_EXACT = 2**53

Reader = Callable[[Any], tuple[str, Any]]
"""Gives the canonical text of an argument, and its copy."""


def text(value: Any) -> str:
    """Quote a string that UTF-8 can hold."""
    if type(value) is not str:
        raise ValueError
    quoted = encode_basestring_ascii(value)
    # As long as the string and its quotes: plain ASCII with nothing to escape.
    if len(quoted) == len(value) + 2:
        return quoted
    value.encode()
    return encode_text(value)


def number(value: Any) -> str:
    """Write a finite number, an integer within ±2^53."""
    kind = type(value)
    if kind is float:
        if isfinite(value):
            return f"{value:.17g}" if value else "0"  # as `encode_number` does
    elif kind is int and -_EXACT <= value <= _EXACT:
        return str(value)
    raise ValueError


def _text(value: Any) -> tuple[str, Any]:
    return text(value), value


def _number(value: Any) -> tuple[str, Any]:
    return number(value), value + 0.0


def _count(value: Any) -> tuple[str, Any]:
    written = number(value)
    if value < 1 or value != int(value):
        raise ValueError
    return written, value + 0.0


def _scalar(value: Any) -> tuple[str, Any]:
    if type(value) is bool:
        return "true" if value else "false", value
    return _text(value) if type(value) is str else _number(value)


def _chain(value: Any) -> tuple[str, Any]:
    if type(value) is not list:
        raise ValueError
    written, copies = [], []
    for pair in value:
        parts, copy = [], {}
        for key in _sorted_keys(pair):
            parts.append(f"{_CHAIN_KEYS[key]}:{text(pair[key])}")
            copy[key] = pair[key]
        if not (("provider" in copy or "provider_id" in copy) and ("model" in copy or "model_family" in copy)):
            raise ValueError
        written.append(f"{{{','.join(parts)}}}")
        copies.append(copy)
    return f"[{','.join(written)}]", copies


def _recipe(value: Any) -> tuple[str, Any]:
    if type(value) is not list:
        raise ValueError
    written: list[str] = []
    copies: list[Any] = []
    for entry in value:
        if type(entry) is dict:
            keys = _sorted_keys(entry)
            parts = [f"{text(key)}:{number(entry[key])}" for key in keys]
            written.append(f"{{{','.join(parts)}}}" if parts else "[]")
            copies.append({key: entry[key] + 0.0 for key in keys})
        else:
            written.append(text(entry))
            copies.append(entry)
    return f"[{','.join(written)}]", copies


def action(value: Any) -> tuple[str, Any]:
    """Write the action of a failure plan, and copy it."""
    if type(value) is dict and len(value) == 1:
        ((key, given),) = value.items()
        if type(key) is not str or key != "action" or type(given) is not str:
            raise ValueError
        return _SIMPLE[given], {"action": given}
    parts: list[str] = []
    copy: dict[str, Any] = {}
    for key in _sorted_keys(value):
        given = value[key]
        if key == "action" or key == "then_action":
            if type(given) is not str:
                raise ValueError
            parts.append(f'"{key}":{_ACTIONS[given]}')
            copy[key] = given
        elif key == "backoff_ms" and type(given) is list:
            parts.append(f'"backoff_ms":[{",".join(map(number, given))}]')
            copy[key] = [entry + 0.0 for entry in given]
        else:
            parts.append(f"{text(key)}:{number(given)}")
            copy[key] = given + 0.0
    if "action" not in copy:
        raise ValueError
    return f"{{{','.join(parts)}}}", copy


def _sorted_keys(record: Any) -> list[str]:
    """Give the keys of a record in order, all of them plain strings: looking up another could run its own code."""
    if type(record) is not dict:
        raise ValueError
    for key in record:
        if type(key) is not str:
            raise ValueError
    return sorted(record)


def _quoted(*words: str) -> dict[str, str]:
    return {word: f'"{word}"' for word in words}


RELATION = _quoted(*RELATIONS)
"""The relations of `cmp`, written."""
_ACTIONS = _quoted(*ACTIONS)
_SIMPLE = {word: f'{{"action":{quoted}}}' for word, quoted in _ACTIONS.items()}
_CHAIN_KEYS = _quoted("provider", "provider_id", "model", "model_family")

READERS: dict[str, Reader] = {
    "Num": _number,
    "Count": _count,
    "Text": _text,
    "Scalar": _scalar,
    "Chain": _chain,
    "Recipe": _recipe,
    "Action": action,
}
"""The readers of the sorts of plain arguments that no vocabulary declares."""
