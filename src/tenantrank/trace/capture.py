"""Capturing decisions: of each its record, and the snapshots without which it could not be recomputed.

What many decisions have in common is worked out once for each engine, and the clauses' counts once for each policy and
request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

from tenantrank.catalog.health import Health
from tenantrank.engine import Decision, Engine
from tenantrank.engine.recent import Recent
from tenantrank.tenants import CompiledPolicy, Rulebook
from tenantrank.trace.forms import catalog_bytes, health_bytes, health_id
from tenantrank.trace.record import (
    About,
    Form,
    Ids,
    decision_record,
    needs_form,
    order_form,
    rejections_form,
    rule_form,
)

Snapshot = tuple[str, str, Callable[[], bytes]]
"""Kind, id and what makes the content, which is called only where a store does not have it."""

_ENGINES, _RULES, _REJECTIONS = 16, 4096, 4096
_PLACES = 262_144  # of all orders that are remembered


class _Under(NamedTuple):
    """What decisions of one engine have in common."""

    engine: Engine
    ids: Ids
    snapshots: tuple[Snapshot, ...]
    rejections: dict[tuple[str, Any], dict[str, Any]]


class Capture:
    """Makes records of decisions. For one thread at a time.

    Parameters
    ----------
    version
        of the package, which a record names as its engine
    mask
        fields of a tenant whose values are left out of records
    """

    def __init__(self, version: str, mask: Collection[str] = ()) -> None:
        self._version = version
        self._mask = frozenset(mask)
        # By address: each value holds the objects whose addresses make its key, so that no other has them.
        self._engines: Recent[_Under] = Recent(_ENGINES)
        self._healths: Recent[tuple[Health, str, Snapshot]] = Recent(_ENGINES)
        self._rulebooks: Recent[tuple[Rulebook, Snapshot]] = Recent(_ENGINES)
        self._rules: Recent[tuple[Form, Any]] = Recent(_RULES)
        self._requests: Recent[Form] = Recent(_RULES)
        self._orders: Recent[dict[str, Any]] = Recent(_PLACES, lambda order: 1 + int(order["places"]))

    def decision(
        self,
        decision: Decision,
        about: About,
        compiled: CompiledPolicy | None = None,
        rulebook: Rulebook | None = None,
        source: str = "library",
    ) -> tuple[dict[str, Any], tuple[Snapshot, ...]]:
        """Give the record of a decision, and the snapshots that have to be kept with it.

        Parameters
        ----------
        decision, about
            what to record
        compiled, rulebook
            the policy as a rulebook compiled it, and the rulebook
        source
            how the rule came, ``library`` for a call of `Engine.rank`
        """
        under = self._engines.get(id(decision.engine), partial(self._under, decision.engine))
        snapshots, rulebook_id = under.snapshots, None
        if rulebook is not None:
            _, snapshot = self._rulebooks.get(id(rulebook), lambda: (rulebook, _of_rulebook(rulebook)))
            snapshots, rulebook_id = (*snapshots, snapshot), snapshot[1]
        held = decision.policy, decision.origins, compiled, decision.engine.envelope
        rule, _ = self._rules.get(
            (*map(id, held), rulebook_id, source),
            lambda: (rule_form(decision, compiled, rulebook_id, source, self._mask), held),
        )
        request = self._requests.get(decision.request, partial(needs_form, decision.request))
        order, rejections = self._order(decision), _rejections(under, decision)
        return decision_record(decision, about, under.ids, rule, request, order, rejections), snapshots

    def _order(self, decision: Decision) -> dict[str, Any]:
        offers, scores = decision.offer_ids, decision.scores
        if 0.0 in scores:  # The two zeros are equal, and written differently.
            return order_form(offers, scores)
        return self._orders.get((offers, scores), partial(order_form, offers, scores))

    def _under(self, engine: Engine) -> _Under:
        catalog, health = engine.catalog, engine.health
        _, name, of_health = self._healths.get(id(health), partial(_of_health, health))
        day = catalog.judged_at
        ids = Ids(catalog.catalog_id, None if day is None else day.isoformat(), name, self._version)
        of_catalog = "catalog", catalog.catalog_id, partial(catalog_bytes, catalog)
        return _Under(engine, ids, (of_catalog, of_health), {})


def _rejections(under: _Under, decision: Decision) -> Mapping[str, Any]:
    key = decision.policy.identity, under.engine.filtered_by(decision.policy, decision.request)
    found = under.rejections.get(key)
    if found is None:
        if len(under.rejections) >= _REJECTIONS:
            under.rejections.clear()
        found = rejections_form(under.engine.rejections(decision.policy, decision.request))
        under.rejections[key] = found
    return found


def _of_health(health: Health) -> tuple[Health, str, Snapshot]:
    content = health_bytes(health)
    name = health_id(content)
    return health, name, ("health", name, lambda: content)


def _of_rulebook(rulebook: Rulebook) -> Snapshot:
    def made() -> bytes:
        return rulebook.document.model_dump_json(by_alias=True, exclude_none=True).encode()

    return "rulebook", rulebook.rulebook_id, made
