"""A disk that is full or broken, at every single call: the store says so, stops, and loses nothing it acknowledged."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("apsw", reason="the disk is simulated through apsw, which is not installed")
import apsw

from tenantrank.errors import TraceError
from tenantrank.trace import ledger
from tenantrank.trace.store import Reader
from tenantrank.trace.verify import verify
from tests.trace.making import SIGNER, decision, opened
from tests.trace.simdisk import SimDisk, fast_folder

LONG = os.environ.get("TENANTRANK_LONG") == "1"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = fast_folder(tmp_path)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_COMMITS", 3)


class _Nth:
    """Lets the nth call of a sort fail, and all after it as long as it is told to."""

    def __init__(self, what: str, error: object, nth: int, *, once: bool = False) -> None:
        self.what, self.error, self.nth, self.once = what, error, nth, once
        self.seen, self.struck, self.on = 0, False, True

    def __call__(self, what: str, name: str, data: bytes | None) -> object:
        if what != self.what or not self.on:
            return None
        self.seen += 1
        if self.seen < self.nth or (self.once and self.struck):
            return None
        self.struck = True
        if self.error == "short":
            return len(data or b"") // 2
        return self.error


ERRORS = {
    "ENOSPC": ("write", apsw.FullError("no space left")),
    "EIO on write": ("write", apsw.IOError("disk I/O error")),
    "short write": ("write", "short"),
    "EIO on sync": ("sync", apsw.IOError("disk I/O error")),
    "EIO on truncate": ("truncate", apsw.IOError("disk I/O error")),
    "EIO on unlink": ("delete", apsw.IOError("disk I/O error")),
}


def _work(path: Path, disk: SimDisk, fault: _Nth) -> tuple[list[int], TraceError | None]:
    """Open, write one record after the other, close; give what was acknowledged and what stopped it."""
    acknowledged: list[int] = []
    try:
        with opened(path, disk=disk, checkpoint_every=5) as store:
            stopped = None
            for number in range(12):
                try:
                    acknowledged += store.append([decision(number)])
                except TraceError as error:
                    stopped = stopped or error
                else:
                    assert stopped is None, "acknowledged after a failure"
            if stopped is not None:
                assert store.failure is not None
                assert stopped.why == "failed"
                for late in (lambda: store.submit(decision(99)), lambda: store.post(decision(99)), store.checkpoint):
                    with pytest.raises(TraceError) as caught:
                        late()
                    assert caught.value.why == "failed"
            fault.on = stopped is None  # A broken disk stays broken; letting go of the files is not what is tested.
    except TraceError as error:
        return acknowledged, error
    return acknowledged, None


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("once", [False, True], ids=["from then on", "once"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_at_every_call(folder: Path, name: str, once: bool) -> None:
    what, error = ERRORS[name]
    nth, struck, stopped, stride = 1, 0, 0, 1 if LONG or what != "write" else 5
    while True:
        run = folder / f"{nth}"
        run.mkdir()
        path = run / "trace.db"
        fault = _Nth(what, error, nth, once=once)
        acknowledged, why = _work(path, SimDisk(fault), fault)
        struck += fault.struck
        stopped += why is not None
        if why is None:
            assert len(acknowledged) == 12
        _is_whole(path, acknowledged)
        shutil.rmtree(run)
        if not fault.struck:
            break
        nth += stride
    assert struck > (1 if what in ("truncate", "delete") else 10)
    if what in ("write", "sync"):
        assert stopped > 10


def _is_whole(path: Path, acknowledged: list[int]) -> None:
    """Open again on a disk that works: everything acknowledged is there, and the log goes on."""
    with opened(path, disk=SimDisk()) as store:
        last = store.head()[0]
        assert last >= len(acknowledged)
        ids = [stored.record["id"] for stored in store.records()]
        assert ids == [f"tr_{number:04}" for number in range(last)]
        report = verify(store, (), SIGNER.public_key)
        assert report.ok, report.problems
        assert store.append([decision(1000)]) == [last + 1]


def test_what_waits_when_the_disk_fails_is_told(folder: Path) -> None:
    gate = threading.Event()
    fault = _Nth("sync", apsw.IOError("disk I/O error"), 1)
    fault.on = False
    store = opened(folder / "trace.db", disk=SimDisk(fault))

    def slow() -> dict:
        gate.wait()
        return decision(0)

    first = store.submit(slow)
    futures = [store.submit(decision(number)) for number in range(1, 3000)]
    store.post(decision(3000))
    snapshot = store.put_snapshot("health", "h", lambda: b"1")
    fault.on = True
    gate.set()
    for future in (first, *futures, snapshot):
        with pytest.raises(TraceError) as caught:
            future.result(timeout=10)
        assert caught.value.why == "failed"
    with pytest.raises(TraceError, match="1 records that nobody waited for"):
        store.flush()
    fault.on = False
    with pytest.raises(TraceError, match="takes nothing until it is opened again"):
        store.close()
    with opened(folder / "trace.db") as again:
        assert again.append([decision(1)]) == [again.head()[0]]


def test_a_disk_that_is_slow_holds_up_nobody_for_ever_and_drops_nothing(folder: Path) -> None:
    def slow(what: str, name: str, data: bytes | None) -> None:
        if what == "sync":
            time.sleep(0.05)

    with opened(folder / "trace.db", disk=SimDisk(slow), max_pending=50) as store:
        taken, refused = [], 0
        for number in range(400):
            try:
                taken.append((number, store.submit(decision(number))))
            except TraceError as error:
                refused += error.why == "full"
                time.sleep(0.001)
        assert refused
        for number, future in taken:
            assert store.get(future.result(timeout=10)).record["id"] == f"tr_{number:04}"
        assert store.head()[0] == len(taken)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    path = tmp_path / "trace.db"
    with opened(path) as store:
        store.append([decision(1)])
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(TraceError):
            opened(path)
        with Reader.open(path) as reader:
            assert verify(reader).ok
    finally:
        tmp_path.chmod(0o755)
