"""Signed statements about a log: how far it had come (a checkpoint), and what retention took away (the stub)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import canonical, parsed
from tenantrank.trace.chain import VERSION, statement_message
from tenantrank.trace.signing import Signer, signed_by

_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is common to both.

    Attributes
    ----------
    body : the canonical text that is signed; signature : its 64 bytes
    log : the log's id; key : the public key that signed, as the statement itself names it
    time : the moment, as in a record
    """

    body: bytes
    signature: bytes
    log: bytes
    key: bytes
    time: str

    def line(self) -> str:
        """Give the statement as one line of canonical JSON: its members, with ``signature`` among them."""
        return canonical({**parsed(self.body), "signature": self.signature.hex()}).decode()

    def is_signed(self, kind: str, public_key: bytes | None = None) -> bool:
        """Say whether it is signed by a key, or without one, by the key it names itself."""
        key = self.key if public_key is None else public_key
        return key == self.key and signed_by(key, statement_message(kind, self.body), self.signature)


@dataclass(frozen=True, slots=True)
class Checkpoint(Statement):
    """The record of a sequence number had this hash.

    Attributes
    ----------
    seq : of the last record it covers; hash : that record's, which covers all before
    """

    seq: int
    hash: bytes

    @classmethod
    def sign(cls, signer: Signer, log: bytes, seq: int, digest: bytes, time: str) -> Checkpoint:
        """Make a checkpoint."""
        body = {"hash": digest.hex(), "seq": seq}
        return cls(*_signed("checkpoint", signer, log, time, body), seq, digest)

    @classmethod
    def read(cls, body: bytes, signature: bytes) -> Checkpoint:
        """Read one as it is stored, without checking who signed it.

        Raises
        ------
        TraceError
            ``unreadable``
        """
        value = _members("checkpoint", body, {"hash", "seq"})
        common = (body, signature, _hex(value, "log", 16), _hex(value, "key", 32), value["time"])
        return cls(*common, _count(value, "seq"), _hex(value, "hash", 32))


@dataclass(frozen=True, slots=True)
class Stub(Statement):
    """Records were removed from the beginning of the log, by age. The chain goes on from the hash of the last of them.

    Attributes
    ----------
    first, last : sequence numbers of the records removed; count : how many that is
    before_first : what the first one's hash was linked to; hash : of the last one
    older_than : the moment that retention was asked to keep from
    """

    first: int
    last: int
    count: int
    before_first: bytes
    hash: bytes
    older_than: str

    @classmethod
    def sign(
        cls, signer: Signer, log: bytes, last: int, before_first: bytes, digest: bytes, older_than: str, time: str
    ) -> Stub:
        """Make a stub for all records up to a sequence number."""
        body = {"first": 1, "last": last, "count": last, "prev": before_first.hex(), "hash": digest.hex()}
        common = _signed("stub", signer, log, time, {**body, "before": older_than})
        return cls(*common, 1, last, last, before_first, digest, older_than)

    @classmethod
    def read(cls, body: bytes, signature: bytes) -> Stub:
        """Read it as it is stored, without checking who signed it.

        Raises
        ------
        TraceError
            ``unreadable``
        """
        value = _members("stub", body, {"first", "last", "count", "prev", "hash", "before"})
        common = (body, signature, _hex(value, "log", 16), _hex(value, "key", 32), value["time"])
        first, last, count = (_count(value, name) for name in ("first", "last", "count"))
        if not isinstance(value["before"], str) or first != 1 or count != last:
            raise TraceError("a stub contradicts itself", "unreadable")
        return cls(*common, first, last, count, _hex(value, "prev", 48), _hex(value, "hash", 32), value["before"])


def append_checkpoint(path: str | Path, checkpoint: Checkpoint, sync: Callable[[int], None]) -> None:
    """Add a checkpoint to a file of them, a line each; `sync` is such as `os.fsync`.

    Raises
    ------
    TraceError
        ``failed``: the file cannot be written
    """
    try:
        with open(path, "ab") as file:
            file.write(checkpoint.line().encode() + b"\n")
            file.flush()
            sync(file.fileno())
    except OSError as error:
        raise TraceError(f"cannot write the checkpoint to {path}: {error}", "failed") from error


def read_checkpoints(path: str | Path) -> list[Checkpoint]:
    """Read a file of checkpoints.

    Raises
    ------
    TraceError
        ``unreadable``, naming the line
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror}", "unreadable") from error
    return list(_read_lines(path, lines))


def checkpoint_of_line(line: bytes) -> Checkpoint:
    """Read one line of such a file.

    Raises
    ------
    TraceError
        ``unreadable``
    """
    value = parsed(line)
    signature = _hex(value, "signature", 64)
    if canonical(value) != line:
        raise TraceError("a checkpoint is not in canonical form", "unreadable")
    del value["signature"]
    return Checkpoint.read(canonical(value), signature)


def _read_lines(path: str | Path, lines: Iterable[bytes]) -> Iterable[Checkpoint]:
    for number, line in enumerate(lines, 1):
        if line:
            try:
                yield checkpoint_of_line(line)
            except TraceError as error:
                raise TraceError(f"{path}, line {number}: {error}", "unreadable") from error


def _signed(
    kind: str, signer: Signer, log: bytes, time: str, members: dict[str, Any]
) -> tuple[bytes, bytes, bytes, bytes, str]:
    key = signer.public_key
    body = canonical({"v": VERSION, "kind": kind, "log": log.hex(), "key": key.hex(), "time": time, **members})
    return body, signer.sign(statement_message(kind, body)), log, key, time


def _members(kind: str, body: bytes, names: set[str]) -> dict[str, Any]:
    value = parsed(body)
    if value.get("v") != VERSION or value.get("kind") != kind:
        raise TraceError(f"this is not a {kind} of {VERSION}", "unreadable")
    if set(value) != {"v", "kind", "log", "key", "time"} | names or not isinstance(value["time"], str):
        raise TraceError(f"a {kind} does not have the members it should have", "unreadable")
    return value


def _hex(value: dict[str, Any], name: str, size: int) -> bytes:
    text = value.get(name)
    if not isinstance(text, str) or len(text) != 2 * size or not _HEX.fullmatch(text):
        raise TraceError(f"{name} must be {2 * size} lower-case hex digits", "unreadable")
    return bytes.fromhex(text)


def _count(value: dict[str, Any], name: str) -> int:
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise TraceError(f"{name} must be a positive integer", "unreadable")
    return number
