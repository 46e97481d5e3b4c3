"""`tenantrank diff`: what a change does to every tenant, within limits that can gate a merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantrank.cli.diff_sides import Given, Loaded, difference, load_sides
from tenantrank.cli.inputs import (
    AsOfOption,
    CatalogOption,
    EnvelopeOption,
    HealthOption,
    JsonOption,
    OverlayOption,
    day,
)
from tenantrank.cli.mixes import CachedShareOption, InputTokensOption, OutputTokensOption, ResidencyOption, tokens_of
from tenantrank.cli.output import console, note, print_json, progress, table
from tenantrank.cli.results import check_results, write_results, write_text
from tenantrank.errors import InputError, RequestError
from tenantrank.whatif.impact import Impact, impact
from tenantrank.whatif.impact_limits import COST_INCREASE, Check, Limit
from tenantrank.whatif.impact_markdown import markdown, option_of
from tenantrank.whatif.impact_words import Section, cost_words, counts_section, headline, sections

_SHOWN = 10
_LISTED = 1000


def _limit(words: str, metavar: str = "N|P%") -> Any:
    return typer.Option(metavar=metavar, help=f"Exit 1 if more tenants {words}." if metavar == "N|P%" else words)


def diff(
    tenants: Annotated[Path, typer.Option(help="The table of tenants.")],
    rulebook: Annotated[Path, typer.Option(help="The operator's rules (YAML or JSON).")],
    catalog: CatalogOption = None,
    overlay: OverlayOption = None,
    health: HealthOption = None,
    envelope: EnvelopeOption = None,
    as_of: AsOfOption = None,
    to_tenants: Annotated[Path | None, typer.Option(help="After: the table of tenants.")] = None,
    to_rulebook: Annotated[Path | None, typer.Option(help="After: the rules.")] = None,
    to_catalog: Annotated[Path | None, typer.Option(help="After: the catalog file, or 'bundled'.")] = None,
    to_overlay: Annotated[Path | None, typer.Option(help="After: the attestations, or 'none'.")] = None,
    to_health: Annotated[Path | None, typer.Option(help="After: the live state, or 'none'.")] = None,
    to_envelope: Annotated[Path | None, typer.Option(help="After: the condition, or 'none'.")] = None,
    to_as_of: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="After: the day to judge by.")] = None,
    without_provider: Annotated[
        list[str] | None, typer.Option(metavar="PROVIDER", help="After: without this provider's offers; repeatable.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many offers' order to compare.", min=1)] = 5,
    input_tokens: InputTokensOption = None,
    output_tokens: OutputTokensOption = None,
    cached_share: CachedShareOption = 0.0,
    residency: ResidencyOption = None,
    max_winner_changes: Annotated[str | None, _limit("have another winner")] = None,
    max_order_changes: Annotated[str | None, _limit("have another order of the first offers")] = None,
    max_stranded: Annotated[str | None, _limit("are newly left with no offer")] = None,
    max_one_left: Annotated[str | None, _limit("are newly left with one offer")] = None,
    max_refused: Annotated[str | None, _limit("are newly refused")] = None,
    max_cost_increase: Annotated[
        str | None, _limit("Exit 1 if cost rises by more, where it is known on both sides.", "P%")
    ] = None,
    max_cost_unknown: Annotated[str | None, _limit("have a winner of newly unknown cost")] = None,
    markdown_to: Annotated[
        Path | None, typer.Option("--markdown", help="Write a summary for a pull request; '-' prints it alone.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write every tenant's row: .parquet, .arrow or .jsonl.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a change does to every tenant: whose first offer, order or choice changes, who is left with none, at
    what cost.

    Give the side before as for `tenants`, and with --to-… what is another on the side after; all else is the same on
    both.
    """
    given = {
        "winner-changes": max_winner_changes,
        "order-changes": max_order_changes,
        "stranded": max_stranded,
        "one-left": max_one_left,
        "refused": max_refused,
        COST_INCREASE: max_cost_increase,
        "cost-unknown": max_cost_unknown,
    }
    limits = [_parsed(name, text) for name, text in given.items() if text is not None]
    changed = Given(to_tenants, to_rulebook, to_catalog, to_overlay, to_health, to_envelope, to_as_of)
    without = list(dict.fromkeys(without_provider or ()))
    if not without and changed == Given(*[None] * 7):
        raise InputError(
            "diff: say what changes: --to-rulebook, --to-catalog, --to-overlay, --to-envelope, --to-health, "
            "--to-tenants, --to-as-of or --without-provider"
        )
    tokens = tokens_of(input_tokens, output_tokens, cached_share, residency)
    before = Given(tenants, rulebook, catalog, overlay, health, envelope, day(as_of).isoformat())
    after = before.after(changed)
    alone = markdown_to is not None and str(markdown_to) == "-"
    if alone and as_json:
        raise InputError("diff: --json and --markdown - both want standard output")
    if out is not None:
        check_results(out, [*before.files, *changed.files])
    if markdown_to is not None and not alone:
        _check_markdown(markdown_to, [*before.files, *changed.files, *([] if out is None else [out])])
    old, new, remarks = load_sides(before, after, changed, without)
    remarks.say()
    with progress("ranking", None, as_json) as step:
        found = impact((old.engine, old.fleet), (new.engine, new.fleet), k=k, tokens=tokens, on_progress=step)
    checks = [limit.check(found) for limit in limits]
    compared = difference(before, after, without)
    if out is not None:
        ids = {f"rulebook_id_{name}": side.rulebook.rulebook_id for name, side in (("before", old), ("after", new))}
        write_results(found.table.replace_schema_metadata({**(found.table.schema.metadata or {}), **ids}), out)
    if markdown_to is not None and not alone:
        write_text(markdown(found, compared, checks), markdown_to)
    if alone:
        typer.echo(markdown(found, compared, checks), nl=False)
    elif as_json:
        print_json({**_document(found, old, new, compared, checks), **asdict(remarks)})
    else:
        _print(found, compared, checks, out)
    exceeded = [check for check in checks if check.exceeded]
    for check in exceeded:
        note(f"limit exceeded: {check.words} ({option_of(check)})")
    if exceeded:
        raise typer.Exit(1)


