"""One generation of what the gateway decides by: catalog, rulebook, tenants, keys, and where each offer is called.

Immutable but for what it remembers; a reload makes another one, and a call keeps the one it began under.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

import tenantrank
from tenantrank.catalog import Catalog
from tenantrank.catalog.extend import with_flags, with_offers
from tenantrank.catalog.health import Health
from tenantrank.engine import Engine
from tenantrank.errors import CatalogError, InputError, TenantError, TenantrankError
from tenantrank.gateway import openapi
from tenantrank.gateway.auth import Caller, Keys
from tenantrank.gateway.directory import Directory
from tenantrank.gateway.incoming import Timeouts
from tenantrank.gateway.known_tenants import known_tenants
from tenantrank.gateway.limits import Limits
from tenantrank.gateway.needs import Route
from tenantrank.gateway.options import ROUTES
from tenantrank.gateway.plain import json_bytes
from tenantrank.gateway.providers import Endpoint, Provider, providers_of
from tenantrank.gateway.rules import Rule, State
from tenantrank.gateway.settings import Settings
from tenantrank.policy.encoding import encode_parameter
from tenantrank.policy.failover import Target
from tenantrank.policy.memory import Memory
from tenantrank.policy.policy import Policy, admit
from tenantrank.policy.signature import Fields
from tenantrank.tenants import CompiledPolicy, Rulebook

REACHABLE: Mapping[Route, str] = MappingProxyType({"chat": "reachable_chat", "embeddings": "reachable_embeddings"})
"""The Bool field, for each route, of offers that the operator's file has an endpoint for."""
_MODES: Mapping[Route, frozenset[str | None]] = MappingProxyType(
    {"chat": frozenset({None, "chat"}), "embeddings": frozenset({"embedding", "embeddings"})}
)
ANYBODY = Caller("anybody", ways=frozenset({"policy_ir", "tenant", "provider", "default"}), routes=frozenset(
    {"chat", "embeddings", "models", "rank"}
))  # fmt: skip
"""Whoever calls a server without keys."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How one offer is called.

    Attributes
    ----------
    target : what the failure plan needs to know of it
    wire_id : the model's name in a request
    timeouts : of one attempt, for a stream; whole_timeouts : for a whole answer, which begins only when it is finished
    """

    target: Target
    endpoint: Endpoint
    wire_id: str
    timeouts: Timeouts
    whole_timeouts: Timeouts


@dataclass
class _Slot:
    """The engine for one route and envelope; under another health it is made anew, sharing what did not change."""

    engine: Engine

    def under(self, health: Health) -> Engine:
        if self.engine.health is not health:
            self.engine = self.engine.with_health(health)
        return self.engine


@dataclass(frozen=True, eq=False)
class Generation:
    """See the module; it is what `rules.rule_of` and the dry runs decide with.

    Attributes
    ----------
    number : counted from 1 at the start
    keys : ``None`` where anybody is let in
    reaches : for each route, by offer id, how it is called
    holds_until : the last day on which the catalog may be used, ``None`` for any
    health : gives the live state of now
    left_out : lines about rows of the table of tenants that do not count
    """

    number: int
    catalog: Catalog
    directory: Directory
    rulebook: Rulebook | None
    tenants: Mapping[str, State]
    default: Policy | CompiledPolicy | None
    keys: Keys | None
    limits: Limits
    reaches: Mapping[Route, Mapping[str, Reach]]
    holds_until: date | None
    health: Callable[[], Health]
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remembered: Memory[Rule] = field(default_factory=Memory)
    _base: Mapping[Route, Engine] = field(default_factory=dict)
    _slots: dict[tuple[Route, str], _Slot] = field(default_factory=dict)

    @cached_property
    def limits_shown(self) -> Mapping[str, Any]:
        """The limits by name, as traces show them."""
        return MappingProxyType(self.limits.to_json())

    @cached_property
    def openapi(self) -> bytes:
        """The OpenAPI document, whose schema of policies has this catalog's fields."""
        return json_bytes(openapi.document(tenantrank.__version__, self.fields))

    @property
    def fields(self) -> Fields:
        """The catalog's vocabulary."""
        return self.catalog.fields

    def caller(self, headers: Any) -> Caller:
        """Tell who calls; errors as `Keys.caller`."""
        return ANYBODY if self.keys is None else self.keys.caller(headers)

    def engine_of(self, caller: Caller, route: Route, health: Health | None = None) -> Engine:
        """Give the engine that decides a caller's requests, under a health or that of now."""
        envelope = "" if caller.envelope is None else encode_parameter(list(caller.envelope))
        slot = self._slots.get((route, envelope))
        if slot is None:
            base = self._base[route]
            slot = self._slots[route, envelope] = _Slot(base.narrowed(caller.envelope) if envelope else base)
        return slot.under(self.health() if health is None else health)


