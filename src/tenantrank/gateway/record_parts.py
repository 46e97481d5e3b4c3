"""Parts of a request's record: the rule that decided, and each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tenantrank.gateway.plain import clipped
from tenantrank.gateway.walk import Tried
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.policy import Policy
from tenantrank.tenants import CompiledPolicy, Origin

_CLAUSES, _CLAUSE_TEXT = 64, 4096
NO_ORIGINS: Mapping[str, tuple[Origin, ...]] = MappingProxyType({})
"""Those of a policy that no rulebook made."""


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """The rule that decided a request. Holds no part of a catalog, so that keeping it keeps none alive.

    Attributes
    ----------
    source : how the rule came: ``policy_ir``, ``tenant``, ``key``, ``provider`` or ``default``
    version, identity, fingerprint : of the policy
    rules : ids of the rulebook's rules that applied; none for a policy that no rulebook made
    clauses : of the filter, as canonical text and in words, in the order tried, up to a bound; clauses_left_out : the
        rest's number
    origins : for a clause's canonical text, the rules that asked for it
    """

    source: str
    version: str
    identity: str
    fingerprint: str
    rules: tuple[str, ...] = ()
    clauses: tuple[tuple[str, str], ...] = ()
    clauses_left_out: int = 0
    origins: Mapping[str, tuple[Origin, ...]] = field(default_factory=lambda: NO_ORIGINS)

    @classmethod
    def of(cls, policy: Policy | CompiledPolicy, source: str) -> RuleRecord:
        """Take what a trace needs of a policy."""
        compiled = policy if isinstance(policy, CompiledPolicy) else None
        admitted = policy.policy if isinstance(policy, CompiledPolicy) else policy
        shown: list[tuple[str, str]] = []
        left_out, size = 0, 0
        for clause in admitted.clauses:
            size += len(clause.encoding)
            if len(shown) < _CLAUSES and size <= _CLAUSE_TEXT:
                shown.append((clause.encoding, describe_clause(clause)))
            else:
                left_out += 1
        return cls(
            source,
            admitted.version,
            admitted.identity,
            admitted.fingerprint,
            () if compiled is None else compiled.rules,
            tuple(shown),
            left_out,
            NO_ORIGINS if compiled is None else compiled.origins,
        )

    def to_json(self) -> dict[str, Any]:
        """Give the record as a JSON value; of origins the rule and the tenant's field, not what stands there."""
        return {
            "source": self.source,
            "version": self.version,
            "identity": self.identity,
            "fingerprint": self.fingerprint,
            "rules": list(self.rules),
            "clauses": [
                {
                    "clause": encoding,
                    "words": words,
                    "origins": [{"rule": at.rule, "field": at.field} for at in self.origins.get(encoding, ())],
                }
                for encoding, words in self.clauses
            ],
            "clauses_left_out": self.clauses_left_out,
        }


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt at one offer. Times are milliseconds since the request began.

    Attributes
    ----------
    number : of the tries at this offer, from 1
    kind : the kind of failure (`tenantrank.gateway.failure.KINDS`, or those of `tenantrank.gateway.walk`), ``None`` for
        the attempt that answered
    status : the provider's where it failed with one, else ``None``
    accepted : whether the provider may have worked on it although it failed
    first_byte_ms : when its answer began; ``None`` where none did
    credential : the name of the operator's credential, never the key; upstream_id : the provider's own name for the
        request; both for operators alone
    catalog_id : of the catalog of that moment, by which the offer was still permitted
    bytes_sent, bytes_received : of the body that was sent, and of the answer's, unpacked, as far as it came; the
        second is ``None`` where no answer began
    """

    offer_id: str
    provider_id: str
    number: int
    kind: str | None
    status: int | None
    started_ms: float
    ended_ms: float
    accepted: bool = False
    first_byte_ms: float | None = None
    credential: str | None = None
    upstream_id: str | None = None
    catalog_id: str | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None

    def __post_init__(self) -> None:
        if self.upstream_id is not None:
            object.__setattr__(self, "upstream_id", clipped(self.upstream_id))

    @classmethod
    def of(
        cls,
        tried: Tried,
        began_ms: float,
        *,
        first_byte_ms: float | None = None,
        credential: str | None = None,
        upstream_id: str | None = None,
        catalog_id: str | None = None,
        bytes_sent: int | None = None,
        bytes_received: int | None = None,
    ) -> AttemptRecord:
        """Take an attempt of a plan's walk; ``began_ms`` is when the request began, by the walk's clock."""
        return cls(
            tried.target.offer_id,
            tried.target.provider_id,
            tried.number,
            tried.kind,
            200 if tried.kind is None else tried.status,
            tried.started_ms - began_ms,
            tried.ended_ms - began_ms,
            tried.accepted,
            first_byte_ms,
            credential,
            upstream_id,
            catalog_id,
            bytes_sent,
            bytes_received,
        )

    def to_json(self, *, operator: bool = False) -> dict[str, Any]:
        """Give the record as a JSON value, for the operator with what concerns nobody else."""
        shown: dict[str, Any] = {
            "offer": self.offer_id,
            "provider": self.provider_id,
            "number": self.number,
            "kind": self.kind,
            "status": self.status,
            "accepted": self.accepted,
            "started_ms": rounded(self.started_ms),
            "first_byte_ms": rounded(self.first_byte_ms),
            "ended_ms": rounded(self.ended_ms),
            "catalog_id": self.catalog_id,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
        }
        if operator:
            shown["credential"], shown["upstream_id"] = self.credential, self.upstream_id
        return shown


def rounded(number: float | None) -> float | None:
    """Give a time to the microsecond of a millisecond, which is all that a trace shows."""
    return None if number is None else round(number, 3)
