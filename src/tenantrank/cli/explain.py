"""`tenantrank explain`: one tenant's policy in words, and what each of its clauses does to the catalog."""

from __future__ import annotations

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
)
from tenantrank.cli.output import console, print_json, table
from tenantrank.engine import Decision, Explanation
from tenantrank.errors import InputError
from tenantrank.policy.describe import describe
from tenantrank.tenants import CompiledPolicy, Fleet, Rulebook, read_tenants


def explain(
    tenant: Annotated[str, typer.Argument(help="The tenant's id.")],
    tenants: Annotated[Path, typer.Option(help="The table of tenants.")],
    rulebook: Annotated[Path, typer.Option(help="The operator's rules (YAML or JSON).")],
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    offer: Annotated[str | None, typer.Option(help="Say what this one offer fails.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many offers to show.", min=1)] = 5,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one tenant's ranking: its clauses, the rule behind each, and how many offers each rejects."""
    offers = load_catalog(catalog, overlay, as_of)
    engine = make_engine(offers, health, envelope)
    rules = Rulebook.load(rulebook).bind(offers.fields)
    rows = read_tenants(tenants)
    with blaming(tenants):
        compiled = _compiled(tenant, rules.compile_many(rows))
    decision = engine.rank(compiled, k=k)
    explanation = decision.explain()
    if offer is not None and offer not in offers.offer_ids:
        raise InputError(f"no offer {offer!r} in this catalog")
    if as_json:
        print_json(_document(tenant, compiled, decision, explanation, offer))
        return
    out = console()
    out.print(f"tenant {tenant}: policy {compiled.policy.fingerprint}", markup=False, highlight=False)
    for line in describe(compiled.policy):
        out.print(f"  {line}", markup=False, highlight=False)
    for conflict in compiled.conflicts:
        out.print(f"settled: {conflict}", markup=False, highlight=False, soft_wrap=True)
    rows = [(c.words, "; ".join(map(str, c.origins)), c.failed, c.alone) for c in explanation.clauses]
    out.print(table("clauses", ["clause", "rule", "reject", "alone"], rows, ["reject", "alone"]))
    if decision.offer_ids:
        ranked = zip(decision.offer_ids, decision.scores, strict=True)
        out.print(table(f"{decision.survivors} offers pass", ["offer", "score"], ranked, ["score"]))
    else:
        out.print(_none_left(compiled, decision, explanation), markup=False, highlight=False, soft_wrap=True)
    if offer is not None:
        failures = [(f.clause.words, f.reason, f.bound, _seen(f.observed)) for f in explanation.of(offer)]
        out.print(table(f"{offer} fails", ["clause", "reason", "bound", "observed"], failures))


def _none_left(compiled: CompiledPolicy, decision: Decision, explanation: Explanation) -> str:
    """Say why nothing is ranked: a selector that lists none of what passes, a catalog without offers, or clauses."""
    if decision.survivors:
        return f"the selector keeps none of the {decision.survivors} offers that pass ({compiled.selector})"
    deciding = explanation.deciding()
    if not deciding:
        return "the catalog has no offers"
    return f"no offer passes; the least that would have to give way: {' and '.join(map(str, deciding))}"


def _compiled(tenant: str, fleet: Fleet) -> CompiledPolicy:
    if tenant not in fleet.tenants:
        raise InputError(f"no tenant {tenant!r} in the table")
    row = fleet.tenants.index(tenant)
    for error in fleet.errors:
        if error.row == row:
            raise InputError(f"tenant {tenant!r} has no policy: {error.message}")
    return fleet.policies[int(fleet.index[row])]


def _seen(value: Any) -> str:
    return "unknown" if value is None else str(value)


def _document(
    tenant: str, compiled: CompiledPolicy, decision: Decision, explanation: Explanation, offer: str | None
) -> dict[str, Any]:
    document = {
        "tenant": tenant,
        "fingerprint": compiled.policy.fingerprint,
        "identity": compiled.policy.identity,
        "catalog_id": decision.catalog_id,
        "policy": compiled.policy.term,
        "rules": list(compiled.rules),
        "conflicts": [str(conflict) for conflict in compiled.conflicts],
        "clauses": [
            {
                "clause": clause.encoding,
                "words": clause.words,
                "origins": [{"rule": o.rule, "field": o.field, "value": o.value} for o in clause.origins],
                "failed": clause.failed,
                "alone": clause.alone,
            }
            for clause in explanation.clauses
        ],
        "survivors": decision.survivors,
        "offer_ids": list(decision.offer_ids),
        "scores": list(decision.scores),
        "deciding": [clause.encoding for clause in explanation.deciding()],
    }
    if offer is not None:
        document["offer"] = {
            "offer_id": offer,
            "failed": [
                {"clause": f.clause.encoding, "reason": f.reason, "bound": f.bound, "observed": f.observed}
                for f in explanation.of(offer)
            ],
        }
    return document
