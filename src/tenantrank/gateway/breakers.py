"""Circuit breakers per provider, per offer and per credential: closed, open, half-open with a single probe.

What a failure counts against is for `tenantrank.gateway.blame` to say. Where several callers share breakers, none opens
one alone: each one's failures count up to a share of the threshold.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Iterator
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenantrank.policy.failover import BREAKER_MS, BREAKER_THRESHOLD

_ENTRIES = 16_384
_LOOKED_AT = 8

Key = tuple[str, str, str]
"""Scope, part (``provider``, ``offer`` or ``credential``) and name of one breaker."""


class BreakerSettings(BaseModel):
    """The section ``breakers`` of the gateway's file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    threshold: int = Field(
        default=BREAKER_THRESHOLD, ge=1, le=1000, description="failures in a row that open a breaker"
    )
    open_s: float = Field(
        default=BREAKER_MS / 1000.0,
        gt=0,
        le=3600,
        description="how long it stays open before one attempt is let through",
    )
    callers: int = Field(
        default=2,
        ge=1,
        le=1000,
        description="how many tenants' failures it takes at least to open one for all; whatever this is, one tenant's "
        "failures open its own",
    )

    @model_validator(mode="after")
    def _within_reach(self) -> BreakerSettings:
        if self.callers > self.threshold:
            raise ValueError("callers is greater than threshold")
        return self


class Pass:
    """Leave for one attempt; it ends with exactly one of `Breakers.succeeded`, `failed` and `released`."""

    __slots__ = ("_where", "caller", "number")

    def __init__(self, where: tuple[str, str, str, str], caller: str, number: int) -> None:
        self._where = where
        self.caller = caller
        self.number = number

    @property
    def keys(self) -> tuple[Key, ...]:
        """The breakers that it is about."""
        return _keys(*self._where)


class _Breaker:
    """One breaker.

    ``failures`` are those since the last success by caller; ``changed`` is the number of the last pass that was given
    before it opened or closed: the results of passes up to it are late.
    """

    __slots__ = ("changed", "failures", "opened_ms", "probe", "prober")

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self.opened_ms: float | None = None
        self.changed = 0
        self.probe: Pass | None = None
        self.prober: str | None = None


