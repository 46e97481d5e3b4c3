"""A catalog made ready for kernels: padded columns of doubles, and bitsets of atomic conditions, each made once.

A bitset has one bit an offer, in words of 64: bit ``j`` of word ``i`` is the offer in catalog row ``64 i + j``; bits
past the last offer are never set.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog import Catalog
from tenantrank.engine.lines import zeros
from tenantrank.engine.observed import Statements
from tenantrank.policy.signature import STATE_FIELDS, V1, V2, VERSIONS, Version

Bits = NDArray[np.uint64]
Atom = tuple[str, str]

EVERY_OFFER = 0
NO_OFFER = 1
_ABSENT = -2  # no row has this dictionary code
_FIRST_CAPACITY = 64
_FIRST_ROW = 2  # of what has a name; those before are `EVERY_OFFER` and `NO_OFFER`


class CatalogIndex:
    """What every policy over one catalog shares. Safe to use from several threads.

    Attributes
    ----------
    catalog : the catalog
    size : number of offers
    words : length of a bitset, a multiple of 8; width : padded length of a column
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.size = len(catalog)
        self.words = max(8, -(-self.size // 512) * 8)
        self.width = self.words * 64
        self._lock = threading.Lock()
        self._row_of: dict[Atom, int] = {}  # in the order of their rows, without gaps
        self._rows: Bits = zeros(_FIRST_CAPACITY * self.words, np.uint64).reshape(-1, self.words)
        self._rows[EVERY_OFFER] = self.pack(np.ones(self.size, dtype=bool))

    def number_as(self, other: CatalogIndex) -> bool:
        """Give atomic conditions the rows that they have in the index of another catalog, whose fields are here too.

        To be called before any row is made here. Where more than half of them now hold of no offer, nothing is done,
        which is told: rows would else outgrow the vocabulary of a catalog that changes for years.
        """
        with other._lock:
            row_of = other._row_of.copy()
        rows = zeros(max(_FIRST_CAPACITY, 2 * len(row_of)) * self.words, np.uint64).reshape(-1, self.words)
        rows[EVERY_OFFER] = self._rows[EVERY_OFFER]
        held = 0
        for atom, row in row_of.items():
            holds = np.asarray(self._holds(*atom), dtype=bool)
            if holds.any():
                rows[row] = self.pack(holds)
                held += 1
        if 2 * held < len(row_of):
            return False
        self._row_of, self._rows = row_of, rows
        return True

    @property
    def rows(self) -> Bits:
        """The bitsets made so far, (atoms, words); rows that exist never change."""
        return self._rows

    def row(self, atom: Atom) -> int:
        """Give the row of an atomic condition, making its bitset on first use.

        Atoms: ``("flag", field)``, ``("provider", id)``, ``("family", name)``, ``("served_by", id)``, ``("tier",
        name)``, ``("own_tier", name)``, ``("min_tier", name)``, ``("capability", name)``, ``("unscoped", "")``,
        ``("scope", name)``. A name that occurs in no offer gives `NO_OFFER`, so that the table never outgrows the
        catalog's own vocabulary.
        """
        row = self._row_of.get(atom)
        if row is not None:
            return row
        holds = np.asarray(self._holds(*atom), dtype=bool)
        if not holds.any():
            return NO_OFFER
        bits = self.pack(holds)
        with self._lock:
            row = self._row_of.get(atom)
            if row is None:
                row = _FIRST_ROW + len(self._row_of)
                if row == len(self._rows):
                    longer = zeros(2 * self._rows.size, np.uint64).reshape(-1, self.words)
                    longer[:row] = self._rows
                    self._rows = longer
                self._rows[row] = bits
                self._row_of[atom] = row
        return row

    def bits(self, atom: Atom) -> Bits:
        """Give the bitset of an atomic condition."""
        row = self.row(atom)
        bits: Bits = self._rows[row]
        return bits

    def pack(self, holds: NDArray[np.bool_]) -> Bits:
        """Pack one truth value an offer into a bitset."""
        padded = np.zeros(self.width, dtype=bool)
        padded[: self.size] = holds
        bits: Bits = np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64)
        return bits

    def unpack(self, bits: Bits) -> NDArray[np.bool_]:
        """Unpack bitsets, (…, words), into truth values, (…, size)."""
        octets = bits.astype("<u8").view(np.uint8)
        holds: NDArray[np.bool_] = np.unpackbits(octets, axis=-1, bitorder="little")[..., : self.size].astype(bool)
        return holds

    def known(self, field: str) -> NDArray[np.float64]:
        """Give a Num field as the catalog holds it, (size,), NaN where unknown."""
        if field in STATE_FIELDS or field not in self.catalog.fields:
            return np.full(self.size, np.nan)
        return self.catalog.numbers(field)

    def row_of_offer(self, offer_id: str) -> int:
        """Give the catalog row of an offer; KeyError for an id that is not in the catalog."""
        return self._row_of_offer[offer_id]

    @cached_property
    def _row_of_offer(self) -> dict[str, int]:
        return {offer_id: row for row, offer_id in enumerate(self.catalog.offer_ids)}

    @cached_property
    def statements(self) -> Statements:
        """Who states what of each offer."""
        return Statements(self.catalog)

    @cached_property
    def rows_by_pair(self) -> dict[tuple[str, str], list[int]]:
        """The catalog rows of each provider and model family, ascending."""
        return {(provider, family): rows for provider, family, rows in self._by_pair()}

    @cached_property
    def rows_by_key(self) -> dict[str, list[int]]:
        """The catalog rows of each ``"<provider>|<family>"``, the key of observed metrics."""
        found: dict[str, list[int]] = {}
        for provider, family, rows in self._by_pair():
            known = found.setdefault(f"{provider}|{family}", rows)
            if known is not rows:  # another pair of the same key
                known += rows
        return found

    def _by_pair(self) -> Iterator[tuple[str, str, list[int]]]:
        providers, provider_names = self.catalog.strings("provider_id")
        families, family_names = self.catalog.strings("model_family")
        codes = providers.astype(np.int64) * len(family_names) + families
        order = np.argsort(codes, kind="stable")
        ends = np.flatnonzero(np.diff(codes[order], append=-1)) + 1
        rows, first = order.tolist(), 0
        for provider, family, end in zip(
            providers[order[ends - 1]].tolist(), families[order[ends - 1]].tolist(), ends.tolist(), strict=True
        ):
            yield provider_names[provider], family_names[family], rows[first:end]
            first = end

    def provider_values(self, by_provider: Any, default: Any, dtype: Any) -> NDArray[Any]:
        """Spread a mapping by provider over the offers, (size,)."""
        codes, names = self.catalog.strings("provider_id")
        table = np.array([by_provider.get(name, default) for name in names] or [default], dtype=dtype)
        return table[codes] if self.size else np.zeros(0, dtype=dtype)

    def providers(self, names: Iterable[str]) -> Bits:
        """Give the bitset of the offers of any of several providers."""
        bits = np.zeros(self.words, dtype=np.uint64)
        for name in names:
            bits |= self.bits(("provider", name))
        return bits

    def columns_of(self, version: Version) -> dict[str, int]:
        """Give the position of each Num field among the columns of a version; in v1 also of scorers that are one."""
        return self._columns_of[version]

    @cached_property
    def _columns_of(self) -> dict[Version, dict[str, int]]:
        fields = self.catalog.fields
        scorers: dict[Version, tuple[str, ...]] = {V1: ("*quality", "*partner"), V2: ()}
        return {
            version: {
                name: position
                for position, name in enumerate(
                    [*(name for name in fields if fields.sort_of(name, version) == "Num"), *scorers[version]]
                )
            }
            for version in VERSIONS
        }

    def _holds(self, kind: str, name: str) -> Any:
        if kind == "flag":
            flags = self.catalog.flags(name)
            return (flags == 1) | ((flags < 0) & bool(self.catalog.fields[name].default))
        if kind == "capability":
            return self.catalog.capability(name) == 1
        if kind == "served_by":
            own = self._named("peer_id", name)
            codes, _ = self.catalog.strings("peer_id")
            return own | (self._named("provider_id", name) & (codes < 0))
        if kind == "tier":
            codes, _ = self.catalog.strings("tier")
            return self._named("tier", name) | ((codes < 0) & (name == "fallback"))
        if kind == "min_tier":
            return self._tier_ranks() >= self.catalog.fields.tier_order.index(name)
        if kind == "unscoped":
            codes, _ = self.catalog.strings("scope")
            return codes < 0
        column = {"provider": "provider_id", "family": "model_family", "own_tier": "tier", "scope": "scope"}[kind]
        return self._named(column, name)

    def _named(self, column: str, name: str) -> Any:
        codes, names = self.catalog.strings(column)
        code = names.index(name) if name in names else _ABSENT
        return np.equal(codes, code)

    def _tier_ranks(self) -> NDArray[np.int64]:
        order = self.catalog.fields.tier_order
        codes, names = self.catalog.strings("tier")
        ranks = np.array([order.index(name) if name in order else -1 for name in names] or [-1])
        missing = order.index("fallback") if "fallback" in order else -1
        return np.where(codes < 0, missing, ranks[codes])
