"""Content beside the records, under an id: catalogs, health states, rulebooks, policies. Each is kept once.

A note in the chain holds the sha256 of every snapshot's bytes, so that a snapshot is as hard to alter as a record.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tenantrank.errors import TraceError
from tenantrank.trace.layout import Connection
from tenantrank.trace.rows import Reference

Snapshot = tuple[str, str, Callable[[], bytes]]
"""Kind, id, and what makes the bytes where the store does not have them."""

_QUICK = 1  # of zlib's levels: it runs on the thread that makes records durable


@dataclass(frozen=True, slots=True)
class Content:
    """A snapshot made ready to be written."""

    kind: str
    id: str
    sha256: bytes
    size: int
    data: bytes

    def note(self) -> dict[str, Any]:
        """Give the record that binds it into the chain."""
        return snapshot_note(self.kind, self.id, self.sha256, self.size)


def snapshot_note(kind: str, id: str, sha256: bytes, size: int) -> dict[str, Any]:
    """Give a record that says what the bytes of a snapshot are."""
    return {
        "kind": "note",
        "what": "snapshot",
        "snapshot": {"kind": kind, "id": id, "sha256": sha256.hex(), "size": size},
    }


def noted(record: Mapping[str, Any]) -> tuple[Reference, str] | None:
    """Give the snapshot that a record is the note of, with the sha256 in hex, or ``None``."""
    if record.get("kind") != "note" or record.get("what") != "snapshot":
        return None
    snapshot = record.get("snapshot")
    if not isinstance(snapshot, Mapping):
        return None
    return (str(snapshot.get("kind")), str(snapshot.get("id"))), str(snapshot.get("sha256"))


def make_content(snapshot: Snapshot) -> Content:
    """Make a snapshot's bytes.

    Raises
    ------
    TraceError
        ``refused``: they could not be made
    """
    kind, id, make = snapshot
    try:
        raw = make()
        return Content(kind, id, hashlib.sha256(raw).digest(), len(raw), zlib.compress(raw, _QUICK))
    except TraceError:
        raise
    except Exception as error:
        raise TraceError(f"the {kind} snapshot {id} could not be made: {error}") from error


def find_reference(connection: Connection, kind: str, id: str) -> int | None:
    """Give the row of a snapshot, or ``None``."""
    row = connection.execute("SELECT ref FROM snapshots WHERE kind = ? AND id = ?", (kind, id)).fetchone()
    return None if row is None else int(row[0])


def read_content(connection: Connection, kind: str, id: str) -> bytes:
    """Give a snapshot's bytes, checked against the sha256 beside them.

    Raises
    ------
    TraceError
        ``missing``, or ``unreadable`` where they are damaged
    """
    sql = "SELECT sha256, size, data FROM snapshots JOIN contents USING(ref) WHERE kind = ? AND id = ?"
    row = connection.execute(sql, (kind, id)).fetchone()
    if row is None:
        raise TraceError(f"the trace has no {kind} snapshot {id}", "missing")
    data = unpacked(row[2], row[1])
    if data is None or hashlib.sha256(data).digest() != row[0]:
        raise TraceError(f"the {kind} snapshot {id} is damaged", "unreadable")
    return data


def unpacked(data: Any, size: Any) -> bytes | None:
    """Give the bytes that were compressed, or ``None`` where they are not the compressed form of so many."""
    if not isinstance(data, bytes) or not isinstance(size, int) or size < 0:
        return None
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(data, size + 1)
    except zlib.error:
        return None
    return raw if len(raw) == size and unpacker.eof and not unpacker.unused_data else None


def insert_content(connection: Connection, ref: int, content: Content, note: int) -> None:
    """Write a snapshot and the number of its note; part of the caller's transaction."""
    connection.execute(
        "INSERT INTO snapshots(ref, kind, id, sha256, size, note, used) VALUES(?, ?, ?, ?, ?, ?, ?)",
        (ref, content.kind, content.id, content.sha256, content.size, note, note),
    )
    connection.execute("INSERT INTO contents(ref, data) VALUES(?, ?)", (ref, content.data))