def make_generation(
    settings: Settings,
    folder: Path,
    environ: Mapping[str, str],
    today: date,
    health: Callable[[], Health],
    number: int = 1,
) -> Generation:
    """Make a generation of what a configuration file names.

    Parameters
    ----------
    settings, folder
        the file, and the folder that its paths begin at
    environ
        where references to keys are looked up
    today
        the day to judge the catalog by, where the file does not say
    health
        gives the live state of now
    number
        counted from 1

    Raises
    ------
    TenantrankError
        one line for whatever cannot be used
    """
    given = settings.catalog
    day = given.as_of or today
    catalog = Catalog.bundled(day) if given.file is None else Catalog.load(folder / given.file, as_of=day)
    try:
        catalog = with_offers(catalog, given.offers)
    except CatalogError as error:
        raise CatalogError(f"catalog.offers: {error}") from None
    if given.overlay is not None:
        catalog = catalog.with_overlay(folder / given.overlay, day)
    providers = providers_of(settings.providers, environ, folder)
    warnings = [*catalog.warnings, *_unknown(providers, catalog)]
    reaches = {route: _reaches(catalog, providers, route, settings) for route in ROUTES}
    catalog = with_flags(
        catalog,
        {REACHABLE[route]: np.array([each in reaches[route] for each in catalog.offer_ids]) for route in ROUTES},
    )
    rulebook = None
    if settings.rulebook is not None:
        rulebook = Rulebook.load(folder / settings.rulebook).bind(catalog.fields)
    tenants, left_out = known_tenants(None if settings.tenants is None else folder / settings.tenants, rulebook)
    base = Engine(catalog, None, settings.envelope)
    keys = Keys(settings.keys) if settings.keys else None
    made = Generation(
        number,
        catalog,
        Directory.of(catalog),
        rulebook,
        tenants,
        None if settings.default is None else _default(settings.default, catalog.fields),
        keys,
        settings.limits.limits(),
        MappingProxyType(reaches),
        catalog.metadata.holds_until,
        health,
        tuple(left_out),
        tuple(warnings),
        _base={route: base.narrowed(["is", REACHABLE[route]]) for route in ROUTES},
    )
    _check_callers(made)
    return made


def _default(term: Any, fields: Fields) -> Policy:
    try:
        return admit(term, fields)
    except TenantrankError as error:
        raise InputError(f"default: {error}") from None


def _check_callers(made: Generation) -> None:
    """Refuse envelopes that cannot be used and tenants that are not there, now and not when the key is used."""
    for caller in () if made.keys is None else made.keys.callers:
        try:
            made.engine_of(caller, "chat")
        except TenantrankError as error:
            raise InputError(f"keys: {caller.name}: envelope: {error}") from None
        if caller.tenant is None:
            continue
        if made.rulebook is None:
            raise InputError(f"keys: {caller.name}: it stands for a tenant, and there is no rulebook")
        state = made.tenants.get(caller.tenant) if isinstance(caller.tenant, str) else caller.tenant
        if state is None:
            raise InputError(f"keys: {caller.name}: the table of tenants has no such tenant, or its row does not count")
        try:
            made.rulebook.compile(state)
        except TenantError as error:
            raise InputError(f"keys: {caller.name}: {error}") from None


def _unknown(providers: Mapping[str, Provider], catalog: Catalog) -> list[str]:
    there = set(catalog.strings("provider_id")[1])
    return [f"providers: {name}: the catalog has no offer of it" for name in providers if name not in there]


def _reaches(
    catalog: Catalog, providers: Mapping[str, Provider], route: Route, settings: Settings
) -> Mapping[str, Reach]:
    """Find the offers of the operator's providers that can be called on a route."""
    column = {
        name: _texts(catalog, name) for name in ("provider_id", "model_family", "mode", "region_key", "wire_model_id")
    }
    limits = settings.limits.limits()
    found: dict[str, Reach] = {}
    for row, offer in enumerate(catalog.offer_ids):
        provider = providers.get(column["provider_id"][row] or "")
        if provider is None or column["mode"][row] not in _MODES[route]:
            continue
        family = column["model_family"][row] or ""
        region, wire_id = column["region_key"][row], column["wire_model_id"][row] or family
        endpoint = provider.endpoint(region)
        if endpoint is None or not provider.reaches(region, wire_id, route):
            continue
        timeouts = Timeouts(
            provider.connect_s or limits.connect_s,
            provider.first_byte_s or limits.first_byte_s,
            provider.idle_s or limits.idle_s,
            None,
        )
        whole = replace(timeouts, total_s=timeouts.first_byte_s)
        found[offer] = Reach(Target(offer, provider.name, family), endpoint, wire_id, timeouts, whole)
    return MappingProxyType(found)


def _texts(catalog: Catalog, name: str) -> list[str | None]:
    codes, names = catalog.strings(name)
    return [names[code] if code >= 0 else None for code in codes.tolist()]
