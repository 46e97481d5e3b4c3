"""Near misses: the fewest clauses that keep every offer out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tenantrank.engine.index import EVERY_OFFER, Bits
from tenantrank.engine.running import alone
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import clauses_of
from tenantrank.policy.policy import Policy
from tenantrank.tenants.origin import Origin, attributed
from tenantrank_kernels import clause_fails, fewest_failing, handle_of

if TYPE_CHECKING:
    from tenantrank.engine.generation import Generation


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
    prepared = now.plain(policy.version)
    programs, at = now.compiled.program(policy, prepared.view)
    ready = prepared.ready_for(programs)
    envelope, index = now.compiled.envelope, prepared.view.index
    clauses = clauses_of(envelope.effective(policy))
    whose = envelope.origins(origins)
    fails = np.empty((len(clauses), index.words), dtype=np.uint64)
    with alone():
        clause_fails(ready.frame.handle, ready.scratch.handle, at, handle_of(fails.reshape(-1)))
    chosen = [clauses[at] for at in fewest(fails, index.rows[EVERY_OFFER])]
    return [attributed(describe_clause(clause), whose.get(clause.encoding, ())) for clause in chosen]
