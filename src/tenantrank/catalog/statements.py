"""Entries of an overlay as changes of a table: what they set, and what they withdraw together with it.

Some columns are read together. Where only one of ``geo`` and ``regions`` is stated, the other becomes unknown; and so
does ``zdr`` where ``trains_on_data`` said that an upstream decides and is now stated alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.changes import Change, Rows
from tenantrank.catalog.overlay_file import Attestation, OwnOffer
from tenantrank.catalog.records import array_of_value
from tenantrank.catalog.schema import Kind, kind_of_type

_PLACES = ("geo", "regions")


@dataclass(frozen=True, slots=True)
class Statement:
    """An attestation, checked against the columns there are.

    Attributes
    ----------
    place : where it stands in the overlay, for messages
    source : what vouches for it, for provenance
    lapse : why it is not in force, ``None`` where it is
    kinds : the kind of each column that it sets
    """

    place: str
    entry: Attestation
    source: str
    lapse: str | None
    kinds: Mapping[str, Kind]

    def value(self, name: str) -> pa.Array:
        """Give the value of a column that it sets as an array of length 1."""
        return array_of_value(self.entry.set[name], self.kinds[name])


def changes_of(entry: Attestation | OwnOffer, kinds: Mapping[str, Kind], rows: Rows, source: str) -> list[Change]:
    """Give what an entry sets, in some rows."""
    return [
        Change(name, array_of_value(entry.set[name], kind), rows, source, entry.verified_at)
        for name, kind in kinds.items()
    ]


def companions(entry: Attestation | OwnOffer, rows: Rows, source: str, table: pa.Table) -> list[Change]:
    """Withdraw what an entry does not set and what was said together with something that it sets."""
    changes = []
    set_, unset = [name for name in _PLACES if name in entry.set], [name for name in _PLACES if name not in entry.set]
    if set_ and unset:
        said = f"{source}: unknown, for only {set_[0]} is attested"
        changes.append(Change(unset[0], array_of_value(None, "list"), rows, said, entry.verified_at))
    texts = all(kind_of_type(table[name].type) == "string" for name in ("trains_on_data", "zdr"))
    if texts and "trains_on_data" in entry.set and "zdr" not in entry.set:
        # A gateway's `zdr` covers its own layer, which only its `trains_on_data` says.
        upstream = pc.fill_null(pc.equal(table["trains_on_data"], "upstream_dependent"), False).to_numpy()
        said = f"{source}: unknown, for only trains_on_data is attested of a gateway"
        changes.append(Change("zdr", array_of_value(None, "string"), rows & upstream, said, entry.verified_at))
    return changes
