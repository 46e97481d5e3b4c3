"""The forms in which what a decision was made of is kept: scores, requests, health and catalogs, and the way back.

Everything here is exact: what is read back decides to the bit as what was written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import struct
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from tenantrank.catalog import Catalog
from tenantrank.catalog.arrow_files import read_ipc, write_ipc
from tenantrank.catalog.health import Health
from tenantrank.catalog.metadata import Metadata
from tenantrank.engine import Request
from tenantrank.errors import TenantrankError, TraceError
from tenantrank.policy import strict_json

_INFINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_NAN = struct.pack(">d", math.nan)
_LARGEST_SEED = 2**53


def number_form(value: float) -> float | str:
    """Give a double as a record holds it: itself, or ``"inf"``, ``"-inf"`` or ``"nan"``, which JSON lacks."""
    number = float(value)
    if math.isfinite(number):
        return number
    return "nan" if number != number else "inf" if number > 0 else "-inf"


def number_of(form: float | str) -> float:
    """Give the double that `number_form` wrote.

    Raises
    ------
    TraceError
        for what it never writes
    """
    if isinstance(form, str) and form in _INFINITE:
        return _INFINITE[form]
    if isinstance(form, bool) or not isinstance(form, int | float):
        raise TraceError(f"expected a number, got {form!r}")
    return float(form)


def bits_of(value: float) -> bytes:
    """Give the bits by which doubles are compared, high byte first: the sign of a zero counts, all NaN are one."""
    return _NAN if value != value else struct.pack(">d", value)


def order_digest(offer_ids: Iterable[str], scores: Iterable[float]) -> str:
    """Give the sha256 of an order with its scores.

    For each place from the first: the length of the offer's id in UTF-8 as four bytes, high byte first, the id, and the
    eight bytes of the score (see `bits_of`).
    """
    digest = hashlib.sha256()
    for offer, score in zip(offer_ids, scores, strict=True):
        name = offer.encode()
        digest.update(len(name).to_bytes(4, "big") + name + bits_of(score))
    return digest.hexdigest()


def request_form(request: Request) -> dict[str, Any]:
    """Give a request as a record holds it: its needs, and what it gives of the rest."""
    given = {name: getattr(request, name) for name in Request.__dataclass_fields__ if name != "needs"}
    return {"needs": list(request.needs), **{name: value for name, value in given.items() if value is not None}}


def request_of(form: Mapping[str, Any]) -> Request:
    """Give the request that `request_form` wrote.

    Raises
    ------
    TraceError
        for another form
    """
    try:
        return Request(**{**form, "needs": tuple(form.get("needs", ()))})
    except (TypeError, AttributeError, TenantrankError) as error:
        raise TraceError(f"the recorded request cannot be read: {error}") from None


def seed_form(seed: int | None) -> int | None:
    """Give a seed as a record holds it: itself, or where it is very long the one that it counts as."""
    return seed if seed is None or -_LARGEST_SEED < seed < _LARGEST_SEED else seed % 2147483647


def health_bytes(health: Health) -> bytes:
    """Give the canonical form of a live state: JSON with sorted keys, no spaces and ASCII escapes.

    An object with ``breakers``, ``credits``, ``disabled`` (names alone, since no entry's value counts) and ``ema``;
    an infinite number is the string ``inf``.
    """
    value = {
        "breakers": dict(health.breakers),
        "credits": {name: number_form(usd) for name, usd in health.credits.items()},
        "disabled": sorted(health.disabled),
        "ema": {
            key: {name: number_form(number) for name, number in metrics.items()} for key, metrics in health.ema.items()
        },
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def health_of(content: bytes) -> Health:
    """Give the live state that `health_bytes` wrote.

    Raises
    ------
    TraceError
        for another form
    """
    try:
        value = json.loads(content)
        return Health(
            {key: {name: number_of(form) for name, form in of.items()} for key, of in value["ema"].items()},
            value["breakers"],
            dict.fromkeys(value["disabled"], True),
            {name: number_of(form) for name, form in value["credits"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, TenantrankError) as error:
        raise TraceError(f"a recorded live state cannot be read: {error}") from None


def health_id(content: bytes) -> str:
    """Give the sha256 of a live state in canonical form, in hex."""
    return hashlib.sha256(content).hexdigest()


def catalog_bytes(catalog: Catalog) -> bytes:
    """Give a catalog as the bytes of an Arrow IPC file: offers, declared fields, tiers, overlay's days, provenance."""
    return write_ipc(catalog)


def catalog_of(content: bytes, catalog_id: str, day: date | None) -> Catalog:
    """Give the catalog that `catalog_bytes` wrote, judged by the day by which a decision judged it.

    Catalogs of one id may differ in the day on which they were built, which judges where no other day was given; so
    the day is the decision's and not the file's.

    Raises
    ------
    TraceError
        for content that is damaged or of another id
    """
    try:
        until = _holds_until(content)
        catalog = read_ipc(content, until)
        if catalog.catalog_id != catalog_id:
            raise TraceError(f"the recorded catalog {catalog_id} has the content of {catalog.catalog_id}")
        metadata = dataclasses.replace(catalog.metadata, built=day)
        return Catalog(catalog.table, metadata, None if until is None else day, lambda: catalog.provenance)
    except TraceError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError, TenantrankError) as error:
        raise TraceError(f"the recorded catalog {catalog_id} cannot be read: {error}") from None


def _holds_until(content: bytes) -> date | None:
    stated = pa.ipc.open_file(pa.BufferReader(content)).schema.metadata or {}
    return Metadata.from_json(strict_json.loads(stated[b"tenantrank"])).holds_until
