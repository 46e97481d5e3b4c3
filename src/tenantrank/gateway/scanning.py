"""The members of a JSON object with their places in its text.

Read more strictly than the standard parser does, and with words for what is wrong that hold nothing of the text.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, TypeAlias

from tenantrank.gateway.members import GATEWAY_MEMBERS
from tenantrank.policy.strict_json import MAX_INTEGER

Span: TypeAlias = tuple[int, int, int]
"""Where a member's name begins, where its value begins, and where that ends."""

_BEGIN = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*").match
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*").match
_COMMA = re.compile(r'[ \t\n\r]*,[ \t\n\r]*(?=")').match
_END = re.compile(r"[ \t\n\r]*\}[ \t\n\r]*\Z").match
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]").search


class FaultError(ValueError):
    """What is wrong with a text, in words that hold nothing of it."""


def scan(text: str) -> tuple[dict[str, Any], dict[str, Span], int]:
    """Find the members of a JSON object.

    Returns
    -------
    their values by name, in their order; where each is, in bytes of UTF-8; where the inside of the object begins

    Raises
    ------
    FaultError, json.JSONDecodeError, UnicodeEncodeError, ValueError
        for a text that is refused; the first says why, the second where, the third is a lone surrogate, any other
        ``ValueError`` an integer of more digits than Python reads
    """
    begin = _BEGIN(text)
    if begin is None:
        raise FaultError("it is no JSON object")
    opened = begin.end()
    members: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    try:
        if not _END(text, opened):
            _members(text, opened, members, spans)
    except StopIteration as stopped:
        raise json.JSONDecodeError("", "", stopped.value) from None
    if "\\u" in text and _SURROGATE(text):
        # In escapes alone: a lone surrogate in the text itself would not be UTF-8.
        json.dumps(members, ensure_ascii=False).encode()
    return members, spans if text.isascii() else _in_bytes(spans, text), opened


def _members(text: str, at: int, members: dict[str, Any], spans: dict[str, Span]) -> None:
    while True:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("", "", at)
        name, value_at = _name(text, at + 1)
        # Written as most clients do, this is all; anything else is allowed, and takes longer.
        if text[value_at : value_at + 1] == ":" and text[value_at + 1 : value_at + 2] not in _SPACE:
            value_at += 1
        else:
            colon = _COLON(text, value_at)
            if colon is None:
                raise json.JSONDecodeError("", "", value_at)
            value_at = colon.end()
        value, end = (_STRICT if name in GATEWAY_MEMBERS else _LOOSE)(text, value_at)
        if name in members:
            raise FaultError("a member is given twice")
        if type(value) is int and not -(2**63) <= value < 2**64:
            raise FaultError("a parameter that is an integer beyond 64 bits")
        members[name] = value
        spans[name] = at, value_at, end
        if text[end : end + 2] == ',"':
            at = end + 1
            continue
        comma = _COMMA(text, end)
        if comma is not None:
            at = comma.end()
        elif _END(text, end):
            return
        else:
            raise json.JSONDecodeError("", "", end)


def _in_bytes(spans: dict[str, Span], text: str) -> dict[str, Span]:
    before, passed = 0, 0
    found = {}
    for name, span in spans.items():
        places = []
        for place in span:
            passed += len(text[before:place].encode())
            before = place
            places.append(passed)
        found[name] = places[0], places[1], places[2]
    return found


def _record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise FaultError("a key is given twice in one object")
    return record


def _small_integer(literal: str) -> int:
    value = int(literal) if len(literal) <= 17 else MAX_INTEGER + 1
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise FaultError("an integer outside ±(2^53 − 1)")
    return value


def _number(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise FaultError("a number beyond the range of doubles")
    return value


def _constant(_: str) -> NoReturn:
    raise FaultError("NaN and Infinity are no JSON numbers")


# Integers of what is sent on are as long as the client likes: a provider's seed has 64 bits.
_LOOSE = json.JSONDecoder(  # type: ignore[attr-defined]
    object_pairs_hook=_record, parse_float=_number, parse_constant=_constant
).scan_once
_STRICT = json.JSONDecoder(  # type: ignore[attr-defined]
    object_pairs_hook=_record, parse_int=_small_integer, parse_float=_number, parse_constant=_constant
).scan_once
_name = json.decoder.scanstring  # type: ignore[attr-defined]
_SPACE = frozenset(" \t\n\r")
