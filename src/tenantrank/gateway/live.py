"""Live state from the gateway's own traffic: latency, speed and success, per offer and per provider and family.

Each is a mean of what was observed, in which an observation's weight halves every ``half_life_s``. A mean is published
while the weights behind it add up to ``least`` observations; after that nothing is known, and the catalog's own value
takes its place. So one slow answer moves nothing, and an offer that nobody tries any more, because of how it did, is
tried again some time later. Means are given to four digits, since more would change with every answer.

Of what is published here, policies of the first version observe all; those of the second see what the catalog states.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tenantrank.catalog.health import Health
from tenantrank.policy.failover import CLIENT_FAULTS, Target

_KEYS = 16_384


class LiveSettings(BaseModel):
    """The section ``live`` of the gateway's file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    half_life_s: float = Field(default=300.0, ge=1, le=86_400, description="after how long an observation counts half")
    least: float = Field(
        default=3.0, ge=0, le=1000, description="how many observations' weight a mean needs to be published"
    )
    refresh_s: float = Field(
        default=1.0, ge=0, le=3600, description="shortest time between two states that policies see"
    )
    credits: dict[str, float] = Field(
        default={}, description="USD left with each provider, as far as the operator knows"
    )


class _Mean:
    """A mean whose observations lose weight with time."""

    __slots__ = ("at_ms", "sum", "weight")

    def __init__(self) -> None:
        self.at_ms = 0.0
        self.sum = 0.0
        self.weight = 0.0

    def add(self, value: float, now_ms: float, half_life_ms: float) -> None:
        kept = math.pow(0.5, max(0.0, now_ms - self.at_ms) / half_life_ms)
        self.sum = self.sum * kept + value
        self.weight = self.weight * kept + 1.0
        self.at_ms = max(now_ms, self.at_ms)

    def weight_at(self, now_ms: float, half_life_ms: float) -> float:
        return self.weight * math.pow(0.5, max(0.0, now_ms - self.at_ms) / half_life_ms)


class _Observed:
    __slots__ = ("latency", "speed", "success")

    def __init__(self) -> None:
        self.latency = _Mean()
        self.speed = _Mean()
        self.success = _Mean()

    def named(self) -> Iterator[tuple[str, _Mean]]:
        yield "ema_latency_ms", self.latency
        yield "ema_tok_s", self.speed
        yield "success_rate_ewma", self.success


