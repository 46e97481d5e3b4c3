"""A crew: every piece is done once, by as many threads as are allowed, and a failure reaches the caller."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from tenantrank.engine.crew import Crew


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tenantrank"]


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_crew__does_every_piece_once(threads: int) -> None:
    done: list[int] = []
    with Crew(threads) as crew:
        for at in range(200):
            crew.give(partial(done.append, at))
        assert len(alive()) <= max(0, threads - 1)
    assert sorted(done) == list(range(200))
    assert not alive()


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
    assert (done, alive()) == ([], [])


def test_crew__an_error_of_its_owner_drops_what_was_not_begun() -> None:
    done: list[int] = []
    with pytest.raises(ValueError, match="mine"), Crew(1) as crew:
        crew.give(partial(done.append, 1))
        raise ValueError("mine")
    assert (done, alive()) == ([], [])
