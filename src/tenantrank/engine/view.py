"""One catalog under one health and one version of the language: the columns and live bitsets that kernels read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.health import Health
from tenantrank.engine.index import Bits, CatalogIndex
from tenantrank.engine.observations import Observations
from tenantrank.engine.request import Request
from tenantrank.policy.signature import V1, V2, Version
from tenantrank_kernels import opcodes as op

_STATE_METRIC_V1 = {"latency_ms": "ema_latency_ms", "tok_s": "ema_tok_s", "success_rate": "success_rate_ewma"}
_PRICES = ("price_in", "price_out")
_CAPABILITY = {
    "tools": "supports_tools",
    "vision": "supports_vision",
    "json_mode": "supports_json_mode",
    "seed": "supports_seed",
}
_OBSERVED = {V1: ("*quality", "quality", *_STATE_METRIC_V1, *_PRICES), V2: _PRICES}
"""The columns that observed metrics have a part in."""
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
    """

    def __init__(self, index: CatalogIndex, health: Health, version: Version, before: View | None = None) -> None:
        self.index = index
        self.version = version
        self.breaker_open = index.pack(index.provider_values(health.breakers, False, bool))
        self.disabled = index.pack(index.provider_values(dict.fromkeys(health.disabled, True), False, bool))
        self._credits = index.provider_values(health.credits, 0.0, np.float64)
        self._health = health
        self.position = index.numeric_fields(version)
        if version == V1:
            for scorer in ("*quality", "*partner"):
                self.position[scorer] = len(self.position)
        if before is None:
            columns = [self._padded(name) for name in self.position]
            self.observations = Observations(columns, index.size, index.words)
        else:
            self.observations = self._after(before)

    def _after(self, before: View) -> Observations:
        """Give the observations that come after others of the same catalog; what did not change is shared."""
        names: tuple[str, ...] = ()
        if self._health.ema != before._health.ema:
            names = _OBSERVED[self.version]
        if self._health.credits != before._health.credits:
            names = (*names, "credits")
        columns = {self.position[name]: self._padded(name) for name in names}
        known = before.observations.columns
        changed = {at: column for at, column in columns.items() if not np.array_equal(column, known[at])}
        return before.observations.changed(changed) if changed else before.observations

    def _padded(self, name: str) -> NDArray[np.float64]:
        column = np.zeros(self.index.width)
        column[: self.index.size] = self._column(name)
        return column

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
            (f"missing_capability:{need}", index.bits(("capability", _CAPABILITY[need]))) for need in request.needs
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
            checks.append(("min_quality", index.pack(_first(index.known("quality_hint"), 0.0) >= request.min_quality)))
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
            speed = _clamp01(1.0 - latency / longest)
            columns[op.SPEED, :size] = np.where(np.isnan(latency), 0.5, speed)
            spent = _first(self._observed("price_in"), 0.0) * _or(request.estimated_input_tokens, 1000.0)
            spent = spent + _first(self._observed("price_out"), 0.0) * _or(request.estimated_output_tokens, 500.0)
            cost = spent / 1e6
            dearest = _or(request.max_cost_usd, 0.01)
            columns[op.COST, :size] = np.where(cost <= 0.0, 1.0, _clamp01(1.0 - cost / dearest))
        threshold = _or(request.free_credit_threshold_usd, 1.0)
        columns[op.FREE_CREDIT, :size] = np.where(self._credits >= threshold, 1.0, 0.0)
        return columns

    def _column(self, name: str) -> NDArray[np.float64]:
        if name == "credits":
            return self._credits
        if name == "*partner":
            codes, names = self.index.catalog.strings("tier")
            worth = np.array([{"partner": 1.0, "marketplace": 0.5}.get(tier, 0.0) for tier in names] or [0.0])
            return np.where(codes < 0, 0.0, worth[codes])
        if name == "*quality":
            return _clamp01(_first(self._observed("last_quality_eval"), self.index.known("quality_hint"), 0.5))
        default = float(self.index.catalog.fields[name].default)
        if self.version == V1:
            if name == "quality":
                return _first(self._observed("last_quality_eval"), self.index.known("quality_hint"), default)
            if name in _STATE_METRIC_V1:
                return _first(self._observed(_STATE_METRIC_V1[name]), default)
            if name in _PRICES:
                return _first(self._observed(name), self.index.known(name), default)
        if name in _PRICES:
            return _first(self.index.known(name), self._observed(name), default)
        return _first(self.index.known(name), default)

    def _observed(self, metric: str) -> NDArray[np.float64]:
        """Give a metric of the live state for each offer, (size,), NaN where there is none."""
        values = np.full(self.index.size, np.nan)
        for pair, metrics in self._health.ema.items():
            if metric in metrics:
                values[self.index.rows_by_key.get(pair, [])] = metrics[metric]
        return values


def _first(*choices: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Take the first choice that is known, offer by offer; the last is a number."""
    result = np.asarray(choices[0], dtype=np.float64)
    for choice in choices[1:]:
        result = np.where(np.isnan(result), choice, result)
    return result + 0.0


def _clamp01(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values < 0.0, 0.0, np.where(values > 1.0, 1.0, values))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
