"""What several commands read: the catalog with its overlay, JSON documents, the day, and the options that name them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenantrank.catalog import Catalog
from tenantrank.catalog.health import Health
from tenantrank.cli.output import note, waiting
from tenantrank.engine import Engine, Request, is_warm, warm
from tenantrank.errors import InputError, TenantrankError
from tenantrank.policy import strict_json
from tenantrank.tenants.nearest import hint

if TYPE_CHECKING:
    from tenantrank.tenants import CompiledPolicy, Fleet

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

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def day(given: str | None) -> date:
    """Read the day given on the command line, or take today."""
    if given is None:
        return date.today()
    try:
        if _DAY.fullmatch(given):
            return date.fromisoformat(given)
    except ValueError:
        pass
    raise InputError(f"--as-of must be a day as YYYY-MM-DD, got {given!r}")


def load_catalog(path: Path | None, overlay: Path | None, as_of: str | None) -> Catalog:
    """Load a catalog, or the bundled one, and apply an overlay; its warnings go to stderr."""
    today = day(as_of)
    catalog = Catalog.bundled(today) if path is None else Catalog.load(path, as_of=today)
    if overlay is not None:
        catalog = catalog.with_overlay(overlay, today)
    for warning in catalog.warnings:
        note(f"warning: {warning}")
    return catalog


def policy_of_tenant(tenant: str, fleet: Fleet) -> CompiledPolicy:
    """Give one tenant's policy; an unknown one is refused with the nearest, one without a policy with the reason."""
    if tenant not in fleet.tenants:
        raise InputError(f"no tenant {tenant!r} in the table{hint(tenant, fleet.tenants)}")
    row = fleet.tenants.index(tenant)
    compiled = fleet.compiled(row)
    if compiled is None:
        error = next(error for error in fleet.errors if error.row == row)
        raise InputError(f"tenant {tenant!r} has no policy: {error.message}")
    return compiled


def note_unknown(names: Mapping[str, str]) -> None:
    """Say on stderr which names of policies no offer has, each with the nearest name that one has."""
    for name, nearest in names.items():
        note(f"warning: no offer has the name {name!r}" + (f"; did you mean {nearest!r}?" if nearest else ""))


def make_engine(catalog: Catalog, health: Path | None, envelope: Path | None) -> Engine:
    """Make an engine over a catalog with what the files hold; where kernels have to be compiled first, say so."""
    if not is_warm():
        with waiting("compiling kernels: up to half a minute, once for this version on this machine …"):
            warm()
    state, condition = None, None
    if health is not None:
        with blaming("--health", health):
            state = Health.of(_record(read_bytes(health)))
    if envelope is None:
        return Engine(catalog, state)
    with blaming("--envelope", envelope):
        condition = read_bytes(envelope)
        return Engine(catalog, state, condition)


def read_request(path: Path | None) -> Request | None:
    """Read the request that a file holds."""
    if path is None:
        return None
    with blaming("--request", path):
        return Request.of(_record(read_bytes(path)))


@contextmanager
def blaming(*place: object) -> Iterator[None]:
    """Name the option or file behind a refusal whose message does not."""
    try:
        yield
    except TenantrankError as error:
        name = " ".join("standard input" if str(part) == "-" else str(part) for part in place)
        raise InputError(f"{name}: {error}") from error


def read_bytes(path: Path) -> bytes:
    """Read a file, or standard input for ``-``."""
    try:
        if str(path) != "-":
            return path.read_bytes()
        if sys.stdin is None:
            raise InputError("is closed")
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InputError(error.strerror or str(error)) from None


def _record(text: bytes) -> Any:
    """Read a JSON object; an empty list may stand for an empty one, as in the language."""
    try:
        value = strict_json.loads(text)
    except ValueError as error:
        raise InputError(str(error)) from None
    if not isinstance(value, Mapping) and value != []:
        kinds = {type(None): "null", bool: "a boolean", str: "a string", list: "a list"}
        raise InputError(f"expected an object, got {kinds.get(type(value), 'a number')}")
    return value
