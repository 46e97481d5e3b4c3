"""Who calls: one key a caller, kept as its digest, with what it may do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tenantrank.errors import InputError
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.rate import Rate

Way = Literal["policy_ir", "tenant", "provider", "default"]
"""How a request may say which rule decides; ``default``: not at all."""
Access = Literal["chat", "embeddings", "models", "rank"]
"""What a key may be used for; ``rank`` is every dry run and the traces of the key's own requests."""

_PREFIX = "trk_"
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]{16,256})")
_BARE = re.compile(rb"([A-Za-z0-9._~+/=-]{16,256})")
_HEADERS = {b"authorization": _BEARER, b"x-api-key": _BARE, b"api-key": _BARE}
_NOBODY: tuple[str, Caller | None] = ("", None)
_CHALLENGE = MappingProxyType({"www-authenticate": "Bearer"})


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class RateSettings(_Settings):
    """A limit on requests, as the configuration file says it."""

    requests_per_minute: float = Field(gt=0, le=1e9)
    burst: int | None = Field(None, ge=1, le=10**9, description="most at once; by default those of ten seconds")

    def rate(self) -> Rate:
        """Give the limit."""
        return Rate(self.requests_per_minute, self.burst or max(1, round(self.requests_per_minute / 6)))


class KeySettings(_Settings):
    """One key, as the configuration file says it."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="sha256 of the key in lower-case hex; the key itself is in no file"
    )
    tenant: str | dict[str, Any] | None = Field(
        None, description="the tenant that the key stands for: an id that the server knows, or a state"
    )
    envelope: list[Any] | None = Field(None, description="a Pred that every offer must pass beside the caller's rule")
    ways: list[Way] | None = Field(
        None,
        description="how requests may say which rule decides; by default policy_ir, tenant and provider, "
        "and for a key that stands for a tenant not at all",
    )
    routes: list[Access] = Field(list(get_args(Access)), description="what the key may be used for")
    rate: RateSettings | None = None

    @model_validator(mode="after")
    def _consistent(self) -> KeySettings:
        if self.tenant is not None and self.ways:
            raise ValueError("a key that stands for a tenant has no other ways to say which rule decides")
        if self.tenant == "" or self.tenant == {}:
            raise ValueError("the tenant that the key stands for is empty")
        return self

    def caller(self) -> Caller:
        """Give what the key stands for."""
        ways = ("policy_ir", "tenant", "provider") if self.ways is None else self.ways
        return Caller(
            self.name,
            self.tenant,
            self.envelope,
            frozenset() if self.tenant is not None else frozenset(ways),
            frozenset(self.routes),
            None if self.rate is None else self.rate.rate(),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Caller:
    """Whoever holds a key. Compared and hashed as an object: there is one a key.

    Attributes
    ----------
    name : the key's name, for logs and traces
    tenant : the tenant that it stands for, ``None`` where its requests say
    envelope : the Pred that holds for all its requests, ``None`` where it has none
    ways : how its requests may say which rule decides
    routes : what it may be used for
    rate : its limit
    """

    name: str
    tenant: str | Mapping[str, Any] | None = None
    envelope: Sequence[Any] | None = None
    ways: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    rate: Rate | None = None

    def check_route(self, route: str) -> None:
        """Refuse what the key may not be used for.

        Raises
        ------
        Problem
            403 ``not_permitted``
        """
        if route not in self.routes:
            raise Problem(403, "not_permitted", f"this key may not be used for {route}")


class Keys:
    """The keys of a server. Without any, nobody is let in.

    Raises
    ------
    InputError
        where two keys share their name or their digest
    """

    def __init__(self, settings: Iterable[KeySettings]) -> None:
        self._by_digest: dict[str, tuple[str, Caller]] = {}
        names: set[str] = set()
        for key in settings:
            if key.name in names:
                raise InputError(f"two keys are called {key.name!r}")
            if key.sha256 in self._by_digest:
                raise InputError(f"key {key.name!r} is the same as key {self._by_digest[key.sha256][1].name!r}")
            names.add(key.name)
            self._by_digest[key.sha256] = key.sha256, key.caller()

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Whoever holds a key, in the order of the file."""
        return tuple(caller for _, caller in self._by_digest.values())

    def caller(self, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
        """Tell who calls, by the request's headers as they came.

        A request has exactly one credential: ``Authorization: Bearer KEY``, ``x-api-key: KEY`` or ``api-key: KEY``.

        Raises
        ------
        Problem
            401: ``ambiguous_credentials`` where it has two, be they equal; ``missing_api_key`` where it has none;
            ``invalid_api_key`` for any other scheme or form, and for a key that is not known
        """
        found = [(name, value) for name, value in headers if name.lower() in _HEADERS]
        if len(found) > 1:
            raise _unauthorized("ambiguous_credentials", "a request has exactly one credential, and this has more")
        if not found:
            raise _unauthorized("missing_api_key", "no key: send it as Authorization: Bearer KEY")
        name, value = found[0]
        form = _HEADERS[name.lower()].fullmatch(value)
        if form is None:
            raise _unauthorized("invalid_api_key", "the credential is not of the form Bearer KEY")
        digest = hashlib.sha256(form[1]).hexdigest()
        # The look-up compares digests, of which whoever tries keys learns nothing; and then in constant time.
        known, caller = self._by_digest.get(digest, _NOBODY)
        if not hmac.compare_digest(known, digest) or caller is None:
            raise _unauthorized("invalid_api_key", "this key is not known")
        return caller


def new_key(token_bytes: Callable[[int], bytes] = secrets.token_bytes) -> tuple[str, str]:
    """Make a key of 256 random bits.

    Returns
    -------
    the key, to be given to its holder and kept nowhere; its sha256, for the configuration file
    """
    key = _PREFIX + base64.urlsafe_b64encode(token_bytes(32)).decode().rstrip("=")
    return key, hashlib.sha256(key.encode()).hexdigest()


def _unauthorized(code: str, message: str) -> Problem:
    return Problem(401, code, message, headers=_CHALLENGE)
