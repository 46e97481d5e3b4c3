"""Providers: the operator's accounts, as endpoints that can be called.

Only what an operator's file names is ever called: neither the catalog, nor a policy, nor a request can bring in an
address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from tenantrank.errors import InputError
from tenantrank.gateway.address import checked_url
from tenantrank.gateway.known import GENERIC, KNOWN, Known
from tenantrank.gateway.quirks import Quirks
from tenantrank.gateway.secret import Secret, is_reference, secret_of

PATHS: Mapping[str, str] = MappingProxyType({"chat": "/chat/completions", "embeddings": "/embeddings"})
"""Where each route is, below the base URL."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_HEADER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HEADER_VALUE = re.compile(r"[ -~]{0,1024}")
_OWN_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "api-key", "authorization", "connection", "content-encoding", "content-length"),
        *("content-type", "cookie", "expect", "host", "keep-alive", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "user-agent", "x-api-key"),
    }
)


class _Settings(BaseModel):
    # A value out of place may be a key, so that messages never show one.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class EndpointSettings(_Settings):
    """One further endpoint of a provider; what it leaves out is the provider's."""

    # Not shown until it is checked: one that is refused may hold a key.
    base_url: str | None = Field(default=None, repr=False)
    key: str | None = Field(default=None, repr=False)


class ProviderSettings(_Settings):
    """One provider in the operator's file.

    Attributes
    ----------
    kind : the row of `KNOWN` that it is like; by default its own name, where the table has it, else
        ``openai-compatible``
    base_url : up to the version, as ``https://api.openai.com/v1``; by default the kind's
    key : ``os.environ/NAME`` or ``file/PATH``; by default the kind's usual variable
    headers : further fixed ones; a value may be such a reference
    endpoints : further endpoints, by the region key of the offers that they serve, and those alone. Where they are
        given and neither ``base_url`` nor ``key`` is, there is no endpoint for offers without a region key.
    models : the wire ids that may be called; by default every one
    insecure : allow ``http://`` to a host that is not known to be this machine's or of a private network
    connect_s, first_byte_s, idle_s : in place of the gateway's limits
    """

    kind: str | None = None
    base_url: str | None = Field(default=None, repr=False)
    key: str | None = Field(default=None, repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)
    models: frozenset[str] | None = None
    insecure: bool = False
    connect_s: PositiveFloat | None = None
    first_byte_s: PositiveFloat | None = None
    idle_s: PositiveFloat | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One address with one key.

    Attributes
    ----------
    provider : its name in the operator's file
    kind : the row of `KNOWN`, by which errors are read
    credential : a name for the key, as ``openai/OPENAI_API_KEY``; endpoints with one key share it
    routes : which of ``chat`` and ``embeddings`` can be called
    """

    provider: str
    kind: str
    base_url: str
    credential: str
    key: Secret | None
    auth: tuple[str, str]
    fixed: Mapping[str, str | Secret]
    routes: frozenset[str]
    quirks: Quirks

    def url(self, route: str) -> str:
        """Give the address of a route, ``chat`` or ``embeddings``."""
        return self.base_url + PATHS[route]

    def headers(self) -> dict[str, str]:
        """Give the headers that are this endpoint's, with its key: a new record each time."""
        given = {name: value if isinstance(value, str) else value.reveal() for name, value in self.fixed.items()}
        if self.key is not None:
            name, before = self.auth
            given[name] = before + self.key.reveal()
        return given


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """One provider of the operator's.

    Attributes
    ----------
    endpoints : by region key; ``None`` is the one for offers without a region key
    models : the wire ids that may be called, ``None`` where every one may
    connect_s, first_byte_s, idle_s : in place of the gateway's limits, where given
    """

    name: str
    endpoints: Mapping[str | None, Endpoint]
    models: frozenset[str] | None = None
    connect_s: float | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None

    def endpoint(self, region_key: str | None) -> Endpoint | None:
        """Give the endpoint for an offer: the one configured for exactly its region key, else none."""
        return self.endpoints.get(region_key)

    def reaches(self, region_key: str | None, wire_model_id: str, route: str) -> bool:
        """Whether an offer can be called on a route."""
        found = self.endpoints.get(region_key)
        return found is not None and route in found.routes and (self.models is None or wire_model_id in self.models)


