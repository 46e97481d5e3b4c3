"""One generation: a catalog's compiled policies under one health, with what has been made ready over it."""

from __future__ import annotations

import numpy as np

from tenantrank.catalog.costs import Tokens
from tenantrank.catalog.health import Health
from tenantrank.engine.clauses import clause_masks
from tenantrank.engine.compiled import Compiled
from tenantrank.engine.given import NO_REQUEST
from tenantrank.engine.lines import copied
from tenantrank.engine.recent import Recent
from tenantrank.engine.request import FILTERED_BY, Request
from tenantrank.engine.running import NOT_READY, Prepared, Ready
from tenantrank.engine.view import View
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import V1, V2, Version
from tenantrank_kernels import opcodes as op

_REQUEST_BYTES_KEPT = 32 * 1024 * 1024  # what requests that were made ready may take, the latest of them kept
_BILLED_KEPT = 16  # estimates of tokens, the latest, whose costs are kept; each takes a column with its order


class Generation:
    """Views and requests of one health. Immutable to its callers; safe to use from several threads.

    Parameters
    ----------
    compiled
        what engines over the catalog share
    health
        the live state
    before
        another generation of the same catalog, whose observations are shared as far as they did not change
    """

    def __init__(self, compiled: Compiled, health: Health, before: Generation | None = None) -> None:
        self.compiled = compiled
        self.health = health
        self._earlier = {} if before is None else dict(before._views)
        self._own_cuts = before is not None and before.compiled is not compiled
        self._views: dict[Version, View] = {}
        self._requests: Recent[Prepared] = Recent(_REQUEST_BYTES_KEPT, lambda prepared: prepared.nbytes)
        self._billed: Recent[View] = Recent(_BILLED_KEPT)
        self._billed_requests: Recent[Prepared] = Recent(_BILLED_KEPT)
        self._plain: dict[Version, Prepared] = {}
        self._latest: tuple[Request, Version, Tokens | None, Prepared] | None = None

    def made_ready_as(self, before: Generation) -> Generation:
        """Make ready what another generation ranks by where a call asks for nothing, and give this one.

        Rankings go on under the other one meanwhile, and the first ones under this do not wait for it.
        """
        shared = before.compiled.index is self.compiled.index
        for version, prepared in tuple(before._plain.items()):
            ready = prepared.ready
            if ready is not None:
                programs = self.compiled.programs[version]
                if shared:
                    own = self._plain.setdefault(version, self._plain_as(prepared))
                else:
                    own = self.plain(version)
                    if programs.count:  # as many as before
                        own.view.observations.take_orders(prepared.view.observations, programs.held.fields)
                own.ready_for(programs, ready.framed if shared else None)
        return self

    def _plain_as(self, before: Prepared) -> Prepared:
        """Give the request that asks for nothing, made ready as under another health, where little is different."""
        view, earlier = self.view(before.view.version), before.view
        if view.version == V1:  # reads of the live state what its scorers are, and the envelope
            return self._prepare(V1, NO_REQUEST)
        rows = before.live_rows
        if view.breaker_open is not earlier.breaker_open or view.disabled is not earlier.disabled:
            rows = copied(rows)
            rows[op.BREAKER_OPEN], rows[op.DISABLED] = view.breaker_open, view.disabled
        return Prepared(view, rows, before.request_columns)

    def ready_as(self, ready: Ready) -> Ready:
        """Give what is ready here for the set of programs that something else is ready for, if there is any."""
        for prepared in tuple(self._plain.values()):
            if prepared.ready is not None and prepared.ready.token is ready.token:
                return prepared.ready
        return NOT_READY

    def tokens_for(self, term: Policy | Node, request: Request) -> Tokens | None:
        """Give what a request's call is estimated to take, where that has a part in what a term comes to."""
        if request.estimated_input_tokens is None or not self.compiled.reads_costs(term):
            return None
        return request.tokens

    def view(self, version: Version, tokens: Tokens | None = None) -> View:
        """Give what policies of a version observe, where tokens are given with what calls of so many cost."""
        if tokens is not None:
            return self._billed.get((version, tokens), lambda: self.view(version).billed(tokens))
        view = self._views.get(version)
        if view is None:
            earlier = self._earlier.pop(version, None)
            made = View(self.compiled.index, self.health, version, earlier)
            if earlier is not None and self._own_cuts:
                # Observations hold the cuts of one set of programs, and would find them anew whenever sets take turns.
                made.observations = made.observations.changed({})
            view = self._views.setdefault(version, made)
        return view

    def plain(self, version: Version) -> Prepared:
        """Give the request that asks for nothing, made ready for policies of a version."""
        return self._plain.get(version) or self._plain.setdefault(version, self._prepare(version, NO_REQUEST))

    def prepared_for(self, policy: Policy, request: Request) -> Prepared:
        """Give a request made ready for one policy."""
        if request is NO_REQUEST:
            return self.plain(policy.version)
        version, tokens = policy.version, self.tokens_for(policy, request)
        latest = self._latest
        # Policies for one request come one after the other, and finding it by what it asks for takes a microsecond.
        if latest is None or latest[0] is not request or latest[1] != version or latest[2] != tokens:
            self._latest = latest = request, version, tokens, self.prepared(version, request, tokens)
        return latest[3]

    def prepared(self, version: Version, request: Request, tokens: Tokens | None = None) -> Prepared:
        """Give a request made ready for policies of a version; tokens as `tokens_for` gives them.

        Requests that differ in nothing that policies of the version read are made ready once.
        """
        if request is NO_REQUEST:
            return self.plain(version)
        kept = self._requests if tokens is None else self._billed_requests
        key = version, tokens, FILTERED_BY(request), request if version == V1 else None
        return kept.get(key, lambda: self._prepare(version, request, tokens))

    def _prepare(self, version: Version, request: Request, tokens: Tokens | None = None) -> Prepared:
        view = self.view(version, tokens)
        rows = view.live_rows(request)
        if version == V1 and self.compiled.envelope.clauses:
            masks = clause_masks(self.compiled.envelope.clauses, self.view(V2, tokens), request)
            rows[op.ENVELOPE] = np.bitwise_and.reduce(masks, axis=0)
        return Prepared(view, rows, view.request_columns(request))
