"""One catalog under one health and one version of the language: the columns and live bitsets that kernels read."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.costs import EVERY, Rows, Tokens, expected_costs
from tenantrank.catalog.health import Health
from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.engine.columns import (
    OBSERVED,
    Part,
    clamp01,
    column,
    default_of,
    first_known,
    is_offers_own,
    observed,
    value_at,
)
from tenantrank.engine.index import Bits, CatalogIndex
from tenantrank.engine.lines import zeros
from tenantrank.engine.observations import Observations
from tenantrank.engine.orders import Moved
from tenantrank.engine.request import Request
from tenantrank.policy.signature import V1, Version
from tenantrank_kernels import opcodes as op

_FEW = 32  # rows that may have changed up to which each is looked at by itself
_NOTHING: Mapping[str, float] = {}
CAPABILITY_OF_NEED = {
    "tools": "supports_tools",
    "vision": "supports_vision",
    "json_mode": "supports_json_mode",
    "seed": "supports_seed",
}
V1_SCORERS = {"speed": op.SPEED, "cost": op.COST, "free_credit": op.FREE_CREDIT}
"""Scorers of the first version whose values depend on the request."""


class View:
    """The observations of one catalog generation under one health, for one version of the language.

    Attributes
    ----------
    observations : a column a field, with defaults in place of unknown values
    position : field name to its place among the columns; in v1 also ``"*quality"`` and ``"*partner"``, which are
    scorers
    breaker_open, disabled : bitsets
    unknown : the offers of which nothing is known, by what conditions look at; filled by `Stated`
    """

    def __init__(self, index: CatalogIndex, health: Health, version: Version, before: View | None = None) -> None:
        self.index = index
        self.version = version
        self._health = health
        self.position = index.columns_of(version)
        if before is not None and health.open == before._health.open:
            self.breaker_open: Bits = before.breaker_open
        else:
            self.breaker_open = index.providers(health.open)
        if before is not None and health.disabled.keys() == before._health.disabled.keys():
            self.disabled: Bits = before.disabled
        else:
            self.disabled = index.providers(health.disabled)
        self.unknown: dict[tuple[str, str], Bits] = {}
        if before is None:
            self.observations = Observations(self._columns(), index.size, index.words)
        else:
            self.observations = self._after(before)

    def _after(self, before: View) -> Observations:
        """Give the observations that come after others of the same catalog; what did not change is shared."""
        moved: dict[int, Moved] = {}
        keys = self._health.differing(before._health)
        ema = self._health.ema
        rows = [
            (row, ema.get(key, _NOTHING))
            for key, found in zip(keys, self.index.rows_under(keys), strict=True)
            for row in found
        ]
        if len(rows) <= _FEW:
            for name in OBSERVED[self.version] if rows else ():
                self._move_few(name, rows, before, moved)
        else:
            part = Part.under(self.index, keys)
            for name in OBSERVED[self.version]:
                self._move(name, part, before, moved)
        credits, others = self._health.credits, before._health.credits
        if credits is not others and credits != others:
            self._move("credits", self._whole, before, moved)
        return before.observations.changed(moved) if moved else before.observations

    def _move_few(
        self, name: str, rows: list[tuple[int, Mapping[str, float]]], before: View, moved: dict[int, Moved]
    ) -> None:
        """Note what `_move` does of some rows, given what is observed of each: one value costs NumPy what many do."""
        place = self.position[name]
        earlier = before.observations.columns[place]
        found = {}
        for row, metrics in rows:
            value = value_at(name, self.index, self.version, row, metrics)
            if value != earlier.item(row):
                found[row] = value
        if found:
            moved[place] = found

    def _move(self, name: str, part: Part, before: View, moved: dict[int, Moved]) -> None:
        """Note which rows of a column are not what they were, and what they are now."""
        place = self.position[name]
        values = column(name, self.index, self._health, self.version, part)
        differs = values != before.values(name)[part.rows]
        if differs.any():
            rows = np.arange(self.index.size) if isinstance(part.rows, slice) else part.rows
            moved[place] = dict(zip(rows[differs].tolist(), values[differs].tolist(), strict=True))

    @cached_property
    def _whole(self) -> Part:
        return Part.whole(self.index, self._health)

    def _observed(self, metric: str) -> NDArray[np.float64]:
        return observed(metric, self._health, self._whole)

    def _columns(self) -> list[NDArray[np.float64]]:
        """Give every column, padded, in their order."""
        index = self.index
        columns = zeros(len(self.position) * index.width, np.float64).reshape(-1, index.width)
        defaults = np.zeros(len(self.position))
        for place, name in enumerate(self.position):
            if is_offers_own(name, self.version):
                values, defaults[place] = index.known(name), default_of(name, index)
            else:
                values = column(name, index, self._health, self.version, self._whole)
            # Copied, and their gaps filled for all at once: NumPy gives the interpreter lock up at every step.
            columns[place].data[: index.size] = values.data
        np.copyto(columns, defaults[:, np.newaxis], where=np.isnan(columns))
        columns += 0.0  # no negative zero
        return list(columns)

    def billed(self, tokens: Tokens) -> View:
        """Give what is observed where a call takes so many tokens: `expected_cost_usd` is then known."""
        other = copy(self)
        column = np.zeros(self.index.width)
        costs = self.costs(tokens)
        unknown = float(self.index.catalog.fields[EXPECTED_COST].default)
        column[: self.index.size] = np.where(np.isnan(costs), unknown, costs)
        other.observations = self.observations.with_column(self.position[EXPECTED_COST], column)
        return other

    def costs(self, tokens: Tokens, rows: Rows = EVERY) -> NDArray[np.float64]:
        """Give what a call costs at some offers, (rows,) USD, NaN where unknown, by the prices observed."""
        price_in, price_out = self.values("price_in")[rows], self.values("price_out")[rows]
        return expected_costs(self.index.catalog, tokens, price_in, price_out, rows)

    def values(self, field: str) -> NDArray[np.float64]:
        """Give one Num field as policies see it, (size,)."""
        return self.observations.columns[self.position[field]][: self.index.size]

    def holds(self, flag: str) -> Bits:
        """Give one Bool field as policies see it."""
        if flag == "breaker_open":
            return self.breaker_open
        if flag == "disabled":
            return self.disabled
        return self.index.bits(("flag", flag))

    def live_rows(self, request: Request) -> Bits:
        """Give the conditions that depend on health or on a request, (5, words), in the order of the opcodes.

        The envelope's row is every offer; the engine writes it where the envelope is held apart.
        """
        rows = np.empty((op.LIVE_ROWS, self.index.words), dtype=np.uint64)
        rows[op.BREAKER_OPEN] = self.breaker_open
        rows[op.DISABLED] = self.disabled
        rows[op.MEETS_REQUEST] = self.index.rows[0]
        for _, bits in self.requirements(request):
            rows[op.MEETS_REQUEST] &= bits
        rows[op.SCOPE] = self.index.bits(("unscoped", ""))
        if request.scope is not None:
            rows[op.SCOPE] |= self.index.bits(("scope", request.scope))
        rows[op.ENVELOPE] = self.index.rows[0]
        return rows

    def requirements(self, request: Request) -> list[tuple[str, Bits]]:
        """Give what `meets_req` checks for a request, as reason and bitset, in the order of the checks (section 4)."""
        index = self.index
        checks = [
            (f"missing_capability:{need}", index.bits(("capability", CAPABILITY_OF_NEED[need])))
            for need in request.needs
        ]
        if request.min_context is not None:
            checks.append(("min_context", index.pack(self.values("context") >= request.min_context)))
        if request.model_family is not None:
            checks.append(("model_family", index.bits(("family", request.model_family))))
        if request.tier is not None:
            checks.append(("tier", index.bits(("own_tier", request.tier))))
        if request.privacy == "tee_required":
            checks.append(("tee_required", self.holds("has_tee")))
        elif request.privacy == "no_log":
            checks.append(("no_log", self.holds("no_log") | self.holds("has_tee")))
        if request.min_quality is not None and self.version == V1:
            hint = first_known(index.known("quality_hint"), 0.0)
            checks.append(("min_quality", index.pack(hint >= request.min_quality)))
        if request.min_tok_s is not None:
            enough = self.values("tok_s") >= request.min_tok_s
            if self.version == V1:
                enough &= ~np.isnan(self._observed("ema_tok_s"))
            checks.append(("min_tok_s", index.pack(enough)))
        return checks

    def request_columns(self, request: Request) -> NDArray[np.float64]:
        """Give the request-dependent scorers of the first version, (3, width); the second has none, (0, 0)."""
        if self.version != V1:
            return np.zeros((0, 0))
        columns = np.zeros((op.REQUEST_COLUMNS, self.index.width))
        size = self.index.size
        latency = self._observed("ema_latency_ms")
        longest = _or(request.max_latency_ms, 5000.0)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            speed = clamp01(1.0 - latency / longest)
            columns[op.SPEED, :size] = np.where(np.isnan(latency), 0.5, speed)
            spent = first_known(self._observed("price_in"), 0.0) * _or(request.estimated_input_tokens, 1000.0)
            spent = spent + first_known(self._observed("price_out"), 0.0) * _or(request.estimated_output_tokens, 500.0)
            cost = spent / 1e6
            dearest = _or(request.max_cost_usd, 0.01)
            columns[op.COST, :size] = np.where(cost <= 0.0, 1.0, clamp01(1.0 - cost / dearest))
        threshold = _or(request.free_credit_threshold_usd, 1.0)
        columns[op.FREE_CREDIT, :size] = np.where(self.values("credits") >= threshold, 1.0, 0.0)
        return columns


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
