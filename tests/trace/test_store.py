"""The store: what is acknowledged, what is refused, what is found again."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import Future, wait
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tenantrank.errors import TraceError
from tenantrank.trace import rows
from tenantrank.trace.chain import beginning, record_hash
from tenantrank.trace.rows import draft_of
from tenantrank.trace.store import Reader, TraceStore
from tenantrank.trace.verify import verify
from tests.trace.making import SIGNER, START, Wall, attempts, changed, decision, filled, opened, random


@pytest.fixture
def store(tmp_path: Path):
    with opened(tmp_path / "trace.db") as store:
        yield store


def test_records_chain_in_the_order_they_were_given(store: TraceStore) -> None:
    assert store.head() == (0, beginning(store.log_id))
    assert store.append([decision(1), decision(2)]) == [1, 2]
    assert store.submit(lambda: attempts(2)).result() == 3
    before = beginning(store.log_id)
    for seq, stored in enumerate(store.records(), 1):
        assert stored.seq == seq == stored.record["seq"]
        assert stored.hash == record_hash(before, stored.body)
        before = stored.hash
    assert store.head() == (3, before)


def test_an_acknowledged_record_is_there_for_another_reader(store: TraceStore) -> None:
    seq = store.submit(decision(1)).result()
    with Reader.open(store.path) as reader:
        assert reader.get(seq) == store.get(seq) != None  # noqa: E711
        assert reader.get(2) is None


def test_everything_of_an_id_is_found(store: TraceStore) -> None:
    store.append([decision(1), decision(2), attempts(1), {"kind": "note", "id": "tr_0001", "text": "looked at"}])
    assert [stored.record["kind"] for stored in store.find("tr_0001")] == ["decision", "attempts", "note"]
    assert store.find("tr_9") == []


def test_search_by_everything_that_a_record_names(store: TraceStore) -> None:
    store.append([decision(number) for number in range(40)] + [attempts(3)])

    def found(**by) -> list[int]:
        return [stored.seq - 1 for stored in store.search(limit=None, newest_first=False, **by)]

    assert found(tenant="tenant-3") == [3, 10, 17, 24, 31, 38, 40]
    assert found(rule="rule-2") == list(range(2, 40, 4))
    assert found(rule="rule-always") == list(range(40))
    assert found(fingerprint="1-1") == list(range(1, 40, 3))
    assert found(identity=decision(1)["policy"]["identity"]) == list(range(1, 40, 3))
    assert found(offer="offer-0") == [n for n in range(40) if n % 5 in (0, 3, 4)]
    assert found(offer="offer-3", kind="attempts") == [40]
    assert found(tenant="tenant-3", rule="rule-2", offer="offer-0") == [10, 38]
    assert found(tenant="nobody") == found(tenant="offer-0") == []
    assert [stored.seq for stored in store.search(rule="rule-always", limit=2)] == [40, 39]
    times = [datetime.fromisoformat(stored.record["time"]) for stored in store.records()]
    assert found(since=times[3], until=times[3] + timedelta(microseconds=1)) == list(range(41))  # one transaction
    assert found(until=times[0]) == []


def test_records_in_a_range_come_in_pages(store: TraceStore) -> None:
    store.append([decision(number) for number in range(1203)])
    assert [stored.seq for stored in store.records(since_seq=1, until_seq=1202)] == list(range(2, 1203))
    assert [stored.seq for stored in store.tail(3)] == [1201, 1202, 1203]


def test_time_may_jump_and_order_is_by_number(tmp_path: Path) -> None:
    jumps = [START, START - timedelta(hours=1), datetime.fromisoformat("1970-01-01T00:00:00+00:00")]
    jumps += [datetime.fromisoformat("2100-01-01T00:00:00+14:00"), START, START]
    moments = iter(jumps + [START] * 3)
    with opened(tmp_path / "trace.db", wall=lambda: next(moments)) as store:
        for number in range(5):
            store.submit(decision(number)).result()
        assert [stored.record["id"] for stored in store.records()] == [f"tr_{number:04}" for number in range(5)]
        assert store.get(4).record["time"] == "2099-12-31T10:00:00.000000Z"
        assert [stored.seq for stored in store.search(until=START, newest_first=False)] == [2, 3]
        assert verify(store).ok


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"kind": "decision"}, "needs id"),
        ({"kind": "attempts", "id": "tr_1"}, "needs of"),
        ({"kind": "stub", "id": "tr_1"}, "kind"),
        (decision(1, seq=3), "given to a record by the store"),
        (decision(1, score=math.nan), "cannot be written"),
        (decision(1, label="\ud800"), "cannot be written"),
        (decision(1, label={1, 2}), "cannot be written"),
        (["decision"], "must be a mapping"),
        (lambda: 1 / 0, "could not be made: ZeroDivisionError"),
        (decision(1, label="x" * (16 << 20)), "is over"),
    ],
)
def test_a_bad_record_is_refused_alone(store: TraceStore, record, why: str) -> None:
    bad = store.submit(record)
    good = store.submit(decision(1))
    with pytest.raises(TraceError, match=why) as caught:
        bad.result()
    assert caught.value.why == "refused"
    assert good.result() == 1
    assert store.failure is None


def test_what_contains_itself_is_refused(store: TraceStore) -> None:
    record = decision(1)
    record["more"] = record
    with pytest.raises(TraceError, match="recursion"):
        store.submit(record).result()


def test_no_two_decisions_have_an_id(store: TraceStore) -> None:
    store.append([decision(1)])
    for twice in ([decision(1)], [decision(2), decision(2)], [decision(3), decision(1)]):
        with pytest.raises(TraceError, match="already"):
            store.append(twice)
    together = [store.submit(decision(4)) for _ in range(5)]
    wait(together)
    assert sum(future.exception() is None for future in together) == 1
    assert store.append([decision(2), attempts(1), attempts(1)]) == [3, 4, 5]
    assert verify(store).ok


def test_what_was_posted_and_refused_is_told_by_flush(store: TraceStore) -> None:
    store.post(decision(1))
    store.post(decision(1))
    store.post({"kind": "decision"})
    with pytest.raises(TraceError, match=r"already \(and 1 more\)"):
        store.flush()
    store.flush()
    store.post(decision(1))
    with pytest.raises(TraceError, match="already"):
        store.close()
    with pytest.raises(TraceError) as caught:
        store.submit(decision(2))
    assert caught.value.why == "closed"


def test_many_threads_at_once(store: TraceStore) -> None:
    futures: list[Future[int]] = []

    def work(thread: int) -> None:
        futures.extend([store.submit(decision(thread * 1000 + number)) for number in range(100)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(future.result() for future in futures) == list(range(1, 801))
    for thread in range(8):  # Each thread's records are in its order.
        seqs = [store.find(f"tr_{thread * 1000 + number:04}")[0].seq for number in range(100)]
        assert seqs == sorted(seqs)
    assert verify(store).ok


def test_waiting_in_an_event_loop_and_going_away(store: TraceStore) -> None:
    async def request(number: int) -> int:
        return await asyncio.wrap_future(store.submit(decision(number)))

    async def serve() -> list[int]:
        gone = asyncio.create_task(request(0))
        await asyncio.sleep(0)
        gone.cancel()
        return await asyncio.gather(*(request(number) for number in range(1, 20)))

    assert sorted(asyncio.run(serve())) == list(range(2, 21))
    assert store.find("tr_0000")  # A caller that leaves does not take its record along.


def test_too_much_waiting_is_said_at_once(tmp_path: Path) -> None:
    held = threading.Event()
    with opened(tmp_path / "trace.db", max_pending=10) as store:

        def slow():
            held.wait()
            return decision(0)

        futures = [store.submit(slow)]
        while len(futures) < 10:
            futures.append(store.submit(decision(len(futures))))
        with pytest.raises(TraceError, match="wait for the disk") as caught:
            store.submit(decision(10))
        assert caught.value.why == "full"
        held.set()
        wait(futures)
        assert store.submit(decision(10)).result() == 11


def test_snapshots_are_kept_once_and_with_the_record(store: TraceStore) -> None:
    made = []

    def make() -> bytes:
        made.append(1)
        return b"content"

    first = store.submit(decision(1), [("catalog", "c", make), ("catalog", "c", make)])
    second = store.submit(decision(2), [("catalog", "c", make)])
    assert (first.result(), second.result()) == (2, 3)  # 1 is the note that binds the snapshot into the chain
    store.put_snapshot("catalog", "c", make).result()
    assert made == [1]
    assert store.snapshot("catalog", "c") == b"content"
    assert store.has_snapshot("catalog", "c")
    assert not store.has_snapshot("health", "c")
    assert store.snapshots() == [("catalog", "c", 7)]
    with pytest.raises(TraceError) as caught:
        store.snapshot("health", "c")
    assert caught.value.why == "missing"


def test_a_record_whose_snapshot_cannot_be_made_is_refused(store: TraceStore) -> None:
    with pytest.raises(TraceError, match="catalog snapshot c could not be made"):
        store.submit(decision(1), [("health", "h", lambda: b"1"), ("catalog", "c", lambda: 1 / 0)]).result()
    assert store.head()[0] == 0
    assert store.snapshots() == []
    assert store.submit(decision(1), [("catalog", "c", lambda: b"2")]).result() == 2


def test_checkpoints_by_number_by_age_on_demand_and_at_the_end(tmp_path: Path) -> None:
    told, clock = [], iter(range(0, 100_000, 10))
    options = {"checkpoint_seconds": 1000.0, "clock": lambda: float(next(clock)), "on_checkpoint": told.append}
    with opened(tmp_path / "trace.db", **options) as store:
        store.append([decision(number) for number in range(25)])
        assert [checkpoint.seq for checkpoint in told] == [25]
        store.append([decision(25)])
        assert store.checkpoint().seq == store.checkpoint().seq == 26
        assert [checkpoint.seq for checkpoint in told] == [25, 26]
        store.append([decision(27)])
        for _ in range(200):
            if len(told) > 2:
                break
            store.flush()
        assert told[-1].seq == 27
        store.append([decision(28)])
    with Reader.open(tmp_path / "trace.db") as reader:
        assert [checkpoint.seq for checkpoint in reader.checkpoints()] == [25, 26, 27, 28]
        assert all(checkpoint.is_signed("checkpoint", SIGNER.public_key) for checkpoint in reader.checkpoints())
        assert verify(reader).ok


def test_without_a_key_records_still_chain(tmp_path: Path) -> None:
    with opened(tmp_path / "trace.db", signer=None) as store:
        with pytest.raises(TraceError, match="signing key"):
            store.checkpoint()
        store.append([decision(number) for number in range(25)])
        with pytest.raises(TraceError, match="signing key"):
            store.retain(START + timedelta(days=1))
        report = verify(store)
        assert report.ok
        assert report.key is None
        assert [segment.signed for segment in report.segments] == [False]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    with opened(path) as store:
        store.append([decision(1)])
        with pytest.raises(TraceError, match="another writer") as caught:
            opened(path)
        assert caught.value.why == "locked"
        (tmp_path / "link.db").symlink_to(path)
        with pytest.raises(TraceError, match="another writer"):
            opened(tmp_path / "link.db")
        other = subprocess.run([sys.executable, "-c", _OPEN, str(path)], capture_output=True, text=True, check=False)
        assert "another writer" in other.stdout, other.stderr
        store.append([decision(2)])
    with opened(path) as store:
        assert store.append([decision(3)]) == [3]


_OPEN = """
import sys
from pathlib import Path
from tests.trace.making import opened
try:
    opened(Path(sys.argv[1]))
