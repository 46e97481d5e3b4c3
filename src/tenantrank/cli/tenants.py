"""`tenantrank tenants`: the main job, a table of tenants in and a ranking for each out."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer

from tenantrank.cli.giving_way import suggestion
from tenantrank.cli.inputs import (
    AsOfOption,
    CatalogOption,
    EnvelopeOption,
    HealthOption,
    JsonOption,
    OverlayOption,
    blaming,
    load_catalog,
    make_engine,
    note_unknown,
)
from tenantrank.cli.output import console, note, print_json, progress, table
from tenantrank.cli.results import check_results, write_results
from tenantrank.engine import Engine
from tenantrank.engine.fleet import RANKED, rank_fleet
from tenantrank.tenants import Fleet, Rulebook, read_tenants
from tenantrank.whatif.relax import relax

_SHOWN = 15
_WIDE = 120


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
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if a tenant is refused or has no offer.")] = False,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the catalog for every tenant of a table, with the rules behind each choice."""
    clock = time.perf_counter
    started = clock()
    if out is not None:
        check_results(out, (table_file, rulebook, catalog, overlay, health, envelope))
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

        with blaming(table_file):
            fleet = rules.compile_many(rows, compiled_to)
    compiled = clock()
    policies, _ = fleet.by_identity()
    with progress("ranking", len(policies), as_json) as step:
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
    unknown = engine.unknown_names(policies)
    for warning in rules.warnings:
        note(f"warning: {warning}")
    if fleet.ignored:
        note(f"columns that no rule uses: {', '.join(fleet.ignored)}")
    note_unknown(unknown)
    if as_json:
        remarks = {
            "warnings": [*offers.warnings, *rules.warnings],
            "ignored": list(fleet.ignored),
            "unknown_names": unknown,
        }
        print_json({**_document(ranked, engine, fleet, timing), **remarks})
    else:
        _print_summary(ranked, engine, fleet, timing, out)
    if strict and set(ranked["status"].to_pylist()) - {RANKED}:
        raise typer.Exit(1)


def _print_summary(ranked: pa.Table, engine: Engine, fleet: Fleet, timing: dict[str, float], out: Path | None) -> None:
    screen = console()
    if len(fleet.errors) < ranked.num_rows:
        screen.print(_choices(ranked, screen.width >= _WIDE))
    winners = _winners(ranked).most_common(_SHOWN)
    if winners:
        screen.print(table("tenants by winner", ["offer", "tenants"], winners, ["tenants"]))
    stranded = _stranded(ranked)[:_SHOWN]
    if stranded:
        columns = ["tenants", "no offer because of", "for example"]
        causes = [(count, why, ranked["tenant"][row].as_py()) for count, why, row in stranded]
        screen.print(table("tenants with no offer", columns, causes, ["tenants"]))
        ways = [(ranked["tenant"][row].as_py(), _giving_way(engine, fleet, row)) for _, _, row in stranded]
        screen.print(table("what could give way", ["for example", "least change that leaves an offer"], ways))
    if fleet.errors:
        rows = [(error.tenant, error.row, error.message) for error in fleet.errors[:_SHOWN]]
        screen.print(table(f"{len(fleet.errors)} tenants refused", ["tenant", "row", "why"], rows, ["row"]))
    counts = Counter(ranked["status"].to_pylist())
    screen.print(
        f"{ranked.num_rows} tenants × {len(engine.catalog)} offers: {counts['ranked']} ranked, "
        f"{counts['no_offer']} with no offer, {counts['error']} refused; "
        f"{len(fleet.by_identity()[0])} distinct policies\n"
        f"load {timing['load_s']:.2f} s, compile {timing['compile_s']:.2f} s, rank {timing['rank_s']:.2f} s"
        + (f"\nevery row written to {out}" if out is not None else ""),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _choices(ranked: pa.Table, whole: bool) -> Any:
    """Tabulate what each set of rules chose, the sets with most tenants first; the main columns only unless whole."""
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
    shown = [0, 1, 2, 3, 4, 5, 6] if whole else [0, 1, 4]
    numbers = ["tenants", "survivors", "wins", "out $/M"]
    return table(title, [columns[at] for at in shown], [[row[at] for at in shown] for row in rows], numbers)


def _firsts(part: pa.Table) -> tuple[list[Any], list[Any]]:
    return part["offer_ids"].to_pylist(), part["prices_out"].to_pylist()


def _winners(ranked: pa.Table) -> Counter[str]:
    return Counter(offers[0] for offers in ranked["offer_ids"].to_pylist() if offers)


def _stranded(ranked: pa.Table) -> list[tuple[int, str, int]]:
    """Give what leaves tenants with no offer, most tenants first: how many, the cause, the row of the first."""
    found: dict[str, list[int]] = {}
    for row, (status, why) in enumerate(zip(*(ranked[c].to_pylist() for c in ("status", "deciding")), strict=True)):
        if status == "no_offer":
            found.setdefault(why, []).append(row)
    return [(len(rows), why, rows[0]) for why, rows in sorted(found.items(), key=lambda item: -len(item[1]))]


def _giving_way(engine: Engine, fleet: Fleet, row: int) -> str:
    """Say what could give way for one tenant with no offer."""
    return suggestion(relax(engine, fleet.policies[int(fleet.index[row])], limit=1, k=1))


def _document(ranked: pa.Table, engine: Engine, fleet: Fleet, timing: dict[str, float]) -> dict[str, Any]:
    metadata = {key.decode(): value.decode() for key, value in (ranked.schema.metadata or {}).items()}
    return {
        **metadata,
        "tenants": ranked.num_rows,
        "status": dict(Counter(ranked["status"].to_pylist())),
        "distinct_policies": len(fleet.by_identity()[0]),
        "winners": dict(_winners(ranked).most_common()),
        "no_offer": [
            {
                "tenants": count,
                "because": why,
                "example": ranked["tenant"][row].as_py(),
                "could_give_way": _giving_way(engine, fleet, row) if place < _SHOWN else None,
            }
            for place, (count, why, row) in enumerate(_stranded(ranked))
        ],
        "refused": [{"row": e.row, "tenant": e.tenant, "field": e.field, "why": e.message} for e in fleet.errors],
        "timing": timing,
    }
