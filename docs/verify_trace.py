"""Verify a trace, from the description of its format alone: ``python verify_trace.py STORE [CHECKPOINTS] [--key HEX]``.

This is a second reading of docs/trace.md: it imports nothing of the package, only the standard library and
`cryptography`. It checks the chain, the signatures and the snapshots, and prints a line for each thing that is wrong.
The exit code is 0 for a log that is whole, 1 for one that is not, 2 for what cannot be read at all.
"""

import argparse
import hashlib
import json
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = b"tenantrank-trace/1"
Problem = tuple[str, int | None, str]


def sized(data: bytes) -> bytes:
    """Put the length of some bytes before them."""
    return len(data).to_bytes(8, "big") + data


def record_hash(before: bytes, body: bytes) -> bytes:
    """Give the hash of a record's text that follows a hash."""
    return hashlib.sha256(VERSION + b"\0record\0" + sized(before) + sized(body)).digest()


def statement(kind: bytes, body: bytes, signature: bytes, key: bytes | None, log: bytes) -> dict[str, Any]:
    """Read what was signed; raise `ValueError` where it is not signed by the key, for this log."""
    value = json.loads(body)
    if value["v"] != VERSION.decode() or value["kind"] != kind.decode() or canonical(value) != body:
        raise ValueError(f"is no {kind.decode()}")
    if key is not None and value["key"] != key.hex():
        raise ValueError("is signed by another key")
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(value["key"]))
        public.verify(signature, VERSION + b"\0" + kind + b"\0" + sized(body))
    except InvalidSignature:
        raise ValueError("has a false signature") from None
    if value["log"] != log.hex():
        raise ValueError(f"is about the log {value['log']}")
    return dict(value)


