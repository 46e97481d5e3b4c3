"""Which offers an attestation is about, and how sure that is.

An overlay may change the very columns that its attestations match by. An attestation is surely about an offer that it
matches both without the overlay's attestations and with them. It may be about an offer that it matches only one way,
and about a copy of an offer that it matches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.changes import Rows
from tenantrank.catalog.overlay_file import Match

_LISTS = ("geo", "regions")


@dataclass(frozen=True, slots=True)
class Reach:
    """The offers of one attestation, one bool a row.

    Attributes
    ----------
    sure : it is about these
    maybe : it may be about these by what they are themselves; all of ``sure`` among them
    """

    sure: Rows
    maybe: Rows

    def seen(self, also: Rows) -> Reach:
        """Give the reach after one more look at what matches: sure are those that every look has found."""
        return Reach(self.sure & also, self.maybe | also)

    def equals(self, other: Reach) -> bool:
        """Say whether both hold the same rows."""
        return np.array_equal(self.sure, other.sure) and np.array_equal(self.maybe, other.maybe)


def matching(match: Match, table: pa.Table, excepted: Mapping[str, Rows] | None = None) -> Rows:
    """Say which rows of a table match.

    Parameters
    ----------
    match
        the columns to match by
    table
        the offers; strings plain or dictionary-encoded
    excepted
        by column, rows in which that column is taken to match whatever it holds
    """
    rows = np.ones(table.num_rows, dtype=bool)
    for name in match.model_fields_set:
        patterns = getattr(match, name)
        column = table[name].combine_chunks()
        if name in _LISTS:
            listed = pc.is_in(pc.list_flatten(column), pa.array(patterns)).to_numpy(zero_copy_only=False)
            here = np.zeros(table.num_rows, dtype=bool)
            here[pc.list_parent_indices(column).to_numpy()[listed]] = True
        else:
            plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
            spelled = "|".join(".*".join(re.escape(part) for part in pattern.split("*")) for pattern in patterns)
            accept = re.compile(spelled, re.DOTALL)
            names = [text for text in plain.unique().to_pylist() if text is not None and accept.fullmatch(text)]
            here = pc.is_in(plain, pa.array(names, pa.string())).to_numpy(zero_copy_only=False)
        rows &= here if excepted is None or name not in excepted else here | excepted[name]
    return rows


def copies_of(rows: Rows, originals: npt.NDArray[np.int64]) -> Rows:
    """Give the copies of some offers.

    Parameters
    ----------
    rows
        the offers, one bool a row
    originals
        the row that each of the table's last rows is a copy of
    """
    copies = np.zeros_like(rows)
    copies[len(rows) - len(originals) :] = rows[originals]
    return copies
