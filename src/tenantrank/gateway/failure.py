"""How an attempt at a provider fails: the kinds that failure plans name, with what the provider said of waiting."""

from __future__ import annotations

from types import MappingProxyType

from tenantrank.errors import TenantrankError

KINDS: MappingProxyType[str, str] = MappingProxyType(
    {
        "auth_error": "the provider does not accept the operator's credential, or it may not use the model",
        "bad_request": "the provider does not accept the request as it is",
        "bad_response": "the answer is not what the protocol says: not JSON, cut short, of the wrong shape, too large",
        "content_filter": "the provider's filter refuses the content",
        "context_overflow": "the request is longer than the model takes",
        "network_error": "no connection, or it broke before an answer was complete",
        "rate_limit": "too many requests, tokens or too little credit for now",
        "server_error": "the provider says that the fault is its own",
        "timeout": "no answer in time",
        "unknown": "anything else",
    }
)
"""Kinds of failure by name, as failure plans and traces name them."""


class Failure(TenantrankError):
    """One attempt that was not answered.

    Attributes
    ----------
    kind : one of `KINDS`
    status : the provider's HTTP status, ``None`` where there was no answer
    retry_after_s : how long the provider asks to wait, in seconds; ``None`` where it does not say
    accepted : whether the provider may have begun to work on the request, so that a repetition may be billed twice
    scope : what a breaker should count it against: ``"provider"``, ``"offer"`` (this model only), ``"credential"``
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        accepted: bool = False,
        scope: str = "provider",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.retry_after_s = retry_after_s
        self.accepted = accepted
        self.scope = scope


class Withheld(TenantrankError):
    """An attempt that was not made after all: it waited for a connection, and is permitted no more.

    Nothing of the request was sent. The text says why it is not permitted.
    """
