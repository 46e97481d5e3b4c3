"""What stands between one call's failure plan and the providers: breakers, disabled providers, the retry budget.

Two kinds of breakers hold an attempt back: those that all tenants share, and the tenant's own. A plan's
``open_breaker_ms`` and ``disable_provider`` reach the tenant's own alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from tenantrank.gateway.blame import counts_against
from tenantrank.gateway.breakers import Breakers, BreakerSettings, Key, Pass
from tenantrank.gateway.disabled import Disabled
from tenantrank.gateway.failure import Failure
from tenantrank.gateway.limits import DEFAULT, Limits
from tenantrank.gateway.retry_budget import RetryBudget
from tenantrank.policy.failover import CLIENT_FAULTS, FailureState, Memory, Target


class Guard(Memory, Protocol):
    """One call's view of the state; its attempts come one after another.

    Every `begin` is followed by exactly one of `answered`, `refused` and `dropped`.
    """

    def blocked(self, target: Target, now_ms: float) -> str | None:
        """Give the reason why an attempt may not begin now; ``None`` where it may."""

    def begin(self, target: Target, now_ms: float) -> None:
        """Begin an attempt that is not blocked."""

    def answered(self, now_ms: float) -> None:
        """Say that the attempt was answered."""

    def refused(self, failure: Failure, now_ms: float) -> None:
        """Say how the attempt failed."""

    def dropped(self) -> None:
        """Say that the attempt was broken off on this side, which says nothing of the provider."""

    def may_retry(self, target: Target, now_ms: float) -> bool:
        """Say whether the budget has room for another try at this offer, and take it."""

    def wait_ms(self, targets: Iterable[Target], now_ms: float) -> float | None:
        """Say when the first of the breakers that block these offers lets a probe through; ``None`` for no breaker."""


class PlainGuard(FailureState):
    """The language's plain semantics: one state for all, nothing held back, no budget. For replaying only."""

    def blocked(self, target: Target, now_ms: float) -> str | None:
        """Hold nothing back."""
        return None

    def begin(self, target: Target, now_ms: float) -> None:
        """Take no note."""

    def answered(self, now_ms: float) -> None:
        """Take no note."""

    def refused(self, failure: Failure, now_ms: float) -> None:
        """Take no note."""

    def dropped(self) -> None:
        """Take no note."""

    def may_retry(self, target: Target, now_ms: float) -> bool:
        """Allow every try."""
        return True

    def wait_ms(self, targets: Iterable[Target], now_ms: float) -> float | None:
        """Know of no breaker."""
        return None


class Guards:
    """The state that all calls of one gateway share; `of` gives each call its guard.

    Parameters
    ----------
    credential_of
        the name (never the key) of the credential with which an offer is called
    settings
        of the breakers
    limits
        the operator's, of which the retry budget is used
    disabled
        what tenants' plans disabled

    Attributes
    ----------
    shared : breakers for all tenants, under the scope ``""``
    own : breakers of single tenants, by scope
    disabled : providers that single tenants' plans disabled, by scope
    """

    def __init__(
        self,
        credential_of: Callable[[Target], str],
        settings: BreakerSettings | None = None,
        limits: Limits = DEFAULT,
        disabled: Disabled | None = None,
    ) -> None:
        settings = settings or BreakerSettings()
        open_ms = settings.open_s * 1000.0
        self.credential_of = credential_of
        self.shared = Breakers(settings.threshold, open_ms, settings.callers)
        self.own = Breakers(settings.threshold, open_ms)
        self.disabled = Disabled() if disabled is None else disabled
        self.budget = RetryBudget(limits.retry_ratio, limits.retry_floor)

    def of(self, scope: str) -> ScopedGuard:
        """Give the guard of one call of a scope: a tenant, under a name that no other tenant can take."""
        return ScopedGuard(self, scope)


