"""`tenantrank catalog`: build, show, compare and describe catalogs."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantrank.catalog import Catalog
from tenantrank.catalog.build import build_catalog
from tenantrank.catalog.files import bundled_path
from tenantrank.catalog.snapshot import write_snapshot
from tenantrank.cli.inputs import (
    AsOfOption,
    CatalogOption,
    JsonOption,
    OverlayOption,
    day,
    load_catalog,
)
from tenantrank.cli.output import console, note, print_json, table
from tenantrank.errors import CatalogError, InputError

app = typer.Typer(help="Build, show, compare and describe catalogs.", no_args_is_help=True, rich_markup_mode=None)

_TIMEOUT_S = 60
_LARGEST = 256 * 1024 * 1024
_SHOWN = 20


@app.command()
def build(
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write the catalog.")],
    litellm: Annotated[str | None, typer.Option(help="litellm's price list.")] = "package",
    models_dev: Annotated[list[str] | None, typer.Option(help="models.dev's database; later ones fill dates.")] = None,
    genai_prices: Annotated[str | None, typer.Option(help="genai-prices' price rules.")] = "package",
    langchain: Annotated[list[str] | None, typer.Option(help="Model profiles of langchain partner packages.")] = None,
    policies: Annotated[str, typer.Option(help="Table of providers' data policies (CSV).")] = "bundled",
    quality: Annotated[str, typer.Option(help="Table of published quality figures (CSV).")] = "bundled",
    allow_losses: Annotated[bool, typer.Option(help="Replace the old file even if a source looks cut short.")] = False,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Merge public sources into a catalog.

    A source is 'package' (the installed package), a path (wheel, folder, file), a URL, or 'none' to leave it out; a
    '#YYYY-MM-DD' behind it is its release date. The two tables are 'bundled', a path, a URL, or 'none'.
    """
    chosen: dict[str, str | list[str] | None] = {
        "litellm": litellm,
        "models-dev": models_dev or ["package"],
        "genai-prices": genai_prices,
        "langchain": langchain,
        "policy": _table("provider_policy.csv", policies),
        "quality": _table("quality.csv", quality),
    }
    sources = {name: place for name, place in chosen.items() if place and place not in ("none", ["none"])}
    today = day(as_of)
    old = Catalog.load(out, as_of=today) if out.exists() and not allow_losses else None
    try:
        result = build_catalog(sources, as_of=today, fetch=_fetch, old=old)
    except CatalogError as error:
        if "package is not installed" in str(error):
            raise InputError(f"{error}; `none` leaves a source out") from None
        raise
    allowed = write_snapshot(result, out, allow_losses=allow_losses, as_of=today)
    for loss in allowed:
        note(f"warning: {loss}")
    report = result.report.to_json()
    if as_json:
        print_json({**report, "path": str(out), "catalog_id": result.catalog.catalog_id})
        return
    screen = console()
    rows = [
        (s.info.name, s.info.origin, s.info.as_of, s.offers, sum(s.left_out.values())) for s in result.report.sources
    ]
    screen.print(table("sources", ["source", "read from", "date", "offers", "left out"], rows, ["offers", "left out"]))
    refused = [(r.offer, r.column, r.value, r.why) for r in result.report.refused]
    if refused:
        screen.print(table("refused values", ["offer", "column", "value", "why"], refused[:_SHOWN]))
    if len(refused) > _SHOWN:
        screen.print(f"… and {len(refused) - _SHOWN} more")
    screen.print(
        f"{result.report.offers} offers of {result.report.providers} providers, catalog {result.catalog.catalog_id}, "
        f"written to {out}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def show(
    offers: Annotated[list[str] | None, typer.Argument(metavar="[OFFER…]", help="Offer ids to show whole.")] = None,
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a catalog holds, or single offers with the source and date of each value."""
    loaded = load_catalog(catalog, overlay, as_of)
    if offers:
        documents = [_offer(loaded, offer_id) for offer_id in offers]
        if as_json:
            print_json(documents)
            return
        for document in documents:
            rows = [(name, v["value"], v["source"], v["as_of"]) for name, v in document["values"].items()]
            console().print(table(document["offer_id"], ["column", "value", "source", "as of"], rows))
        return
    codes, names = loaded.strings("provider_id")
    counts = sorted(((names[code], int((codes == code).sum())) for code in range(len(names))), key=lambda c: -c[1])
    summary = {
        "catalog_id": loaded.catalog_id,
        "offers": len(loaded),
        "providers": len(names),
        "built": str(loaded.built) if loaded.built else None,
        "as_of": str(loaded.judged_at) if loaded.judged_at else None,
        "fields": len(loaded.fields),
    }
    if as_json:
        print_json({**summary, "offers_by_provider": dict(counts)})
        return
    screen = console()
    screen.print(table("catalog", ["", ""], summary.items()))
    screen.print(table("largest providers", ["provider", "offers"], counts[:_SHOWN], ["offers"]))


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The catalog before.")],
    new: Annotated[Path, typer.Argument(help="The catalog after.")],
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changes from one catalog to another."""
    today = day(as_of)
    changes = Catalog.load(old, as_of=today).diff(Catalog.load(new, as_of=today))
    if as_json:
        print_json(changes.table.to_pylist())
    else:
        typer.echo(changes.summary())


@app.command()
def fields(
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every field that a policy may use, with its unit, default and coverage."""
    loaded = load_catalog(catalog, overlay, as_of)
    if as_json:
        print_json([_field(loaded, name) for name in loaded.fields])
        return
    rows = [
        (f["name"], f["sort"], str(f["default"]), f["unit"], _percent(f["coverage"]), f["description"])
        for f in (_field(loaded, name) for name in loaded.fields)
    ]
    console().print(table("fields", ["field", "sort", "if unknown", "unit", "known", "meaning"], rows, ["known"]))


def _table(name: str, place: str) -> str:
    return str(bundled_path(name)) if place == "bundled" else place


def _field(catalog: Catalog, name: str) -> dict[str, Any]:
    field = catalog.fields[name]
    return {
        "name": name,
        "sort": field.sort,
        "default": field.default if abs(field.default) != float("inf") else "+inf",
        "unit": field.unit,
        "description": field.description,
        "source": field.source,
        "coverage": field.coverage,
        "versions": list(field.versions),
    }


def _offer(catalog: Catalog, offer_id: str) -> dict[str, Any]:
    if offer_id not in catalog.offer_ids:
        raise InputError(f"no offer {offer_id!r} in this catalog")
    row = catalog.offer_ids.index(offer_id)
    values = {name: value for name, value in catalog.table.slice(row, 1).to_pylist()[0].items() if value is not None}
    origin: dict[str, tuple[str | None, Any]] = {}
    side = catalog.provenance
    if side is not None:
        for entry in side.to_pylist():
            if entry["offer_id"] == offer_id:
                origin[entry["column"]] = entry["source"], entry["as_of"]
    known = {
        name: dict(zip(("value", "source", "as_of"), (value, *origin.get(name, (None, None))), strict=True))
        for name, value in values.items()
    }
    return {"offer_id": offer_id, "values": known}


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def _fetch(url: str) -> bytes:
    """Read a URL, https or http, with a limit on time and size."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            body: bytes = answer.read(_LARGEST + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise CatalogError(f"{url}: cannot be read: {error}") from None
    if len(body) > _LARGEST:
        raise CatalogError(f"{url}: more than {_LARGEST} bytes")
    return body
