"""`tenantrank rank`: one policy over the catalog, without calling anybody."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantrank.cli.beside import Beside
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
from tenantrank.cli.output import console, note, print_json, table
from tenantrank.engine import Decision, Engine
from tenantrank.errors import InputError
from tenantrank.lint import lint
from tenantrank.policy.describe import describe
from tenantrank.policy.policy import admit


def rank(
    policy: Annotated[Path, typer.Argument(help="The policy (JSON); - for standard input.")],
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    request: Annotated[Path | None, typer.Option(help="The request (JSON), with 'requirements' and 'scope'.")] = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    against: Annotated[
        Path | None, typer.Option(help="Another policy (JSON), as the one in use, to show beside this one.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides the order of a sampling policy.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many offers to show.", min=1)] = 10,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the catalog under one policy: what it picks, what it rejects and why, and what to look at before use."""
    offers = load_catalog(catalog, overlay, as_of)
    engine = make_engine(offers, health, envelope)
    if against is not None and str(policy) == str(against) == "-":
        raise InputError("--against: standard input holds the policy already")
    with blaming(policy):
        admitted = admit(read_bytes(policy), offers.fields)
    needed = read_request(request)
    beside = None
    if against is not None:
        with blaming("--against", against):
            other = admit(read_bytes(against), offers.fields)
        name = "standard input" if str(against) == "-" else against.name
        beside = Beside(engine.rank(admitted, needed, seed), engine.rank(other, needed, seed), name)
    decision = engine.rank(admitted, needed, seed, k)
    findings = lint(engine, admitted, needed, seed)
    for finding in findings:
        note(f"warning {finding}")
    # The findings are of the policy alone.
    note_unknown(engine.unknown_names([]))
    if as_json:
        print_json(
            {
                **_document(engine, decision),
                "against": None if beside is None else beside.to_json(_ranked(engine, beside.other, k)),
                "unknown_names": engine.unknown_names([admitted]),
                "warnings": [finding.to_json() for finding in findings],
            }
        )
        return
    out = console()
    out.print(f"policy {admitted.fingerprint}  identity {admitted.identity}", highlight=False)
    for line in describe(admitted):
        out.print(f"  {line}", markup=False, highlight=False)
    rows = [list(row.values()) for row in _ranked(engine, decision, k)]
    title = f"{decision.survivors} of {len(offers)} offers pass, {len(decision.offer_ids)} shown"
    columns = ["offer", "score", "in $/M", "out $/M", "$ a call"]
    if needed is None or needed.tokens is None:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    out.print(table(title, columns, rows, columns[1:]))
    reasons = Counter(decision.rejected.values()).most_common()
    out.print(table("rejected, by first failing clause", ["reason", "offers"], reasons, ["offers"]))
    if beside is not None:
        out.print(beside.table(k))
        for line in beside.lines():
            out.print(line, markup=False, highlight=False, soft_wrap=True)


def _ranked(engine: Engine, decision: Decision, k: int) -> list[dict[str, Any]]:
    ids = decision.offer_ids[:k]
    rows = [engine.row_of_offer(offer) for offer in ids]
    prices = (engine.observed(name)[rows].tolist() for name in ("price_in", "price_out"))
    names = ("offer_id", "score", "price_in", "price_out", "expected_cost_usd")
    columns = (ids, decision.scores[:k], *prices, decision.expected_costs[:k])
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _document(engine: Engine, decision: Decision) -> dict[str, Any]:
    return {
        "fingerprint": decision.policy.fingerprint,
        "identity": decision.policy.identity,
        "version": decision.policy.version,
        "envelope_identity": decision.envelope_identity,
        "catalog_id": decision.catalog_id,
        "as_of": None if decision.as_of is None else decision.as_of.isoformat(),
        "survivors": decision.survivors,
        "ranked": _ranked(engine, decision, len(decision.offer_ids)),
        "rejected": dict(decision.rejected),
    }
