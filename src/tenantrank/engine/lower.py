"""Lowering: normal form to plan. Atomic conditions become rows of the catalog's index, everything else instructions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.index import EVERY_OFFER, NO_OFFER, CatalogIndex
from tenantrank.engine.plan import Plan
from tenantrank.engine.view import V1_SCORERS, View
from tenantrank.policy.normal_form import Node
from tenantrank_kernels import opcodes as op

_RELATIONS = {"lt": op.LT, "le": op.LE, "eq": op.EQ, "ne": op.NE, "ge": op.GE, "gt": op.GT}
_NAMED_ATOMS = {
    "tier_eq": "tier",
    "min_tier": "min_tier",
    "family_eq": "family",
    "provider_eq": "provider",
    "served_by_eq": "served_by",
    "has_cap": "capability",
}
_LIVE_ROWS = {"meets_req": op.MEETS_REQUEST, "scope_matches": op.SCOPE, "envelope": op.ENVELOPE}
_LIVE_FLAGS = {"breaker_open": op.BREAKER_OPEN, "disabled": op.DISABLED}
_COLUMN_SCORERS = {"quality": "*quality", "partner": "*partner"}
_UNLIMITED = 2**62


class Program:
    """Instructions under construction, with the heights their stacks reach."""

    def __init__(self, index: CatalogIndex, view: View) -> None:
        self._index = index
        self._position = view.position
        self.code: list[int] = []
        self.constants: list[float] = []
        self._height = {"bits": 0, "vectors": 0}
        self.depth = 2  # the least that sampling needs

    def condition(self, node: Node) -> None:
        """Append a Pred: it leaves one bitset."""
        handler = _CONDITIONS.get(node.op)
        if handler is not None:
            handler(self, node)
        elif node.op in _LIVE_ROWS:
            self._push(op.ROW, -_LIVE_ROWS[node.op] - 1)
        elif node.op == "cmp":
            field, relation, bound = node.parameters
            self._push(_RELATIONS[relation], self._position[field], self._constant(bound))
        else:
            self._push(op.ROW, self._index.row((_NAMED_ATOMS[node.op], node.parameters[0])))

    def _every(self, _: Node) -> None:
        self._push(op.ROW, EVERY_OFFER)

    def _none(self, _: Node) -> None:
        self._push(op.ROW, NO_OFFER)

    def _flag(self, node: Node) -> None:
        field = node.parameters[0]
        live = _LIVE_FLAGS.get(field)
        self._push(op.ROW, self._index.row(("flag", field)) if live is None else -live - 1)

    def _not(self, node: Node) -> None:
        self.condition(node.children[0])
        self._emit(op.NOT)

    def _and(self, node: Node) -> None:
        self._joined(node, op.AND)

    def _or(self, node: Node) -> None:
        self._joined(node, op.OR)

    def _joined(self, node: Node, operation: int) -> None:
        for at, child in enumerate(node.children):
            self.condition(child)
            if at:
                self._emit(operation)
                self._height["bits"] -= 1

    def survive(self) -> None:
        """End the filter."""
        self._emit(op.SURVIVE)
        self.forget()

    def forget(self) -> None:
        """Begin the next condition on an empty stack."""
        self._height["bits"] = 0

    def score(self, node: Node) -> None:
        """Append a Scorer: it leaves one vector."""
        name = node.op
        if name == "field":
            self._column(node.parameters[0])
        elif name in _COLUMN_SCORERS:
            self._column(_COLUMN_SCORERS[name])
        elif name in V1_SCORERS:
            self._grow("vectors")
            self._emit(op.FIELD, len(self._position) + V1_SCORERS[name])
        elif name in ("lit", "zero"):
            self._literal(node.parameters[0] if node.parameters else 0.0)
        elif name == "add":
            self._literal(0.0)
            for child in node.children:
                self.score(child)
                self._emit(op.ADD)
                self._height["vectors"] -= 1
        elif name == "gate":
            condition, scorer = node.children
            self.score(scorer)
            self.condition(condition)
            self._emit(op.GATE)
            self._height["bits"] -= 1
        else:
            self.score(node.children[0])
            if name == "scale":
                self._emit(op.SCALE, 0, self._constant(node.parameters[0]))
            elif name == "clamp":
                low, high = node.parameters
                self._emit(op.CLAMP, 0, self._constant(low))
                self._constant(high)
            else:
                self._emit(op.NEGATE if name == "neg" else self.normalize)

    normalize = op.NORMALIZE

    def _column(self, name: str) -> None:
        self._grow("vectors")
        self._emit(op.FIELD, self._position[name])

    def _literal(self, value: float) -> None:
        self._grow("vectors")
        self._emit(op.LITERAL, 0, self._constant(value))

    def _push(self, operation: int, a: int, b: int = 0) -> None:
        self._grow("bits")
        self._emit(operation, a, b)

    def _emit(self, operation: int, a: int = 0, b: int = 0) -> None:
        self.code += (operation, a, b)

    def _constant(self, value: float) -> int:
        self.constants.append(value)
        return len(self.constants) - 1

    def _grow(self, stack: str) -> None:
        self._height[stack] += 1
        self.depth = max(self.depth, self._height[stack])


_CONDITIONS: dict[str, Callable[[Program, Node], None]] = {
    "top": Program._every,
    "bot": Program._none,
    "is": Program._flag,
    "not": Program._not,
    "and": Program._and,
    "or": Program._or,
}


def lower(condition: Node, scorer: Node, selector: Node, index: CatalogIndex, view: View) -> Plan:
    """Lower the deciding parts of an admitted policy.

    Parameters
    ----------
    condition, scorer, selector
        in normal form, admitted against the vocabulary of the index's catalog
    index, view
        the catalog, and any view of it of the policy's version (only the places of its columns are used)
    """
    program = Program(index, view)
    if view.version == "sigma-pol/v1":
        program.normalize = op.NORMALIZE_V1
    program.condition(condition)
    program.survive()
    limit = _UNLIMITED
    while selector.op == "top_k":
        limit = min(limit, int(min(selector.parameters[0], float(_UNLIMITED))))
        selector = selector.children[0]
    kind = {"argmax": op.ARGMAX, "ordered": op.ORDERED, "sample": op.SAMPLE, "chain": op.CHAIN}[selector.op]
    if kind == op.CHAIN:
        rows, places = _chain(selector.parameters[0], index)
    else:
        program.score(scorer)
        rows = places = np.zeros(0, dtype=np.int32)
    return Plan(
        view.version,
        np.array(program.code, dtype=np.int32),
        np.array(program.constants, dtype=np.float64),
        program.depth,
        kind,
        limit,
        selector.parameters[0] if kind == op.SAMPLE else 0.0,
        rows,
        places,
    )


def _chain(pairs: list[dict[str, str]], index: CatalogIndex) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the rows a chain lists: by the place of a pair's last mention, then in catalog order."""
    place_of: dict[tuple[str, str], int] = {}
    for place, pair in enumerate(pairs, 1):
        provider = pair["provider"] if "provider" in pair else pair["provider_id"]
        family = pair["model"] if "model" in pair else pair["model_family"]
        place_of[provider, family] = place
    listed = sorted((place, row) for pair, place in place_of.items() for row in index.rows_by_pair.get(pair, ()))
    rows = np.array([row for _, row in listed], dtype=np.int32)
    return rows, np.array([place for place, _ in listed], dtype=np.int32)
