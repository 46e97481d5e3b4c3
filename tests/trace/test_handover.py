"""Handing over: in order, bounded, awake or asleep, and told once nothing is taken any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tenantrank.errors import TraceError
from tenantrank.trace import handover
from tenantrank.trace.handover import HandOver


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.001)
    return holds()


@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize("looks", [0, 250])
def test_handover__asleep_or_not_everything_is_taken_in_order(
    looks: int, urgent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "_LOOKS", looks)
    taken: list[int] = []
    handed = HandOver(taken.append, 100)
    for at in range(50):
        handed.give(at, urgent)
        if at % 10 == 0:
            assert eventually(lambda: not handed.waiting)
            time.sleep(0.01)
    assert eventually(lambda: len(taken) == 50)
    handed.end()

    assert taken == list(range(50))


def test_handover__callers_wait_for_room_and_lose_nothing() -> None:
    taken: list[int] = []
    most = 0

    def take(thing: int) -> None:
        nonlocal most
        most = max(most, handed.waiting)
        taken.append(thing)

    handed = HandOver(take, 4)

    def give(first: int) -> None:
        for at in range(first, first + 500):
            handed.give(at)

    threads = [threading.Thread(target=give, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    handed.end()

    assert sorted(taken) == sorted(1000 * number + at for number in range(4) for at in range(500))
    assert most <= 4 + len(threads)


def test_handover__a_failure_is_told_to_those_who_wait_as_well() -> None:
    go = threading.Event()
    handed = HandOver(lambda thing: go.wait() and None, 2)
    told: list[str] = []

    def give() -> None:
        try:
            for at in range(10):
                handed.give(at)
        except TraceError as error:
            told.append(str(error))

    thread = threading.Thread(target=give)
    thread.start()
    assert eventually(lambda: handed._crowded)
    handed.fail(TraceError("no space is left", "failed"))
    thread.join(10)
    go.set()
    with pytest.raises(TraceError, match="no space"):
        handed.give(1)
    handed.end()

    assert told == ["no space is left"]


def test_handover__what_waits_at_the_end_is_worked_on_and_what_comes_later_is_told() -> None:
    taken: list[int] = []
    handed = HandOver(lambda thing: (time.sleep(0.002), taken.append(thing)), 100)
    for at in range(20):
        handed.give(at)
    handed.end()
    with pytest.raises(TraceError, match="closed in the meantime"):
        handed.give(20)

    assert taken == list(range(20))
