"""What a statement does to an offer that it may or may not be about: it counts against the offer and never for it.

Of the value stated and the value there, the worse one stays where the package knows which that is. Where it does not, a
value that unknown would make harmless becomes unknown, and else no value is safe: another flag may be a ban as well as
a merit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.changes import Rows
from tenantrank.catalog.lapse import less_is_better, unknown_shuts_out
from tenantrank.catalog.overlay_file import is_promise
from tenantrank.catalog.schema import Kind
from tenantrank.policy.signature import Fields

_READ = frozenset({"peer_id", "status", "mode", "release_date"})
"""Columns besides the fields that policies read, or facts derived from them."""

_MERITS: Mapping[str, Mapping[str, int]] = {
    "zdr": {"default": 2, "self_serve": 1},
    # Where an upstream decides about training, it decides about retention too.
    "trains_on_data": {"no": 2, "upstream_dependent": 0, "yes": 1, "tier_dependent": 1},
}
_NO_LABEL = {"zdr": 0, "trains_on_data": 1}


class Doubt(NamedTuple):
    """What becomes of each row: the value stated is the worse and holds, the value is unknown, or none is safe."""

    takes: Rows
    unknown: Rows
    unsafe: Rows


def doubted(name: str, kind: Kind, value: pa.Array, column: pa.Array, fields: Fields) -> Doubt:
    """Say what a doubtful statement about one column comes to, in every row.

    Parameters
    ----------
    name, kind
        the column
    value
        what is stated, an array of length 1
    column
        what is there; strings plain
    fields
        the catalog's vocabulary
    """
    none = np.zeros(len(column), dtype=bool)
    worth, closed = _worth(name, kind, value, fields), unknown_shuts_out(name, kind, fields)
    if worth is not None:
        there = _worth(name, kind, column, fields)
        assert there is not None, "the worth of a column hangs on its name and kind"
        return Doubt(worth[0] < there, none, none)
    unlike, known = _unlike(name, kind, value, column, fields), column.is_valid().to_numpy(zero_copy_only=False)
    if closed:
        return Doubt(none, unlike & known, none)
    if name == "scope":  # none at all is open to every request, and of two neither is the narrower
        stated = bool(value[0].is_valid)
        return Doubt(~known & stated, none, unlike & known & stated)
    return Doubt(none, none, unlike if name in fields or name in _READ or is_promise(name) else none)


def _worth(name: str, kind: Kind, array: pa.Array, fields: Fields) -> npt.NDArray[np.float64] | None:
    """Give how good values are, or ``None`` where that is not known of the column."""
    if name == "tier":
        order = fields.tier_order
        ranks: dict[str | None, int] = {tier: rank for rank, tier in enumerate(order)}
        ranks[None] = ranks.get("fallback", -1)
        return np.array([ranks.get(tier, -1) for tier in array.to_pylist()], dtype=np.float64)
    if name == "success_rate":
        return _numbers(array, float(fields[name].default))
    if name == "deprecation_date":
        return _numbers(array.cast(pa.int32()), math.inf)
    if not unknown_shuts_out(name, kind, fields):
        return None
    if kind == "bool":
        return _numbers(array.cast(pa.int8()), 0.0)
    if kind in ("int64", "double"):
        values = _numbers(array, float(fields[name].default))
        return -values if less_is_better(name) else values
    if name in _MERITS:
        merits, otherwise = _MERITS[name], _NO_LABEL[name]
        return np.array([merits.get(label, otherwise) for label in array.to_pylist()], dtype=np.float64)
    return None


def _numbers(array: pa.Array, null: float) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = pc.fill_null(array.cast(pa.float64(), safe=False), null).to_numpy()
    return values


def _unlike(name: str, kind: Kind, value: pa.Array, column: pa.Array, fields: Fields) -> Rows:
    """Say where the value there is read as another one than the value stated; a null field is read as its default."""
    if kind == "list":
        stated = value[0].as_py()
        wanted = None if stated is None else set(stated)
        return np.array([(None if had is None else set(had)) != wanted for had in column.to_pylist()], dtype=bool)
    if name in fields and kind in ("bool", "int64", "double"):
        value, column = (pc.fill_null(array, fields[name].default) for array in (value, column))
    if not value[0].is_valid:
        return column.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    unlike = pc.fill_null(pc.not_equal(column, value[0]), True)
    return unlike.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
