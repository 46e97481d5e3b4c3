"""`tenantrank report`: a fleet run as one page for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from tenantrank.catalog.costs import Tokens
from tenantrank.cli.inputs import (
    AsOfOption,
    CatalogOption,
    EnvelopeOption,
    HealthOption,
    JsonOption,
    OverlayOption,
    load_catalog,
    make_engine,
    note_unknown,
)
from tenantrank.cli.mixes import (
    CachedShareOption,
    InputTokensOption,
    OutputTokensOption,
    ResidencyOption,
    tokens_of,
)
from tenantrank.cli.output import console, note, print_json, waiting
from tenantrank.cli.results import check_results, write_text
from tenantrank.engine import Engine
from tenantrank.errors import CatalogError, InputError, TenantError
from tenantrank.report.figures import FleetFigures, figures_of
from tenantrank.report.page import page
from tenantrank.tenants import Rulebook, read_tenants

_SUFFIXES = (".html", ".htm")


def report(
    tenants: Annotated[Path, typer.Option(help="The table of tenants.")],
    rulebook: Annotated[Path, typer.Option(help="The operator's rules (YAML or JSON).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write the page: .html.")],
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    quality: Annotated[
        str | None, typer.Option(help="The field that tells quality; found by what policies rank by unless given.")
    ] = None,
    input_tokens: InputTokensOption = None,
    output_tokens: OutputTokensOption = None,
    cached_share: CachedShareOption = 0.0,
    residency: ResidencyOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one page on a fleet: who wins, price against quality, what rules cost, which tenants are at risk."""
    check_results(out, (tenants, rulebook, catalog, overlay, health, envelope), _SUFFIXES)
    tokens = tokens_of(input_tokens, output_tokens, cached_share, residency)
    if not tokens.total:
        raise InputError("--input-tokens and --output-tokens: a mix of no tokens has no cost")
    offers = load_catalog(catalog, overlay, as_of)
    rules = Rulebook.load(rulebook).bind(offers.fields)
    rows = read_tenants(tenants)
    engine = make_engine(offers, health, envelope)
    with waiting("working out the report …"):
        figures = _figures(tenants, engine, rules, rows, tokens, quality)
        made = page(figures)
    write_text(made, out)
    for warning in figures.rulebook.warnings:
        note(f"warning: {warning}")
    note_unknown(engine.unknown_names(figures.outcomes.fleet.by_identity()[0]))
    if as_json:
        print_json(_document(figures, out, len(made.encode())))
        return
    everybody = figures.everybody
    console().print(
        f"{everybody.tenants} tenants × {len(offers)} offers: {everybody.ranked} ranked, {everybody.none_left} with no "
        f"offer, {everybody.refused} refused; {figures.at_risk} at some risk\n"
        f"costs for {tokens.words}; quality by {figures.quality or 'no field'}\n"
        f"written to {out}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _figures(
    source: Path, engine: Engine, rules: Rulebook, rows: pa.Table, tokens: Tokens, quality: str | None
) -> FleetFigures:
    """Work out the figures, and name what is at fault where that fails."""
    try:
        return figures_of(engine, rules, rows, tokens, quality)
    except CatalogError as error:
        raise InputError(f"--quality: {error}") from None
    except TenantError as error:
        raise InputError(f"{source}: {error}") from None


def _document(figures: FleetFigures, out: Path, size: int) -> dict[str, Any]:
    """Give the page's own figures in short."""
    ids, tokens = figures.outcomes.engine.catalog.offer_ids, figures.tokens
    return {
        **figures.outcomes.engine.provenance,
        "rulebook_id": figures.rulebook.rulebook_id,
        "report": str(out),
        "bytes": size,
        "tenants": figures.everybody.tenants,
        "status": {name: count for name, count in figures.outcomes.status.items() if count},
        "distinct_policies": len(figures.outcomes.fleet.by_identity()[0]),
        "winners": {ids[row]: tenants for row, tenants in figures.everybody.winners},
        "at_risk": {risk.key: risk.tenants for risk in figures.risks},
        "at_any_risk": figures.at_risk,
        "quality": figures.quality,
        "tokens": {
            "input": tokens.input,
            "output": tokens.output,
            "cached_share": tokens.cached_share,
            "residency": tokens.residency,
        },
    }
