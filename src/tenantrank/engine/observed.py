"""Values as policies see them, each with where it comes from, and the catalog's provenance by offer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tenantrank.catalog import Catalog

Kind = Literal["stated", "attested", "worked_out", "live", "key", "untold", "unstated", "withheld"]


class Statement(NamedTuple):
    """Who states a value, and as of when; ``as_of`` is ``None`` where the source has no date."""

    source: str
    as_of: str | None

    def __str__(self) -> str:
        return f"{self.source}, {self.as_of}" if self.as_of else self.source


@dataclass(frozen=True, slots=True)
class Observed:
    """One value of one offer as a policy sees it, and where it comes from.

    Attributes
    ----------
    name : of the field, capability or column; ``served_by`` for who serves the offer
    value : a number, a bool or a text, a tuple of texts for a column of lists; ``None`` where nothing is known
    read : what the policy reads: the value, or the field's default where nothing is known; ``None`` for what is no
        field
    kind : ``stated`` by a source of the catalog, ``attested`` by the operator's overlay, ``worked_out`` from other
        columns, ``live`` state, ``key`` of the offer; ``untold``: the catalog has it and does not say whence;
        ``unstated``: no source states it; ``withheld``: made unknown by an overlay, ``source`` says why
    source, as_of : who states it and as of when, as the catalog's provenance has it, else ``None``
    parts : what it is worked out from
    """

    name: str
    value: Any
    read: Any
    kind: Kind
    source: str | None = None
    as_of: str | None = None
    parts: tuple[Observed, ...] = ()

    @property
    def whence(self) -> str:
        """Where the value comes from, as part of a line."""
        if self.source is not None:
            return str(Statement(self.source, self.as_of))
        if self.kind == "live":
            return "the live state" if self.value is not None else "the live state has none"
        if self.kind == "key":
            return "the offer itself"
        if self.kind == "untold":
            return "the catalog, which does not say whence"
        if self.parts:
            told = " and ".join(f"{part.name} ({value_words(part.value)}: {part.whence})" for part in self.parts)
            return f"worked out from {told}"
        return "no source states it"

    def __str__(self) -> str:
        return f"{self.name}: {value_words(self.value)}, {self.whence}"

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value; a number that JSON lacks is null."""
        read = None if isinstance(self.read, float) and not math.isfinite(self.read) else self.read
        value = None if isinstance(self.value, float) and not math.isfinite(self.value) else self.value
        found = {"name": self.name, "value": value, "read": read, "kind": self.kind}
        found |= {"source": self.source, "as_of": self.as_of, "words": str(self)}
        return found | ({"parts": [part.to_json() for part in self.parts]} if self.parts else {})


def value_words(value: Any) -> str:
    """Write a value for people: numbers in the fewest digits that name them, ``unknown`` for ``None``."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if abs(value) < 2**53 and value == int(value) else repr(value)
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


class Statements:
    """The provenance of a catalog, by offer."""

    def __init__(self, catalog: Catalog) -> None:
        table = catalog.provenance
        self._bounds: list[int] | None = None
        if table is not None:
            ids = catalog.table["offer_id"].combine_chunks()
            rows = pc.index_in(table["offer_id"].combine_chunks(), ids).to_numpy()
            order = np.argsort(rows, kind="stable")
            self._bounds = np.searchsorted(rows[order], np.arange(len(catalog) + 1)).tolist()
            self._coded = [_Coded.of(table[name], order) for name in ("column", "source", "as_of")]

    def of(self, row: int) -> dict[str, Statement]:
        """Give who states what of an offer, by column."""
        if self._bounds is None:
            return {}
        part = slice(self._bounds[row], self._bounds[row + 1])
        found = zip(*(coded.part(part) for coded in self._coded), strict=True)
        return {str(column): Statement(str(source), as_of) for column, source, as_of in found}


class _Coded(NamedTuple):
    """A column of texts in some order, as codes and the texts that they stand for."""

    codes: NDArray[np.int32]
    texts: list[str | None]

    @classmethod
    def of(cls, column: pa.ChunkedArray, order: NDArray[np.int64]) -> _Coded:
        coded = column.combine_chunks()
        codes = pc.fill_null(coded.indices, -1).to_numpy()[order]
        return cls(codes, [*coded.dictionary.to_pylist(), None])

    def part(self, part: slice) -> list[str | None]:
        return [self.texts[code] for code in self.codes[part].tolist()]
