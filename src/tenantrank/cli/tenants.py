"""`tenantrank tenants`: the main job, a table of tenants in and a ranking for each out."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer

from tenantrank.cli.inputs import (
    AsOfOption,
    CatalogOption,
    EnvelopeOption,
    HealthOption,
    JsonOption,
    OverlayOption,
    load_catalog,
    make_engine,
)
from tenantrank.cli.output import console, note, print_json, progress, table
from tenantrank.cli.results import write_results
from tenantrank.engine import rank_fleet
from tenantrank.tenants import Fleet, Rulebook, read_tenants

_SHOWN = 15


def tenants(
    table_file: Annotated[
        Path, typer.Argument(metavar="TABLE", help="Tenants: .csv, .jsonl, .parquet, .arrow; a row each.")
    ],
    rulebook: Annotated[Path, typer.Option(help="The operator's rules (YAML or JSON).")],
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    k: Annotated[int, typer.Option("-k", help="How many offers to rank for each tenant.", min=1)] = 5,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write every row: .parquet, .arrow or .jsonl.")
    ] = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the catalog for every tenant of a table, with the rules behind each choice."""
    clock = time.perf_counter
    started = clock()
    offers = load_catalog(catalog, overlay, as_of)
    rules = Rulebook.load(rulebook).bind(offers.fields)
    rows = read_tenants(table_file)
    engine = make_engine(offers, health, envelope)
    loaded = clock()
    with progress("compiling", rows.num_rows, as_json) as step:
        done = 0

        def compiled_to(now: int, of: int) -> None:
            nonlocal done
            step(now - done, of)
            done = now

        fleet = rules.compile_many(rows, compiled_to)
    compiled = clock()
    with progress("ranking", None, as_json) as step:
        ranked = rank_fleet(engine, fleet, k, step)
    finished = clock()
    ranked = ranked.replace_schema_metadata({**(ranked.schema.metadata or {}), "rulebook_id": rules.rulebook_id})
    if out is not None:
        write_results(ranked, out)
    timing = {
        "load_s": round(loaded - started, 4),
        "compile_s": round(compiled - loaded, 4),
        "rank_s": round(finished - compiled, 4),
    }
    if as_json:
        print_json(_document(ranked, fleet, timing))
        return
    for warning in rules.warnings:
        note(f"warning: {warning}")
    if fleet.ignored:
        note(f"columns that no rule uses: {', '.join(fleet.ignored)}")
    _print_summary(ranked, fleet, len(offers), timing, out)


def _print_summary(ranked: pa.Table, fleet: Fleet, offers: int, timing: dict[str, float], out: Path | None) -> None:
    screen = console()
    screen.print(_choices(ranked))
    screen.print(table("tenants by winner", ["offer", "tenants"], _winners(ranked).most_common(_SHOWN), ["tenants"]))
    stranded = _stranded(ranked)
    if stranded:
        columns = ["tenants", "no offer because of", "for example"]
        screen.print(table("tenants with no offer", columns, stranded[:_SHOWN], ["tenants"]))
    if fleet.errors:
        rows = [(error.tenant, error.row, error.message) for error in fleet.errors[:_SHOWN]]
        screen.print(table(f"{len(fleet.errors)} tenants refused", ["tenant", "row", "why"], rows, ["row"]))
    counts = Counter(ranked["status"].to_pylist())
    screen.print(
        f"{ranked.num_rows} tenants × {offers} offers: {counts['ranked']} ranked, {counts['no_offer']} with no offer, "
        f"{counts['error']} refused; {len(fleet.by_identity()[0])} distinct policies\n"
        f"load {timing['load_s']:.2f} s, compile {timing['compile_s']:.2f} s, rank {timing['rank_s']:.2f} s"
        + (f"\nevery row written to {out}" if out is not None else ""),
        highlight=False,
        soft_wrap=True,
    )


def _choices(ranked: pa.Table) -> Any:
    """Tabulate what each set of rules chose, the sets with most tenants first."""
    groups: dict[str, list[int]] = {}
    for row, (rules, status) in enumerate(zip(*(ranked[c].to_pylist() for c in ("rules", "status")), strict=True)):
        if status != "error":
            groups.setdefault(rules, []).append(row)
    largest = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    rows = []
    for rules, members in largest[:_SHOWN]:
        part = ranked.take(pa.array(members))
        winners = _winners(part)
        survivors = pc.min_max(part["survivors"]).as_py()
        offer, count = winners.most_common(1)[0] if winners else (None, 0)
        price = next((r[0] for o, r in zip(*_firsts(part), strict=True) if o and o[0] == offer), None)
        by = Counter(origin.split(" <- ")[0] for origin in part["ranked_by"].to_pylist()).most_common(1)[0][0]
        span = f"{survivors['min']}–{survivors['max']}" if survivors["min"] != survivors["max"] else survivors["min"]
        rows.append((len(members), rules, by, span, offer, f"{count}/{len(members)}", price))
    title = f"what the rules chose ({len(rows)} of {len(groups)} combinations of rules)"
    columns = ["tenants", "rules", "ranked by", "survivors", "most frequent winner", "wins", "out $/M"]
    return table(title, columns, rows, ["tenants", "survivors", "wins", "out $/M"])


def _firsts(part: pa.Table) -> tuple[list[Any], list[Any]]:
    return part["offer_ids"].to_pylist(), part["prices_out"].to_pylist()


def _winners(ranked: pa.Table) -> Counter[str]:
    return Counter(offers[0] for offers in ranked["offer_ids"].to_pylist() if offers)


def _stranded(ranked: pa.Table) -> list[tuple[int, str, str]]:
    found: dict[str, list[str]] = {}
    for tenant, status, why in zip(*(ranked[c].to_pylist() for c in ("tenant", "status", "deciding")), strict=True):
        if status == "no_offer":
            found.setdefault(why, []).append(tenant)
    return [(len(names), why, names[0]) for why, names in sorted(found.items(), key=lambda item: -len(item[1]))]


def _document(ranked: pa.Table, fleet: Fleet, timing: dict[str, float]) -> dict[str, Any]:
    metadata = {key.decode(): value.decode() for key, value in (ranked.schema.metadata or {}).items()}
    return {
        **metadata,
        "tenants": ranked.num_rows,
        "status": dict(Counter(ranked["status"].to_pylist())),
        "distinct_policies": len(fleet.by_identity()[0]),
        "winners": dict(_winners(ranked).most_common()),
        "no_offer": [{"tenants": n, "because": why, "example": name} for n, why, name in _stranded(ranked)],
        "refused": [{"row": e.row, "tenant": e.tenant, "field": e.field, "why": e.message} for e in fleet.errors],
        "timing": timing,
    }
