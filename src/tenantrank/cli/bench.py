"""`tenantrank bench`: measure the engine on this machine, beside other ways to do the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantrank.cli.output import console, errors, json_text, note, print_json
from tenantrank.errors import InputError

JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON; - for standard output.")
]


def bench(
    parts: Annotated[str, typer.Option(help="Parts to run, with commas between; all unless given.")] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Shrink every part to a few seconds; figures are rough.")
    ] = False,
    json_file: JsonFile = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page of tables and the plots into a folder.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides all work.", min=0, max=2**31)] = 1,
) -> None:
    """Time the engine against other ways to rank, on seeded work; nothing is timed that was not checked."""
    # Not at the top: other commands need none of this.
    from tenantrank.bench.optional import AbsentError
    from tenantrank.bench.report import write_report
    from tenantrank.bench.settings import Settings
    from tenantrank.bench.suite import chosen_parts, run_suite
    from tenantrank.bench.tables import losses, markdown

    names = chosen_parts([name.strip() for name in parts.split(",") if name.strip()])
    to_stdout = json_file is not None and str(json_file) == "-"
    _check_places(json_file, report)

    def step(text: str) -> None:
        if errors.is_terminal:
            errors.print(text, style="dim", markup=False, highlight=False)

    run = run_suite(names, Settings(quick, seed, step))
    if to_stdout:
        print_json(run.to_json())
    elif json_file is not None:
        json_file.write_text(json_text(run.to_json()) + "\n", encoding="utf-8")
    if report is not None:
        try:
            write_report(report, run)
        except AbsentError as error:
            note(f"no plots: {error}")
    for each in run.skipped:
        note(f"left out: {each.part}, {each.what}: {each.why}")
    for each in run.failures:
        note(f"failed: {each.part}, {each.what}: {each.why}")
    if not to_stdout:
        console().print(markdown(run), markup=False, highlight=False, soft_wrap=True)
        if found := losses(run):
            note(f"losses: {len(found)}; see the table")
    if run.failures:
        raise typer.Exit(1)


def _check_places(json_file: Path | None, report: Path | None) -> None:
    """Refuse what cannot be written before any work is done."""
    if json_file is not None and str(json_file) != "-":
        if json_file.is_dir():
            raise InputError(f"--json {json_file}: is a folder")
        if not json_file.parent.is_dir():
            raise InputError(f"--json {json_file}: there is no folder {json_file.parent}")
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"--report {report}: is not a folder")
