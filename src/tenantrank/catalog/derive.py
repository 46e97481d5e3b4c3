"""Facts that policies need and no source states as a column: places, known prices, ends passed, routes to no retention.

A derived fact is unknown wherever what it rests on is unknown, and gives way to a column of its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.catalog.schema import EXPECTED_COST, GEOS, kind_of_type
from tenantrank.catalog.sources.regions import area_of
from tenantrank.policy.places import place_name
from tenantrank.policy.signature import Sort

Flags = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.float64]

_FROM = "derived from "
_READ = [
    *("price_in", "price_out", "deprecation_date", "release_date", "status"),
    *("trains_on_data", "zdr", "mode", "geo", "regions"),
]

TRUE, FALSE, UNKNOWN = np.int8(1), np.int8(0), np.int8(-1)


@dataclass(frozen=True, slots=True)
class Derived:
    """One derived fact: how to work it out, and what it says.

    ``values`` has one entry an offer: int8 for a Bool (1 true, 0 false, −1 unknown), float64 for a Num (NaN unknown).
    """

    name: str
    sort: Sort
    default: float | bool
    unit: str
    description: str
    source: str
    values: Callable[[], Flags | Numbers]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is worked out from; none for what a request has a part in."""
        told = self.source.removeprefix(_FROM)
        return () if told == self.source else tuple(re.split(", else | and ", told))


# Buffers are read as they are: each call of Arrow's gives the interpreter lock up several times, and beside a busy
# thread waits for it.


def bool_values(column: pa.ChunkedArray) -> Flags:
    """Read a bool column as int8: 1 true, 0 false, −1 null."""
    array = column.combine_chunks()
    known, true = array.buffers()
    values = _bits(true, array)
    return values if known is None else values | (_bits(known, array) - TRUE)


def number_values(column: pa.ChunkedArray) -> Numbers:
    """Read a numeric column as float64, NaN where null."""
    if column.null_count or column.type != pa.float64() or not len(column):
        values: Numbers = column.to_numpy()  # doubles, also of integers with gaps
        return values if values.dtype == np.float64 else values.astype(np.float64)
    array = column.combine_chunks()
    return np.frombuffer(array.buffers()[1], np.float64, len(array), 8 * array.offset)


