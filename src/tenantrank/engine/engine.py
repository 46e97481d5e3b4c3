"""The engine: policies, a catalog and the state of now to decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.catalog import Catalog
from tenantrank.catalog.health import Health
from tenantrank.engine.clauses import clause_masks
from tenantrank.engine.decision import Decision
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.explain import Explanation
from tenantrank.engine.fleet import rank_fleet
from tenantrank.engine.given import parts_of, places_of, request_of
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.lower import lower
from tenantrank.engine.names import unknown_names
from tenantrank.engine.plan import Plan
from tenantrank.engine.recent import Recent
from tenantrank.engine.request import Request, reduced_seed
from tenantrank.engine.running import Prepared, Ranked, run
from tenantrank.engine.view import View
from tenantrank.errors import CatalogError, RulebookError
from tenantrank.policy import admission
from tenantrank.policy.arguments import check_type, listed, one_each
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy, Term
from tenantrank.policy.signature import V1, V2, Version
from tenantrank.policy.stack import whatever_the_stack
from tenantrank.policy.transform import Custom, apply_transform
from tenantrank.tenants import CompiledPolicy, Origin, Rulebook
from tenantrank_kernels import opcodes as op

_CHUNK = 4096  # policies ranked by one kernel call, which bounds the memory of a batch
_REQUEST_BYTES = 64 * 1024 * 1024  # what the distinct requests of one kernel call may take
_PLAN_BYTES = 128 * 1024 * 1024  # what the plans kept may take
_REQUESTS_KEPT = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Shared:
    """What engines over one catalog and one envelope share, whatever the health."""

    index: CatalogIndex
    envelope: Envelope
    plans: Recent[Plan]


class Engine:
    """Ranks policies over one catalog. Immutable: a new catalog or health is a new engine. Safe to use from threads.

    Parameters
    ----------
    catalog
        the offers; their order decides ties
    health
        live state: a mapping with ``ema``, ``breakers``, ``disabled`` and ``credits``, or `Health`; ``None`` is none
    envelope
        the operator's own Pred (a JSON value, text, or an admitted `Term`), and-ed onto every policy

    Raises
    ------
    CatalogError, HealthError, PolicyError
        for a catalog, a health or an envelope that cannot be used
    """

    def __init__(
        self,
        catalog: Catalog,
        health: Mapping[str, Any] | Health | None = None,
        envelope: Any = None,
    ) -> None:
        check_type(catalog, Catalog, "a Catalog", CatalogError)
        plans: Recent[Plan] = Recent(_PLAN_BYTES, lambda plan: plan.nbytes)
        self._shared = _Shared(CatalogIndex(catalog), Envelope(envelope, catalog), plans)
        self._begin(Health.of(health))

    def with_health(self, health: Mapping[str, Any] | Health | None) -> Engine:
        """Give an engine over the same catalog and envelope under another health; what was compiled is shared."""
        other = object.__new__(type(self))
        other._shared = self._shared
        other._begin(Health.of(health))
        return other

    def _begin(self, health: Health) -> None:
        self._health = health
        self._views: dict[Version, View] = {}
        self._requests: Recent[Prepared] = Recent(_REQUESTS_KEPT)

    @property
    def catalog(self) -> Catalog:
        """The catalog that is ranked."""
        return self._shared.index.catalog

    @property
    def envelope(self) -> Term | None:
        """The operator's envelope as admitted."""
        return self._shared.envelope.term

    @property
    def health(self) -> Health:
        """The live state."""
        return self._health

    @property
    def provenance(self) -> dict[str, str]:
        """What answers are worked out from: ``catalog_id``, and where there are any, ``as_of`` and
        ``envelope_identity``.

        Tables of answers carry it as their metadata.
        """
        found = {"catalog_id": self.catalog.catalog_id}
        if (day := self.catalog.judged_at) is not None:
            found["as_of"] = day.isoformat()
        if self.envelope is not None:
            found["envelope_identity"] = self.envelope.identity
        return found

    def unknown_names(self, policies: Iterable[Policy | CompiledPolicy]) -> dict[str, str]:
        """Give the providers and model families that policies or the envelope name and no offer has, each with the
        nearest.

        A misspelt name in a list of excluded providers excludes nobody, and the language cannot tell it from a provider
        that is not in the catalog today. The nearest is empty where none is near.
        """
        roots = [] if self.envelope is None else [self.envelope.root]
        return unknown_names([*roots, *(policy.root for policy in _admitted(policies))], self.catalog)

    def rank(
        self,
        policy: Policy | CompiledPolicy,
        request: Mapping[str, Any] | Request | None = None,
        seed: int | None = None,
        k: int | None = None,
    ) -> Decision:
        """Rank the catalog's offers under one policy.

        Parameters
        ----------
        policy
            an admitted policy, or one compiled from a rulebook, whose clauses then carry their origins
        request
            what the call needs: its body with ``requirements`` and ``scope``
        seed
            decides the order of `sample`; ``None`` counts as 0
        k
            how many places are wanted; ``None`` for the whole order

        Returns
        -------
        Decision
            best first: score descending, ties by catalog order

        Raises
        ------
        PolicyError
            where the policy was admitted against other fields or tiers and does not fit this catalog
        RequestError
            for a request, seed or k that is not of the documented shape
        """
        admitted, origins = parts_of(policy)
        needed = request_of(request)
        places = places_of(k, len(self.catalog))
        rows, scores, ranked, survived = self._run([self._plan(admitted)], [needed], [reduced_seed(seed)], places)
        filled = int(ranked[0])
        ids = self.catalog.offer_ids
        return Decision(
            [ids[row] for row in rows[0, :filled].tolist()],
            scores[0, :filled].tolist(),
            int(survived[0]),
            admitted,
            self.envelope.identity if self.envelope is not None else None,
            self.catalog,
            seed,
            lambda: whatever_the_stack(lambda: self._explain(admitted, needed, origins)),
        )

    def rank_many(
        self,
        policies: Sequence[Policy | CompiledPolicy],
        requests: Sequence[Mapping[str, Any] | Request | None] | None = None,
        k: int = 8,
        seeds: Sequence[int | None] | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> pa.Table:
        """Rank the catalog's offers under each of many policies.

        Parameters
        ----------
        policies
            admitted or compiled policies; equal ones may repeat
        requests, seeds
            one for each policy, or ``None``
        k
            the most places wanted for each
        on_progress
            called with how many policies are done, now and then

        Returns
        -------
        pyarrow.Table
            a row for each policy, in order: ``identity`` string, ``survivors`` int32, ``offer_ids`` list of
            dictionary-encoded strings and ``scores`` list of doubles, best first; the same bits as `rank` gives one by
            one

        Raises
        ------
        PolicyError, RequestError
            as `rank`, and RequestError where the lengths differ
        """
        admitted = _admitted(policies)
        rows, scores, ranked, survived = self.rank_rows(admitted, requests, k, seeds, on_progress)
        kept = np.arange(rows.shape[1]) < ranked[:, None]
        offsets = np.zeros(len(admitted) + 1, dtype=np.int32)
        np.cumsum(ranked, out=offsets[1:])
        return pa.table(
            {
                "identity": pa.array([policy.identity for policy in admitted], pa.string()),
                "survivors": pa.array(survived),
                "offer_ids": pa.ListArray.from_arrays(offsets, self._names(rows[kept])),
                "scores": pa.ListArray.from_arrays(offsets, pa.array(scores[kept])),
            }
        ).replace_schema_metadata(self.provenance)

    def rank_rows(
        self,
        policies: Sequence[Policy],
        requests: Sequence[Mapping[str, Any] | Request | None] | None = None,
        k: int = 8,
        seeds: Sequence[int | None] | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Ranked:
        """Rank as `rank_many` does, and give plain arrays."""
        policies = _admitted(policies)
        requests = one_each(requests, "requests", len(policies))
        seeds = one_each(seeds, "seeds", len(policies))
        places = places_of(k, len(self.catalog))
        result = Ranked.empty(len(policies), places)
        for version in (V1, V2):
            chosen = [at for at, policy in enumerate(policies) if policy.version == version]
            size = self._chunk(version, requests is not None)
            for chunk in [chosen[first : first + size] for first in range(0, len(chosen), size)]:
                part = self._run(
                    [self._plan(policies[at]) for at in chunk],
                    [request_of(requests[at] if requests is not None else None) for at in chunk],
                    [reduced_seed(seeds[at] if seeds is not None else None) for at in chunk],
                    places,
                )
                result.put(chunk, part)
                if on_progress is not None:
                    on_progress(len(chunk))
        return result

    def rank_tenants(
        self,
        rulebook: Rulebook,
        tenants: pa.Table,
        k: int = 8,
        on_progress: Callable[[int], None] | None = None,
    ) -> pa.Table:
        """Rank the catalog's offers for every tenant of a table.

        Parameters
        ----------
        rulebook
            the operator's rules; bound to this catalog's fields and tiers first
        tenants
            one tenant a row, with the columns that the rulebook declares
        k
            the most places wanted for each tenant
        on_progress
            called with how many distinct policies are done, now and then

        Returns
        -------
        pyarrow.Table
            a row for each tenant, in order, with the columns of `tenantrank.engine.fleet.SCHEMA`; a tenant whose state
            is refused has a row that says why, and one without an offer a row that says which rules left it so

        Raises
        ------
        RulebookError
            where the rulebook names a field or tier that this catalog does not have
        """
        check_type(rulebook, Rulebook, "a Rulebook", RulebookError)
        return rank_fleet(self, rulebook.bind(self.catalog.fields).compile_many(tenants), k, on_progress)

    def observed(self, field: str) -> NDArray[np.float64]:
        """Give a Num field as ``sigma-pol/v2`` policies see it now, (offers,), the field's default where unknown."""
        self.catalog.numbers(field)  # refuses what is no Num field
        return self._view(V2).values(field)

    def row_of_offer(self, offer_id: str) -> int:
        """Give the catalog row of an offer; KeyError for an id that is not in the catalog."""
        check_type(offer_id, str, "an offer id")
        return self._shared.index.row_of_offer(offer_id)

    def transform(
        self,
        policy: Policy | CompiledPolicy,
        body: Mapping[str, Any],
        offer_id: str,
        request: Mapping[str, Any] | Request | None = None,
        seed: int | None = None,
        custom: Mapping[str, Custom] | None = None,
    ) -> dict[str, Any]:
        """Apply a policy's request transform to a copy of a body, for an attempt at one offer.

        Raises
        ------
        KeyError
            for an offer that is not in the catalog
        PolicyError
            for a `custom` transform that is not registered
        """
        admitted, _ = parts_of(policy)
        return self.apply(admitted.transform, admitted.version, body, offer_id, request, seed, custom)

    def apply(
        self,
        transform: Node,
        version: Version,
        body: Mapping[str, Any],
        offer_id: str,
        request: Mapping[str, Any] | Request | None = None,
        seed: int | None = None,
        custom: Mapping[str, Custom] | None = None,
    ) -> dict[str, Any]:
        """Apply an Xform in normal form, otherwise as `transform`."""
        reduced_seed(seed)  # refuses what is no seed
        view = self._view(version)
        needed = request_of(request)
        row = self.row_of_offer(offer_id)

        def holds(condition: Node) -> bool:
            masks = clause_masks([condition], view, needed)
            return bool((int(masks[0, row >> 6]) >> (row & 63)) & 1)

        return apply_transform(transform, body, holds, seed, custom)

    def _explain(
        self, policy: Policy, request: Request, origins: Mapping[str, tuple[Origin, ...]] | None
    ) -> Explanation:
        return Explanation(self._shared.envelope.parts(policy, origins or {}, self._view), request)

    def _plan(self, policy: Policy) -> Plan:
        return self._shared.plans.get(policy.identity, lambda: whatever_the_stack(lambda: self._lowered(policy)))

    def _lowered(self, policy: Policy) -> Plan:
        if policy.fields is not self.catalog.fields:
            admission.check(policy.term, self.catalog.fields, policy.version, "Policy")
        view = self._view(policy.version)
        return lower(self._shared.envelope.effective(policy), policy.scorer, policy.selector, self._shared.index, view)

    def _view(self, version: Version) -> View:
        view = self._views.get(version)
        if view is None:
            view = self._views.setdefault(version, View(self._shared.index, self._health, version))
        return view

    def _prepared(self, version: Version, request: Request) -> Prepared:
        return self._requests.get((version, request), lambda: self._prepare(version, request))

    def _prepare(self, version: Version, request: Request) -> Prepared:
        view = self._view(version)
        rows = view.live_rows(request)
        if version == V1 and self._shared.envelope.clauses:
            masks = clause_masks(self._shared.envelope.clauses, self._view(V2), request)
            rows[op.ENVELOPE] = np.bitwise_and.reduce(masks, axis=0)
        return rows, view.request_columns(request)

    def _run(self, plans: Sequence[Plan], requests: Sequence[Request], seeds: Sequence[int], places: int) -> Ranked:
        """Rank plans of one version, each for its own request."""
        version = plans[0].version
        place_of = {request: place for place, request in enumerate(dict.fromkeys(requests))}
        prepared = [self._prepared(version, request) for request in place_of]
        return run(self._view(version), plans, prepared, [place_of[request] for request in requests], seeds, places)

    def _chunk(self, version: Version, varied: bool) -> int:
        """Give how many policies to rank by one kernel call, so that what their requests need stays bounded."""
        if not varied:
            return _CHUNK
        columns = op.REQUEST_COLUMNS if version == V1 else 0
        each = 8 * (columns * self._shared.index.width + op.LIVE_ROWS * self._shared.index.words)
        return max(1, min(_CHUNK, _REQUEST_BYTES // each))

    def _names(self, rows: NDArray[np.int32]) -> pa.DictionaryArray:
        ids = pa.array(self.catalog.offer_ids, pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(rows), ids)


def _admitted(policies: Iterable[Policy | CompiledPolicy]) -> list[Policy]:
    return [parts_of(policy)[0] for policy in listed(policies, "policies")]
