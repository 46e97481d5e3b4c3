"""Programs that were lowered onto one catalog, taken over to the next one.

A program names columns by their place and atomic conditions by their row. Both are the same where catalogs have the
same numeric fields and the next index numbers its rows as the one before did. Two kinds of program say more of their
catalog than that, and are lowered anew: a chain lists rows of offers, and a name that no offer had stands for no row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.index import NO_OFFER, CatalogIndex
from tenantrank.engine.programs import Programs
from tenantrank.policy.signature import VERSIONS
from tenantrank_kernels import opcodes as op


def holds_over(before: CatalogIndex, after: CatalogIndex) -> bool:
    """Say whether what programs over one catalog name is there in another, and each column in the same place."""
    return after.catalog.fields.admits(before.catalog.fields) and all(
        before.columns_of(version) == after.columns_of(version) for version in VERSIONS
    )


def carried(programs: Programs) -> Programs:
    """Give a set with those programs of another that hold over the next catalog; an empty one where few would.

    What is left out stays in the copy as code that nobody finds, which is why few are worth no copy.
    """
    copy = programs.copy()
    left_out = _of_one_catalog(copy)
    if left_out:
        copy.at_of = {identity: at for identity, at in copy.at_of.items() if at not in left_out}
    return copy if 2 * len(copy.at_of) >= copy.count else Programs()


def _of_one_catalog(programs: Programs) -> frozenset[int]:
    """Give where the programs begin that hold over their own catalog alone."""
    held = programs.held
    code, starts = held.code, held.starts[: held.programs]
    chained = starts[code[starts + op.SELECTOR] == op.CHAINED]
    counts = (code[starts + op.FILTER] + code[starts + op.SCORE]).astype(np.int64)
    places = _instructions(starts + op.HEADER, counts)
    # Instructions of scores are greater than any source with how it joins.
    nameless = (code[places] <= op.SOURCE | op.JOIN | op.INVERT) & (code[places] & op.SOURCE == op.ROW)
    nameless &= code[places + 1] == NO_OFFER
    return frozenset(chained.tolist()).union(np.repeat(starts, counts)[nameless].tolist())


def _instructions(firsts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give where every instruction begins, of programs of so many whose first one begins there."""
    before = np.cumsum(counts) - counts
    return np.repeat(firsts - 3 * before, counts) + 3 * np.arange(int(counts.sum()))