def canonical(value: Any) -> bytes:
    """Write a JSON value in its canonical form."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def outside(path: str | None) -> list[tuple[bytes, bytes]]:
    """Read checkpoints that were kept elsewhere: body and signature of each."""
    found = []
    for line in Path(path).read_bytes().split(b"\n") if path else ():
        if line:
            value = json.loads(line)
            found.append((value.pop("signature"), value))
    return [(canonical(value), bytes.fromhex(signature)) for signature, value in found]


def verify(store: str, checkpoints: str | None = None, key: bytes | None = None) -> Iterator[Problem]:
    """Give what is wrong with a log: sort, number of the record, and words."""
    connection = sqlite3.connect(f"{Path(store).absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("BEGIN")
        yield from verify_connection(connection, outside(checkpoints), key)
    finally:
        connection.close()


def verify_connection(
    connection: sqlite3.Connection, kept: list[tuple[bytes, bytes]], key: bytes | None
) -> Iterator[Problem]:
    """Give what is wrong with the log that a connection reads."""
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    log = meta["log"]
    if meta.get("format") != VERSION.decode():
        yield "unreadable", None, "this is not a trace of " + VERSION.decode()
    seq, before = 0, bytes(32) + log
    stubs = connection.execute("SELECT body, signature FROM stubs").fetchall()
    stored = connection.execute("SELECT body, signature, seq FROM checkpoints ORDER BY seq").fetchall()
    if key is None and (kept or stubs or stored):
        key = first_key([body for body, *_ in (*kept, *stubs, *stored)])
    for number, (body, signature) in enumerate(stubs):
        try:
            stub = statement(b"stub", body, signature, key, log)
            if number or stub["first"] != 1 or stub["count"] != stub["last"] or stub["prev"] != before.hex():
                raise ValueError("contradicts itself")
            seq, before = stub["last"], bytes.fromhex(stub["hash"])
        except (ValueError, KeyError, TypeError) as error:
            yield "stub", None, f"the stub {error}"
    removed, signed = seq, {seq: before} if seq else {}
    for body, signature, *place in (*kept, *stored):
        try:
            found = statement(b"checkpoint", body, signature, key, log)
            if place and place[0] != found["seq"]:
                raise ValueError(f"of {found['seq']} lies at {place[0]}")
            if (
                found["seq"] >= removed
                and signed.setdefault(found["seq"], bytes.fromhex(found["hash"])).hex() != found["hash"]
            ):
                yield "rewritten", found["seq"], f"two hashes are signed for record {found['seq']}"
        except (ValueError, KeyError, TypeError) as error:
            yield "checkpoint", place[0] if place else None, f"a checkpoint {error}"
    notes: dict[tuple[str, str], tuple[int, str]] = {}
    yield from chain(connection, seq, before, signed, notes)
    yield from snapshots(connection, notes)


def first_key(bodies: list[Any]) -> bytes | None:
    """Give the key that the first statement names, if it can be read."""
    try:
        return bytes.fromhex(json.loads(bodies[0])["key"])
    except (ValueError, KeyError, TypeError):
        return None


def chain(
    connection: sqlite3.Connection, seq: int, before: bytes | None, signed: dict[int, bytes], notes: dict[Any, Any]
) -> Iterator[Problem]:
    """Follow the chain, from each checkpoint anew."""
    first = seq + 1
    for number, digest, body in connection.execute("SELECT seq, hash, body FROM records ORDER BY seq"):
        if number <= seq:
            yield "stub", number, f"record {number} is there, though it is said to be removed"
            continue
        if number != seq + 1:
            yield "missing", seq + 1, f"records {seq + 1} to {number - 1} are missing"
            before = signed.get(number - 1)
        seq = number
        if not isinstance(body, bytes) or not isinstance(digest, bytes):
            yield "unreadable", seq, f"record {seq} cannot be read"
            before = signed.get(seq)
            continue
        if before is not None and record_hash(before, body) != digest:
            yield "edited", seq, f"record {seq} does not follow from record {seq - 1}"
        before = digest
        try:
            record = json.loads(body)
        except ValueError:
            yield "unreadable", seq, f"record {seq} is not JSON"
            record = {"seq": seq}
        if record.get("seq") != seq:
            yield "moved", seq, f"under number {seq} lies record {record.get('seq')}"
        if record.get("kind") == "note" and record.get("what") == "snapshot":
            snapshot = record["snapshot"]
            notes[snapshot["kind"], snapshot["id"]] = (seq, snapshot["sha256"])
        if seq in signed:
            if digest != signed[seq]:
                yield "rewritten", first, f"records {first} to {seq} do not lead to what was signed at {seq}"
            before, first = signed[seq], seq + 1
    if max(signed, default=0) > seq:
        yield "truncated", seq + 1, f"the log ends with record {seq}; {max(signed)} were signed for"


def snapshots(connection: sqlite3.Connection, notes: dict[Any, Any]) -> Iterator[Problem]:
    """Compare snapshots with the records that say what their bytes are."""
    for kind, id, data in connection.execute("SELECT kind, id, data FROM snapshots LEFT JOIN contents USING(ref)"):
        seq, sha256 = notes.pop((kind, id), (None, None))
        try:
            digest = hashlib.sha256(zlib.decompress(data)).hexdigest()
        except (zlib.error, TypeError):
            digest = ""
        if digest != sha256:
            yield "snapshot", seq, f"the {kind} snapshot {id} is not what a record says it is"
    for (kind, id), (seq, _) in notes.items():
        yield "snapshot", seq, f"the {kind} snapshot {id} is missing"


def main() -> int:
    """Verify what the command line names."""
    parser = argparse.ArgumentParser(description="Verify a trace.")
    parser.add_argument("store")
    parser.add_argument("checkpoints", nargs="?", help="a file of checkpoints that was kept elsewhere")
    parser.add_argument("--key", type=bytes.fromhex, help="the public key, 64 hex digits")
    given = parser.parse_args()
    try:
        problems = list(verify(given.store, given.checkpoints, given.key))
    except (sqlite3.Error, OSError, ValueError, KeyError) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    for what, seq, words in problems:
        print(f"{what}: {words}" if seq is None else f"{what} at {seq}: {words}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
