"""`tenantrank clauses`: what each clause costs one tenant, or which rules cost a whole table of tenants most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantrank.cli.clauses_shown import prices_document, print_prices, print_rules, rules_document
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
from tenantrank.cli.mixes import (
    CachedShareOption,
    InputTokensOption,
    OutputTokensOption,
    ResidencyOption,
    tokens_of,
)
from tenantrank.cli.output import print_json, progress
from tenantrank.cli.results import check_results, write_results
from tenantrank.errors import InputError
from tenantrank.tenants import Rulebook, read_tenants
from tenantrank.whatif.clause_price import clause_prices
from tenantrank.whatif.rule_price import dearest_rules

_TOP = 10


def clauses(
    tenants: Annotated[Path, typer.Option(help="The table of tenants.")],
    rulebook: Annotated[Path, typer.Option(help="The operator's rules (YAML or JSON).")],
    tenant: Annotated[str | None, typer.Argument(help="The tenant's id; without one, all tenants together.")] = None,
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    request: Annotated[Path | None, typer.Option(help="The request (JSON) of one tenant's call.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides what one tenant's sampling policy draws.")] = None,
    without_envelope: Annotated[
        bool, typer.Option("--envelope-too", help="For one tenant, leave out the envelope's clauses as well.")
    ] = False,
    input_tokens: InputTokensOption = None,
    output_tokens: OutputTokensOption = None,
    cached_share: CachedShareOption = 0.0,
    residency: ResidencyOption = None,
    top: Annotated[
        int | None, typer.Option("-n", help="How many to show: all for one tenant, 10 rules for all tenants.", min=1)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write every rule's figures: .parquet, .arrow or .jsonl.")
    ] = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each clause costs a tenant: what would win without it, and for how much less; or what rules cost all."""
    tokens = tokens_of(input_tokens, output_tokens, cached_share, residency)
    if tenant is None and (request is not None or seed is not None or without_envelope):
        raise InputError("--request, --seed and --envelope-too go with a tenant's id")
    if tenant is not None and out is not None:
        raise InputError("-o holds the rules of all tenants, and goes without a tenant's id")
    if out is not None:
        check_results(out, (tenants, rulebook, catalog, overlay, health, envelope))
    needs = read_request(request)
    offers = load_catalog(catalog, overlay, as_of)
    engine = make_engine(offers, health, envelope)
    rules = Rulebook.load(rulebook).bind(offers.fields)
    rows = read_tenants(tenants)
    with blaming(tenants):
        fleet = rules.compile_many(rows)
    if tenant is not None:
        compiled = policy_of_tenant(tenant, fleet)
        note_unknown(engine.unknown_names([compiled]))
        # Unless the options say a mix, it is that of the request.
        said = (input_tokens, output_tokens, residency) != (None, None, None) or cached_share
        prices = clause_prices(engine, compiled, needs, tokens if said else None, seed, without_envelope)
        if as_json:
            policy = {"fingerprint": compiled.policy.fingerprint, "identity": compiled.policy.identity}
            identity = {**engine.provenance, "rulebook_id": rules.rulebook_id}
            print_json({"tenant": tenant, **policy, **identity, **prices_document(prices, top)})
        else:
            print_prices(f"tenant {tenant}: policy {compiled.policy.fingerprint}", prices, top)
        return
    note_unknown(engine.unknown_names(fleet.by_identity()[0]))
    with progress("ranking", None, as_json) as step:
        found = dearest_rules(engine, rules, fleet, tokens, None, step)
    if out is not None:
        write_results(found.table(), out)
    count = _TOP if top is None else top
    if as_json:
        print_json(rules_document(found, count))
    else:
        print_rules(found, count, out)