class ScopedGuard:
    """One call's guard: the shared breakers and its own tenant's, its tenant's disables, and the budget."""

    __slots__ = ("_all", "_here", "_passes", "_scope")

    def __init__(self, guards: Guards, scope: str) -> None:
        self._all = guards
        self._scope = scope
        self._passes: tuple[Pass, Pass] | None = None
        # A plan that tries again after opening a breaker means later calls by it, not its own next try.
        self._here: set[Key] = set()

    def is_disabled(self, provider: str, now_ms: float) -> bool:
        """Say whether the tenant's plan disabled a provider."""
        return self._all.disabled.is_disabled(self._scope, provider, now_ms)

    def disable(self, provider: str, now_ms: float) -> None:
        """Disable a provider for this tenant."""
        self._all.disabled.disable(self._scope, provider, now_ms)

    def succeeded(self, provider: str) -> None:
        """Take no note: `answered` does."""

    def failed(self, provider: str, kind: str, opens: bool, now_ms: float) -> None:
        """Open the tenant's own breaker where its plan asks for it."""
        if opens and kind not in CLIENT_FAULTS:
            self._here.add(self._all.own.open(provider, now_ms, scope=self._scope))

    def blocked(self, target: Target, now_ms: float) -> str | None:
        """Give the reason why an attempt may not begin now: ``breaker_open:`` or ``own_breaker_open:`` and of what."""
        found = self._blocking(target, now_ms)
        if found is None:
            return None
        breakers, key = found
        return f"{'breaker_open' if breakers is self._all.shared else 'own_breaker_open'}:{key[1]}"

    def begin(self, target: Target, now_ms: float) -> None:
        """Begin an attempt that is not blocked."""
        offer_id, provider, _ = target
        credential, scope = self._all.credential_of(target), self._scope
        self._passes = (
            self._all.shared.begin(provider, offer_id, credential, now_ms, caller=scope),
            self._all.own.begin(provider, offer_id, credential, now_ms, scope=scope),
        )
        self._all.budget.attempted(provider, now_ms)

    def answered(self, now_ms: float) -> None:
        """Count an answer."""
        shared, own = self._taken()
        self._all.shared.succeeded(shared)
        self._all.own.succeeded(own)

    def refused(self, failure: Failure, now_ms: float) -> None:
        """Count a failure, for all and for the tenant."""
        shared, own = self._taken()
        against = counts_against(failure.kind, failure.scope)
        self._all.shared.failed(shared, against, now_ms)
        self._here.update(self._all.own.failed(own, against, now_ms))

    def dropped(self) -> None:
        """Count nothing."""
        shared, own = self._taken()
        self._all.shared.released(shared)
        self._all.own.released(own)

    def may_retry(self, target: Target, now_ms: float) -> bool:
        """Say whether the budget has room for another try at this offer, and take it."""
        return self._all.budget.take(target.provider_id, self._scope, now_ms)

    def wait_ms(self, targets: Iterable[Target], now_ms: float) -> float | None:
        """Say when the first of the breakers that block these offers lets a probe through; ``None`` for no breaker."""
        found = [self._blocking(target, now_ms) for target in targets]
        return min((breakers.wait_ms(key, now_ms) for breakers, key in filter(None, found)), default=None)

    def _blocking(self, target: Target, now_ms: float) -> tuple[Breakers, Key] | None:
        shared, own, scope = self._all.shared, self._all.own, self._scope
        if not shared and not own:
            return None
        offer_id, provider, _ = target
        credential = self._all.credential_of(target)
        key = shared.blocked(provider, offer_id, credential, now_ms, caller=scope)
        if key is not None:
            return shared, key
        key = own.blocked(provider, offer_id, credential, now_ms, scope=scope, passing=self._here)
        return None if key is None else (own, key)

    def _taken(self) -> tuple[Pass, Pass]:
        passes, self._passes = self._passes, None
        if passes is None:
            raise RuntimeError("no attempt is under way")
        return passes
