"""The retry budget: tries at the same offer stay a small part of the load on its provider, whatever the plans ask."""

from __future__ import annotations

import math
from collections import OrderedDict, deque

WINDOW_S = 10
"""Over how many seconds attempts and retries are counted."""
_PROVIDERS = 4096
_CALLER_SHARE = 0.5


class _Second:
    __slots__ = ("at", "attempts", "retries", "retries_of")

    def __init__(self, at: int) -> None:
        self.at = at
        self.attempts = 0
        self.retries = 0
        self.retries_of: dict[str, int] = {}


class RetryBudget:
    """Counts attempts and retries per provider over `WINDOW_S` seconds.

    A retry is allowed while those in the window are at most ``ratio`` of its attempts plus ``floor`` a second, and the
    caller's own at most half of that, so that one tenant's plan does not use up what is there for all.

    Parameters
    ----------
    ratio, floor
        see above; an infinite ratio is no budget
    """

    def __init__(self, ratio: float, floor: float) -> None:
        self._ratio = ratio
        self._floor = floor * WINDOW_S
        self._windows: OrderedDict[str, deque[_Second]] = OrderedDict()

    def attempted(self, provider: str, now_ms: float) -> None:
        """Count an attempt, retries among them."""
        self._window(provider, int(now_ms // 1000.0))[-1].attempts += 1

    def take(self, provider: str, caller: str, now_ms: float) -> bool:
        """Say whether a retry is allowed now, and count it if it is."""
        if math.isinf(self._ratio):
            return True
        window = self._window(provider, int(now_ms // 1000.0))
        allowed = self._ratio * sum(second.attempts for second in window) + self._floor
        own = sum(second.retries_of.get(caller, 0) for second in window)
        if sum(second.retries for second in window) + 1 > allowed or own + 1 > max(1.0, allowed * _CALLER_SHARE):
            return False
        second = window[-1]
        second.retries += 1
        second.retries_of[caller] = second.retries_of.get(caller, 0) + 1
        return True

    def _window(self, provider: str, at: int) -> deque[_Second]:
        """Give the seconds that count, the present one last."""
        window = self._windows.get(provider)
        if window is None:
            if len(self._windows) >= _PROVIDERS:
                self._windows.popitem(last=False)
            window = self._windows[provider] = deque()
        if not window or window[-1].at != at:
            window.append(_Second(at))
            while window[0].at <= at - WINDOW_S:
                window.popleft()
        return window
