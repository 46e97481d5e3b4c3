"""Power loss at every write of a run: no acknowledged record is lost, and what is left is a beginning of the log."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("apsw", reason="the disk is simulated through apsw, which is not installed")
import apsw

from tenantrank.errors import TraceError
from tenantrank.trace import ledger
from tenantrank.trace.chain import beginning
from tenantrank.trace.store import TraceStore
from tenantrank.trace.verify import verify
from tests.trace.making import SIGNER, decision, opened
from tests.trace.simdisk import Image, Op, SimDisk, everything, fast_folder, nothing, placed, reordered, torn

LONG = os.environ.get("TENANTRANK_LONG") == "1"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = fast_folder(tmp_path)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the write-ahead log into the database many times in a short run."""
    monkeypatch.setattr(ledger, "_COMMITS", 6)


def _hashes(store: TraceStore) -> dict[int, bytes]:
    return {0: beginning(store.log_id)} | {stored.seq: stored.hash for stored in store.records()}


def _run(disk: SimDisk, path: Path, records: int, most: int, start: int = 0) -> dict[int, bytes]:
    """Write records in groups, noting each acknowledgement among the calls; give the hash of every record."""
    choice = random.Random(7)
    with opened(path, disk=disk, checkpoint_every=100) as store:
        number = start
        while number < start + records:
            count = min(choice.randint(1, most), start + records - number)
            seqs = store.append([decision(number + each) for each in range(count)])
            disk.log.append(Op("ack", "", seqs[-1]))
            number += count
            if choice.random() < 0.2:
                store.put_snapshot("health", f"h{number}", lambda number=number: b"%d" % number * 500).result()
                disk.log.append(Op("ack", "", store.head()[0]))
        return _hashes(store)


def _check(path: Path, acknowledged: int, hashes: dict[int, bytes], whole: bool) -> int:
    """Recover what a crash left; give the number of the last record."""
    if whole or not acknowledged:
        with opened(path, checkpoint_every=100) as store:
            seq, digest = store.head()
            assert seq >= acknowledged
            assert hashes[seq] == digest  # Which covers all before it.
            report = verify(store, (), SIGNER.public_key)
            assert report.ok, report.problems
            assert store.append([decision(99_999)]) == [seq + 1]
        return seq
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT seq, hash, count(*) OVER () FROM records ORDER BY seq DESC LIMIT 1").fetchone()
    seq, digest, count = row
    assert seq >= acknowledged
    assert hashes[seq] == digest
    assert count == seq
    return int(seq)


def test_a_crash_at_every_write_of_a_thousand_records(folder: Path) -> None:
    disk = SimDisk()
    (folder / "run").mkdir()
    hashes = _run(disk, folder / "run" / "trace.db", 1000, 40)
    choice = random.Random(11)
    ways = [nothing, torn(choice), reordered(choice), everything]
    image, crashes, beyond = Image(), 0, 0
    for number, op in enumerate(disk.log):
        image.apply(op)
        if op.what == "ack":
            continue
        # Each point in one of the ways, all ways in turn; with TENANTRANK_LONG each point in all of them, twice.
        for way in ways * 2 if LONG else [ways[number % 4]]:
            path = placed(image.after_a_crash(way), folder / "crash")
            seq = _check(path, image.acknowledged, hashes, number % 40 == 0)
            crashes += 1
            beyond += seq > image.acknowledged
    assert image.acknowledged >= 1000
    kinds = {op.what for op in disk.log}
    assert {"write", "sync", "truncate", "delete", "names"} <= kinds
    assert crashes > 1000
    assert beyond  # Some transactions survive that nobody was told of; those are never lost and found in part.
    print(f"\n{crashes} crashes over {len(disk.log)} calls; {beyond} kept more than was acknowledged")


def test_the_simulated_disk_would_notice_a_writer_that_does_not_sync(folder: Path) -> None:
    class Careless(SimDisk):
        def connect(self, path, **options):
            connection = super().connect(path, **options)

            class Wrapped:
                def __getattr__(self, name):
                    return getattr(connection, name)

                def execute(self, sql, *parameters):
                    done = connection.execute(sql, *parameters)
                    if sql == "PRAGMA synchronous" and not options.get("readonly"):
                        answer = done.fetchall()
                        connection.execute("PRAGMA synchronous=NORMAL")
                        return Rows(answer)
                    return done

            return Wrapped()

    class Rows(list):
        def fetchone(self):
            return self[0]

    disk = Careless()
    (folder / "run").mkdir()
    hashes = _run(disk, folder / "run" / "trace.db", 200, 20)
    image, lost = Image(), 0
    for op in disk.log:
        image.apply(op)
        if op.what == "ack":
            path = placed(image.after_a_crash(nothing), folder / "crash")
            try:
                _check(path, image.acknowledged, hashes, whole=False)
            except (AssertionError, TypeError, sqlite3.OperationalError):
                lost += 1
    assert lost > 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # where SQLite goes on without it
@pytest.mark.parametrize("failing", ["trace.db-wal", "trace.db"])
def test_after_a_failed_sync_what_the_cache_shows_is_not_built_upon(folder: Path, failing: str) -> None:
    """What a failed sync leaves is read back from the cache, and is not on the disk. A store that is opened again on
    the same machine must not acknowledge anything that rests on it.
    """
    for nth in range(1, 7):
        calls = iter(range(1, 1_000_000))

        def fault(what: str, name: str, data: bytes | None, nth: int = nth, calls: Iterator[int] = calls):
            if what == "sync" and name == failing and next(calls) == nth:
                return apsw.IOError("sync failed")
            return None

        disk = SimDisk()
        run = folder / f"run{nth}{failing}"
        run.mkdir()
        path = run / "trace.db"
        number, failed = 0, False
        for attempt in range(3):
            disk.fault = fault if attempt == 0 else None
            try:
                with opened(path, disk=disk, checkpoint_every=10) as store:
                    hashes = _hashes(store)
                    for _ in range(30):
                        number += 1
                        seq = store.append([decision(number)])[-1]
                        disk.log.append(Op("ack", "", seq))
                        hashes = _hashes(store)
                        image = Image()
                        if attempt and number % 7 == 0:
                            for op in disk.log:
                                image.apply(op)
                            _check(placed(image.after_a_crash(nothing), folder / "crash"), seq, hashes, whole=True)
            except TraceError as error:
                failed = error.why == "failed"
        assert failed
