"""What several commands read: the catalog with its overlay, JSON documents, the day, and the options that name them."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantrank.catalog import Catalog
from tenantrank.cli.output import note
from tenantrank.engine import Engine
from tenantrank.errors import TenantrankError


class InputError(TenantrankError):
    """A file or an option given on the command line cannot be used."""


CatalogOption = Annotated[
    Path | None, typer.Option("--catalog", help="Catalog file; the bundled snapshot unless given.", show_default=False)
]
OverlayOption = Annotated[
    Path | None, typer.Option("--overlay", help="The operator's attestations (YAML or JSON).", show_default=False)
]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="YYYY-MM-DD", help="The day to judge by; today unless given.")
]
HealthOption = Annotated[Path | None, typer.Option("--health", help="Live state (JSON).", show_default=False)]
EnvelopeOption = Annotated[
    Path | None, typer.Option("--envelope", help="The operator's own condition (JSON), and-ed onto every policy.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def day(given: str | None) -> date:
    """Read the day given on the command line, or take today."""
    if given is None:
        return date.today()
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise InputError(f"--as-of must be a day as YYYY-MM-DD, got {given!r}") from None


def load_catalog(path: Path | None, overlay: Path | None, as_of: str | None, quiet: bool = False) -> Catalog:
    """Load a catalog, or the bundled one, and apply an overlay; its warnings go to stderr."""
    today = day(as_of)
    catalog = Catalog.bundled(today) if path is None else Catalog.load(path, as_of=today)
    if overlay is not None:
        catalog = catalog.with_overlay(overlay, today)
    if not quiet:
        for warning in catalog.warnings:
            note(f"warning: {warning}")
    return catalog


def make_engine(catalog: Catalog, health: Path | None, envelope: Path | None) -> Engine:
    """Make an engine over a catalog with what the files hold."""
    condition = None if envelope is None else read_bytes(envelope)
    return Engine(catalog, None if health is None else read_json(health), condition)


def read_bytes(path: Path) -> bytes:
    """Read a file, or standard input for ``-``."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def read_json(path: Path) -> Any:
    """Read a JSON document."""
    try:
        return json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}") from None
