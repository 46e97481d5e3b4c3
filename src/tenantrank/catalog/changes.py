"""Values set in a table from outside its sources, and the provenance that goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.provenance import SCHEMA, canonical_provenance, replace_rows

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Change:
    """One column set to one value in some rows, and what vouches for it.

    Attributes
    ----------
    value : an array of length 1 with the column's values' type; strings are plain
    rows : which rows of the table, one bool a row
    as_of : the day on which it was verified
    """

    column: str
    value: pa.Array
    rows: Rows
    source: str
    as_of: date | None


def changed_table(table: pa.Table, changes: Sequence[Change]) -> pa.Table:
    """Set values in a table; of several for one row of a column the last counts. Strings changed come back plain."""
    by_column: dict[str, list[Change]] = {}
    for change in changes:
        by_column.setdefault(change.column, []).append(change)
    for name, group in by_column.items():
        present = name in table.column_names
        before = table[name].combine_chunks() if present else pa.nulls(table.num_rows, group[0].value.type)
        if pa.types.is_dictionary(before.type):
            before = before.dictionary_decode()
        chosen = np.arange(table.num_rows)
        for offset, change in enumerate(group):
            chosen[change.rows] = table.num_rows + offset
        after = pa.concat_arrays([before, *(change.value for change in group)]).take(pa.array(chosen))
        if present:
            table = table.set_column(table.column_names.index(name), name, after)
        else:
            table = table.append_column(name, after)
    return table


def changed_provenance(
    provenance: pa.Table | None,
    offer_ids: pa.ChunkedArray,
    copies: Sequence[tuple[str, str]],
    changes: Sequence[Change],
) -> pa.Table:
    """Give the provenance of a changed table.

    Parameters
    ----------
    provenance
        of the table before
    offer_ids
        of the table after; the rows of ``changes`` count in it
    copies
        pairs of an offer that was copied and the id of its copy, which takes over what is said of the original
    changes
        whose values are no longer the sources'
    """
    if provenance is not None:
        taken_over = []
        for original, copy in copies:
            said = provenance.filter(pc.equal(provenance["offer_id"], original))
            taken_over.append(said.set_column(0, "offer_id", pa.array([copy] * said.num_rows, pa.string())))
        provenance = pa.concat_tables([provenance, *taken_over])
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    replaced: dict[str, list[str]] = {}
    for change in changes:
        offers = offer_ids.filter(pa.array(change.rows)).to_pylist()
        replaced.setdefault(change.column, []).extend(offers)
        columns["offer_id"] += offers
        columns["column"] += [change.column] * len(offers)
        columns["source"] += [change.source] * len(offers)
        columns["as_of"] += [None if change.as_of is None else change.as_of.isoformat()] * len(offers)
    rows = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    by_column = {name: pa.array(offers, pa.string()) for name, offers in replaced.items()}
    return canonical_provenance(replace_rows(provenance, by_column, rows), offer_ids)
