"""`tenantrank rank`: one policy over the catalog, without calling anybody."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

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
    read_bytes,
    read_request,
)
from tenantrank.cli.output import console, print_json, table
from tenantrank.engine import Decision, Engine
from tenantrank.policy.describe import describe
from tenantrank.policy.policy import admit


def rank(
    policy: Annotated[Path, typer.Argument(help="The policy (JSON); - for standard input.")],
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    request: Annotated[Path | None, typer.Option(help="The request (JSON), with 'requirements' and 'scope'.")] = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    seed: Annotated[int | None, typer.Option(help="Decides the order of a sampling policy.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many offers to show.", min=1)] = 10,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the catalog under one policy: what it picks, what it rejects, and why."""
    offers = load_catalog(catalog, overlay, as_of)
    engine = make_engine(offers, health, envelope)
    with blaming(policy):
        admitted = admit(read_bytes(policy), offers.fields)
    decision = engine.rank(admitted, read_request(request), seed, k)
    unknown = engine.unknown_names([admitted])
    note_unknown(unknown)
    if as_json:
        print_json({**_document(engine, decision), "unknown_names": unknown})
        return
    out = console()
    out.print(f"policy {admitted.fingerprint}  identity {admitted.identity}", highlight=False)
    for line in describe(admitted):
        out.print(f"  {line}", markup=False, highlight=False)
    rows = zip(*_ranked(engine, decision).values(), strict=True)
    title = f"{decision.survivors} of {len(offers)} offers pass, {len(decision.offer_ids)} shown"
    columns = ["offer", "score", "in $/M", "out $/M"]
    out.print(table(title, columns, rows, columns[1:]))
    reasons = Counter(decision.rejected.values()).most_common()
    out.print(table("rejected, by first failing clause", ["reason", "offers"], reasons, ["offers"]))


def _ranked(engine: Engine, decision: Decision) -> dict[str, list[Any]]:
    rows = [engine.row_of_offer(offer) for offer in decision.offer_ids]
    prices = {name: engine.observed(name)[rows].tolist() for name in ("price_in", "price_out")}
    return {"offer_id": list(decision.offer_ids), "score": list(decision.scores), **prices}


def _document(engine: Engine, decision: Decision) -> dict[str, Any]:
    ranked = _ranked(engine, decision)
    return {
        "fingerprint": decision.policy.fingerprint,
        "identity": decision.policy.identity,
        "version": decision.policy.version,
        "envelope_identity": decision.envelope_identity,
        "catalog_id": decision.catalog_id,
        "survivors": decision.survivors,
        "ranked": [dict(zip(ranked, row, strict=True)) for row in zip(*ranked.values(), strict=True)],
        "rejected": dict(decision.rejected),
    }
