"""Sets of clauses that offers fail, as sets of rows: the smallest, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.whatif.relax_reach import Flags, Held


class Failed(NamedTuple):
    """A set of clauses that some offers fail, all of them and no other.

    ``clauses`` are places, ascending; ``offers`` (offers,) says who fails them; ``nearest`` is the row of the offer to
    which they would have to move least, the first in catalog order of several.
    """

    clauses: tuple[int, ...]
    offers: Flags
    nearest: int


def fewest_failed(held: Sequence[Held], fails: Flags, offers: Flags) -> list[Failed]:
    """Give every set of the fewest clauses that one of the offers fails, the best first; nothing without an offer.

    First come the sets in which the fewest clauses are dropped, then those whose bounds move least: by the sum of the
    distances relative to the bounds, then by the sum as it is. Of equals the one that would let most offers pass comes
    first, then the one that holds the first clause not shared.

    Parameters
    ----------
    held
        the clauses
    fails
        (clauses, offers), who fails which
    offers
        (offers,), who counts
    """
    counts = fails.sum(axis=0)
    if not offers.any():
        return []
    size = int(counts[offers].min())
    rows = np.flatnonzero(offers & (counts == size))
    chosen = fails[:, rows]
    patterns, members = _distinct(chosen)
    places = np.nonzero(patterns.T)[1].reshape(len(patterns.T), size)
    relative, far = np.zeros(len(rows)), np.zeros(len(rows))
    dropped = np.zeros(len(patterns.T), dtype=np.intp)
    with np.errstate(over="ignore"):
        for at, clause in enumerate(held):
            near, by = clause.moves
            relative += np.where(chosen[at], near[rows], 0.0)
            far += np.where(chosen[at], by[rows], 0.0)
            dropped += patterns[at] & (clause.bound is None)
    # Stable, so that of equally near offers the first in the catalog stands for the set.
    order = np.lexsort((far, relative, members))
    nearest = order[np.searchsorted(members[order], np.arange(len(places)))]
    admitted = np.ones(len(rows), dtype=bool)
    for at, clause in enumerate(held):
        if clause.bound is not None and clause.values is not None:
            to = np.full(len(clause.fails), np.nan)
            to[rows] = clause.values[rows[nearest]][members]
            admitted &= ~chosen[at] | clause.admits(to)[rows]
    brings = np.bincount(members[admitted], minlength=len(places))
    keys = [*places.T[::-1], -brings, far[nearest], relative[nearest], dropped]
    found = []
    for group in np.lexsort(keys).tolist():
        who = np.zeros(len(offers), dtype=bool)
        who[rows[members == group]] = True
        found.append(Failed(tuple(places[group].tolist()), who, int(rows[nearest[group]])))
    return found


def _distinct(columns: Flags) -> tuple[Flags, NDArray[np.intp]]:
    """Give the distinct columns, (clauses, sets), and for each column the place of its own among them."""
    packed = np.ascontiguousarray(np.packbits(columns, axis=0).T)
    if not packed.shape[1]:
        return columns[:, :1], np.zeros(columns.shape[1], dtype=np.intp)
    keys = packed.view([("", packed.dtype)] * packed.shape[1]).ravel()
    _, first, members = np.unique(keys, return_index=True, return_inverse=True)
    return columns[:, first], members.ravel()
