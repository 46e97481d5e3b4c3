"""The `tenantrank` command: what it offers, and how a failure leaves it.

Exit code 0: done. 1: done, and the answer is a no (a conformance case failed). 2: bad input, one line on stderr says
what.
"""

from __future__ import annotations

import os
import sys

import typer

import tenantrank
from tenantrank.cli import catalog, conform, explain, rank, tenants
from tenantrank.cli.output import errors
from tenantrank.errors import TenantrankError

BAD_INPUT = 2

app = typer.Typer(
    help="Rank every model for every tenant, and prove which rule decided.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("rank")(rank.rank)
app.command("tenants")(tenants.tenants)
app.command("explain")(explain.explain)
app.add_typer(catalog.app, name="catalog")
app.command("conform")(conform.conform)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tenantrank {tenantrank.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
) -> None:
    pass


def main() -> None:
    """Run the command line and exit."""
    try:
        app()
    except TenantrankError as error:
        errors.print(f"tenantrank: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(BAD_INPUT)
    except BrokenPipeError:
        # The reader has gone, as `| head` does; leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
