"""What a clause would have to let through, in words: numbers for a bound, names and values for anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine import Engine
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.encoding import encode_text
from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import STATE_FIELDS
from tenantrank.whatif.relax_reach import Bound, Held

Rows = NDArray[np.intp]

_NAMES = {
    "provider_eq": ("provider_id", "provider"),
    "family_eq": ("model_family", "model family"),
    "tier_eq": ("tier", "tier"),
    "min_tier": ("tier", "tier"),
    "scope_matches": ("scope", "scope"),
}
_NO_LOG = {"false": "offers that log", "unknown": "offers that do not say whether they log"}
_PLAIN = re.compile(r"[\w.:/@+-]+")
_PLACE, _ONLY = "region_", "region_only_"
_MOST_NAMES = 5


def moved(bound: Bound, to: float) -> str:
    """Say what moving a bound comes to."""
    verb = "raise" if bound.side == "most" else "lower"
    if to == bound.value:
        return f"let {_name(bound.field)} be exactly {number(to)} as well"
    return f"{verb} {_name(bound.field)} from {number(bound.value)} to {number(to)}"


def dropped(held: Held, engine: Engine, rows: Rows, reasons: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Say what dropping a clause comes to, and give the names or values that it would let through.

    Parameters
    ----------
    held
        the clause
    engine
        whose catalog it is
    rows
        the offers that would be ranked without it, best first
    reasons
        what the first of them fails of a request
    """
    node = held.clause.node
    leaves = list(_leaves(node))
    ops = {leaf.op for leaf in leaves}
    flag = node.op == "is" or (node.op == "not" and node.children[0].op == "is")
    if len(ops) == 1 and ops <= _NAMES.keys():
        column, noun = _NAMES[ops.pop()]
        names = _distinct(_strings(engine, column, rows))
        return f"allow {_listed(noun, names)}", names
    if ops == {"served_by_eq"}:
        names = _distinct(
            peer or provider
            for peer, provider in zip(
                _strings(engine, "peer_id", rows), _strings(engine, "provider_id", rows), strict=True
            )
        )
        return f"allow {_listed('server', names)}", names
    if ops == {"is"} and all(leaf.parameters[0].startswith(_PLACE) for leaf in leaves):
        names = _places(engine, leaves, rows)
        return (f"allow {_listed('region', names)}" if names else "allow offers that state no region"), names
    if flag:
        return _flagged(node, engine, rows)
    if node.op == "meets_req":
        names = tuple(reasons)
        return f"ask less of it in the request: {', '.join(names)}", names
    if node.op == "bot":
        return "drop the clause that no offer passes", ()
    return f"drop: {describe_clause(node)}", ()


def _flagged(node: Node, engine: Engine, rows: Rows) -> tuple[str, tuple[str, ...]]:
    if node.op == "not":
        return f"allow offers for which {_name(node.children[0].parameters[0])} holds", ("true",)
    field = node.parameters[0]
    flags = np.zeros(len(rows)) if field in STATE_FIELDS else engine.catalog.flags(field)[rows]
    seen = _distinct("false" if flag == 0 else "unknown" for flag in flags.tolist())
    if field == "no_log":
        return f"allow {' or '.join(_NO_LOG[value] for value in seen)}", seen
    return f"allow offers for which {_name(field)} is {' or '.join(seen)}", seen


def _places(engine: Engine, leaves: Sequence[Node], rows: Rows) -> tuple[str, ...]:
    """Give the places that offers may process in and no test of the clause names."""
    fields = engine.catalog.fields
    known = [name.removeprefix(_PLACE) for name in fields if name.startswith(_PLACE) and fields[name].sort == "Bool"]
    places = [name for name in known if f"{_ONLY}{name}" in fields] or [
        name for name in known if not name.startswith(_ONLY.removeprefix(_PLACE))
    ]
    named = {leaf.parameters[0].removeprefix(_ONLY).removeprefix(_PLACE) for leaf in leaves}
    flags = {place: engine.catalog.flags(f"{_PLACE}{place}")[rows] == 1 for place in places if place not in named}
    # By the best offer of each place.
    first = {place: int(there.argmax()) for place, there in flags.items() if there.any()}
    return tuple(sorted(first, key=lambda place: first[place]))


def _leaves(node: Node) -> Iterator[Node]:
    if node.op not in ("and", "or", "not"):
        yield node
    for child in node.children:
        yield from _leaves(child)


def _strings(engine: Engine, column: str, rows: Rows) -> list[str | None]:
    codes, names = engine.catalog.strings(column)
    return [names[code] if code >= 0 else None for code in codes[rows].tolist()]


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(value for value in dict.fromkeys(values) if value is not None)


def _listed(noun: str, names: Sequence[str]) -> str:
    if not names:
        return f"offers without a {noun}"
    more = len(names) - _MOST_NAMES
    listed = " or ".join(map(_name, names[:_MOST_NAMES]))
    return f"{noun} {listed}{f' (or {more} more)' if more > 0 else ''}"


def _name(text: str) -> str:
    """Write a name so that it cannot end a line or read as part of the sentence."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(mark if mark.isprintable() else f"\\u{ord(mark):04x}" for mark in encode_text(text))


def number(value: float) -> str:
    """Write a number in the fewest digits that name it."""
    return str(int(value)) if value == int(value) and abs(value) <= 2**53 else repr(float(value))
