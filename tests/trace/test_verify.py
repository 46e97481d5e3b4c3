"""Verification: every kind of tampering is found and named, where it is; both verifiers agree; other segments stand."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import canonical
from tenantrank.trace.chain import VERSION, beginning, record_hash
from tenantrank.trace.checkpoints import Checkpoint, append_checkpoint, read_checkpoints
from tenantrank.trace.report import Report
from tenantrank.trace.store import Reader
from tenantrank.trace.verify import verify
from tests.trace.making import OTHER_SIGNER, SIGNER, changed, copied, decision, filled, opened, random

_FILE = Path(__file__).parents[2] / "docs" / "verify_trace.py"


def _second_verifier():
    spec = importlib.util.spec_from_file_location("verify_trace", _FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SECOND = _second_verifier()
KEY = SIGNER.public_key


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """37 records: two notes of snapshots, 35 decisions; checkpoints at 10, 20, 30 and 37."""
    path = filled(tmp_path_factory.mktemp("whole") / "trace.db")
    with Reader.open(path) as reader:
        for checkpoint in reader.checkpoints():
            append_checkpoint(path.with_suffix(".checkpoints"), checkpoint, lambda _: None)
        assert [checkpoint.seq for checkpoint in reader.checkpoints()] == [10, 20, 30, 37]
    return path


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    """A copy to be altered, with the checkpoints that were exported from it."""
    (tmp_path / "trace.checkpoints").write_bytes(whole.with_suffix(".checkpoints").read_bytes())
    (tmp_path / "trace.db").write_bytes(whole.read_bytes())
    return tmp_path / "trace.db"


def judged(path: Path, *, exported: bool = True, key: bytes | None = KEY) -> Report:
    """Verify, and hold the second verifier to the same."""
    file = path.with_suffix(".checkpoints")
    with Reader.open(path) as reader:
        report = verify(reader, read_checkpoints(file) if exported else (), key)
    second = list(SECOND.verify(str(path), str(file) if exported else None, key))
    beside = {"index", "unreadable"}  # which the second one does not look at
    found = [problem for problem in report.problems if problem.what not in beside]
    assert bool(found) == bool([what for what, *_ in second if what not in beside]), (found, second)
    return report


def names(report: Report) -> list[tuple[str, int | None]]:
    return [(problem.what, problem.seq) for problem in report.problems]


def segments(report: Report) -> dict[tuple[int, int], bool]:
    return {(segment.first, segment.last): segment.ok for segment in report.segments}


def test_a_whole_log(store: Path) -> None:
    report = judged(store)
    assert report.ok
    assert report.pinned
    assert (report.records, report.last, report.outside) == (37, 37, 4)
    assert segments(report) == {(1, 10): True, (11, 20): True, (21, 30): True, (31, 37): True}
    assert all(segment.signed for segment in report.segments)
    assert json.loads(json.dumps(report.to_json()))["ok"]
    assert not judged(store, exported=False, key=None).pinned


def _rebuilt(path: Path, alter: Callable[[list[dict]], list[dict]], log: bytes | None = None, start: int = 0) -> None:
    """Alter records and chain them anew, as somebody does who knows the format but has no key."""
    with Reader.open(path) as reader:
        records = [stored.record for stored in reader.records()]
        before = beginning(log or reader.log_id)
    changed(path, "DELETE FROM records")
    for seq, record in enumerate(alter(records), 1):
        body = canonical({**record, "seq": seq})
        before = record_hash(before, body)
        values = (seq, record["kind"], record.get("id"), record["time"], body, before)
        changed(path, ("INSERT INTO records(seq, kind, id, time, body, hash) VALUES(?, ?, ?, ?, ?, ?)", values))


def _edited(record: dict, **members: object) -> bytes:
    return canonical({**record, **members})


def test_an_edit_is_named_and_other_segments_stand(store: Path) -> None:
    with Reader.open(store) as reader:
        body = _edited(reader.get(15).record, caller="somebody else")
    changed(store, ("UPDATE records SET body = ? WHERE seq = 15", (body,)))
    report = judged(store)
    assert names(report) == [("edited", 15)]
    assert segments(report) == {(1, 10): True, (11, 20): False, (21, 30): True, (31, 37): True}


def test_an_edit_with_its_hash_made_to_fit_is_named_at_the_next_record(store: Path) -> None:
    with Reader.open(store) as reader:
        body = _edited(reader.get(15).record, caller="somebody else")
        fitting = record_hash(reader.get(14).hash, body)
    changed(store, ("UPDATE records SET body = ?, hash = ? WHERE seq = 15", (body, fitting)))
    report = judged(store)
    assert names(report) == [("edited", 16)]
    assert segments(report)[11, 20] is False


def test_an_edit_with_everything_after_it_chained_anew_is_named_by_segment(store: Path) -> None:
    def alter(records: list[dict]) -> list[dict]:
        records[14]["caller"] = "somebody else"
        return records

    _rebuilt(store, alter)
    found = [name for name in names(judged(store)) if name[0] != "index"]
    # Each later segment does not begin with what was signed at the end of the one before, and ends in another hash.
    assert found == [("rewritten", 11), ("edited", 21), ("rewritten", 21), ("edited", 31), ("rewritten", 31)]


def test_an_altered_hash_is_told_from_an_altered_text(store: Path) -> None:
    for seq in (1, 15, 20, 37):
        changed(store, f"UPDATE records SET hash = zeroblob(32) WHERE seq = {seq}")
    assert names(judged(store)) == [("hash", 1), ("hash", 15), ("hash", 20), ("hash", 37)]


def test_deletions_are_named(store: Path) -> None:
    changed(store, "DELETE FROM records WHERE seq IN (1, 5, 6, 12)")
    report = judged(store)
    assert [name for name in names(report) if name[0] != "snapshot"] == [
        ("missing", 1),
        ("missing", 5),
        ("missing", 12),
    ]
    assert segments(report) == {(1, 10): False, (11, 20): False, (21, 30): True, (31, 37): True}


def test_whole_segments_that_are_missing_are_named(store: Path) -> None:
    changed(store, "DELETE FROM records WHERE seq BETWEEN 9 AND 32")
    report = judged(store)
    assert names(report) == [("missing", 9), ("missing", 11), ("missing", 21), ("missing", 31)]
    assert segments(report) == {(1, 10): False, (11, 20): False, (21, 30): False, (31, 37): False}


def test_a_deletion_that_renumbers_what_follows(store: Path) -> None:
    changed(store, "DELETE FROM records WHERE seq = 12", "UPDATE records SET seq = seq - 1 WHERE seq > 12")
    found = names(judged(store))
    assert ("edited", 12) in found
    assert ("moved", 12) in found
    assert ("truncated", 37) in found


def test_an_insertion(store: Path) -> None:
    changed(
        store,
        "UPDATE records SET seq = -seq - 1 WHERE seq > 12",
        "UPDATE records SET seq = -seq WHERE seq < 0",
        "INSERT INTO records SELECT 13, kind, id, time, body, hash, tenant, rule_set, offer_set FROM records"
        " WHERE seq = 12",
    )
    found = names(judged(store))
    assert ("edited", 13) in found
    assert ("moved", 13) in found


def test_a_reordering(store: Path) -> None:
    changed(
        store,
        "UPDATE records SET seq = -1 WHERE seq = 13",
        "UPDATE records SET seq = 13 WHERE seq = 14",
        "UPDATE records SET seq = 14 WHERE seq = -1",
    )
    report = judged(store)
    assert {("moved", 13), ("moved", 14), ("edited", 13)} <= set(names(report))
    assert segments(report) == {(1, 10): True, (11, 20): False, (21, 30): True, (31, 37): True}


@pytest.mark.parametrize("kept", [0, 1, 20, 36])
def test_a_truncation_before_what_was_exported(store: Path, kept: int) -> None:
    changed(store, f"DELETE FROM records WHERE seq > {kept}", f"DELETE FROM checkpoints WHERE seq > {kept}")
    assert ("truncated", kept + 1) in names(judged(store))
    if kept == 20:
        with Reader.open(store) as reader:  # Without what was exported, nobody can tell.
            assert verify(reader, (), KEY).ok


def test_the_whole_file_rewritten_without_the_key(store: Path) -> None:
    _rebuilt(store, lambda records: [{**record, "tenant": "nobody"} for record in records])
    changed(store, "DELETE FROM checkpoints")
    found = names(judged(store))
    assert {("rewritten", 1), ("rewritten", 11), ("rewritten", 21), ("rewritten", 31)} <= set(found)


def test_the_whole_file_rewritten_with_another_key(store: Path, tmp_path: Path) -> None:
    forged = filled(tmp_path / "forged.db", signer=OTHER_SIGNER)
    forged.with_suffix(".checkpoints").write_bytes(store.with_suffix(".checkpoints").read_bytes())
    assert {("checkpoint", 10), ("checkpoint", 37)} <= set(names(judged(forged)))
    # The exported checkpoints name a key of their own, which counts where none is given.
    assert ("checkpoint", 10) in names(judged(forged, key=None))
    # With nothing from outside, a forgery that is whole cannot be told; the report says that nothing was pinned.
    report = judged(forged, exported=False, key=None)
    assert report.ok
    assert not report.pinned


def test_an_older_copy_put_back(tmp_path: Path) -> None:
    path = filled(tmp_path / "trace.db", 20)
    older = copied(path, "older.db")
    with opened(path) as store:
        store.append([decision(number) for number in range(100, 110)])
        append_checkpoint(older.with_suffix(".checkpoints"), store.checkpoint(), lambda _: None)
    assert names(judged(older)) == [("truncated", 23)]


def test_two_logs_spliced(store: Path, tmp_path: Path) -> None:
    other = filled(tmp_path / "other.db", log_id_bits=random(2))
    for last in (10, 15, 37):
        spliced = copied(store, f"spliced{last}.db")
        spliced.with_suffix(".checkpoints").write_bytes(store.with_suffix(".checkpoints").read_bytes())
        changed(
            spliced,
            ("ATTACH ? AS other", (str(other),)),
            f"DELETE FROM records WHERE seq <= {last}",
            f"INSERT INTO records SELECT * FROM other.records WHERE seq <= {last}",
        )
        report = judged(spliced)
        assert ("edited", 1) in names(report)
        assert segments(report)[31, 37] is (last < 31)
    changed(store, ("ATTACH ? AS other", (str(other),)), "DELETE FROM checkpoints")
    changed(
        store,
        ("ATTACH ? AS other", (str(other),)),
        "INSERT INTO checkpoints SELECT * FROM other.checkpoints",
    )
    assert ("other log", 10) in names(judged(store))
    (tmp_path / "other.checkpoints").write_bytes(store.with_suffix(".checkpoints").read_bytes())
    assert ("other log", 10) in names(judged(other))


def test_checkpoints_forged_or_moved(store: Path) -> None:
    with Reader.open(store) as reader:
        first, second = reader.checkpoints()[:2]
        forged = Checkpoint.sign(OTHER_SIGNER, reader.log_id, 20, bytes(32), second.time)
    changed(store, ("UPDATE checkpoints SET body = ?, signature = ? WHERE seq = 20", (forged.body, forged.signature)))
    assert names(judged(store)) == [("checkpoint", 20)]
    changed(store, ("UPDATE checkpoints SET body = ?, signature = ? WHERE seq = 20", (first.body, first.signature)))
    assert names(judged(store)) == [("checkpoint", 20)]
    changed(store, ("UPDATE checkpoints SET body = ? WHERE seq = 20", (b"{}",)))
    assert names(judged(store)) == [("checkpoint", 20)]
    changed(store, ("UPDATE checkpoints SET body = ? WHERE seq = 20", ("text",)))
    assert names(judged(store)) == [("checkpoint", 20)]


def test_two_hashes_signed_for_one_record(store: Path) -> None:
    with Reader.open(store) as reader:
        twice = Checkpoint.sign(SIGNER, reader.log_id, 20, bytes(32), "2026")
    append_checkpoint(store.with_suffix(".checkpoints"), twice, lambda _: None)
    assert ("rewritten", 20) in names(judged(store))


def test_what_records_are_found_by_is_compared_with_what_they_say(store: Path) -> None:
    changed(store, "UPDATE records SET tenant = NULL WHERE seq = 12", "UPDATE records SET time = '' WHERE seq = 13")
    changed(store, "UPDATE records SET id = 'tr_9' WHERE seq = 14", "UPDATE records SET offer_set = 999 WHERE seq = 15")
    changed(store, "DELETE FROM members WHERE in_set = (SELECT rule_set FROM records WHERE seq = 16)")
    report = judged(store)
    assert {("index", seq) for seq in (None, 12, 13, 14, 15, 16)} <= set(names(report))
    with Reader.open(store) as reader:
        assert verify(reader, (), KEY, thorough=False).ok


def test_snapshots_altered_swapped_missing_and_put_in(store: Path) -> None:
    changed(store, "UPDATE contents SET data = CAST('x' AS BLOB) WHERE ref = 1")
    assert names(judged(store)) == [("snapshot", 1)]
    changed(store, "UPDATE contents SET data = (SELECT data FROM contents WHERE ref = 2) WHERE ref = 1")
    assert names(judged(store)) == [("snapshot", 1)]
    changed(store, "DELETE FROM contents WHERE ref = 1")
    assert names(judged(store)) == [("snapshot", 1)]
    changed(store, "DELETE FROM snapshots WHERE ref = 1")
    assert names(judged(store)) == [("snapshot", 1)]
    changed(store, "INSERT INTO snapshots SELECT 9, 'health', 'x', sha256, size, 2, used FROM snapshots WHERE ref = 2")
    assert names(judged(store)) == [("snapshot", 2), ("snapshot", 1)]


def test_what_cannot_be_read_at_all(store: Path) -> None:
    changed(store, "UPDATE meta SET value = 'tenantrank-trace/9' WHERE name = 'format'")
    with pytest.raises(TraceError, match=f"is not a trace of {VERSION}"):
        Reader.open(store)
    changed(store, f"UPDATE meta SET value = '{VERSION}' WHERE name = 'format'")
    changed(store, "UPDATE records SET body = 7 WHERE seq = 5")
    assert ("unreadable", 5) in names(judged(store))


def test_a_damaged_page_costs_its_own_segments_only(tmp_path: Path) -> None:
    path = filled(tmp_path / "trace.db", 300, checkpoint_every=20)
    with closing(sqlite3.connect(path)) as connection:
        at = connection.execute("SELECT body FROM records WHERE seq = 150").fetchone()[0]
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    page = data.index(at) // size * size
    data[page : page + size] = bytes(size)
    path.write_bytes(data)
    with Reader.open(path) as reader:
        report = verify(reader, (), KEY)
    damaged = [segment for segment in report.segments if not segment.ok]
    assert any(segment.first <= 150 <= segment.last for segment in damaged)
    assert len(damaged) <= 3
    assert len(report.segments) >= 15
    assert report.segments[-1].last == 302


def test_a_live_store_is_verified_as_it_was_at_the_beginning(tmp_path: Path) -> None:
    with opened(tmp_path / "trace.db") as store:
        store.append([decision(number) for number in range(50)])
        assert verify(store, [store.checkpoint()], KEY).ok
        store.append([decision(number) for number in range(50, 60)])
        report = verify(store, (), KEY)
        assert report.ok
        assert report.last == 60


def test_the_second_verifier_as_a_program(store: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, str(_FILE), *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    file = str(store.with_suffix(".checkpoints"))
    assert run(str(store), file, "--key", KEY.hex()) == (0, "")
    assert run(str(store))[0] == 0
    changed(store, "DELETE FROM records WHERE seq = 12")
    assert run(str(store), file) == (1, "missing at 12: records 12 to 12 are missing\n")
    assert run(str(store.with_name("absent.db")))[0] == 2


def test_the_second_verifier_is_short_and_stands_alone() -> None:
    text = _FILE.read_text()
    assert len(text.splitlines()) <= 200
    assert "tenantrank." not in text.replace("docs/trace.md", "")
    assert "import tenantrank" not in text
