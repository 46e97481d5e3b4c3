"""`tenantrank lint`: what a policy, or the policies of a whole customer base, may not do as their author expects."""

from __future__ import annotations

from collections.abc import Sequence
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
    read_bytes,
    read_request,
)
from tenantrank.cli.output import console, note, print_json, progress, table
from tenantrank.engine import Engine
from tenantrank.errors import InputError
from tenantrank.lint import CODES, PAGE, Finding, FleetFinding, lint_fleet
from tenantrank.lint import lint as lint_policy
from tenantrank.policy.policy import admit
from tenantrank.tenants import Rulebook, read_tenants
from tenantrank.tenants.nearest import hint


def lint(
    policy: Annotated[Path | None, typer.Argument(help="A policy (JSON); - for standard input.")] = None,
    rulebook: Annotated[Path | None, typer.Option(help="Instead of a policy: the operator's rules.")] = None,
    tenants: Annotated[Path | None, typer.Option(help="The table of tenants that the rules are for.")] = None,
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    request: Annotated[Path | None, typer.Option(help="The request (JSON) that the policy is for.")] = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODE", help="A warning that is meant so; may be repeated.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if there is a warning.")] = False,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Warn of what a policy may not do as its author expects; of a rulebook, by rule, with how many tenants."""
    ignored = _codes(ignore or [])
    if policy is not None and (rulebook is not None or tenants is not None):
        raise InputError("lint takes a policy or --rulebook with --tenants, not both")
    if policy is None and request is not None:
        raise InputError("--request goes with a policy: linting a rulebook takes none")
    offers = load_catalog(catalog, overlay, as_of)
    engine = make_engine(offers, health, envelope)
    found: Sequence[Finding | FleetFinding]
    if policy is not None:
        document, found = _policy(policy, engine, request)
    elif rulebook is not None and tenants is not None:
        document, found = _rulebook(rulebook, tenants, engine, as_json)
    else:
        raise InputError("lint takes a policy, or --rulebook with --tenants")
    kept = [each for each in found if _code(each) not in ignored]
    document |= {"ignored": sorted({_code(each) for each in found} & ignored)}
    if as_json:
        print_json({**document, "warnings": [each.to_json() for each in kept]})
    else:
        _print(kept, len(found) - len(kept))
    if strict and kept:
        raise typer.Exit(1)


def _policy(path: Path, engine: Engine, request: Path | None) -> tuple[dict[str, Any], Sequence[Finding]]:
    with blaming(path):
        admitted = admit(read_bytes(path), engine.catalog.fields)
    known = {"fingerprint": admitted.fingerprint, "identity": admitted.identity, "version": admitted.version}
    return {**engine.provenance, **known}, lint_policy(engine, admitted, read_request(request))


def _rulebook(
    path: Path, table_file: Path, engine: Engine, quiet: bool
) -> tuple[dict[str, Any], Sequence[FleetFinding]]:
    rules = Rulebook.load(path).bind(engine.catalog.fields)
    rows = read_tenants(table_file)
    with blaming(table_file):
        fleet = rules.compile_many(rows)
    if fleet.errors:
        note(f"{len(fleet.errors)} tenants are refused, and have no policy to look at")
    with progress("linting", len(fleet.policies), quiet) as step:
        found = lint_fleet(engine, fleet, rules.warnings, step)
    counts = {"tenants": len(fleet), "refused": len(fleet.errors), "distinct_policies": len(fleet.by_identity()[0])}
    return {**engine.provenance, "rulebook_id": rules.rulebook_id, **counts}, found


def _print(found: Sequence[Finding | FleetFinding], left_out: int) -> None:
    out = console()
    rows = [
        (each.finding.code, each.tenants, each.rule, each.finding.words, each.example)
        if isinstance(each, FleetFinding)
        else (each.code, None, None, each.words, None)
        for each in found
    ]
    shown = [0, 3] if all(row[1] is None for row in rows) else [0, 1, 2, 3, 4]
    columns = ["code", "tenants", "rule", "warning", "for example"]
    if rows:
        picked = [[row[at] for at in shown] for row in rows]
        out.print(table("warnings", [columns[at] for at in shown], picked, ["tenants"]))
    ending = f"; {left_out} ignored" if left_out else ""
    out.print(f"{len(rows)} warnings{ending}" + (f"; {PAGE} explains each code" if rows else ""), highlight=False)


def _codes(given: Sequence[str]) -> set[str]:
    for code in given:
        if code not in CODES:
            raise InputError(f"--ignore: no warning has the code {code!r}{hint(code, CODES)}")
    return set(given)


def _code(found: Finding | FleetFinding) -> str:
    return found.finding.code if isinstance(found, FleetFinding) else found.code