class Breakers:
    """Breakers by scope, part and name; time is passed in, in ms that never go back.

    A closed breaker opens at ``threshold`` failures with no success between them. After ``open_ms`` one attempt is let
    through; its success closes the breaker, its failure opens it anew, and anything else (a fault of the request, a
    cancelled call) leaves it to the next. Results of attempts begun before it last opened or closed do not count.

    Parameters
    ----------
    threshold, open_ms
        see above
    callers
        how many callers it takes at least: of one caller's failures no more than ``ceil(threshold / callers)`` count.
        With more than one, a caller whose probe failed is given another only when nobody else has come for as long
        again as it was open.
    entries
        the most breakers that are remembered; beyond it one of those made or opened first is forgotten, if possible a
        closed one
    """

    def __init__(
        self,
        threshold: int = BREAKER_THRESHOLD,
        open_ms: float = BREAKER_MS,
        callers: int = 1,
        entries: int = _ENTRIES,
    ) -> None:
        self._threshold = threshold
        self._open_ms = open_ms
        self._callers = callers
        self._share = math.ceil(threshold / callers)
        self._entries = entries
        self._given = 0
        # Ordered: the first of a plain dict is found slowly once many before it are gone.
        self._breakers: OrderedDict[Key, _Breaker] = OrderedDict()

    def __len__(self) -> int:
        return len(self._breakers)

    def blocked(
        self,
        provider: str,
        offer_id: str,
        credential: str,
        now_ms: float,
        *,
        scope: str = "",
        caller: str = "",
        passing: Collection[Key] = (),
    ) -> Key | None:
        """Give the breaker that holds an attempt back now; ``None`` where it may begin, those ``passing`` aside."""
        if not self._breakers:
            return None
        for key in _keys(scope, provider, offer_id, credential):
            breaker = self._breakers.get(key)
            if breaker is not None and self._holds_back(breaker, caller, now_ms) and key not in passing:
                return key
        return None

    def begin(
        self, provider: str, offer_id: str, credential: str, now_ms: float, *, scope: str = "", caller: str = ""
    ) -> Pass:
        """Give leave for an attempt, which is the probe of each half-open breaker among its own.

        Ask `blocked` first, with no other attempt beginning in between.
        """
        self._given += 1
        given = Pass((scope, provider, offer_id, credential), caller, self._given)
        if self._breakers:
            for _, breaker in self._of(given):
                if breaker.opened_ms is not None and not self._holds_back(breaker, caller, now_ms):
                    breaker.probe = given
        return given

    def succeeded(self, given: Pass) -> None:
        """Count an answer."""
        if not self._breakers:
            return
        for key, breaker in self._of(given):
            if breaker.probe is given or given.number > breaker.changed:
                if breaker.opened_ms is not None:
                    breaker.changed = self._given
                breaker.opened_ms = breaker.probe = breaker.prober = None
                breaker.failures.clear()
                if breaker.changed == 0:  # it never opened: nothing can be late
                    del self._breakers[key]

    def failed(self, given: Pass, against: frozenset[str], now_ms: float) -> list[Key]:
        """Count a failure against the parts that `blame.counts_against` names; give the breakers that it opened."""
        opened = []
        for key in given.keys:
            if key[1] not in against:
                self._release(key, given)
                continue
            breaker = self._breakers.get(key)
            if breaker is None:
                breaker = self._made(key)
            if breaker.probe is given:
                breaker.prober = given.caller
                self._open(key, breaker, now_ms)
                opened.append(key)
            elif breaker.opened_ms is None and given.number > breaker.changed:
                count = breaker.failures.get(given.caller, 0) + 1
                breaker.failures[given.caller] = min(count, self._share)
                if sum(breaker.failures.values()) >= self._threshold:
                    self._open(key, breaker, now_ms)
                    opened.append(key)
        return opened

    def released(self, given: Pass) -> None:
        """Count nothing: the attempt was broken off here, and says nothing of the provider."""
        if self._breakers:
            for key in given.keys:
                self._release(key, given)

    def open(self, provider: str, now_ms: float, *, scope: str = "") -> Key:
        """Open a provider's breaker, or let an open one count from now."""
        key = (scope, "provider", provider)
        self._open(key, self._breakers.get(key) or self._made(key), now_ms)
        return key

    def open_providers(self, now_ms: float, *, scope: str = "") -> list[str]:
        """Give the providers whose breaker lets no probe through yet, in the order of their names."""
        return sorted(
            name
            for (who, part, name), state in self.states(now_ms)
            if who == scope and part == "provider" and state == "open"
        )

    def states(self, now_ms: float) -> Iterator[tuple[Key, str]]:
        """Give each breaker that is ``"open"`` or ``"half_open"``."""
        for key, breaker in self._breakers.items():
            if breaker.opened_ms is not None:
                yield key, "open" if now_ms - breaker.opened_ms < self._open_ms else "half_open"

    def wait_ms(self, key: Key, now_ms: float) -> float:
        """Say in how many ms the next probe may be let through, 0 where it may be now."""
        breaker = self._breakers.get(key)
        if breaker is None or breaker.opened_ms is None:
            return 0.0
        return max(0.0, breaker.opened_ms + self._open_ms - now_ms)

    def _holds_back(self, breaker: _Breaker, caller: str, now_ms: float) -> bool:
        if breaker.opened_ms is None:
            return False
        since = now_ms - breaker.opened_ms
        if since < self._open_ms or breaker.probe is not None:
            return True
        # A caller whose requests fail by their own making must not keep a breaker open for the others.
        return self._callers > 1 and breaker.prober == caller and since < 2.0 * self._open_ms

    def _open(self, key: Key, breaker: _Breaker, now_ms: float) -> None:
        self._breakers.move_to_end(key)
        breaker.opened_ms, breaker.changed, breaker.probe = now_ms, self._given, None
        breaker.failures.clear()

    def _release(self, key: Key, given: Pass) -> None:
        breaker = self._breakers.get(key)
        if breaker is not None and breaker.probe is given:
            breaker.probe = None

    def _of(self, given: Pass) -> list[tuple[Key, _Breaker]]:
        found = self._breakers
        return [(key, found[key]) for key in given.keys if key in found]

    def _made(self, key: Key) -> _Breaker:
        if len(self._breakers) >= self._entries:
            oldest = list(islice(self._breakers.items(), _LOOKED_AT))
            closed = (other for other, breaker in oldest if breaker.opened_ms is None)
            del self._breakers[next(closed, oldest[0][0])]
        made = self._breakers[key] = _Breaker()
        return made


def _keys(scope: str, provider: str, offer_id: str, credential: str) -> tuple[Key, ...]:
    return (scope, "provider", provider), (scope, "offer", offer_id), (scope, "credential", credential)
