"""A catalog made ready for kernels: padded columns of doubles, and bitsets of atomic conditions, each made once.

A bitset has one bit an offer, in words of 64: bit ``j`` of word ``i`` is the offer in catalog row ``64 i + j``; bits
past the last offer are never set.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog import Catalog
from tenantrank.engine.lines import zeros
from tenantrank.engine.observed import Statements
from tenantrank.policy.signature import STATE_FIELDS, V1, V2, VERSIONS, Version
from tenantrank_kernels import handle_of, mark_rows

Bits = NDArray[np.uint64]
Codes = NDArray[np.int32]
Atom = tuple[str, str]

EVERY_OFFER = 0
NO_OFFER = 1
_FIRST_CAPACITY = 64
_COLUMNS = {
    "provider": "provider_id",
    "family": "model_family",
    "tier": "tier",
    "own_tier": "tier",
    "min_tier": "tier",
    "scope": "scope",
    "unscoped": "scope",
}
"""The column that conditions on a name look at."""
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
        self._known: dict[str, NDArray[np.float64]] = {}
        self._rows_by_key: dict[str, list[int]] = {}
        self._codes: dict[str, dict[str, int]] = {}
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
        # Conditions that look at the same property of offers are marked together, unless one code is in two of them.
        together: dict[int, list[tuple[Codes, dict[int, int]]]] = {}
        for atom, row in row_of.items():
            codes, held = self._codes_of(*atom)
            passes = together.setdefault(id(codes), [])
            for _, row_by_code in passes:
                if row_by_code.keys().isdisjoint(held):
                    break
            else:
                row_by_code = {}
                passes.append((codes, row_by_code))
            row_by_code.update(dict.fromkeys(held, row))
        for codes, row_by_code in chain.from_iterable(together.values()):
            self._mark(codes, row_by_code, rows)
        if 2 * np.count_nonzero(rows[_FIRST_ROW : _FIRST_ROW + len(row_of)].any(axis=1)) < len(row_of):
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
        bits = zeros(self.words, np.uint64)
        codes, held = self._codes_of(*atom)
        self._mark(codes, dict.fromkeys(held, 0), bits)
        if not bits.any():
            return NO_OFFER
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
        known = self._known.get(field)
        if known is None:
            told = field not in STATE_FIELDS and field in self.catalog.fields
            known = self._known[field] = self.catalog.numbers(field) if told else np.full(self.size, np.nan)
        return known

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

    def rows_under(self, keys: Collection[str]) -> list[list[int]]:
        """Give the catalog rows of each of some ``"<provider>|<family>"``, the keys of observed metrics."""
        known = self._rows_by_key
        lacking = [key for key in keys if key not in known]
        if lacking:
            known.update(self._found_under(lacking))
        return [known.get(key, []) for key in keys]

    def _found_under(self, keys: Sequence[str]) -> dict[str, list[int]]:
        """Give the rows of those keys under which there are any."""
        provider_of, family_of = self._code_of("provider_id"), self._code_of("model_family")
        pairs, pair_keys = [], []
        for key in keys:
            at = key.find("|")
            while at >= 0:  # names may have one in them
                provider, family = provider_of.get(key[:at]), family_of.get(key[at + 1 :])
                if provider is not None and family is not None:
                    pairs.append(provider << 32 | family)
                    pair_keys.append(key)
                at = key.find("|", at + 1)
        found: dict[str, list[int]] = {}
        if pairs:
            codes, order = self._pairs
            first, end = (np.searchsorted(codes, pairs, side).tolist() for side in ("left", "right"))
            for key, begin, stop in zip(pair_keys, first, end, strict=True):
                if begin < stop:
                    found[key] = found.get(key, []) + order[begin:stop].tolist()
        return found

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """The code of each offer's provider and family together, ascending, and the rows in that order."""
        codes = self.catalog.strings("provider_id")[0].astype(np.int64) << 32
        codes |= self.catalog.strings("model_family")[0]
        order = np.argsort(codes, kind="stable")
        return codes[order], order

    def _by_pair(self) -> Iterator[tuple[str, str, list[int]]]:
        _, provider_names = self.catalog.strings("provider_id")
        _, family_names = self.catalog.strings("model_family")
        codes, order = self._pairs
        ends = np.flatnonzero(np.diff(codes, append=-1)) + 1
        rows, first = order.tolist(), 0
        for code, end in zip(codes[ends - 1].tolist(), ends.tolist(), strict=True):
            yield provider_names[code >> 32], family_names[code & 0xFFFFFFFF], rows[first:end]
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

    def _mark(self, codes: Codes, row_by_code: Mapping[int, int], rows: Bits) -> None:
        """Set the bits of the offers with some codes in some rows."""
        row_of = np.full(max(row_by_code, default=-1) + 2, -1, dtype=np.int32)
        for code, row in row_by_code.items():
            row_of[code + 1] = row
        # Codes behind the last of these have no row either.
        mark_rows(handle_of(codes), self.size, handle_of(row_of), len(row_of), self.words, handle_of(rows))

    def _codes_of(self, kind: str, name: str) -> tuple[Codes, list[int]]:
        """Give codes of what a condition looks at, (size,), the same array for the same property, and of those with
        which it holds.
        """
        if kind == "flag":
            unknown = bool(self.catalog.fields[name].default)
            return self.catalog.flags(name).astype(np.int32), [1, -1] if unknown else [1]
        if kind == "capability":
            return self.catalog.capability(name).astype(np.int32), [1]
        if kind == "served_by":
            codes, code_of = self._servers
            return codes, code_of.get(name, [])
        column = _COLUMNS[kind]
        codes, names = self.catalog.strings(column)
        if kind == "unscoped":
            return codes, [-1]
        if kind == "min_tier":
            order = self.catalog.fields.tier_order
            rank_of = {tier: rank for rank, tier in enumerate(order)}
            ranks = [rank_of.get(each, -1) for each in ("fallback", *names)]
            return codes, [code for code, rank in enumerate(ranks, -1) if rank >= rank_of[name]]
        code = self._code_of(column).get(name)
        held = [] if code is None else [code]
        return codes, [*held, -1] if kind == "tier" and name == "fallback" else held

    def _code_of(self, column: str) -> dict[str, int]:
        """Give the code of each name of a column of strings."""
        found = self._codes.get(column)
        if found is None:
            _, names = self.catalog.strings(column)
            found = self._codes[column] = {name: code for code, name in reversed(list(enumerate(names)))}
        return found

    @cached_property
    def _servers(self) -> tuple[Codes, dict[str, list[int]]]:
        """Who serves each offer, as codes, and those of each name: the peer, else the provider."""
        peers, peer_names = self.catalog.strings("peer_id")
        providers, _ = self.catalog.strings("provider_id")
        further = len(peer_names)
        codes_of: dict[str, list[int]] = {name: [code] for name, code in self._code_of("peer_id").items()}
        for name, code in self._code_of("provider_id").items():
            codes_of.setdefault(name, []).append(code + further)
        return np.where(peers < 0, providers + further, peers).astype(np.int32), codes_of
