"""What the commands print: tables for people, JSON for machines, progress only on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tenantrank.report.markup import printable

_PLAIN_WIDTH = 140


class _Screen(Console):
    """A console that writes out what would steer a terminal: names come from tables and catalogs of others."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(_told(each) if isinstance(each, str) else each for each in objects), **options)


errors = _Screen(stderr=True)
"""Where messages go."""


def console() -> Console:
    """Give the console of standard output; where that is no terminal, of a fixed width or as wide as COLUMNS says."""
    told = os.environ.get("COLUMNS", "").isdigit()
    return _Screen() if told or sys.stdout.isatty() else _Screen(width=_PLAIN_WIDTH)


def print_json(value: Any) -> None:
    """Print one JSON value on one line, with escapes where the output's encoding is not one of Unicode."""
    encoding = sys.stdout.encoding or "utf-8"
    print(json_text(value, ascii_only=not encoding.lower().startswith("utf")))


def json_text(value: Any, *, ascii_only: bool = False) -> str:
    """Give a value as JSON on one line; NaN and infinities, which JSON lacks, as null."""
    return json.dumps(_finite(value), ensure_ascii=ascii_only, default=str, allow_nan=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[str] = ()) -> Table:
    """Make a table; the columns named in ``numbers`` are set to the right, and ``None`` shows as a dash."""
    # As text: a name from a catalog or a table of tenants may look like markup.
    made = Table(title=Text(printable(title)), title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


@contextmanager
def progress(label: str, total: int | None, quiet: bool = False) -> Iterator[Any]:
    """Show a bar on stderr while something runs, if that is a terminal; gives a function that takes steps done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=quiet or not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done, of=None: bar.update(task, advance=done, total=of if of is not None else total)


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Show on stderr, if that is a terminal, that something takes its time."""
    if not sys.stderr.isatty():
        yield
        return
    with errors.status(label):
        yield


def note(text: str) -> None:
    """Print a remark on stderr."""
    errors.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("–")
    return Text(f"{value:.6g}" if isinstance(value, float) else printable(str(value)))


def _told(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
