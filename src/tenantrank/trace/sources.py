"""Where each number of a decision comes from: a rule and a tenant's field, a source of the catalog, a default, or what
was observed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tenantrank.engine import Engine
from tenantrank.engine.stated import Stated
from tenantrank.errors import TenantrankError
from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import STATE_FIELDS, Version


class Number(NamedTuple):
    """One number, what it is, and where it comes from."""

    value: str
    what: str
    source: str


def shown(value: float) -> str:
    """Write a double in the fewest digits that name it."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def fields_of(nodes: Sequence[Node]) -> list[str]:
    """Give the Num fields that terms read, in the order of the first use."""
    found: dict[str, None] = {}
    for node in _walk(nodes):
        if node.op in ("field", "cmp"):
            found[node.parameters[0]] = None
    return list(found)


def bounds_of(node: Node) -> tuple[tuple[str, str], ...]:
    """Give the fields that a term compares, each with its bound."""
    return tuple((each.parameters[0], shown(each.parameters[2])) for each in _walk([node]) if each.op == "cmp")


def given_numbers(record: Mapping[str, Any]) -> list[Number]:
    """Say which numbers came with the call."""
    numbers = [(name, value) for name, value in record["request"].items() if isinstance(value, int | float)]
    found = [Number(shown(float(value)), name.replace("_", " "), "the request") for name, value in numbers]
    seed = record["seed"]
    return [*found, Number("0" if seed is None else str(seed), "seed", "none given" if seed is None else "the request")]


def counted_numbers(attempts: Mapping[str, Any]) -> list[Number]:
    """Say which numbers the attempts brought."""
    found = []
    for attempt in attempts.get("attempts", ()):
        counted = f"counted by {attempt['provider']}"
        tokens = {name.replace("_", " "): attempt[name] for name in ("tokens_in", "tokens_out")}
        found += [Number(str(count), name, counted) for name, count in tokens.items() if count is not None]
        if attempt["cost_usd"] is not None:
            what = f"cost of {attempt['offer']} in USD"
            found.append(Number(shown(float(attempt["cost_usd"])), what, "recorded with the attempt"))
    return found


def _walk(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _walk(node.children)


def observed_numbers(engine: Engine, version: Version, offer: str, fields: Sequence[str]) -> list[Number]:
    """Say what a decision read of one offer in some fields, and where each value comes from."""
    stated = engine.stated(version)
    return [
        Number(
            _value(engine, version, name, offer), f"{name} of {offer}", source_of(engine, version, name, offer, stated)
        )
        for name in fields
    ]


def source_of(engine: Engine, version: Version, name: str, offer: str, stated: Stated | None = None) -> str:
    """Say where the value comes from that a decision read of an offer in a field."""
    if name in STATE_FIELDS:
        return "the live state"
    try:
        stated = engine.stated(version) if stated is None else stated
        row = engine.row_of_offer(offer)
        seen = stated.observed(("field", name), row)
    except (KeyError, TenantrankError):
        return "a field that the catalog does not have"
    if seen.kind == "live":
        return "observed: the live state"
    if seen.value is None:
        return "no source states it: the field's default"
    if seen.source is not None:
        return seen.whence
    return "worked out from the catalog" if stated.statements(row) else "the catalog, which does not say whence"


def _value(engine: Engine, version: Version, name: str, offer: str) -> str:
    try:
        return shown(float(engine.observed(name, version)[engine.row_of_offer(offer)]))
    except (KeyError, TenantrankError, OverflowError):
        return "unknown"