def providers_of(
    settings: Mapping[str, ProviderSettings], environ: Mapping[str, str], folder: Path
) -> Mapping[str, Provider]:
    """Set up the providers of an operator's file.

    Parameters
    ----------
    settings
        by the catalog's ``provider_id``
    environ, folder
        where references to keys are looked up, as `secret_of` does

    Raises
    ------
    InputError
        for a key that is not there or is written into the file, an address that is none, or an unsafe one
    """
    return MappingProxyType({name: _provider(name, given, environ, folder) for name, given in settings.items()})


def _provider(name: str, given: ProviderSettings, environ: Mapping[str, str], folder: Path) -> Provider:
    try:
        if not _NAME.fullmatch(name):
            raise InputError("a provider's name is made of letters, digits, '.', '_' and '-'")
        kind = given.kind or (name if name in KNOWN else GENERIC)
        known = KNOWN.get(kind)
        if known is None:
            meant = get_close_matches(kind, KNOWN, n=1)
            raise InputError(f"there is no kind of provider {kind!r}" + (f"; {meant[0]!r}?" if meant else ""))
        fixed = _headers(given.headers, environ, folder)
        endpoints: dict[str | None, Endpoint] = {}
        wanted: list[tuple[str | None, EndpointSettings]] = list(given.endpoints.items())
        if given.base_url or given.key or not given.endpoints:
            wanted.insert(0, (None, EndpointSettings()))
        for region, own in wanted:
            base_url = own.base_url or _usual(region, given, known)
            secret = _key(own.key or given.key, known, environ, folder)
            endpoints[region] = Endpoint(
                name,
                kind,
                checked_url(base_url, insecure=given.insecure),
                f"{name}/{secret.source if secret else 'none'}",
                secret,
                known.auth,
                fixed,
                known.routes,
                known.quirks,
            )
    except InputError as error:
        raise InputError(f"provider {name[:64]!r}: {error}") from None
    return Provider(name, MappingProxyType(endpoints), given.models, given.connect_s, given.first_byte_s, given.idle_s)


def _usual(region: str | None, given: ProviderSettings, known: Known) -> str:
    if region is not None:
        if not _REGION.fullmatch(region):
            raise InputError("a region key is made of small letters, digits and '-'")
        if known.regional is not None:
            return known.regional.format(region=region)
        # The provider's common address is not the region's: another one must be named for it.
        raise InputError(f"the endpoint for {region!r} needs its own base_url")
    usual = given.base_url or known.base_url
    if usual is None:
        raise InputError("needs a base_url, as each account has its own")
    return usual


def _key(reference: str | None, known: Known, environ: Mapping[str, str], folder: Path) -> Secret | None:
    if reference is None:
        if known.variable is None:
            return None
        reference = f"os.environ/{known.variable}"
    return secret_of(reference, environ, folder)


def _headers(given: Mapping[str, str], environ: Mapping[str, str], folder: Path) -> Mapping[str, str | Secret]:
    fixed: dict[str, str | Secret] = {}
    for written, value in given.items():
        name = written.lower()
        if not _HEADER_NAME.fullmatch(name):
            raise InputError("a header's name is made of letters, digits and '-'")
        if name in _OWN_HEADERS:
            raise InputError(f"the header {name} is the gateway's own to set")
        if name in fixed:
            raise InputError(f"the header {name} is given twice")
        if is_reference(value):
            fixed[name] = secret_of(value, environ, folder)
        elif _HEADER_VALUE.fullmatch(value):
            fixed[name] = value
        else:
            raise InputError(f"the value of the header {name} must be printable ASCII")
    return MappingProxyType(fixed)