def code_values(array: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """Read the codes of a dictionary-encoded array as int32, −1 where null."""
    indices = array.indices
    if not len(indices):
        return np.zeros(0, dtype=np.int32)
    known, codes = indices.buffers()
    values = np.frombuffer(codes, indices.type.to_pandas_dtype(), len(indices) + indices.offset)[indices.offset :]
    values = values.astype(np.int32)
    return values if known is None else values | (_bits(known, indices) - TRUE)


def _bits(buffer: pa.Buffer, array: pa.Array) -> Flags:
    """Read a buffer of an array that has a bit a value, (values,) of 0 and 1."""
    if not len(array):
        return np.zeros(0, dtype=np.int8)
    octets = np.frombuffer(buffer, dtype=np.uint8)
    return np.unpackbits(octets, count=array.offset + len(array), bitorder="little")[array.offset :].view(np.int8)


def derived_facts(table: pa.Table, judged_at: date | None) -> Iterator[Derived]:
    """Give the derived facts of a canonical table, in a fixed order.

    Parameters
    ----------
    table
        as `canonical_table` gives it
    judged_at
        day by which ``deprecated`` and ``age_days`` are judged; without one both are unknown
    """
    table = table.select(_READ)  # no fact keeps the other columns
    yield from _prices(table)
    yield from _dates(table, judged_at)
    for name, column, true, false, description in _LABELS:
        source = f"{_FROM}{column}" + (" and trains_on_data" if column == "zdr" else "")
        yield Derived(name, "Bool", False, "", description, source, _label(table, column, true, false))
    yield from _places(table)


def _prices(table: pa.Table) -> Iterator[Derived]:
    def priced() -> Flags:
        known = pc.and_(table["price_in"].is_valid(), table["price_out"].is_valid())
        return bool_values(known)

    def zero() -> Flags:
        return bool_values(pc.and_(pc.equal(table["price_in"], 0.0), pc.equal(table["price_out"], 0.0)))

    source = "derived from price_in and price_out"
    yield Derived("priced", "Bool", False, "", "input and output price are both known", source, priced)
    described = "both prices are listed as 0"
    yield Derived("price_zero_listed", "Bool", False, "", described, source, zero)
    described = "what the call is expected to cost; unknown without a request's estimates"
    source = "a request's token estimates and the prices"
    yield Derived(EXPECTED_COST, "Num", math.inf, "USD", described, source, lambda: np.full(table.num_rows, math.nan))


def _dates(table: pa.Table, judged_at: date | None) -> Iterator[Derived]:
    def days_since(column: str) -> Numbers:
        if judged_at is None:
            return np.full(table.num_rows, math.nan)
        today = (judged_at - date(1970, 1, 1)).days
        return today - number_values(table[column].cast(pa.int32()))

    def deprecated() -> Flags:
        past = days_since("deprecation_date")
        flags = np.where(np.isnan(past), UNKNOWN, np.where(past >= 0, TRUE, FALSE)).astype(np.int8)
        if kind_of_type(table["status"].type) == "string":
            labelled = pc.fill_null(pc.equal(table["status"], "deprecated"), False).to_numpy()
            flags[(flags == UNKNOWN) & labelled] = TRUE
        return flags

    source = "derived from deprecation_date, else status"
    description = (
        "the day from which the offer ends has come, or the provider calls it deprecated and no day can be told"
    )
    yield Derived("deprecated", "Bool", False, "", description, source, deprecated)
    source, description = "derived from release_date", "days since the model's first release"
    yield Derived("age_days", "Num", math.inf, "days", description, source, lambda: days_since("release_date"))


_LABELS: tuple[tuple[str, str, frozenset[str], frozenset[str] | None, str], ...] = (
    (
        "trains_on_data_no",
        "trains_on_data",
        frozenset({"no"}),
        frozenset({"yes"}),
        "requests do not train models; unknown where that depends on the tier or on an upstream",
    ),
    (
        "zdr_available",
        "zdr",
        frozenset({"default", "self_serve"}),
        frozenset({"approval", "none"}),
        "the operator can have zero retention without the provider's approval; unknown where an upstream decides",
    ),
    (
        "zdr_default",
        "zdr",
        frozenset({"default"}),
        frozenset({"self_serve", "conditional", "approval", "none"}),
        "zero retention without asking for it; unknown where an upstream decides",
    ),
    ("chat_mode", "mode", frozenset({"chat"}), None, "a chat completions endpoint"),
    ("beta", "status", frozenset({"beta"}), None, "the provider calls the offer a beta"),
)
"""Field, column, the labels that make it true, those that make it false (``None``: all others), meaning."""


def _label(table: pa.Table, column: str, true: frozenset[str], false: frozenset[str] | None) -> Callable[[], Flags]:
    def values() -> Flags:
        data = table[column]
        if data.null_count == table.num_rows or kind_of_type(data.type) != "string":
            return np.full(table.num_rows, UNKNOWN)
        yes = pc.is_in(data, pa.array(sorted(true)))
        no = pc.is_valid(data) if false is None else pc.is_in(data, pa.array(sorted(false)))
        flags = np.where(yes.to_numpy(), TRUE, np.where(no.to_numpy(), FALSE, UNKNOWN)).astype(np.int8)
        if column == "zdr" and kind_of_type(table["trains_on_data"].type) == "string":
            # A gateway states its own layer only; the endpoint behind it keeps what it keeps.
            upstream = pc.fill_null(pc.equal(table["trains_on_data"], "upstream_dependent"), False).to_numpy()
            flags[upstream & (flags == TRUE)] = UNKNOWN
        return flags

    return values


class _Membership:
    """Which offers list which place: ``rows[place]`` are row numbers; ``known`` and ``sizes`` are a row each.

    Only the places are looked up at once; the rest when a fact is asked for.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._array = column.combine_chunks()
        items = pc.list_flatten(self._array)
        self._items = items.combine_chunks() if isinstance(items, pa.ChunkedArray) else items
        self.places: list[str] = self._items.unique().to_pylist()

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        known: npt.NDArray[np.bool_] = self._array.is_valid().to_numpy(zero_copy_only=False)
        return known

    @cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        sizes: npt.NDArray[np.int64] = pc.fill_null(pc.list_value_length(self._array), 0).to_numpy().astype(np.int64)
        return sizes

    @cached_property
    def rows(self) -> dict[str, npt.NDArray[np.int64]]:
        parents = pc.list_parent_indices(self._array).to_numpy()
        items = self._items.dictionary_encode()
        codes = items.indices.to_numpy()
        return {place: parents[codes == code] for code, place in enumerate(items.dictionary.to_pylist())}

    def listing(self, spellings: list[str], count: int) -> npt.NDArray[np.bool_]:
        mask = np.zeros(count, dtype=bool)
        for spelling in spellings:
            if spelling in self.rows:
                mask[self.rows[spelling]] = True
        return mask


def _places(table: pa.Table) -> Iterator[Derived]:
    geo, regions = _Membership(table["geo"]), _Membership(table["regions"])
    count = table.num_rows
    coarse: dict[str, list[str]] = {}
    fine: dict[str, list[str]] = {}
    for place in sorted({*GEOS, *geo.places}):
        coarse.setdefault(place_name(place), []).append(place)
    for place in sorted(regions.places):
        group = coarse if place_name(place) in coarse else fine
        spellings = group.setdefault(place_name(place), [])
        if place not in spellings:
            spellings.append(place)

    areas: dict[str, set[str]] = {}
    for region in regions.places:
        area = place_name(region) if place_name(region) in coarse else area_of(region)
        areas[region] = set() if area is None else {place_name(area)}

    def lists(spellings: list[str], by: _Membership) -> Callable[[], Flags]:
        def values() -> Flags:
            listed = geo.listing(spellings, count) | regions.listing(spellings, count)
            return np.where(listed, TRUE, np.where(by.known, FALSE, UNKNOWN)).astype(np.int8)

        return values

    def lists_only(spellings: list[str]) -> Callable[[], Flags]:
        def values() -> Flags:
            flags = np.full(count, UNKNOWN)
            inside = {place_name(spelling) for spelling in spellings}
            for source, decides in ((regions, regions.known & ~geo.known), (geo, geo.known)):
                matched = np.zeros(count, dtype=np.int64)
                for spelling in spellings:
                    np.add.at(matched, source.rows.get(spelling, np.empty(0, dtype=np.int64)), 1)
                every = (matched == source.sizes) & (source.sizes > 0)
                # Without `geo`, a region that is not the place itself may still lie within it.
                otherwise = FALSE if source is geo else UNKNOWN
                flags[decides] = np.where(every[decides], TRUE, otherwise)
            for region, rows in regions.rows.items():
                # What `geo` says is not sure where `regions` names a place that lies elsewhere.
                if not inside.issuperset(areas[region]):
                    flags[rows] = np.where(flags[rows] == TRUE, UNKNOWN, flags[rows])
            return flags

        return values

    for name, spellings in sorted(coarse.items()):
        text = f"may process in {spellings[0]}"
        yield Derived(f"region_{name}", "Bool", False, "", text, "derived from geo and regions", lists(spellings, geo))
    for name, spellings in sorted(fine.items()):
        text = f"may process in {spellings[0]}"
        values = lists(spellings, regions)
        yield Derived(f"region_{name}", "Bool", False, "", text, "derived from geo and regions", values)
    for name, spellings in sorted(coarse.items()):
        text = f"processes nowhere but in {spellings[0]}"
        source = "derived from geo, else regions"
        yield Derived(f"region_only_{name}", "Bool", False, "", text, source, lists_only(spellings))