def _parsed(name: str, text: str) -> Limit:
    try:
        return Limit.parse(name, text)
    except RequestError as error:
        raise InputError(f"--max-{name}: {error}") from None


def _print(found: Impact, compared: Sequence[tuple[str, str, str]], checks: Sequence[Check], out: Path | None) -> None:
    screen = console()

    def say(text: str) -> None:
        screen.print(text, markup=False, highlight=False, soft_wrap=True)

    for what, before, after in compared:
        say(f"{what}: {before} → {after}")
    say(headline(found))
    for section in (counts_section(found), *sections(found, _SHOWN)):
        screen.print(_table(section))
    say(cost_words(found))
    if checks and not any(check.exceeded for check in checks):
        say("all limits are kept" if len(checks) > 1 else "the limit is kept")
    if out is not None:
        say(f"every tenant's row written to {out}")


def _table(section: Section) -> Any:
    return table(section.heading, section.columns, section.rows, section.numbers)


def _document(
    found: Impact, old: Loaded, new: Loaded, compared: Sequence[tuple[str, str, str]], checks: Sequence[Check]
) -> dict[str, Any]:
    return {
        "before": {**old.engine.provenance, "rulebook_id": old.rulebook.rulebook_id},
        "after": {**new.engine.provenance, "rulebook_id": new.rulebook.rulebook_id},
        "changed": [{"what": what, "before": one, "after": other} for what, one, other in compared],
        "headline": headline(found),
        "k": found.k,
        "tokens": asdict(found.tokens),
        "counts": asdict(found.counts),
        "cost": {**asdict(found.cost), "percent": found.cost.percent},
        "moves": [asdict(move) for move in found.moves[:_LISTED]],
        "reasons": [asdict(reason) for reason in found.reasons[:_LISTED]],
        "stranded": [asdict(reason) for reason in found.stranded[:_LISTED]],
        "one_left": [asdict(reason) for reason in found.one_left[:_LISTED]],
        "refused": [asdict(reason) for reason in found.refused[:_LISTED]],
        "rule_sets": [asdict(group) for group in found.rule_sets[:_LISTED]],
        "limits": [{"option": option_of(check), "exceeded": check.exceeded, "words": check.words} for check in checks],
        "within_limits": not any(check.exceeded for check in checks),
    }


def _check_markdown(path: Path, others: Sequence[Path]) -> None:
    """Refuse a path that cannot be written to, or that is read or written as something else."""
    if path.is_dir():
        raise InputError(f"{path}: cannot be written: it is a folder")
    for other in others:
        if path.absolute() == other.absolute() or (path.exists() and other.exists() and path.samefile(other)):
            raise InputError(f"{path}: is read or written as well, and would be replaced")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
