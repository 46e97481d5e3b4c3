"""Restoring what decisions were made of, from a store alone: engines, policies and requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

from tenantrank.catalog import Catalog
from tenantrank.catalog.health import Health
from tenantrank.engine import Engine, Request
from tenantrank.engine.recent import Recent
from tenantrank.errors import TenantrankError, TraceError
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import Fields
from tenantrank.trace.forms import catalog_of, health_id, health_of, request_of
from tenantrank.trace.store import Reader
from tenantrank.trace.terms import policy_of, term_of

_CATALOGS, _ENGINES, _HEALTHS, _POLICIES = 4, 32, 64, 65_536

World = tuple[str, str | None, str, str | None]
"""What tells the engines of decisions apart: catalog, day, health and the envelope's canonical text."""


def world_of(record: Mapping[str, Any]) -> World:
    """Give what tells a decision's engine from others."""
    envelope = record["envelope"]
    return (
        record["catalog_id"],
        record["as_of"],
        record["health_id"],
        None if envelope is None else envelope["encoding"],
    )


class Restored:
    """Engines, policies and requests as they were. Keeps the latest of each; for one thread at a time.

    Parameters
    ----------
    store
        whose snapshots are read
    catalog
        stands in the place of every recorded catalog; ``None`` for the recorded ones
    """

    def __init__(self, store: Reader, catalog: Catalog | None = None) -> None:
        self._store = store
        self._given = catalog
        self._catalogs: Recent[Catalog] = Recent(_CATALOGS)
        self._healths: Recent[Health] = Recent(_HEALTHS)
        self._bare: Recent[Engine] = Recent(_CATALOGS)
        self._engines: Recent[Engine] = Recent(_ENGINES)
        self._policies: Recent[Policy] = Recent(_POLICIES)
        self._requests: Recent[Request] = Recent(_POLICIES)

    def engine(self, world: World) -> Engine:
        """Give the engine that decided.

        Raises
        ------
        TraceError
            where a snapshot is missing or damaged
        """
        return self._engines.get(world, partial(self._engine, world))

    def _engine(self, world: World) -> Engine:
        catalog_id, day, health_name, envelope = world
        catalog = self.catalog(catalog_id, day)
        # Engines over one catalog and envelope share what they compiled.
        base = self._bare.get((id(catalog), envelope), partial(_bare_engine, catalog, envelope))
        return base.with_health(self.health(health_name))

    def catalog(self, catalog_id: str, day: str | None) -> Catalog:
        """Give the catalog of an id, judged by a day, or the one given in its place; errors as `engine`."""
        if self._given is not None:
            return self._given

        def made() -> Catalog:
            return catalog_of(self._store.snapshot("catalog", catalog_id), catalog_id, _day(day))

        return self._catalogs.get((catalog_id, day), made)

    def health(self, name: str) -> Health:
        """Give the live state of an id; errors as `engine`."""

        def made() -> Health:
            content = self._store.snapshot("health", name)
            if health_id(content) != name:
                raise TraceError(
                    f"the recorded live state {name} has the content of {health_id(content)}", "unreadable"
                )
            return health_of(content)

        return self._healths.get(name, made)

    def policy(self, record: Mapping[str, Any], fields: Fields) -> Policy:
        """Give the policy of a decision, admitted against a catalog's fields.

        Raises
        ------
        TraceError
            where it is refused, or is not the one whose identity the record names
        """
        recorded = record["policy"]
        identity = recorded["identity"]

        def made() -> Policy:
            policy = policy_of(recorded["encoding"], fields)
            if policy.identity != identity:
                raise TraceError(f"the recorded policy's identity is {policy.identity}, and the record says {identity}")
            return policy

        return self._policies.get((identity, recorded["encoding"], id(fields)), made)

    def request(self, record: Mapping[str, Any]) -> Request:
        """Give the request of a decision; TraceError for one that cannot be read."""
        form = record["request"]
        key = repr(form)
        return self._requests.get(key, partial(request_of, form))


def _bare_engine(catalog: Catalog, envelope: str | None) -> Engine:
    try:
        return Engine(catalog, None, None if envelope is None else term_of(envelope, catalog.fields))
    except TraceError:
        raise
    except TenantrankError as error:
        raise TraceError(f"no engine can be made of what was recorded: {error}") from None


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except (TypeError, ValueError):
        raise TraceError(f"the recorded day {text!r} is no date") from None
