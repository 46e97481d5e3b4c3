"""A mock provider as a process of its own: ``python -m tenantrank.testing --port 9000``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable

from tenantrank.testing.mock import TEXT, MockProvider
from tenantrank.testing.reply import Reply


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the base URL is the first line of the output."""
    parser = argparse.ArgumentParser(prog="python -m tenantrank.testing", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", help="the only credential accepted")
    parser.add_argument("--text", default=TEXT, help="what the assistant says")
    parser.add_argument("--keep", type=int, default=100, help="how many requests are remembered")
    parser.add_argument("--first-s", type=float, default=0.0, help="seconds before the first piece of an answer")
    parser.add_argument(
        "--each-s", type=float, help="seconds before each further piece; 0: each in a packet of its own"
    )
    given = parser.parse_args(arguments)
    reply = Reply(first_s=given.first_s, each_s=given.each_s)
    respond = (lambda _: reply) if reply.is_timed else None
    mock = MockProvider(text=given.text, key=given.key, keep=given.keep, port=given.port, respond=respond)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(mock))
    return 0


async def _serve(mock: MockProvider) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with mock:
        print(mock.url, flush=True)
        await ended.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    sys.exit(main())
