"""Whether both prices are listed as 0, kept in step with prices that an overlay sets.

Where no offer has a value in ``price_zero_listed``, the fact is derived from the prices and needs no keeping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.changes import Change, Rows

NAME = "price_zero_listed"
PAIR = frozenset({"price_in", "price_out"})


def zero_listed(table: pa.Table, stated: Mapping[str, pa.Array]) -> Rows:
    """Say where both prices would be 0.

    Parameters
    ----------
    table
        the offers
    stated
        by column, an array of length 1 that counts in place of the price there
    """
    zero = np.ones(table.num_rows, dtype=bool)
    for name in PAIR:
        if name in stated:
            zero &= bool(stated[name][0].is_valid and stated[name][0].as_py() == 0)
        else:
            zero &= _true(pc.equal(table[name], 0.0))
    return zero


def is_listed(table: pa.Table) -> Rows:
    """Say which offers a policy sees as listed at 0, by the table's own column where it has one."""
    if pa.types.is_boolean(table[NAME].type) and table[NAME].null_count < table.num_rows:
        return _true(table[NAME])
    return zero_listed(table, {})


def kept_in_step(table: pa.Table, changes: Sequence[Change]) -> list[Change]:
    """Give the changes that bring the column in line with prices that were set.

    Parameters
    ----------
    table
        the offers after ``changes``
    changes
        what an overlay sets; where it sets the column itself, that stays
    """
    column = table[NAME]
    if not pa.types.is_boolean(column.type) or column.null_count == table.num_rows:
        return []
    both = pc.and_(table["price_in"].is_valid(), table["price_out"].is_valid()).to_numpy()
    zero = zero_listed(table, {})
    unknown = ~both & column.is_valid().to_numpy()
    open_ = np.ones(table.num_rows, dtype=bool)
    for change in changes:
        if change.column == NAME:
            open_ &= ~change.rows
    found = []
    for change in changes:
        if change.column in PAIR:
            for value, rows in ((True, zero), (False, both & ~zero), (None, unknown)):
                here = rows & change.rows & open_
                if here.any():
                    found.append(Change(NAME, pa.array([value], pa.bool_()), here, change.source, change.as_of))
            open_ &= ~change.rows
    return found


def _true(flags: pa.ChunkedArray) -> Rows:
    return pc.fill_null(flags, False).to_numpy()  # type: ignore[no-any-return]
