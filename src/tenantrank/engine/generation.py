"""One generation: a catalog's compiled policies under one health, with what has been made ready over it."""

from __future__ import annotations

import numpy as np

from tenantrank.catalog.health import Health
from tenantrank.engine.clauses import clause_masks
from tenantrank.engine.compiled import Compiled
from tenantrank.engine.given import NO_REQUEST
from tenantrank.engine.recent import Recent
from tenantrank.engine.request import Request
from tenantrank.engine.running import Prepared
from tenantrank.engine.view import View
from tenantrank.policy.signature import V1, V2, Version
from tenantrank_kernels import opcodes as op

_REQUEST_BYTES_KEPT = 32 * 1024 * 1024  # what requests that were made ready may take, the latest of them kept


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
        self._views: dict[Version, View] = {}
        self._requests: Recent[Prepared] = Recent(_REQUEST_BYTES_KEPT, lambda prepared: prepared.nbytes)
        self._plain: dict[Version, Prepared] = {}

    def view(self, version: Version) -> View:
        """Give what policies of a version observe."""
        view = self._views.get(version)
        if view is None:
            earlier = self._earlier.pop(version, None)
            view = self._views.setdefault(version, View(self.compiled.index, self.health, version, earlier))
        return view

    def plain(self, version: Version) -> Prepared:
        """Give the request that asks for nothing, made ready for policies of a version."""
        return self._plain.get(version) or self._plain.setdefault(version, self._prepare(version, NO_REQUEST))

    def prepared(self, version: Version, request: Request) -> Prepared:
        """Give a request made ready for policies of a version."""
        if request is NO_REQUEST:
            return self.plain(version)
        return self._requests.get((version, request), lambda: self._prepare(version, request))

    def _prepare(self, version: Version, request: Request) -> Prepared:
        view = self.view(version)
        rows = view.live_rows(request)
        if version == V1 and self.compiled.envelope.clauses:
            masks = clause_masks(self.compiled.envelope.clauses, self.view(V2), request)
            rows[op.ENVELOPE] = np.bitwise_and.reduce(masks, axis=0)
        return Prepared(view, rows, view.request_columns(request))