class Live:
    """Observes attempts, and gives the health that policies see.

    Parameters
    ----------
    settings
        the operator's
    keys
        the most offers, and the most pairs of provider and family, that are remembered; beyond it the one that was
        observed longest ago is forgotten
    """

    def __init__(self, settings: LiveSettings | None = None, keys: int = _KEYS) -> None:
        settings = settings or LiveSettings()
        self._half_life_ms = settings.half_life_s * 1000.0
        self._least = settings.least
        self._refresh_ms = settings.refresh_s * 1000.0
        self._keys = keys
        self._offers: OrderedDict[str, _Observed] = OrderedDict()
        self._pairs: OrderedDict[str, _Observed] = OrderedDict()
        self._changed: set[str] = set()
        self._open: list[str] = []
        self._next_ms = self._next_sweep_ms = float("-inf")
        self._health = Health(credits=settings.credits)

    def observe(
        self,
        target: Target,
        now_ms: float,
        kind: str | None = None,
        latency_ms: float | None = None,
        tok_s: float | None = None,
    ) -> None:
        """Take note of an attempt.

        Parameters
        ----------
        target
            the offer
        now_ms
            when it ended
        kind
            of the failure, ``None`` for an answer; the request's own faults are not taken note of
        latency_ms
            time to the first byte of an answer, where one came
        tok_s
            output tokens a second of an answer, where they are known
        """
        if kind in CLIENT_FAULTS:
            return
        pair = f"{target.provider_id}|{target.model_family}"
        self._changed.add(pair)
        for observed in self._observed(target.offer_id, pair):
            observed.success.add(1.0 if kind is None else 0.0, now_ms, self._half_life_ms)
            if latency_ms is not None:
                observed.latency.add(latency_ms, now_ms, self._half_life_ms)
            if tok_s is not None:
                observed.speed.add(tok_s, now_ms, self._half_life_ms)

    def speed(self, target: Target, now_ms: float, tok_s: float) -> None:
        """Take note of the speed of an answer alone, which is known only when its stream is over."""
        pair = f"{target.provider_id}|{target.model_family}"
        self._changed.add(pair)
        for observed in self._observed(target.offer_id, pair):
            observed.speed.add(tok_s, now_ms, self._half_life_ms)

    def health(self, now_ms: float, open_providers: Iterable[str] = ()) -> Health:
        """Give the state of now, at most ``refresh_s`` old.

        The same object as before is given where nothing changed, as a new one makes engines look at everything anew.

        Parameters
        ----------
        now_ms
            the time
        open_providers
            whose breaker is open for all; read only when it is time for a new state
        """
        if now_ms < self._next_ms:
            return self._health
        self._next_ms = now_ms + self._refresh_ms
        ema = self._moved(now_ms)
        opened = list(open_providers)
        breakers = dict.fromkeys(self._open, False) | dict.fromkeys(opened, True) if opened != self._open else {}
        self._open = opened
        if ema or breakers:
            self._health = self._health.updated(ema, breakers)
            if len(self._health.ema) > 2 * self._keys or len(self._health.breakers) > self._keys:
                self._health = self._compacted()
        return self._health

    def per_offer(self, now_ms: float) -> dict[str, dict[str, Any]]:
        """Give what is published of each offer, with ``weight``, how many observations count of it now."""
        return {
            offer: {
                **self._published(observed, now_ms),
                "weight": observed.success.weight_at(now_ms, self._half_life_ms),
            }
            for offer, observed in self._offers.items()
        }

    def _moved(self, now_ms: float) -> dict[str, dict[str, float]]:
        """Give the entries that are not as they were published, and forget those of which nothing is left."""
        published = self._health.ema
        moved = {}
        pairs = self._changed
        if now_ms >= self._next_sweep_ms:  # what is no longer observed fades slowly
            self._next_sweep_ms = now_ms + self._half_life_ms / 8.0
            pairs = pairs | {pair for pair, metrics in published.items() if metrics}
        for pair in pairs:
            observed = self._pairs.get(pair)
            metrics = {} if observed is None else self._published(observed, now_ms)
            if metrics != published.get(pair, {}):
                moved[pair] = metrics
        self._changed.clear()
        return moved

    def _published(self, observed: _Observed, now_ms: float) -> dict[str, float]:
        half_life_ms = self._half_life_ms
        return {
            name: float(f"{mean.sum / mean.weight:.4g}")
            for name, mean in observed.named()
            if mean.weight > 0.0 and mean.weight_at(now_ms, half_life_ms) >= self._least
        }

    def _observed(self, offer: str, pair: str) -> tuple[_Observed, _Observed]:
        """Give what is known of an offer and of its pair, each moved to the end as observed last."""
        of_offer, of_pair = self._offers.pop(offer, None), self._pairs.pop(pair, None)
        if of_offer is None and len(self._offers) >= self._keys:
            self._offers.popitem(last=False)
        if of_pair is None and len(self._pairs) >= self._keys:
            oldest, _ = self._pairs.popitem(last=False)
            self._changed.add(oldest)
        found = self._offers[offer], self._pairs[pair] = of_offer or _Observed(), of_pair or _Observed()
        return found

    def _compacted(self) -> Health:
        ema = {pair: metrics for pair, metrics in self._health.ema.items() if metrics}
        return Health(ema, dict.fromkeys(self._open, True), self._health.disabled, self._health.credits)
