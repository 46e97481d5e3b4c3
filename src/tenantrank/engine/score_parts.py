"""Score parts: what each part of a scorer comes to for an offer, and from which values.

The same operations in the same order as the kernels', one vector at a time: the parts of a sum, added from 0 in
normal-form order, are the score to the bit. Source: the language's specification, section 5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.clauses import clause_masks
from tenantrank.engine.columns import Doubles
from tenantrank.engine.lower import COLUMN_SCORERS
from tenantrank.engine.observed import Observed
from tenantrank.engine.stated import Stated, Subject
from tenantrank.engine.view import V1_SCORERS
from tenantrank.policy.describe import describe_scorer
from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import V2

Rows = NDArray[np.intp]
_READ_V1: dict[str, Subject] = {
    "quality": ("field", "quality"),
    "speed": ("field", "latency_ms"),
    "free_credit": ("field", "credits"),
    "partner": ("column", "tier"),
}
"""What scorers of the first version look at."""


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One part of a score, for one offer.

    Attributes
    ----------
    words : in plain English; encoding : its canonical text
    value : what it comes to; a part of a sum adds this to the score
    weight : what `scale` multiplies by, else ``None``
    ends : the least and the greatest value among the survivors, between which `normalize` rescales, else ``None``
    holds : whether the condition of a `gate` holds, else ``None``
    observed : the values of the offer that it reads itself, with their sources
    parts : the scorers that it is made of, in normal-form order
    """

    words: str
    encoding: str
    value: float
    weight: float | None = None
    ends: tuple[float, float] | None = None
    holds: bool | None = None
    observed: tuple[Observed, ...] = ()
    parts: tuple[ScorePart, ...] = ()

    @property
    def observations(self) -> tuple[Observed, ...]:
        """Every value of the offer that has a part in it, with its source."""
        return self.observed + tuple(each for part in self.parts for each in part.observations)

    @property
    def weighed(self) -> float:
        """What the weight multiplies: the value where there is none."""
        return self.value if self.weight is None else self.parts[0].value

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value, with the members that it has; a number that JSON lacks is null."""
        found: dict[str, Any] = {"words": self.words, "scorer": self.encoding, "value": _finite(self.value)}
        if self.weight is not None:
            found["weight"] = self.weight
        if self.ends is not None:
            found["ends"] = [_finite(end) for end in self.ends]
        if self.holds is not None:
            found["holds"] = self.holds
        if self.observed:
            found["observed"] = [each.to_json() for each in self.observed]
        return found | ({"parts": [part.to_json() for part in self.parts]} if self.parts else {})


class Scoring:
    """One scorer over the survivors of a filter.

    Parameters
    ----------
    scorer
        in normal form
    stated
        what is read, and for which request
    survivors
        (survivors,) the catalog rows that pass the filter, ascending
    """

    def __init__(self, scorer: Node, stated: Stated, survivors: Rows) -> None:
        self._scorer = scorer
        self._stated = stated
        self._view = stated.view
        self._survivors = survivors
        self._requested = stated.view.request_columns(stated.request)
        self._ends: dict[str, tuple[float, float]] = {}
        self._gates: dict[str, NDArray[np.bool_]] = {}

    def values(self) -> Doubles:
        """Give the score of each survivor, (survivors,), the same bits as ranking gives."""
        return self._values(self._scorer, self._survivors)

    def parts_of(self, row: int) -> tuple[ScorePart, ...]:
        """Give what the score of a survivor adds up from: the parts of a sum, or the whole as one part."""
        whole = self._part(self._scorer, np.array([row]))
        return whole.parts if self._scorer.op == "add" else (whole,)

    def _values(self, node: Node, rows: Rows) -> Doubles:
        inputs = [self._values(child, rows) for child in scorers_in(node)]
        return self._step(node, inputs, rows)

    def _part(self, node: Node, rows: Rows) -> ScorePart:
        parts = tuple(self._part(child, rows) for child in scorers_in(node))
        value = self._step(node, [np.array([part.value]) for part in parts], rows)
        return ScorePart(
            describe_scorer(node),
            node.encoding,
            float(value[0]),
            node.parameters[0] if node.op == "scale" else None,
            self._ends_of(node) if node.op == "normalize" else None,
            bool(self._gate(node.children[0])[rows[0]]) if node.op == "gate" else None,
            self._read(node, int(rows[0]), float(value[0])),
            parts,
        )

    def _read(self, node: Node, row: int, value: float) -> tuple[Observed, ...]:
        """Give the values of an offer that a scorer reads itself."""
        if node.op == "field":
            return (self._stated.observed(("field", node.parameters[0]), row),)
        if node.op == "cost":
            prices = [self._stated.observed(("field", name), row) for name in ("price_in", "price_out")]
            # The live state's prices alone count here, and one that it does not have counts as 0.
            return tuple(price if price.kind == "live" else Observed(price.name, None, 0.0, "live") for price in prices)
        subject = _READ_V1.get(node.op)
        if subject is None:
            return ()
        seen = self._stated.observed(subject, row)
        return (replace(seen, read=value) if node.op == "quality" else seen,)

    def _step(self, node: Node, inputs: Sequence[Doubles], rows: Rows) -> Doubles:
        """Give what a scorer comes to in some rows, from what those that it is made of come to there."""
        name = node.op
        with np.errstate(all="ignore"):
            if name in ("lit", "zero"):
                return np.full(len(rows), node.parameters[0] if node.parameters else 0.0)
            if name == "field":
                return self._view.values(node.parameters[0])[rows]
            if name in COLUMN_SCORERS:
                return self._view.values(COLUMN_SCORERS[name])[rows]
            if name in V1_SCORERS:
                return np.asarray(self._requested[V1_SCORERS[name]][rows])
            if name == "add":
                total = np.zeros(len(rows))
                for value in inputs:
                    total = total + value
                return total
            if name == "scale":
                return np.asarray(node.parameters[0] * inputs[0])
            if name == "neg":
                return np.asarray(1.0 - inputs[0])
            if name == "gate":
                return np.where(self._gate(node.children[0])[rows], inputs[0], 0.0)
            if name == "clamp":
                low, high = node.parameters
                return np.where(inputs[0] < low, low, np.where(inputs[0] > high, high, inputs[0]))
            return self._rescaled(inputs[0], *self._ends_of(node))

    def _rescaled(self, values: Doubles, low: float, high: float) -> Doubles:
        if not high > low:
            return np.zeros(len(values))
        scaled = (values - low) / (high - low)
        if self._view.version != V2:
            return scaled
        scaled = np.where(np.isnan(scaled), 0.0, scaled)
        return np.where(values >= high, 1.0, np.where(values <= low, 0.0, scaled))

    def _ends_of(self, node: Node) -> tuple[float, float]:
        """Give the least and the greatest value among the survivors, NaN passed over; of none, +inf and −inf."""
        found = self._ends.get(node.encoding)
        if found is None:
            values = self._values(node.children[0], self._survivors)
            values = values[~np.isnan(values)]
            found = (float(values.min()), float(values.max())) if len(values) else (math.inf, -math.inf)
            self._ends[node.encoding] = found
        return found

    def _gate(self, condition: Node) -> NDArray[np.bool_]:
        found = self._gates.get(condition.encoding)
        if found is None:
            masks = clause_masks([condition], self._view, self._stated.request)
            found = self._gates[condition.encoding] = self._view.index.unpack(masks[0])
        return found


def scorers_in(node: Node) -> tuple[Node, ...]:
    """Give the scorers that a scorer is made of, in normal-form order; the condition of a `gate` is none."""
    return node.children[1:] if node.op == "gate" else node.children


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
