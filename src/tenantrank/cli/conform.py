"""`tenantrank conform`: replay conformance vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantrank.cli.conformance import replay
from tenantrank.cli.inputs import JsonOption
from tenantrank.cli.output import print_json

_SHOWN = 20


def conform(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Vector files: .json, .jsonl, gzipped or not.")],
    as_json: JsonOption = False,
) -> None:
    """Replay conformance vectors; exit 1 on any failure."""
    reports = [replay(path) for path in files]
    passed = sum(report.passed for report in reports)
    failed = sum(len(report.failures) for report in reports)
    if as_json:
        print_json(
            {
                "passed": passed,
                "failed": failed,
                "files": [{"path": str(r.path), "passed": r.passed, "failures": r.failures} for r in reports],
            }
        )
    else:
        for report in reports:
            typer.echo(f"{report.path}: {report.passed} passed, {len(report.failures)} failed")
            for failure in report.failures[:_SHOWN]:
                typer.echo(f"  {failure}")
            if len(report.failures) > _SHOWN:
                typer.echo(f"  … and {len(report.failures) - _SHOWN} more")
        typer.echo(f"{passed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)