except Exception as error:
    print(error)
"""


def test_somebody_who_writes_past_the_lock_ends_it(tmp_path: Path) -> None:
    with opened(tmp_path / "trace.db") as store:
        store.append([decision(1)])
        changed(store.path, "UPDATE records SET hash = zeroblob(32)")
        with pytest.raises(TraceError, match="something else wrote into it"):
            store.append([decision(2)])
        with pytest.raises(TraceError) as caught:
            store.append([decision(3)])
        assert caught.value.why == "failed"
        assert store.failure is not None
        with pytest.raises(TraceError, match="takes nothing until it is opened again"):
            store.close()
    with pytest.raises(TraceError, match="verify the trace") as caught:
        opened(tmp_path / "trace.db")
    assert caught.value.why == "unreadable"


def test_a_program_that_ends_without_closing_has_written_everything(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    subprocess.run([sys.executable, "-c", _LEAVE, str(path)], check=True)
    with opened(path) as store:
        assert store.head()[0] == 500
        assert store.checkpoints()[-1].seq == 500


_LEAVE = """
import sys
from pathlib import Path
from tests.trace.making import opened, decision
store = opened(Path(sys.argv[1]))
for number in range(500):
    store.post(decision(number))
"""


def test_what_is_no_trace_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_bytes(b"hello " * 1000)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine(a)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(TraceError) as caught:
            opened(path)
        assert caught.value.why == "unreadable"
        assert path.read_bytes() == before
        with pytest.raises(TraceError, match="is not a trace"):
            Reader.open(path)
    with pytest.raises(TraceError) as caught:
        Reader.open(tmp_path / "absent.db")
    assert caught.value.why == "missing"
    with pytest.raises(TraceError, match="cannot"):
        opened(tmp_path / "no" / "such" / "folder.db")


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "trace.db")
    before = path.read_bytes()
    with Reader.open(path) as reader:
        assert verify(reader).ok
        assert len(reader.search(limit=None)) == 37
    assert path.read_bytes() == before


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "trace.db", wall=lambda: datetime(2026, 1, 1), signer=None) as store:
        with pytest.raises(TraceError, match="time zone"):
            store.append([decision(1)])
        with pytest.raises(TraceError, match="time zone"):
            store.search(since=datetime(2026, 1, 1))


def test_a_log_keeps_its_id_and_number_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    ids = set()
    for round in range(4):
        with opened(path, log_id_bits=random(round), wall=Wall()) as store:
            ids.add(store.log_id)
            assert store.append([decision(round)]) == [round + 1]
            assert verify(store).ok
    assert len(ids) == 1


def test_the_notes_of_the_store_are_those_of_the_schema(store: TraceStore) -> None:
    jsonschema = pytest.importorskip("jsonschema_rs")
    schema = json.loads((Path(__file__).parents[2] / "src/tenantrank/trace/schema-1.json").read_text())
    store.put_snapshot("catalog", "c", lambda: b"catalog").result()
    store.append([{"kind": "note", "text": "an operator's own"}])
    store.retain(START + timedelta(days=1))
    store.put_snapshot("health", "h", lambda: b"health").result()
    found = [stored.record for stored in store.records()]
    assert [record["what"] for record in found] == ["retention", "snapshot"]
    for record in (*found, {**found[0], "what": "other", "text": "an operator's own"}):
        jsonschema.validate(schema, record)
    for record in ({**found[0], "removed": {}}, {**found[0], "v": "tenantrank-trace/2"}, {**found[0], "prompt": "x"}):
        assert not jsonschema.is_valid(schema, record)


def test_in_a_child_process_without_the_writer_it_is_said(store: TraceStore) -> None:
    import os

    store.append([decision(1)])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            store.submit(decision(2))
            os.write(writing, b"taken")
        except TraceError as error:
            os.write(writing, error.why.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"failed"
    os.close(reading)
    os.close(writing)
    assert store.append([decision(2)]) == [2]


def test_drafts_are_written_as_the_records_they_are_of(tmp_path: Path) -> None:
    records = [decision(1), attempts(1), {"kind": "note", "what": "é"}]
    bodies = []
    for name, given in (("a.db", records), ("b.db", [draft_of(record) for record in records])):
        with opened(tmp_path / name) as store:
            assert store.append(given[:1]) == [1]
            assert store.submit(given[1]).result() == 2
            store.post(given[2])
            store.flush()
            assert verify(store).ok
            bodies.append([stored.body for stored in store.records()])
    assert bodies[0] == bodies[1]


def test_a_snapshot_that_was_missing_is_known_once_it_is_there(tmp_path: Path) -> None:
    def used() -> list[int]:
        with closing(sqlite3.connect(tmp_path / "trace.db")) as connection:
            return [row[0] for row in connection.execute("SELECT used FROM snapshots")]

    with opened(tmp_path / "trace.db") as store:
        store.append([decision(1), decision(2)])
        assert used() == []
        noted = store.submit(decision(3), [("health", "h" * 64, lambda: b"{}")]).result()
        assert used() == [noted]
        for numbers in ([4], [5, 6]):
            taken = store.append([decision(number) for number in numbers])
            assert used() == taken[-1:]


def test_a_text_that_number_and_time_make_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "trace.db") as store:
        assert store.append([decision(1)]) == [1]
        body = store.get(1).body
        monkeypatch.setattr(rows, "LONGEST", len(body))
        assert store.append([decision(2)]) == [2]
        monkeypatch.setattr(rows, "LONGEST", len(body) - 1)
        with pytest.raises(TraceError, match="over the"):
            store.append([decision(3)])
        monkeypatch.undo()
        assert store.append([decision(3)]) == [3]
        assert verify(store).ok
