"""Health: the live state that the catalog does not hold, checked once and then only read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import compress
from operator import is_not
from types import MappingProxyType
from typing import Any

from tenantrank.errors import HealthError
from tenantrank.policy.admission import shown

_EMPTY: Mapping[str, Any] = MappingProxyType({})
METRICS = ("price_in", "price_out", "ema_latency_ms", "ema_tok_s", "success_rate_ewma", "last_quality_eval")
"""What may be observed of one provider serving one family."""


@dataclass(frozen=True, slots=True)
class Health:
    """Live state.

    Attributes
    ----------
    ema : by ``"<provider>|<family>"``, observed numbers by metric: prices in USD per 1M tokens, ``ema_latency_ms``,
        ``ema_tok_s``, ``success_rate_ewma``, ``last_quality_eval``
    breakers : by provider, whether its circuit breaker is open
    disabled : by provider, any value: the entry itself disables
    credits : by provider, USD
    """

    ema: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    breakers: Mapping[str, bool] = field(default_factory=dict)
    disabled: Mapping[str, Any] = field(default_factory=dict)
    credits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, Any] | Health | None) -> Health:
        """Check a state record; an absent part, or an empty list in its place, is empty.

        Raises
        ------
        HealthError
            naming the entry that is not of the documented shape; a part with an unknown name is refused, since a
            misspelt ``breakers`` would otherwise close every breaker
        """
        if isinstance(state, Health):
            return state
        parts = _record(state, "health")
        unknown = sorted(set(parts) - {"ema", "breakers", "disabled", "credits"}, key=str)
        if unknown:
            raise HealthError(
                f"health has no part {shown(unknown[0])}; its parts are ema, breakers, disabled and credits"
            )
        return cls(**parts)

    def updated(
        self,
        ema: Mapping[str, Mapping[str, float]] | None = None,
        breakers: Mapping[str, bool] | None = None,
        disabled: Mapping[str, Any] | None = None,
        credits: Mapping[str, float] | None = None,
    ) -> Health:
        """Give the state after some observations. Only what is given is checked, so that a change costs little.

        Parameters
        ----------
        ema, breakers, credits
            entries that take the place of those with the same key; the others stay
        disabled
            all entries, in place of those there are

        Raises
        ------
        HealthError
            as `of`
        """
        given = Health(ema or {}, breakers or {}, disabled or {}, credits or {})
        after = object.__new__(Health)
        object.__setattr__(after, "ema", {**self.ema, **given.ema} if given.ema else self.ema)
        object.__setattr__(after, "breakers", {**self.breakers, **given.breakers})
        object.__setattr__(after, "disabled", self.disabled if disabled is None else given.disabled)
        object.__setattr__(after, "credits", {**self.credits, **given.credits} if given.credits else self.credits)
        return after

    def differing(self, other: Health) -> list[str]:
        """Give the keys whose observed metrics are not the same in another state."""
        ema, others = self.ema, other.ema
        if ema is others:
            return []
        if list(ema) == list(others):
            # As after a change of few entries; nothing here is done entry by entry in Python.
            touched = list(compress(ema, map(is_not, ema.values(), others.values())))
        else:
            touched = list({**others, **ema})
        return [key for key in touched if ema.get(key) != others.get(key)]

    def __post_init__(self) -> None:
        observed = {key: _metrics(key, metrics) for key, metrics in _record(self.ema, "health.ema").items()}
        breakers = _record(self.breakers, "health.breakers")
        for provider, is_open in breakers.items():
            if not isinstance(is_open, bool):
                raise HealthError(f"health.breakers[{provider!r}] must be true or false, got {shown(is_open)}")
        credits = {
            provider: _number(usd, f"health.credits[{provider!r}]")
            for provider, usd in _record(self.credits, "health.credits").items()
        }
        object.__setattr__(self, "ema", observed)
        object.__setattr__(self, "breakers", dict(breakers))
        object.__setattr__(self, "disabled", dict(_record(self.disabled, "health.disabled")))
        object.__setattr__(self, "credits", credits)


def _metrics(key: str, metrics: Any) -> dict[str, float]:
    """Check what is observed of one provider and family; an unknown metric is left out, a misspelt one refused."""
    at = f"health.ema[{key!r}]"
    given = _record(metrics, at)
    for name in given:
        meant = [] if name in METRICS else get_close_matches(name, METRICS, n=1, cutoff=0.8)
        if meant:
            raise HealthError(f"{at} has {name!r}, which nothing reads; {meant[0]!r}?")
    return {name: _number(given[name], f"{at}.{name}") for name in METRICS if _given(given, name)}


def _given(record: Mapping[str, Any], name: str) -> bool:
    return record.get(name) is not None


def _record(value: Any, at: str) -> Mapping[str, Any]:
    if value is None or (isinstance(value, list) and not value):
        return _EMPTY
    if not isinstance(value, Mapping):
        raise HealthError(f"{at} must be a record, got {type(value).__name__}")
    for key in value:
        if not isinstance(key, str):
            raise HealthError(f"{at} has a key that is not a string: {shown(key)}")
    return value


def _number(value: Any, at: str) -> float:
    if not isinstance(value, bool) and isinstance(value, int | float):
        with suppress(OverflowError):
            number = float(value)
            if number > -math.inf:  # which NaN is not either
                return number + 0.0
    raise HealthError(f"{at} must be a number above minus infinity")
