"""Providers that failure plans disabled, each for the tenant whose plan it was and for nobody else."""

from __future__ import annotations

from collections import OrderedDict

from tenantrank.policy.failover import DISABLE_MS

_ENTRIES = 16_384


class Disabled:
    """What `disable_provider` did, by scope: a tenant, or one scope for all in the language's plain semantics.

    Parameters
    ----------
    ttl_ms
        how long an entry lasts from when it was made
    entries
        the most that are remembered at once. Beyond it the one made first is forgotten, which at worst lets a call
        try a provider that its tenant's plan had given up.
    """

    def __init__(self, ttl_ms: float = DISABLE_MS, entries: int = _ENTRIES) -> None:
        self._ttl_ms = ttl_ms
        self._entries = entries
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def is_disabled(self, scope: str, provider: str, now_ms: float) -> bool:
        """Say whether a provider is disabled now for a scope."""
        return bool(self._until) and now_ms < self._until.get((scope, provider), now_ms)

    def disable(self, scope: str, provider: str, now_ms: float) -> None:
        """Disable a provider for a scope from now; an entry there was counts from now too."""
        # Entries all last equally long, so that their order is that of their ends.
        self._until.pop((scope, provider), None)
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] > now_ms and len(self._until) < self._entries:
                break
            del self._until[oldest]
        self._until[scope, provider] = now_ms + self._ttl_ms

    def of(self, scope: str, now_ms: float) -> list[str]:
        """Give the providers that are disabled now for a scope, those disabled first first."""
        return [provider for (who, provider), until in self._until.items() if who == scope and now_ms < until]
