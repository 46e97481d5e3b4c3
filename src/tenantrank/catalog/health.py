"""Health: the live state that the catalog does not hold, checked once and then only read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
_METRICS = frozenset(METRICS)


class _Derived:
    """What is kept of a state beside its parts.

    ``open`` are the providers whose circuit breaker is open. ``_stamp`` stands for the observed metrics; those that
    ``_before`` stands for differ in the keys ``_touched`` alone.
    """

    __slots__ = ("_before", "_stamp", "_touched", "open")

    open: tuple[str, ...]
    _before: object
    _stamp: object
    _touched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health(_Derived):
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
        after = object.__new__(Health)
        put = object.__setattr__
        observed = _observed_of(ema) if ema else None
        put(after, "ema", {**self.ema, **observed} if observed else self.ema)
        put(after, "breakers", {**self.breakers, **_breakers_of(breakers)} if breakers else self.breakers)
        put(after, "open", _open_of(after.breakers) if breakers else self.open)
        put(after, "disabled", self.disabled if disabled is None else dict(_record(disabled, "health.disabled")))
        put(after, "credits", {**self.credits, **_credits_of(credits)} if credits else self.credits)
        put(after, "_before", self._stamp if observed else self._before)
        put(after, "_stamp", object() if observed else self._stamp)
        put(after, "_touched", tuple(observed) if observed else self._touched)
        return after

    def differing(self, other: Health) -> Sequence[str]:
        """Give the keys whose observed metrics are not the same in another state."""
        ema, others = self.ema, other.ema
        if ema is others:
            return []
        if self._before is other._stamp:
            touched: Sequence[str] = self._touched
        elif other._before is self._stamp:
            touched = other._touched
        elif list(ema) == list(others):
            # Nothing here is done entry by entry in Python.
            touched = list(compress(ema, map(is_not, ema.values(), others.values())))
        else:
            touched = list({**others, **ema})
        return [key for key in touched if ema.get(key) != others.get(key)]

    def __reduce__(self) -> tuple[type[Health], tuple[Any, ...]]:
        """Give what makes this state again, for pickles and copies."""
        return type(self), (self.ema, self.breakers, self.disabled, self.credits)

    def __post_init__(self) -> None:
        put = object.__setattr__
        observed = _observed_of(self.ema)
        breakers, credits = _breakers_of(self.breakers), _credits_of(self.credits)
        put(self, "ema", observed)
        put(self, "breakers", breakers)
        put(self, "open", _open_of(breakers))
        put(self, "disabled", dict(_record(self.disabled, "health.disabled")))
        put(self, "credits", credits)
        put(self, "_before", None)
        put(self, "_stamp", object())
        put(self, "_touched", ())


def _observed_of(ema: Any) -> dict[str, dict[str, float]]:
    return {key: _metrics(key, metrics) for key, metrics in _record(ema, "health.ema").items()}


def _breakers_of(breakers: Any) -> dict[str, bool]:
    found = dict(_record(breakers, "health.breakers"))
    for provider, is_open in found.items():
        if not isinstance(is_open, bool):
            raise HealthError(f"health.breakers[{provider!r}] must be true or false, got {shown(is_open)}")
    return found


def _open_of(breakers: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple([provider for provider, is_open in breakers.items() if is_open])


def _credits_of(credits: Any) -> dict[str, float]:
    return {
        provider: _number(usd, f"health.credits[{provider!r}]")
        for provider, usd in _record(credits, "health.credits").items()
    }


def _metrics(key: str, metrics: Any) -> dict[str, float]:
    """Check what is observed of one provider and family; an unknown metric is left out, a misspelt one refused."""
    given = _record(metrics, f"health.ema[{key!r}]")
    if not given.keys() <= _METRICS:
        for name in given:
            meant = [] if name in _METRICS else get_close_matches(name, METRICS, n=1, cutoff=0.8)
            if meant:
                raise HealthError(f"health.ema[{key!r}] has {name!r}, which nothing reads; {meant[0]!r}?")
    return {
        name: value + 0.0
        if type(value) is float and value > -math.inf
        else _number(value, f"health.ema[{key!r}].{name}")
        for name in METRICS
        if (value := given.get(name)) is not None
    }


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
