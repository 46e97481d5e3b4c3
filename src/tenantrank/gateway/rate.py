"""How many requests a key may make, by token buckets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tenantrank.gateway.problem import Problem


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit on requests.

    Attributes
    ----------
    per_minute : how many a minute in the long run, more than 0
    burst : how many at once after a pause, at least 1
    """

    per_minute: float
    burst: int

    def __post_init__(self) -> None:
        if not 0 < self.per_minute < math.inf or self.burst < 1:
            raise ValueError("a rate is more than 0 requests a minute, with a burst of at least 1")


class Rates:
    """One token bucket a key.

    Parameters
    ----------
    clock
        seconds that never go back; one that does gives no tokens
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, rate: Rate | None) -> dict[str, str]:
        """Take one request of a key; one that is refused takes nothing.

        Parameters
        ----------
        name
            the key's name
        rate
            its limit; ``None``: none

        Returns
        -------
        headers of the answer: ``x-ratelimit-limit-requests``, ``-remaining-requests`` and ``-reset-requests``, the time
        until the bucket is full again, as OpenAI writes them; nothing where there is no limit

        Raises
        ------
        Problem
            429 ``rate_limit_exceeded`` with these headers and ``retry-after`` in whole seconds
        """
        if rate is None:
            return {}
        now, each = self._clock(), 60 / rate.per_minute
        level, since = self._buckets.get(name, (float(rate.burst), now))
        level = min(rate.burst, level + max(0.0, now - since) / each)
        taken = level >= 1
        if taken:
            level -= 1
        self._buckets[name] = level, max(now, since)
        headers = {
            "x-ratelimit-limit-requests": str(rate.burst),
            "x-ratelimit-remaining-requests": str(int(level)),
            "x-ratelimit-reset-requests": f"{(rate.burst - level) * each:.3f}s",
        }
        if taken:
            return headers
        # Rounded up, so that whoever waits as long as told is not told to wait again.
        wait = max(1, math.ceil((1 - level) * each))
        message = f"this key may make {rate.per_minute:g} requests a minute; try again in {wait} s"
        raise Problem(429, "rate_limit_exceeded", message, headers={**headers, "retry-after": str(wait)})
