"""The log: what is handed over is recorded, in order, or the caller is told; and handing over costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.errors import TraceError
from tenantrank.trace.log import TraceLog
from tenantrank.trace.reader import Reader
from tests.engine.samples import ABC, policy_of
from tests.trace.decided import STATE, counted_bits, logging, small_catalog, small_rulebook, ticking

ENGINE = tr.Engine(ABC)
DECISION = ENGINE.rank(policy_of(ABC, ["top"]))


class Store:
    """Takes records as the store does, as long as it is let."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.wrong: TraceError | None = None
        self.full = 0
        self.go = threading.Event()
        self.go.set()
        self.flushed = 0
        self.closed = False

    def post(self, record: Any, snapshots: Sequence[Any] = ()) -> None:
        self.go.wait()
        if self.full:
            self.full -= 1
            raise TraceError("full", "full")
        if self.wrong is not None:
            raise self.wrong
        self.taken.append(record)

    def submit(self, record: Any, snapshots: Sequence[Any] = ()) -> Future[int]:
        self.post(record, snapshots)
        future: Future[int] = Future()
        future.set_result(len(self.taken))
        return future

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        self.closed = True


def log_of(store: Any, **options: Any) -> TraceLog:
    return TraceLog(store, "1", **options)


def test_log__records_in_the_order_handed_over(tmp_path: Path) -> None:
    with logging(tmp_path) as log:
        for at in range(300):
            log.record(DECISION, f"tr_{at}", tenant="acme")
            if at % 3 == 0:
                log.attempts(f"tr_{at}", [{"offer": "a"}], tenant="acme")
    with Reader.open(tmp_path / "trace.db") as reader:
        found = [each.record for each in reader.records()]

    wanted = [entry for at in range(300) for entry in [f"tr_{at}", *([f"of tr_{at}"] if at % 3 == 0 else [])]]
    kinds = {"decision": "", "attempts": "of "}
    assert [kinds[record["kind"]] + record["id"] for record in found if record["kind"] in kinds] == wanted


def test_submit__gives_the_number_once_it_is_durable(tmp_path: Path) -> None:
    book = small_rulebook(tmp_path)
    compiled = book.compile(STATE, "t2")
    with logging(tmp_path) as log:
        decision = tr.Engine(small_catalog()).rank(compiled)
        seq = log.submit(decision, "tr_1", "t2", None, "gpt", compiled, book, "tenant").result(10)
        with Reader.open(log.store.path) as reader:
            stored = reader.get(seq)
            kept = {(kind, name) for kind, name, _ in reader.snapshots()}

    assert stored is not None
    record = stored.record
    assert (record["id"], record["policy"]["source"], record["rules"]) == ("tr_1", "tenant", ["base", "cap"])
    assert kept == {
        ("catalog", record["catalog_id"]),
        ("health", record["health_id"]),
        ("rulebook", record["rulebook_id"]),
    }


def test_log__names_the_package_as_the_engine(tmp_path: Path) -> None:
    with logging(tmp_path) as log:
        log.submit(DECISION, "tr_1").result(10)
        (stored,) = log.store.find("tr_1")

    assert stored.record["engine"] == tr.__version__


