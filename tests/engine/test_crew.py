"""A crew: every piece is done once, by as many threads as are allowed, and a failure reaches the caller."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tenantrank.engine import crew as module
from tenantrank.engine.crew import Crew


@pytest.fixture
def no_idle() -> Iterator[list[Any]]:
    """No thread idle yet; gives those that are."""
    others = module._idle[:]
    module._idle.clear()
    yield module._idle
    module._idle.extend(others)


def at_work() -> list[threading.Thread]:
    """Threads of crews that wait for no call."""
    return [thread for thread in threading.enumerate() if thread.name == "tenantrank" and thread not in module._idle]


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_crew__does_every_piece_once(threads: int) -> None:
    done: list[int] = []
    with Crew(threads) as crew:
        for at in range(200):
            crew.give(partial(done.append, at))
        assert len(at_work()) <= max(0, threads - 1)
    assert sorted(done) == list(range(200))
    assert not at_work()


def test_crew__works_while_its_owner_does() -> None:
    """The owner waits inside the block for a piece that only another thread can do."""
    ready = threading.Event()
    with Crew(2) as crew:
        crew.give(ready.set)
        assert ready.wait(60)


@pytest.mark.parametrize("threads", [1, 4])
def test_crew__a_failure_drops_the_rest_and_is_raised_when_all_have_ended(threads: int) -> None:
    def fail() -> None:
        raise MemoryError("no more")

    done: list[int] = []
    with pytest.raises(MemoryError, match="no more"), Crew(threads) as crew:
        crew.give(fail)
        if threads > 1:
            while not crew._failures:
                pass
        for at in range(50):
            crew.give(partial(done.append, at))
    assert (done, at_work()) == ([], [])


def test_crew__an_error_of_its_owner_drops_what_was_not_begun(no_idle: list[Any]) -> None:
    no_idle.append(module._Helper())  # not started, so that it begins with nothing
    done: list[int] = []
    with pytest.raises(ValueError, match="mine"), Crew(2) as crew:
        crew.give(partial(done.append, 1))
        assert not crew.failed
        raise ValueError("mine")
    assert crew.failed
    assert done == []
    no_idle.clear()


def test_crew__of_one_does_what_it_is_given_at_once() -> None:
    done: list[int] = []
    with Crew(1) as crew:
        for at in range(3):
            crew.give(partial(done.append, at))
            assert done == [*range(at + 1)]


def test_crew__its_threads_help_the_next_one() -> None:
    seen: list[set[int]] = []
    for _ in range(20):
        met = threading.Barrier(3)
        with Crew(3) as crew:
            for _piece in range(3):
                crew.give(met.wait)  # three threads at once, or none would get on
        seen.append({thread.ident or 0 for thread in module._idle})
    assert set.union(*seen) == seen[0]


def test_crew__an_idle_thread_keeps_nothing_and_ends(no_idle: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        pass

    monkeypatch.setattr(module, "_IDLE_S", 0.01)
    memory, begun = Memory(), threading.Event()
    kept = weakref.ref(memory)
    with Crew(2) as crew:
        crew.give(partial(lambda *_: begun.set(), memory))
        (helper,) = crew._helpers
        begun.wait()
    del memory
    assert kept() is None
    helper.join()
    assert no_idle == []


def test_crew__does_not_wait_for_a_thread_that_does_not_wake(no_idle: list[Any]) -> None:
    never = module._Helper()  # not started
    no_idle.append(never)
    done: list[int] = []
    for at in range(3):
        with Crew(2) as crew:
            crew.give(partial(done.append, at))
        assert no_idle == [never]
    no_idle.clear()
    assert done == [0, 1, 2]


def test_crew__works_where_there_are_no_more_threads(no_idle: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module._Helper, "start", refused)
    done: list[int] = []
    with Crew(4) as crew:
        for at in range(9):
            crew.give(partial(done.append, at))
    assert (done, no_idle) == (list(range(9)), [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_crew__works_in_a_forked_child() -> None:
    """The parent's threads are not there, and a call to one of them would never be heard."""
    script = """
import os, threading
from tenantrank.engine import crew
def both():
    met = threading.Barrier(2)
    with crew.Crew(2) as block:
        block.give(met.wait)
        block.give(met.wait)
both()
assert len(crew._idle) == 1
child = os.fork()
if child == 0:
    both()
    os._exit(0 if len(crew._idle) == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
both()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True)


def test_crew__from_many_threads_at_once() -> None:
    done: list[tuple[int, int]] = []

    def block(name: int) -> None:
        for _ in range(50):
            with Crew(3) as crew:
                for at in range(7):
                    crew.give(partial(done.append, (name, at)))

    threads = [threading.Thread(target=block, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted([(name, at) for name in range(4) for at in range(7)] * 50)
    assert not at_work()
