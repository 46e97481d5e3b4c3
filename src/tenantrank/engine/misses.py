"""Near misses: the fewest clauses that keep every offer out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tenantrank.engine.given import NO_REQUEST
from tenantrank.engine.index import EVERY_OFFER, Bits
from tenantrank.engine.rejections import fails_of, located
from tenantrank.engine.running import Ready
from tenantrank.engine.stencils import Stencils
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import V2
from tenantrank.tenants.composed import ComposedPolicy
from tenantrank.tenants.origin import Origin, attributed
from tenantrank_kernels import fewest_failing

if TYPE_CHECKING:
    from tenantrank.engine.generation import Generation
    from tenantrank.tenants import CompiledPolicy


def fewest(fails: Bits, offers: Bits) -> list[int]:
    """Give the fewest clauses whose removal would leave an offer, ascending; none where one passes or none exists.

    An offer passes once every clause it fails is gone, so the fewest are what the nearest offer fails. Among sets of
    equal size the one that most offers share stands, then the one that holds the first clause not shared.

    Parameters
    ----------
    fails
        (clauses, words), the offers that fail each clause
    offers
        (words,), every offer
    """
    clauses, words = fails.shape
    if not clauses:
        return []
    rows = 64 * words
    sets = np.zeros((rows, -(-clauses // 64)), dtype=np.uint64)
    room = 2 * rows  # a power of two or not, the next one is more than the offers
    slots = np.full(1 << (room - 1).bit_length(), -1, dtype=np.int32)
    digits = np.zeros((clauses.bit_length(), words), dtype=np.uint64)
    row = fewest_failing(fails, offers.copy(), digits, sets, slots, np.zeros(len(slots), dtype=np.int32))
    if row < 0:
        return []
    return [at for at in range(clauses) if int(sets[row, at >> 6]) >> (at & 63) & 1]


def nearest_miss(now: Generation, policy: Policy, origins: Mapping[str, tuple[Origin, ...]]) -> list[str]:
    """Say which are the fewest clauses of a policy of the second version that keep every offer out, and whose.

    The envelope's are among them; the request is one that asks for nothing. The same clauses as
    `Explanation.deciding` gives, from the program that was ranked.
    """
    clauses = clauses_of(now.compiled.envelope.effective(policy))
    chosen = fewest(fails_of(*located(now, policy, NO_REQUEST)), now.compiled.index.rows[EVERY_OFFER])
    return _in_words(now, [clauses[place] for place in chosen], origins)


def _in_words(now: Generation, clauses: Sequence[Node], origins: Mapping[str, tuple[Origin, ...]]) -> list[str]:
    whose = now.compiled.envelope.origins(origins)
    return [attributed(describe_clause(clause), whose.get(clause.encoding, ())) for clause in clauses]


class Misses:
    """Near misses of many policies of the second version, as `nearest_miss` words them.

    What policies of one template keep out is the same where their bounds lie between the same values of the catalog,
    and then it is found once.

    Parameters
    ----------
    now
        the generation
    stencils
        of the policies' templates
    """

    def __init__(self, now: Generation, stencils: Stencils) -> None:
        self._now = now
        self._view = now.view(V2)
        self._stencils = stencils
        self._ordered: dict[str, list[float]] = {}
        self._found: dict[tuple[Any, ...], list[int]] = {}

    def of(self, policy: Policy, ready: Ready, at: int) -> tuple[Node, ...]:
        """Give the fewest clauses that keep every offer out; the policy's program begins at a place of a frame's."""
        now = self._now
        envelope = now.compiled.envelope
        clauses = policy.clauses if envelope.term is None else clauses_of(envelope.effective(policy))
        key = self._key(policy)
        chosen = None if key is None else self._found.get(key)
        if chosen is None:
            chosen = fewest(fails_of(ready, at), self._view.index.rows[EVERY_OFFER])
            if key is not None:
                self._found[key] = chosen
        return tuple([clauses[place] for place in chosen])

    def in_words(self, compiled: CompiledPolicy, clauses: Sequence[Node]) -> str:
        """Say which clauses of a tenant's policy these are, and whose."""
        return "; ".join(_in_words(self._now, clauses, compiled.origins_of(clauses)))

    def _key(self, policy: Policy) -> tuple[Any, ...] | None:
        """Give what decides which offers each clause keeps out; ``None`` where that is not known beforehand."""
        if not isinstance(policy, ComposedPolicy) or not self._stencils.holds(policy.template):
            return None
        template = policy.template
        cuts: list[Any] = [template]
        for place, number in zip(template.places, policy.numbers, strict=True):
            field = template.clauses[place].parameters[0]
            ordered = self._ordered.get(field)
            if ordered is None:
                ordered = self._ordered[field] = np.sort(self._view.values(field)).tolist()
            cuts += (bisect_left(ordered, number), bisect_right(ordered, number))
        return tuple(cuts)
