"""The same answer at any depth of the caller's stack."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def whatever_the_stack(work: Callable[[], _Result]) -> _Result:
    """Run work that recurses to a bounded depth; where the caller's stack is too full for it, on an empty one."""
    try:
        return work()
    except RecursionError:
        pass
    return _on_fresh_stack(work)


def _on_fresh_stack(work: Callable[[], _Result]) -> _Result:
    """Run work on the empty stack of a new thread, so that a caller near the recursion limit gets the same answer.

    The thread is started at the lowest level, since `threading` itself needs about ten frames of the caller's stack.
    """
    outcome: list[Any] = []
    finished = _thread.allocate_lock()
    finished.acquire()

    def run() -> None:
        try:
            outcome.extend((True, work()))
        except BaseException as error:
            outcome.extend((False, error))
        finally:
            finished.release()

    _thread.start_new_thread(run, ())
    finished.acquire()
    done, result = outcome
    if not done:
        raise result
    return result  # type: ignore[no-any-return]
