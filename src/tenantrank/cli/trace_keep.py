"""`tenantrank trace verify`, `checkpoint`, `retain` and `key`: that a trace is what it was, and keeping it so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantrank.cli.inputs import JsonOption
from tenantrank.cli.output import console, note, print_json
from tenantrank.cli.trace_inputs import KeyOption, StoreOption, moment, reading
from tenantrank.errors import InputError

if TYPE_CHECKING:
    from tenantrank.trace.report import Report
    from tenantrank.trace.store import TraceStore


def verify(
    store: StoreOption,
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", help="Checkpoints that were kept elsewhere (see `checkpoint`).")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="The key that must have signed them (PEM or hex).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no record was changed, removed, added or moved, and name every place where one was.

    What was cut off after the last checkpoint kept elsewhere cannot be noticed, so keep those.
    """
    from tenantrank.trace.checkpoints import read_checkpoints
    from tenantrank.trace.signing import load_public_key
    from tenantrank.trace.verify import verify as verify_store

    kept = [] if checkpoints is None else read_checkpoints(checkpoints)
    key = None if public_key is None else load_public_key(public_key)
    with reading(store) as reader:
        found = verify_store(reader, kept, key)
    if as_json:
        print_json(found.to_json())
    else:
        for line in _lines(found):
            _say(line)
    if not found.ok:
        raise typer.Exit(1)


def checkpoint(
    store: StoreOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file that checkpoints are added to.")],
    sign_with: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the trace's checkpoints to a file, to be kept where whoever has the trace cannot write.

    With --key, one of the head of the trace is made first, which needs that no other process has it open for writing.
    """
    from tenantrank.trace.checkpoints import append_checkpoint, read_checkpoints

    if sign_with is not None:
        with _writing(store, sign_with) as opened:
            opened.checkpoint()
    with reading(store) as reader:
        found = reader.checkpoints()
    known = {kept.line() for kept in read_checkpoints(to)} if to.exists() else set()
    new = [each for each in found if each.line() not in known]
    for each in new:
        append_checkpoint(to, each, os.fsync)
    last = found[-1].seq if found else None
    if as_json:
        print_json({"added": len(new), "last": last, "path": str(to)})
    else:
        note(f"{len(new)} checkpoints added to {to}, the last of record {last}" if found else "there is no checkpoint")


def retain(
    store: StoreOption,
    before: Annotated[str, typer.Option("--before", metavar="TIME", help="Records older than this are removed.")],
    sign_with: Annotated[Path, typer.Option("--key", help="The private key that signs what is left (PEM).")],
    as_json: JsonOption = False,
) -> None:
    """Remove records by age, and leave one signed stub in their place, so that the rest still verifies."""
    since = moment("--before", before)
    assert since is not None
    with _writing(store, sign_with) as opened:
        stub = opened.retain(since)
    removed = 0 if stub is None else stub.count
    if as_json:
        print_json({"removed_in_all": removed, "last": None if stub is None else stub.last})
    else:
        note("nothing is that old" if stub is None else f"records up to {stub.last} are removed: {removed:,} in all")


def key(
    path: Annotated[Path, typer.Argument(help="Where the private key goes; the public one goes beside it as .pub.")],
    as_json: JsonOption = False,
) -> None:
    """Make a key that signs checkpoints. Keep the private one where the gateway alone can read it."""
    from tenantrank.trace.signing import Signer

    signer = Signer.generate(os.urandom)
    public = path.with_name(f"{path.name}.pub")
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(signer.pem())
        public.write_bytes(signer.public_pem())
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from None
    if as_json:
        print_json({"private": str(path), "public": str(public), "public_key": signer.public_key.hex()})
    else:
        note(f"private key: {path}; public key: {public}")


def _lines(found: Report) -> Iterator[str]:
    for problem in found.problems:
        place = "" if problem.seq is None else f"record {problem.seq}: "
        yield f"{problem.what}: {place}{problem.detail}"
    if found.count > len(found.problems):
        yield f"and {found.count - len(found.problems):,} more"
    whole = [segment for segment in found.segments if segment.ok]
    yield (
        f"{found.records:,} records, the last {found.last}; of {len(found.segments)} segments {len(whole)} are as they "
        f"were written, {sum(segment.signed for segment in whole)} of them signed at their end"
    )
    if found.removed:
        yield f"{found.removed:,} older records were removed by age"
    if not found.pinned:
        yield "no public key was given: who can write the trace could have signed it anew"
    if not found.outside:
        yield "no checkpoints kept elsewhere were given: a trace cut short would not be noticed"


def _writing(store: Path, sign_with: Path) -> TraceStore:
    from tenantrank.trace.signing import Signer
    from tenantrank.trace.store import TraceStore

    if not store.exists():
        raise InputError(f"{store}: there is no such trace")
    return TraceStore.open(store, wall=lambda: datetime.now(UTC), log_id_bits=os.urandom, signer=Signer.load(sign_with))


def _say(text: str) -> None:
    console().print(text, markup=False, highlight=False, soft_wrap=True)
