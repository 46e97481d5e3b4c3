"""A mock provider in a thread, for tests that do not run an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tenantrank.testing.mock import MockProvider


@contextmanager
def running(
    *mocks: MockProvider, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> Iterator[MockProvider]:
    """Serve mock providers in one thread with an event loop of its own; gives the first of them.

    Requests may be read, and replies scripted, from any thread. ``loop_factory`` may be ``uvloop.new_event_loop``.
    Leaving the block stops them and ends the thread.
    """
    if not mocks:
        raise ValueError("running() needs a mock provider")
    started: threading.Event = threading.Event()
    failed: list[BaseException] = []
    stopping: list[Callable[[], object]] = []

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stopping.append(lambda: loop.call_soon_threadsafe(ended.set))
        try:
            for mock in mocks:
                await mock.start()
            started.set()
            await ended.wait()
        finally:
            for mock in mocks:
                await mock.stop()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="mock provider", daemon=True)
    thread.start()
    started.wait()
    if failed:
        thread.join()
        raise failed[0]
    try:
        yield mocks[0]
    finally:
        stopping[0]()
        thread.join()
        if failed:
            raise failed[0]
