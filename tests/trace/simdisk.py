"""A disk that forgets: it keeps what was synced, and of the rest what the test decides.

`SimDisk` stands where `tenantrank.trace.layout.Disk` does. SQLite's calls go through a VFS that writes each down, and
then on to real files, which play the page cache. `Image` replays what was written down: at any point it gives what a
machine that lost its power there would find.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from tenantrank.trace.layout import Disk

_NUMBERS = itertools.count()


class Op(NamedTuple):
    """A call: ``write``, ``truncate``, ``sync``, ``lost`` (a sync that failed), ``delete``, ``names`` (of a folder), or
    ``ack``, which the test puts in."""

    what: str
    name: str
    at: int = 0
    data: bytes = b""


Fault = Callable[[str, str, "bytes | None"], "Exception | int | None"]
"""Given a call, the file's name and what is to be written: an error to raise; for a write, how many bytes to write
before the error that a full disk gives; or ``None``."""


class SimDisk(Disk):
    """Connections through a VFS of its own; ``log`` is what was done, in order."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.log: list[Op] = []
        self.fault = fault
        self.vfs = _Vfs(f"sim{next(_NUMBERS)}", self)

    def connect(self, path: str, *, readonly: bool = False, wait: float = 5.0) -> Any:
        flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        connection = _Connection(path, flags, vfs=self.vfs.name)
        connection.set_busy_timeout(int(wait * 1000))
        return connection

    def sync_directory(self, path: str) -> None:
        self.call("names", "")

    def call(self, what: str, name: str, at: int = 0, data: bytes = b"") -> int | None:
        """Write a call down, or give the error that the test wants in its place."""
        fault = self.fault and self.fault(what, name, data if what == "write" else None)
        if isinstance(fault, Exception):
            if what == "sync":
                self.log.append(Op("lost", name))
            raise fault
        if fault is not None:
            data = data[:fault]
        self.log.append(Op(what, name, at, bytes(data)))
        return fault


class _Connection(apsw.Connection):
    def close(self, force: bool = False) -> None:
        # As the one of the standard library, which keeps what SQLite says at the end to itself.
        with contextlib.suppress(Exception):
            super().close(force)


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: SimDisk) -> None:
        self.name, self.disk = name, disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _File(self.disk, name, flags, Path(path).name)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        self.disk.call("delete", Path(name).name)
        super().xDelete(name, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: SimDisk, name: Any, flags: list[int], short: str) -> None:
        self.disk, self.short = disk, short
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        written = self.disk.call("write", self.short, offset, data)
        if written is None:
            return super().xWrite(data, offset)
        if written:
            super().xWrite(bytes(data[:written]), offset)
        raise apsw.FullError("no space left")

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.call("sync", self.short)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.call("truncate", self.short, size)
        super().xTruncate(size)


class Image:
    """What is on the disk for certain, and what may be, after some of the calls."""

    def __init__(self) -> None:
        self.durable: dict[str, bytearray] = {}
        self.pending: dict[str, list[Op]] = {}
        self.acknowledged = 0

    def apply(self, op: Op) -> None:
        """Take in the next call."""
        if op.what == "ack":
            self.acknowledged = op.at
        elif op.what == "sync":
            file = self.durable.setdefault(op.name, bytearray())
            for each in self.pending.pop(op.name, ()):
                _do(file, each)
        elif op.what == "lost":
            # What a failed sync leaves is marked clean: it is read back as written, and never reaches the disk.
            self.pending.pop(op.name, None)
        elif op.what == "delete":
            self.pending.pop(op.name, None)
            self.durable.pop(op.name, None)
        elif op.what in ("write", "truncate"):
            self.pending.setdefault(op.name, []).append(op)

    def after_a_crash(self, keep: Callable[[list[Op]], Iterator[Op]]) -> dict[str, bytes]:
        """Give all files; `keep` says what of a file's unsynced calls reached the disk."""
        files = {}
        for name in {*self.durable, *self.pending}:
            kept = list(keep(self.pending.get(name, [])))
            if name in self.durable or kept:
                file = bytearray(self.durable.get(name, b""))
                for op in kept:
                    _do(file, op)
                files[name] = bytes(file)
        return files


def _do(file: bytearray, op: Op) -> None:
    if op.what == "truncate":
        del file[op.at :]
    else:
        end = op.at + len(op.data)
        if len(file) < end:
            file.extend(bytes(end - len(file)))
        file[op.at : end] = op.data


def nothing(pending: list[Op]) -> Iterator[Op]:
    """Nothing that was not synced reached the disk."""
    return iter(())


def everything(pending: list[Op]) -> Iterator[Op]:
    """All of it did."""
    return iter(pending)


def torn(choice: random.Random) -> Callable[[list[Op]], Iterator[Op]]:
    """All of it did in order up to somewhere within one write."""

    def keep(pending: list[Op]) -> Iterator[Op]:
        until = choice.randrange(len(pending) + 1)
        yield from pending[:until]
        if until < len(pending):
            op = pending[until]
            yield op._replace(data=op.data[: choice.randrange(len(op.data) + 1)]) if op.what == "write" else op

    return keep


def reordered(choice: random.Random) -> Callable[[list[Op]], Iterator[Op]]:
    """Any of it did, as disks write in an order of their own; single writes may be torn, too."""

    def keep(pending: list[Op]) -> Iterator[Op]:
        for op in pending:
            if choice.random() < 0.5:
                cut = op.what == "write" and choice.random() < 0.3
                yield op._replace(data=op.data[: choice.randrange(len(op.data) + 1)]) if cut else op

    return keep


def placed(files: dict[str, bytes], folder: Path) -> Path:
    """Put files into a folder, where there is nothing else then; give the store's path."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / "trace.db"


def fast_folder(tmp_path: Path) -> Path:
    """Give a folder where syncing is free, if there is one: what is tested there is not the real disk."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        folder = memory / f"tenantrank-{os.getpid()}-{next(_NUMBERS)}"
        folder.mkdir()
        return folder
    return tmp_path
