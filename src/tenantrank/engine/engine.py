"""The engine: policies, a catalog and the state of now to decisions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.catalog import Catalog
from tenantrank.catalog.costs import EVERY, Rows, Tokens
from tenantrank.catalog.health import Health
from tenantrank.engine.accepted import Outcome
from tenantrank.engine.batches import chunks_of, given_of, taken
from tenantrank.engine.chunk_runs import rank_chunk, rank_plain
from tenantrank.engine.clauses import clause_masks
from tenantrank.engine.compiled import Compiled
from tenantrank.engine.decision import Decision
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.explain import Explanation, Part
from tenantrank.engine.generation import Generation
from tenantrank.engine.given import (
    NO_REQUEST,
    admitted_of,
    parts_of,
    places_of,
    policy_of,
    request_of,
    threads_of,
)
from tenantrank.engine.holding import holding
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.misses import nearest_miss
from tenantrank.engine.names import unknown_names
from tenantrank.engine.ranked_table import ranked_table
from tenantrank.engine.rejections import Rejections, counts_of, located, rejected
from tenantrank.engine.request import FILTERED_BY, Request, reduced_seed
from tenantrank.engine.running import NOT_READY, Ranked, Ready
from tenantrank.engine.single import BEST_HANDLE, KEPT_PLACES, run_one
from tenantrank.engine.stated import Stated
from tenantrank.errors import CatalogError, RulebookError
from tenantrank.policy.arguments import check_type, one_each
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy, Term, place
from tenantrank.policy.signature import V2, Version
from tenantrank.policy.transform import Custom, apply_transform

if TYPE_CHECKING:
    from tenantrank.tenants import CompiledPolicy, Origin, Rulebook


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
    threads
        the most threads that rank a large batch, the caller's own among them; ``None`` for one a processor

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
        threads: int | None = None,
    ) -> None:
        check_type(catalog, Catalog, "a Catalog", CatalogError)
        compiled = Compiled(CatalogIndex(catalog), Envelope(envelope, catalog))
        self._threads = threads_of(threads)
        self._now = Generation(compiled, Health.of(health))
        self._ready = NOT_READY

    def with_health(self, health: Mapping[str, Any] | Health | None) -> Engine:
        """Give an engine over the same catalog and envelope under another health; what did not change is shared.

        What plain rankings need is made ready here, so that they do not wait for it under the new engine.
        """
        now = Generation(self._now.compiled, Health.of(health), self._now)
        return self._over(now.made_ready_as(self._now), self._ready)

    def with_catalog(self, catalog: Catalog) -> Engine:
        """Give an engine over another catalog under the same health and envelope.

        Policies that were ranked here are not lowered again there, where the other catalog has the same numeric fields
        and no fewer flags and tiers, and what plain rankings need is made ready here, as by `with_health`: a server
        that swaps engines goes on at its pace. Over any other catalog this is what `Engine` makes.

        Raises
        ------
        CatalogError, PolicyError
            for a catalog that cannot be used, and where the envelope does not fit it
        """
        check_type(catalog, Catalog, "a Catalog", CatalogError)
        now = Generation(self._now.compiled.over(catalog), self.health)
        return self._over(now.made_ready_as(self._now))

    def narrowed(self, envelope: Any) -> Engine:
        """Give an engine over the same catalog and health whose envelope is this one's and a further Pred's.

        Raises
        ------
        PolicyError
            for what is not a Pred of the second version
        """
        index = self._now.compiled.index
        further = Envelope(envelope, index.catalog).term
        if further is None:
            return self
        both = further.term if self.envelope is None else ["and", self.envelope.term, further.term]
        return self._over(Generation(Compiled(index, Envelope(both, index.catalog)), self.health, self._now))

    def _over(self, now: Generation, ready: Ready = NOT_READY) -> Engine:
        other = object.__new__(type(self))
        other._threads = self._threads
        other._now = now
        other._ready = now.ready_as(ready)
        return other

    def __reduce__(self) -> tuple[type[Engine], tuple[Any, ...]]:
        """Go to another process as what it was made of; what was compiled is compiled there again."""
        return type(self), (self.catalog, self.health, self.envelope, self._threads)

    @property
    def catalog(self) -> Catalog:
        """The catalog that is ranked."""
        return self._now.compiled.index.catalog

    @property
    def envelope(self) -> Term | None:
        """The operator's envelope as admitted."""
        return self._now.compiled.envelope.term

    @property
    def health(self) -> Health:
        """The live state."""
        return self._now.health

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
        return unknown_names([*roots, *(policy.root for policy in admitted_of(policies))], self.catalog)

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
        # The usual call goes straight down: it was ranked before, and each function called would cost a twentieth more.
        if request is None and type(k) is int:
            try:
                token, at = policy.placed
            except AttributeError:  # not ranked before
                token, at = None, 0
            ready = self._ready
            if token is ready.token and at <= ready.last and 0 < k <= KEPT_PLACES:
                asked = k if seed is None else reduced_seed(seed) << 32 | k
                made = Decision()
                made.engine = self
                made._given = policy
                made.request = NO_REQUEST
                made.seed = seed
                made.k = k
                if k == 1:
                    filled, made.survivors, row, score = ready.call(ready.desk, at, asked, BEST_HANDLE)
                    if filled:
                        made.offer_ids = (ready.offer_ids[row],)
                        made.scores = (score,)
                    else:
                        made.offer_ids = made.scores = ()
                else:
                    made.offer_ids, made.scores, made.survivors = run_one(ready, at, asked, k)
                return made
        return self._rank(policy, NO_REQUEST if request is None else request_of(request), seed, k)

    def _rank(self, policy: Policy | CompiledPolicy, request: Request, seed: int | None, k: int | None) -> Decision:
        admitted = policy if type(policy) is Policy else policy_of(policy)
        now = self._now
        prepared = now.plain(admitted.version) if request is NO_REQUEST else now.prepared_for(admitted, request)
        places = k if type(k) is int and 0 < k <= KEPT_PLACES else places_of(k, prepared.view.index.size)
        drawn = 0 if seed is None else reduced_seed(seed)
        programs, at = now.compiled.program(admitted, prepared.view)
        ready = prepared.ready_at(programs, at)
        if request is NO_REQUEST:
            self._ready = ready
            place(policy, programs.token, at)
        made = Decision()
        made.engine = self
        made._given = policy
        made.request = request
        made.seed = seed
        made.k = k
        made.offer_ids, made.scores, made.survivors = run_one(ready, at, drawn << 32 | places, places)
        return made

    def filtered_by(self, policy: Policy, request: Request) -> Hashable:
        """Give what of a request has a part in which offers a policy turns away: where it is equal, so are they."""
        return FILTERED_BY(request), self._now.tokens_for(policy, request)

    def rejections(
        self, policy: Policy | CompiledPolicy, request: Mapping[str, Any] | Request | None = None
    ) -> Rejections:
        """Find the first clause that each offer fails, and how many each clause turns away, as plain arrays.

        What `Decision.rejected` says in words, for thousands of policies; arguments and errors as of `rank`.
        """
        ready, at = self._located(policy, request)
        return rejected(ready, at, policy, self._now.compiled.envelope)

    def clause_counts(
        self, policy: Policy | CompiledPolicy, request: Mapping[str, Any] | Request | None = None
    ) -> NDArray[np.int32]:
        """Count the offers that each clause is the first to turn away: the ``counts`` of `rejections` alone."""
        return counts_of(*self._located(policy, request))

    def _located(
        self, policy: Policy | CompiledPolicy, request: Mapping[str, Any] | Request | None
    ) -> tuple[Ready, int]:
        """Give a frame that is good for a policy, and where its program begins."""
        if request is None or request is NO_REQUEST:
            try:
                token, at = policy.placed
            except AttributeError:  # not ranked before
                pass
            else:
                ready = self._ready
                if token is ready.token and at <= ready.last:
                    return ready, at
        needed = request_of(request)
        ready, at = located(self._now, policy if type(policy) is Policy else policy_of(policy), needed)
        if needed is NO_REQUEST:
            self._ready = ready
            place(policy, ready.token, at)
        return ready, at

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
            admitted or compiled policies; equal ones may repeat; those of large batches are kept, see `rank_rows`
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
        given = given_of(policies)
        ranked = self._ranked(given, requests, k, seeds, on_progress, type(policies) is tuple)
        identities = self._now.compiled.identities(given)
        offer_ids = self.catalog.table["offer_id"].combine_chunks()
        return ranked_table(identities, ranked, offer_ids, self.provenance)

    def rank_rows(
        self,
        policies: Sequence[Policy],
        requests: Sequence[Mapping[str, Any] | Request | None] | None = None,
        k: int = 8,
        seeds: Sequence[int | None] | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Ranked:
        """Rank as `rank_many` does, and give plain arrays.

        A tuple of policies of one version is remembered: when the same ones are ranked again in the same order, under
        whatever health, requests and seeds, none has to be looked up. Policies of large batches are kept, to find their
        programs quickly when they come again in any order: at most twice as many as the largest batch had.
        """
        return self._ranked(given_of(policies), requests, k, seeds, on_progress, type(policies) is tuple)

    def _ranked(
        self,
        given: tuple[Policy | CompiledPolicy, ...],
        requests: Sequence[Mapping[str, Any] | Request | None] | None,
        k: int,
        seeds: Sequence[int | None] | None,
        on_progress: Callable[[int], None] | None,
        keep: bool,
    ) -> Ranked:
        count = len(given)
        requests = one_each(requests, "requests", count)
        seeds = one_each(seeds, "seeds", count)
        result = Ranked.empty(count, places_of(k, len(self.catalog)))
        if requests is None and seeds is None and on_progress is None:
            rank_plain(self._now, given, result, self._threads, keep)
            return result
        for chunk in chunks_of(given, self._now, requests is not None, keep=keep):
            at = chunk.positions
            needed = None if requests is None else [request_of(each) for each in taken(requests, at)]
            drawn = None if seeds is None else [reduced_seed(each) for each in taken(seeds, at)]
            part = result.part(at) if isinstance(at, slice) else result.like(len(at))
            rank_chunk(self._now, chunk, given, needed, drawn, part, self._threads)
            if not isinstance(at, slice):
                result.put(at, part)
            if on_progress is not None:
                on_progress(len(chunk.starts))
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
        # Not at the top: see `tenantrank.tenants`.
        from tenantrank.engine.fleet import rank_fleet
        from tenantrank.tenants import Rulebook

        check_type(rulebook, Rulebook, "a Rulebook", RulebookError)
        return rank_fleet(self, rulebook.bind(self.catalog.fields).compile_many(tenants), k, on_progress)

    def observed(self, field: str, version: Version = V2) -> NDArray[np.float64]:
        """Give a Num field as policies of a version see it now, (offers,), the field's default where unknown."""
        self.catalog.numbers(field)  # refuses what is no Num field
        return self._now.view(version).values(field)

    def holds(
        self, conditions: Sequence[Node], version: Version = V2, request: Mapping[str, Any] | Request | None = None
    ) -> NDArray[np.bool_]:
        """Say which offers satisfy each of several Preds in normal form, (conditions, offers), in catalog order."""
        return holding(self._now, conditions, version, request_of(request))

    def costs(self, tokens: Tokens, version: Version = V2, rows: Rows = EVERY) -> NDArray[np.float64]:
        """Give what one call costs in USD at each offer, or at some catalog rows, NaN where unknown.

        By the prices that policies of a version see now; see `tenantrank.catalog.costs.expected_costs`.
        """
        return self._now.view(version).costs(tokens, rows)

    def stated(self, version: Version = V2, request: Mapping[str, Any] | Request | None = None) -> Stated:
        """Give what policies of a version read of each offer now, and where each value comes from."""
        needed = request_of(request)
        tokens = needed.tokens if self.catalog.expects_costs else None
        return Stated(self._now.view(version, tokens), self.health, needed)

    def row_of_offer(self, offer_id: str) -> int:
        """Give the catalog row of an offer; KeyError for an id that is not in the catalog."""
        check_type(offer_id, str, "an offer id")
        return self._now.compiled.index.row_of_offer(offer_id)

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
        needed = request_of(request)
        view = self._now.view(version, self._now.tokens_for(transform, needed))
        row = self.row_of_offer(offer_id)

        def holds(condition: Node) -> bool:
            masks = clause_masks([condition], view, needed)
            return bool((int(masks[0, row >> 6]) >> (row & 63)) & 1)

        return apply_transform(transform, body, holds, seed, custom)

    def nearest_miss(self, compiled: CompiledPolicy) -> list[str]:
        """Say, a line each, which are the fewest clauses of a tenant's policy that keep every offer out, and whose."""
        return nearest_miss(self._now, compiled.policy, compiled.origins)

    def explain(
        self,
        policy: Policy,
        request: Request,
        origins: Mapping[str, tuple[Origin, ...]] | None,
        outcome: Outcome | None = None,
    ) -> Explanation:
        """Explain a decision on a policy: the work behind `Decision.explain`."""
        now = self._now
        envelope = now.compiled.envelope

        def parts() -> list[Part]:
            tokens = now.tokens_for(policy, request)
            return envelope.parts(policy, origins or {}, lambda version: now.view(version, tokens))

        # Where the envelope is held apart, its clauses are not the program's.
        located = None if envelope.apart(policy) else partial(self._located, policy, request)
        return Explanation(now.compiled.index, parts, request, self, policy, outcome, located)
