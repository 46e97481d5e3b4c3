"""What policies read of an offer, value by value, and where each value comes from."""

from __future__ import annotations

import math
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.catalog.health import Health
from tenantrank.catalog.schema import CAPABILITY_PREFIX, EXPECTED_COST
from tenantrank.engine.columns import STATE_METRIC_V1, Part, observed
from tenantrank.engine.index import EVERY_OFFER, Bits
from tenantrank.engine.observed import Kind, Observed, Statement
from tenantrank.engine.request import Request
from tenantrank.engine.view import View
from tenantrank.policy.signature import STATE_FIELDS, V1

Subject = tuple[str, str]
"""What a condition looks at: ``("field", name)``, ``("capability", name)``, ``("column", name)`` of strings, or
``("server", "")``, who serves the offer."""

_OVERLAY = "overlay:"  # begins the source of what an operator's overlay sets
_UNKNOWN, _CATALOG, _LIVE = 0, 1, 2
_METRICS_V1 = {**STATE_METRIC_V1, "quality": "last_quality_eval"}
_PRICES = ("price_in", "price_out")
_KEYS = ("provider_id", "model_family")
_COST: Subject = ("field", EXPECTED_COST)


class Stated:
    """What policies of one version read under one health, and whose word it is.

    Parameters
    ----------
    view
        what is read; billed where the request estimates tokens
    health
        the live state of the view
    request
        the request that is decided
    """

    def __init__(self, view: View, health: Health, request: Request) -> None:
        self.view = view
        self.request = request
        self._health = health
        self._catalog = view.index.catalog
        self._unknown: dict[Subject, Bits] = {}
        self._origins: dict[str, NDArray[np.int8]] = {}
        self._by_row: dict[int, dict[str, Statement]] = {}

    def known(self, subject: Subject) -> Bits:
        """Give the offers of which something is known there, as a bitset; a missing tier is not known."""
        bits: Bits = self.view.index.rows[EVERY_OFFER] & ~self.unknown(subject)
        return bits

    def unknown(self, subject: Subject) -> Bits:
        """Give the offers of which nothing is known there, as a bitset that is not to be changed."""
        # What a call costs depends on the request; all else is found once for a view.
        found = self._unknown if subject == _COST else self.view.unknown
        bits = found.get(subject)
        if bits is None:
            bits = found[subject] = self.view.index.pack(~np.asarray(self._is_known(*subject)))
        return bits

    def value(self, subject: Subject, row: int) -> Any:
        """Give what is known of an offer, by its catalog row; ``None`` where nothing is."""
        kind, name = subject
        if kind == "capability":
            return _flag(self._catalog.capability(name)[row])
        if kind == "field" and self._catalog.fields[name].sort == "Bool":
            if name not in STATE_FIELDS:
                return _flag(self._catalog.flags(name)[row])
            return bool((int(self.view.holds(name)[row >> 6]) >> (row & 63)) & 1)
        if kind == "field":
            return float(self.view.values(name)[row]) if self._origin(name)[row] != _UNKNOWN else None
        if kind == "server":
            peer = self._text("peer_id", row)
            return self._text("provider_id", row) if peer is None else peer
        return self._text(name, row)

    def observed(self, subject: Subject, row: int) -> Observed:
        """Give what is read of an offer, by its catalog row, and where that comes from."""
        kind, name = subject
        value = self.value(subject, row)
        if kind == "field":
            return self._of_field(name, value, row)
        if kind == "server":
            peers, _ = self._catalog.strings("peer_id")
            return self._of_column("peer_id" if peers[row] >= 0 else "provider_id", value, row, "served_by")
        column = name
        if kind == "capability" and name != "context" and not name.startswith("supports_"):
            column = CAPABILITY_PREFIX + name
        return self._of_column(column, value, row, name)

    def _of_field(self, name: str, value: Any, row: int) -> Observed:
        default = self._catalog.fields[name].default
        read = value if value is not None else default
        if name in STATE_FIELDS:
            return Observed(name, value, read, "live")
        if self._catalog.fields[name].sort == "Num":
            read = float(self.view.values(name)[row])
            if self._origin(name)[row] == _LIVE:
                return Observed(name, value, read, "live")
            if self.view.version == V1 and name in STATE_METRIC_V1:
                return Observed(name, value, read, "unstated")  # whatever the catalog has of it, nobody reads
        column = "quality_hint" if name == "quality" and self.view.version == V1 else name
        return self._of_column(column, value, row, name, read)

    def _of_column(self, column: str, value: Any, row: int, name: str, read: Any = None) -> Observed:
        statement = self.statements(row).get(column)
        if statement is not None:
            if value is None:
                return Observed(name, value, read, "withheld", *statement)
            kind: Kind = "attested" if statement.source.startswith(_OVERLAY) else "stated"
            return Observed(name, value, read, kind, *statement)
        parts = self._parts(name, row)
        if parts:
            nothing = value is None and all(part.kind == "unstated" for part in parts)
            return Observed(name, value, read, "unstated" if nothing else "worked_out", parts=parts)
        if value is None:
            return Observed(name, value, read, "unstated")
        return Observed(name, value, read, "key" if column in _KEYS else "untold")

    def _parts(self, name: str, row: int) -> tuple[Observed, ...]:
        if name == EXPECTED_COST and self._catalog.expects_costs:
            return tuple(self.observed(("field", price), row) for price in _PRICES)
        table = self._catalog.table
        columns = [column for column in self._catalog.behind(name) if column in table.column_names]
        return tuple(self._of_column(column, _plain(table[column][row]), row, column) for column in columns)

    def statements(self, row: int) -> dict[str, Statement]:
        """Give who states what of an offer, by column, as far as the catalog's provenance says."""
        found = self._by_row.get(row)
        if found is None:
            found = self._by_row[row] = self.view.index.statements.of(row)
        return found

    def _is_known(self, kind: str, name: str) -> Any:
        if kind == "capability":
            return self._catalog.capability(name) >= 0
        if kind == "column":
            return self._catalog.strings(name)[0] >= 0
        if kind == "server" or (name in STATE_FIELDS and name != "credits"):
            return np.ones(self.view.index.size, dtype=bool)
        if self._catalog.fields[name].sort == "Bool":
            return self._catalog.flags(name) >= 0
        return self._origin(name) != _UNKNOWN

    def _origin(self, name: str) -> NDArray[np.int8]:
        """Say of each offer whether a Num field is known from the catalog, from the live state, or not at all."""
        found = self._origins.get(name)
        if found is None:
            found = self._origins[name] = self._work_out_origin(name)
        return found

    def _work_out_origin(self, name: str) -> NDArray[np.int8]:
        index, old = self.view.index, self.view.version == V1
        if name == "credits":
            return np.asarray(index.provider_values(dict.fromkeys(self._health.credits, _LIVE), _UNKNOWN, np.int8))
        if name == EXPECTED_COST and self._catalog.expects_costs:
            tokens = self.request.tokens
            costs = np.full(index.size, math.nan) if tokens is None else self.view.costs(tokens)
            return np.where(np.isnan(costs), _UNKNOWN, _CATALOG).astype(np.int8)
        metric = _METRICS_V1.get(name) if old else None
        own = np.full(index.size, math.nan) if old and name in STATE_METRIC_V1 else index.known(name)
        if old and name == "quality":
            own = index.known("quality_hint")
        if name in _PRICES:
            metric = name
        if metric is None:
            return np.where(np.isnan(own), _UNKNOWN, _CATALOG).astype(np.int8)
        live = ~np.isnan(observed(metric, self._health, self._everything))
        stated = ~np.isnan(own)
        first = live if old else live & ~stated
        return np.where(first, _LIVE, np.where(stated, _CATALOG, _UNKNOWN)).astype(np.int8)

    @cached_property
    def _everything(self) -> Part:
        return Part.whole(self.view.index, self._health)

    def _text(self, column: str, row: int) -> str | None:
        codes, names = self._catalog.strings(column)
        return names[codes[row]] if codes[row] >= 0 else None


def _flag(value: np.int8) -> bool | None:
    return None if value < 0 else bool(value)


def _plain(value: pa.Scalar) -> Any:
    plain = value.as_py()
    if isinstance(plain, date):
        return plain.isoformat()
    return tuple(plain) if isinstance(plain, list) else float(plain) if type(plain) is int else plain
