"""What a failure counts against: so that a bad key never closes off a provider, nor a lost model its neighbours.

A request's own fault counts against nothing.
"""

from __future__ import annotations

from tenantrank.policy.failover import CLIENT_FAULTS

_NOTHING: frozenset[str] = frozenset()
_CREDENTIAL = frozenset({"credential"})
_OFFER = frozenset({"offer"})
_SERVICE = frozenset({"provider", "offer"})
_QUOTA = frozenset({"credential", "offer"})


def counts_against(kind: str, scope: str = "provider") -> frozenset[str]:
    """Say which breakers a failure counts against.

    Parameters
    ----------
    kind
        of the failure: none for the request's own faults, the credential for ``auth_error``, credential and offer for
        ``rate_limit``
    scope
        what the provider's answer was about, for all other kinds: ``"credential"``, ``"offer"``, or ``"provider"``,
        which counts against the offer as well
    """
    if kind in CLIENT_FAULTS:
        return _NOTHING
    if kind == "auth_error" or scope == "credential":
        return _CREDENTIAL
    if scope == "offer":
        return _OFFER
    return _QUOTA if kind == "rate_limit" else _SERVICE
