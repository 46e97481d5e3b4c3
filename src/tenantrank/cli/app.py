"""The `tenantrank` command: what it offers, and how a failure leaves it.

Exit code 0: done. 1: done, and the answer is a no: a conformance case failed, a benchmark met a wrong answer, a
recorded decision was replayed differently, a trace does not verify, a change exceeds a limit of ``diff``, or with
``tenants --strict`` a tenant was refused or has no offer, or with ``lint --strict`` there is a warning. 2: bad input,
or an output that cannot be written; stderr says what, one line a fault. 130: interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

import tenantrank
from tenantrank.cli.commands import COMMANDS, exit_codes, load
from tenantrank.errors import TenantrankError

FAILED = 2
INTERRUPTED = 130


class _Later(TyperCommand):
    """A command of which only the name and the help are known, until it is called."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return load(self.name or "").make_context(info_name, args, parent, **extra)


class _Commands(TyperGroup):
    """The commands of `tenantrank`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, text in COMMANDS.items():
            self.add_command(_Later(name, help=text))


app = typer.Typer(
    cls=_Commands,
    help="Rank every model for every tenant, and prove which rule decided.",
    epilog=exit_codes("done, and the answer is a no, as the command's help says"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    if sys.stdout is None:
        _say("standard output is closed")
        sys.exit(FAILED)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it lasts as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Standard error does not fail on what its encoding lacks; standard output would.
        sys.stdout.reconfigure(errors="replace")
    code = _run()
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _failed_output(error) or code
    sys.exit(code)


def _run() -> int:
    """Run the command line, say what failed, and give the exit code."""
    try:
        app()
    except SystemExit as ended:
        return _exit_code(ended)
    except TenantrankError as error:
        _say(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        _say("not enough memory")
    except OSError as error:
        return _failed_output(error)
    return FAILED


def _exit_code(ended: SystemExit) -> int:
    """Give the exit code of a run that the option parser ended; it takes a broken pipe and an interruption itself."""
    cause: BaseException | None = ended
    while cause is not None:
        if isinstance(cause, BrokenPipeError):
            return _failed_output(cause)
        if isinstance(cause, KeyboardInterrupt):
            return INTERRUPTED
        cause = cause.__context__
    return ended.code if isinstance(ended.code, int) else 0


def _failed_output(error: OSError) -> int:
    """Say that output failed, leaving nothing for the interpreter to flush, and give the exit code."""
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        # The reader has gone, as `| head` does.
        return 0
    place = "the output" if error.filename is None else error.filename
    _say(f"{place}: {error.strerror or error}")
    return FAILED


def _say(text: str) -> None:
    from tenantrank.cli.output import errors  # what it takes is imported by most commands, and not for help

    # Nobody is left to tell where this fails too.
    with suppress(OSError):
        errors.print(f"tenantrank: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
