"""What the commands on a trace share: the options that name a store and a span of time, and opening the one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantrank.errors import InputError

if TYPE_CHECKING:
    from tenantrank.trace.reader import Reader

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="TENANTRANK_TRACE", metavar="FILE", help="The trace's file.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From this day or moment on (UTC unless it says a zone).")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this day or moment.")]
KeyOption = Annotated[Path | None, typer.Option("--key", help="The private key that signs (PEM).")]


def moment(option: str, given: str | None) -> datetime | None:
    """Read a day or a moment given on the command line; without a zone it is in UTC."""
    if given is None:
        return None
    try:
        read = datetime.fromisoformat(given)
    except ValueError:
        raise InputError(f"{option} must be a day or a moment as 2026-11-25T13:00:00, got {given!r}") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


@contextmanager
def reading(store: Path) -> Iterator[Reader]:
    """Open a trace for reading, which works while another process writes it."""
    from tenantrank.trace.reader import Reader

    with Reader.open(store) as reader:
        yield reader
