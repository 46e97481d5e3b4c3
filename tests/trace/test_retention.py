"""Retention: what is older goes, one signed stub stays, and the chain still verifies."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tenantrank.errors import TraceError
from tenantrank.trace import retention
from tenantrank.trace.chain import beginning
from tenantrank.trace.checkpoints import Stub
from tenantrank.trace.store import Reader, TraceStore
from tenantrank.trace.verify import verify
from tests.trace.making import OTHER_SIGNER, SIGNER, START, Wall, changed, decision, opened
from tests.trace.test_verify import judged, names, segments

KEY = SIGNER.public_key


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 7)


def _filled(path: Path) -> TraceStore:
    """One record a second: ``tr_0000`` is at START + 1 s."""
    wall = Wall()
    store = opened(path, wall=wall, checkpoint_every=5)
    for number in range(40):
        wall.now = START + timedelta(seconds=number)
        store.append([decision(number, tenant=f"only-{number}")])
    return store


def test_what_is_older_goes_and_a_stub_stays(tmp_path: Path) -> None:
    with _filled(tmp_path / "trace.db") as store:
        kept = store.checkpoint()
        stub = store.retain(START + timedelta(seconds=24))
        assert (stub.first, stub.last, stub.count) == (1, 23, 23)
        assert stub.before_first == beginning(store.log_id)
        assert stub.is_signed("stub", KEY)
        assert store.stub() == stub
        assert next(store.records()).record["id"] == "tr_0023"
        assert store.find("tr_0022") == store.search(tenant="only-22") == []
        note = store.tail(1)[0].record
        assert note["what"] == "retention"
        assert note["removed"]["last"] == 23
        report = verify(store, [kept], KEY)
        assert report.ok, report.problems
        assert report.removed == 23
        assert next(iter(segments(report))) == (24, 25)
        assert store.append([decision(1)]) == [42]  # The id of what was removed is free again.
    assert judged(tmp_path / "trace.db", exported=False).ok
    with opened(tmp_path / "trace.db") as store:
        assert store.append([decision(100)]) == [43]


def test_nothing_of_a_removed_record_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    with _filled(path) as store:
        store.retain(START + timedelta(seconds=24))
    data = path.read_bytes()
    assert b"only-22" not in data
    assert b"tr_0022" not in data
    assert b"only-23" in data


def test_retention_of_everything_and_again(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    with _filled(path) as store:
        assert store.retain(START) is None
        assert store.retain(START + timedelta(days=1)).last == 40
        assert [stored.record["kind"] for stored in store.records()] == ["note"]
        assert verify(store, (), KEY).ok
        assert store.retain(START + timedelta(days=1)).last == 41
        assert store.append([decision(1)]) == [43]
        assert verify(store, (), KEY).ok
    assert judged(path, exported=False).ok


def test_after_the_clock_went_back_only_a_beginning_goes(tmp_path: Path) -> None:
    moments = [START, START + timedelta(hours=5), START - timedelta(hours=5)]
    given = iter(moments + [START] * 9)
    with opened(tmp_path / "trace.db", wall=lambda: next(given), checkpoint_every=100) as store:
        for number in range(3):
            store.append([decision(number)])
        assert store.retain(START + timedelta(hours=1)).last == 1


def test_snapshots_go_with_the_last_record_that_used_them(tmp_path: Path) -> None:
    wall = Wall()
    with opened(tmp_path / "trace.db", wall=wall) as store:
        for number in range(30):
            wall.now = START + timedelta(seconds=number)
            old = "a" if number < 10 else "b"
            needed = [("health", old, lambda old=old: old.encode() * 100), ("catalog", "c" * 64, lambda: b"catalog")]
            store.submit(decision(number, health_id=old), needed).result()
        store.retain(START + timedelta(seconds=20))
        assert [(kind, id) for kind, id, _ in store.snapshots()] == [("catalog", "c" * 64), ("health", "b")]
        assert store.snapshot("catalog", "c" * 64) == b"catalog"
        report = verify(store, (), KEY)
        assert report.ok, report.problems
        # What was removed is made again where it is needed again.
        store.submit(decision(50, health_id="a"), [("health", "a", lambda: b"again")]).result()
        assert store.snapshot("health", "a") == b"again"
        assert verify(store, (), KEY).ok
    assert judged(tmp_path / "trace.db", exported=False).ok


def test_records_are_written_between_the_steps(tmp_path: Path) -> None:
    with _filled(tmp_path / "trace.db") as store:
        futures = []
        step = retention.remove_step
        store_step = "tenantrank.trace.store.remove_step"

        def stepped(*arguments):
            futures.append(store.submit(decision(1000 + len(futures))))
            return step(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store_step, stepped)
            store.retain(START + timedelta(seconds=35))
        assert len(futures) > 4
        assert all(future.result() > 40 for future in futures)
        assert verify(store, (), KEY).ok


def test_a_forged_or_altered_stub_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    with _filled(path) as store:
        store.retain(START + timedelta(seconds=24))
        log, stub = store.log_id, store.stub()
    whole = path.read_bytes()
    forged = Stub.sign(OTHER_SIGNER, log, 30, beginning(log), bytes(32), stub.older_than, stub.time)
    for body, signature in ((forged.body, forged.signature), (stub.body, bytes(64)), (b"[]", stub.signature)):
        path.write_bytes(whole)
        changed(path, ("UPDATE stubs SET body = ?, signature = ?", (body, signature)))
        assert ("stub", None) in names(judged(path, exported=False))
    path.write_bytes(whole)
    changed(path, "DELETE FROM stubs")
    assert ("missing", 1) in names(judged(path, exported=False))
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT * FROM records WHERE seq = 24").fetchone()
    changed(path, ("INSERT INTO records VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", (5, *row[1:])))
    assert ("stub", 5) in names(judged(path, exported=False))
    path.write_bytes(whole)
    changed(path, "DELETE FROM records WHERE seq <= 26")
    assert ("missing", 24) in names(judged(path, exported=False))


def test_a_checkpoint_of_removed_records_is_not_held_against_the_log(tmp_path: Path) -> None:
    with _filled(tmp_path / "trace.db") as store:
        early = next(checkpoint for checkpoint in store.checkpoints() if checkpoint.seq == 10)
        store.retain(START + timedelta(seconds=24))
        report = verify(store, [early], KEY)
        assert report.ok
        assert report.unchecked == 1


def test_a_moment_without_a_zone(tmp_path: Path) -> None:
    with _filled(tmp_path / "trace.db") as store:
        with pytest.raises(TraceError, match="time zone"):
            store.retain(datetime(2026, 1, 1))
        assert store.failure is None


def test_a_damaged_record_does_not_keep_others_from_going(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    _filled(path).close()
    changed(path, "UPDATE records SET body = CAST('x' AS BLOB) WHERE seq = 3", "DELETE FROM records WHERE seq = 14")
    with opened(path) as store:
        with pytest.raises(TraceError, match="record 14 is missing"):
            store.retain(START + timedelta(seconds=24))
        assert store.failure is None
        assert store.append([decision(100)]) == [41]
    with Reader.open(path) as reader:
        assert reader.stub().last == 7
