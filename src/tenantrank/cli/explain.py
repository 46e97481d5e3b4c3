"""`tenantrank explain`: one tenant's policy in words, what each of its clauses rejects, and what scores are made of."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantrank.cli.explained import (
    clause_table,
    clauses_named,
    clauses_table,
    failing_clause,
    offer_tables,
    ranked_tables,
)
from tenantrank.cli.giving_way import suggestions
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
    policy_of_tenant,
    read_request,
)
from tenantrank.cli.output import console, print_json, table
from tenantrank.cli.results import TABULAR, check_results, write_results
from tenantrank.engine import Decision, Explanation
from tenantrank.errors import InputError
from tenantrank.policy.describe import describe
from tenantrank.tenants import CompiledPolicy, Rulebook, read_tenants
from tenantrank.tenants.nearest import hint
from tenantrank.whatif.relax import relax


def explain(
    tenant: Annotated[str, typer.Argument(help="The tenant's id.")],
    tenants: Annotated[Path, typer.Option(help="The table of tenants.")],
    rulebook: Annotated[Path, typer.Option(help="The operator's rules (YAML or JSON).")],
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    request: Annotated[Path | None, typer.Option(help="The request (JSON), with 'requirements' and 'scope'.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides the order of a sampling policy.")] = None,
    offer: Annotated[
        str | None, typer.Option(help="Say what this one offer fails, or what its score is made of, with sources.")
    ] = None,
    clause: Annotated[
        str | None, typer.Option(help="Say who fails this clause: its bit, text or words, or a rule's id.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every offer of the catalog.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help=f"Write every offer to a file: {', '.join(TABULAR)}.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many offers to show.", min=1)] = 5,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one tenant's ranking: its clauses, whose rules they are, what each rejects, what scores are made of."""
    if out is not None:
        check_results(out, [tenants, rulebook, catalog, overlay, health, envelope, request], TABULAR)
    offers = load_catalog(catalog, overlay, as_of)
    engine = make_engine(offers, health, envelope)
    rules = Rulebook.load(rulebook).bind(offers.fields)
    rows = read_tenants(tenants)
    with blaming(tenants):
        compiled = policy_of_tenant(tenant, rules.compile_many(rows))
    if offer is not None and offer not in offers.offer_ids:
        raise InputError(f"no offer {offer!r} in this catalog{hint(offer, offers.offer_ids)}")
    unknown = engine.unknown_names([compiled])
    note_unknown(unknown)
    decision = engine.rank(compiled, read_request(request), seed)
    explanation = decision.explain()
    named = [] if clause is None else clauses_named(explanation, clause)
    if out is not None:
        write_results(explanation.table(), out)
    if as_json:
        identity = {"rulebook_id": rules.rulebook_id, "unknown_names": unknown}
        document = {**_document(tenant, compiled, decision, explanation, k), **identity}
        if offer is not None:
            document["offer"] = _of_offer(explanation, offer)
        if clause is not None:
            most = len(offers) if every else k
            document["failing"] = [_of_clause(explanation, at, most) for at in named]
        if every:
            document["offers"] = explanation.table().to_pylist()
        print_json(document)
        return
    _print(tenant, compiled, decision, explanation, k)
    screen = console()
    for at in named:
        screen.print(clause_table(explanation, at, len(offers) if every else k), markup=False, highlight=False)
    if every and not named:
        whole = explanation.table()
        title, columns = f"all {len(offers)} offers", ["offer_id", "place", "score", "failed_count", "first_reason"]
        shown = zip(*(whole[name].to_pylist() for name in columns), _bits(explanation), strict=True)
        screen.print(table(title, ["offer", "place", "score", "failed", "first reason", "bits"], shown, ["place"]))
    if offer is not None:
        said, tables = offer_tables(explanation, offer)
        screen.print(said, markup=False, highlight=False, soft_wrap=True)
        for made in tables:
            screen.print(made)
    if out is not None:
        screen.print(f"every offer written to {out}", markup=False, highlight=False, soft_wrap=True)


def _print(tenant: str, compiled: CompiledPolicy, decision: Decision, explanation: Explanation, k: int) -> None:
    out = console()
    out.print(f"tenant {tenant}: policy {compiled.policy.fingerprint}", markup=False, highlight=False)
    for line in describe(compiled.policy):
        out.print(f"  {line}", markup=False, highlight=False)
    for conflict in compiled.conflicts:
        out.print(f"settled: {conflict}", markup=False, highlight=False, soft_wrap=True)
    out.print(clauses_table(explanation.clauses))
    if decision.offer_ids:
        ranked = [found for name in decision.offer_ids[:k] if (found := explanation.accepted(name)) is not None]
        for made in ranked_tables(explanation, ranked):
            out.print(made)
    else:
        out.print(_none_left(compiled, decision, explanation), markup=False, highlight=False, soft_wrap=True)


def _none_left(compiled: CompiledPolicy, decision: Decision, explanation: Explanation) -> str:
    """Say why nothing is ranked: a selector that lists none of what passes, a catalog without offers, or clauses; and
    what could give way.
    """
    ways = suggestions(relax(decision.engine, compiled, decision.request))
    if decision.survivors:
        cause = f"the selector keeps none of the {decision.survivors} offers that pass ({compiled.selector})"
    elif deciding := explanation.deciding():
        cause = f"no offer passes; what keeps the nearest out: {' and '.join(map(str, deciding))}"
    else:
        cause = "the catalog has no offers"
    return "\n".join([cause, *ways])


def _document(
    tenant: str, compiled: CompiledPolicy, decision: Decision, explanation: Explanation, k: int
) -> dict[str, Any]:
    ranked = [explanation.accepted(name) for name in decision.offer_ids[:k]]
    return {
        "tenant": tenant,
        "fingerprint": compiled.policy.fingerprint,
        "identity": compiled.policy.identity,
        **decision.engine.provenance,
        "policy": compiled.policy.term,
        "rules": list(compiled.rules),
        "conflicts": [str(conflict) for conflict in compiled.conflicts],
        "clauses": [{"bit": bit, **clause.to_json()} for bit, clause in enumerate(explanation.clauses)],
        "survivors": decision.survivors,
        "offer_ids": list(decision.offer_ids[:k]),
        "scores": list(decision.scores[:k]),
        "selection": asdict(explanation.selection),
        "ranked": [found.to_json() for found in ranked if found is not None],
        "deciding": [clause.encoding for clause in explanation.deciding()],
        "relaxations": relax(decision.engine, compiled, decision.request).document,
    }


def _of_offer(explanation: Explanation, offer: str) -> dict[str, Any]:
    accepted = explanation.accepted(offer)
    return {
        "offer_id": offer,
        "failed": [failure.to_json() for failure in explanation.of(offer)],
        "passed": [met.to_json() for met in explanation.met(offer)],
        "accepted": None if accepted is None else accepted.to_json(),
    }


def _of_clause(explanation: Explanation, at: int, most: int) -> dict[str, Any]:
    offers = [
        {**one, "atoms": [atom.to_json() for atom in one["atoms"]]} for one in failing_clause(explanation, at, most)
    ]
    return {"bit": at, **explanation.clauses[at].to_json(), "offers": offers}


def _bits(explanation: Explanation) -> list[str]:
    """Give the bits of the clauses that each offer fails."""
    return [
        " ".join(str(bit) for bit, fails in enumerate(column) if fails) for column in explanation.failing.T.tolist()
    ]
