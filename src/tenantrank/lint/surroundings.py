"""What every policy over one engine shares: observations, names, the envelope, conditions evaluated before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.engine import Engine, Ranked, Request
from tenantrank.lint.spelling import Spelling
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import STATE_FIELDS, V1, V2, Field, Version

OBSERVED_BY_V1 = frozenset({"latency_ms", "tok_s", "success_rate", "quality"})
"""Fields that policies of the first version read from live state."""
_MOST_KEPT = 4096  # conditions; a bit more than a kilobyte each for 9,000 offers

Flags = NDArray[np.bool_]
Doubles = NDArray[np.float64]


class Surroundings:
    """One engine and one request, with what was worked out over them. Not for several threads at once.

    Parameters
    ----------
    engine
        the engine
    request, seed
        what policies are ranked for
    """

    def __init__(
        self, engine: Engine, request: Mapping[str, Any] | Request | None = None, seed: int | None = None
    ) -> None:
        self.engine = engine
        self.request = Request.of(request)
        self.catalog = engine.catalog
        self.size = len(engine.catalog)
        self._seed = seed
        self._held: dict[tuple[Version, str], NDArray[np.uint8]] = {}
        self._unknown: dict[tuple[Version, str], Flags] = {}

    def holds(self, conditions: Sequence[Node], version: Version) -> Flags:
        """Say which offers satisfy each of several Preds, (conditions, offers)."""
        if len(self._held) > _MOST_KEPT:
            self._held.clear()
        kept = self._held
        missing = {each.encoding: each for each in conditions if (version, each.encoding) not in kept}
        if missing:
            found = self.engine.holds(list(missing.values()), version, self.request)
            for encoding, bits in zip(missing, np.packbits(found, axis=-1), strict=True):
                kept[version, encoding] = bits
        if not conditions:
            return np.zeros((0, self.size), dtype=bool)
        packed = np.stack([kept[version, each.encoding] for each in conditions])
        return np.unpackbits(packed, axis=-1, count=self.size).astype(bool)

    @cached_property
    def within(self) -> Flags:
        """The offers inside the operator's envelope, (offers,)."""
        envelope = self.engine.envelope
        if envelope is None:
            return np.ones(self.size, dtype=bool)
        return np.logical_and.reduce(self.holds(clauses_of(envelope.root), V2), axis=0)  # type: ignore[no-any-return]

    @cached_property
    def spelling(self) -> Spelling:
        """The names that offers have."""
        return Spelling(self.catalog, self.within)

    @cached_property
    def costs_unknown(self) -> bool:
        """Whether `expected_cost_usd` is worked out by the request's estimates, and it has none."""
        return self.catalog.expects_costs and self.request.tokens is None

    def observed(self, field: str, version: Version) -> Doubles:
        """Give a Num field as policies of a version see it, (offers,)."""
        tokens = self.request.tokens
        if field == EXPECTED_COST and tokens is not None and self.catalog.expects_costs:
            costs = self.engine.costs(tokens, version)
            return np.where(np.isnan(costs), float(self.catalog.fields[field].default), costs)
        return self.engine.observed(field, version)

    def unknown(self, field: str, version: Version) -> Flags:
        """Say for which offers nothing is known of a field, (offers,); nowhere for live state, which is known."""
        found = self._unknown.get((version, field))
        if found is None:
            found = self._unknown[version, field] = self._nothing_of(self.catalog.fields[field], version)
        return found

    def _nothing_of(self, field: Field, version: Version) -> Flags:
        if field.name in STATE_FIELDS:
            return np.zeros(self.size, dtype=bool)
        if field.sort == "Bool":
            return np.less(self.catalog.flags(field.name), 0)
        unseen = np.equal(self.observed(field.name, version), float(field.default))
        if version == V1 and field.name in OBSERVED_BY_V1:
            return unseen
        # The catalog may lack what live state holds.
        return unseen & np.isnan(self.catalog.numbers(field.name))

    def ranked(self, policy: Policy, k: int) -> Ranked:
        """Rank one policy for the request."""
        # In a list, which is not remembered as a batch.
        return self.engine.rank_rows([policy], [self.request], max(1, k), [self._seed])

    def is_flagged(self, row: int, field: str) -> bool:
        """Say whether an offer is known to have a Bool field; not where the catalog's field of that name is none."""
        known = self.catalog.fields.get(field)
        return known is not None and known.sort == "Bool" and bool(self.catalog.flags(field)[row] == 1)