def test_log__several_threads_hand_over_and_nothing_is_lost(tmp_path: Path) -> None:
    with logging(tmp_path, most=50) as log:

        def work(number: int) -> None:
            for at in range(200):
                log.record(DECISION, f"tr_{number}_{at}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.flush()
        found = [each.record["id"] for each in log.store.records(kind="decision")]

    assert len(found) == 800
    for number in range(4):
        own = [name for name in found if name.startswith(f"tr_{number}_")]
        assert own == [f"tr_{number}_{at}" for at in range(200)]


def test_log__a_caller_waits_where_too_much_is_waiting() -> None:
    store = Store()
    store.go.clear()
    log = log_of(store, most=5)
    handed: list[int] = []

    def work() -> None:
        for at in range(20):
            log.record(DECISION, f"tr_{at}")
            handed.append(at)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 10
    while len(handed) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert 5 <= len(handed) <= 6  # one is in the writer's hands
    store.go.set()
    thread.join(10)
    log.close()

    assert [draft.id for draft in store.taken] == [f"tr_{at}" for at in range(20)]
    assert store.closed


def test_log__waits_for_a_store_that_is_full() -> None:
    store = Store()
    store.full = 3
    log = log_of(store)
    log.record(DECISION, "tr_1")
    log.close()

    assert [draft.id for draft in store.taken] == ["tr_1"]
    assert store.flushed >= 3


@pytest.mark.parametrize("why", ["failed", "closed"])
def test_log__a_failed_store_is_told_at_each_call_from_then_on(why: str) -> None:
    store = Store()
    log = log_of(store)
    store.wrong = TraceError("no space is left", why)
    future = log.submit(DECISION, "tr_1")
    with pytest.raises(TraceError, match="no space"):
        future.result(10)
    for call in (log.record, log.submit):
        with pytest.raises(TraceError, match="no space"):
            call(DECISION, "tr_2")
    with pytest.raises(TraceError, match="no space"):
        log.attempts("tr_1", [])
    with pytest.raises(TraceError, match="no space"):
        log.close()

    assert store.closed
    assert store.taken == []


def test_log__what_goes_wrong_with_one_record_is_told_by_flush_and_the_rest_goes_on() -> None:
    store = Store()
    log = log_of(store)
    wrong: Any = "no decision"
    log.record(wrong, "tr_1")
    log.record(DECISION, "tr_2")
    with pytest.raises(TraceError, match="no record could be made: AttributeError"):
        log.flush()
    log.flush()
    refused = log.submit(wrong, "tr_3")
    with pytest.raises(TraceError, match="no record could be made"):
        refused.result(10)
    log.close()

    assert [draft.id for draft in store.taken] == ["tr_2"]


def test_log__an_id_that_is_taken_is_refused_and_told(tmp_path: Path) -> None:
    with logging(tmp_path) as log:
        log.submit(DECISION, "tr_1").result(10)
        with pytest.raises(TraceError):
            log.submit(DECISION, "tr_1").result(10)
        log.record(DECISION, "tr_1")
        with pytest.raises(TraceError):
            log.flush()
        log.submit(DECISION, "tr_2").result(10)


def test_log__closed_takes_nothing_and_may_be_closed_again(tmp_path: Path) -> None:
    with logging(tmp_path) as log:
        log.record(DECISION, "tr_1")
        log.close()
        log.close()
        with pytest.raises(TraceError, match="closed"):
            log.record(DECISION, "tr_2")
    with Reader.open(tmp_path / "trace.db") as reader:
        assert [each.record["id"] for each in reader.records(kind="decision")] == ["tr_1"]


def test_log__a_second_writer_is_refused(tmp_path: Path) -> None:
    with logging(tmp_path), pytest.raises(TraceError) as refused:
        TraceLog.open(tmp_path / "trace.db", wall=ticking(), log_id_bits=counted_bits)

    assert refused.value.why == "locked"


def test_submit__what_was_handed_over_is_not_taken_back(tmp_path: Path) -> None:
    with logging(tmp_path) as log:
        future = log.submit(DECISION, "tr_1")
        assert not future.cancel()
        assert future.result(10) > 0


FORKED = """
import os, sys
from pathlib import Path
from tenantrank.errors import TraceError
from tests.trace.decided import logging
from tests.trace.test_log import DECISION

with logging(Path(sys.argv[1])) as log:
    log.submit(DECISION, "tr_1").result(10)
    child = os.fork()
    if not child:
        try:
            log.record(DECISION, "tr_2")
        except TraceError as error:
            os._exit(7 if "open it here" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    log.submit(DECISION, "tr_3").result(10)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_log__a_forked_child_is_told_that_it_cannot_record(tmp_path: Path) -> None:
    line = [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, cwd=root)

    assert done.returncode == 0, done.stderr
    with Reader.open(tmp_path / "trace.db") as reader:
        assert [each.record["id"] for each in reader.records(kind="decision")] == ["tr_1", "tr_3"]


def test_log__says_what_handing_over_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints; machines differ, so that no bound is asserted."""

    def timed(call: Callable[[str], None]) -> list[float]:
        took = []
        for at in range(2000):
            name = f"tr_{at}"
            began = time.perf_counter()
            call(name)
            took.append(time.perf_counter() - began)
        return sorted(took)

    with logging(tmp_path, most=4096) as log:
        took = timed(lambda name: log.record(DECISION, name, "acme"))
        began = time.perf_counter()
        log.flush()
        flushed = time.perf_counter() - began
    with capsys.disabled():
        print(
            f"\nhanding over: p50 {took[1000] * 1e6:.2f} µs, p99 {took[1980] * 1e6:.2f} µs; "
            f"2,000 durable {flushed:.2f} s later"
        )
