"""Single calls, each timed by itself: alone, from four threads at once, and inside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter, perf_counter_ns

from tenantrank.bench.implementations import NUMPY, RANKERS, SINGLE, SINGLE_BEST, check, expected_answers
from tenantrank.bench.measuring import percentiles, timed_calls
from tenantrank.bench.ready import Ready, Role
from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Workload

PART = "rank"
UNIT = "µs per call"

_THREADS = 4
_IN_FLIGHT = 8


def measure(settings: Settings, log: Log) -> None:
    """Time calls one by one, the clock's own cost included."""
    count, numpy_count = settings.pick((6000, 600), (60, 60))
    for offers in settings.sizes:
        settings.on_step(f"{PART}: single calls, {offers:,} offers")
        work = Workload.make("six shapes", offers, count, settings.seed)
        by_numpy = RANKERS[NUMPY].prepare(work.first(numpy_count))
        expected = expected_answers(work)
        ready: dict[str, Ready] = {}
        for name, case in ((SINGLE, "one call, k=5"), (SINGLE_BEST, "one call, k=1")):
            ready[name] = RANKERS[name].prepare(work)
            wrong = check(RANKERS[name], ready[name], work, expected)
            if wrong is not None:
                log.fail(PART, f"{name}, {offers:,} offers", wrong)
                return
            _add(settings, log, offers, case, name, ready[name], by_numpy)
        best = ready[SINGLE_BEST]
        took, rate = _from_threads(best, settings.pick(3, 1))
        _add_row(log, offers, "four threads at once, k=1", SINGLE_BEST, "engine", took, rate)
        took, rate = _from_threads(by_numpy, settings.pick(3, 1))
        _add_row(log, offers, "four threads at once, k=1", NUMPY, "baseline", took, rate)
        for how in ("inline", "executor"):
            took, rate = asyncio.run(_served(best, how == "executor"))
            _add_row(log, offers, f"event loop, {how}", SINGLE_BEST, "engine", took, rate)


def _add(
    settings: Settings,
    log: Log,
    offers: int,
    case: str,
    name: str,
    ready: Ready,
    by_numpy: Ready,
) -> None:
    rounds = settings.pick(5, 1)
    timed_calls(ready.call, ready.given)
    took: list[int] = []
    took_numpy: list[int] = []
    for _ in range(rounds):
        took += timed_calls(ready.call, ready.given)
        took_numpy += timed_calls(by_numpy.call, by_numpy.given)
    _add_row(log, offers, case, name, "engine", took)
    _add_row(log, offers, case, NUMPY, "baseline", took_numpy)


def _add_row(
    log: Log, offers: int, case: str, name: str, role: Role, took: Sequence[int], rate: float | None = None
) -> None:
    values = percentiles(took) | ({} if rate is None else {"calls per second": rate})
    log.add(Row(PART, case, name, role, UNIT, values, offers, len(took), len(took)))


def _from_threads(ready: Ready, rounds: int) -> tuple[list[int], float]:
    """Make the same calls from four threads that begin together; gives every call's time, and calls per second."""
    gate = Barrier(_THREADS + 1)

    def run(first: int) -> list[int]:
        mine = [*ready.given[first:], *ready.given[:first]]
        gate.wait()
        return timed_calls(ready.call, mine, rounds)

    with ThreadPoolExecutor(_THREADS) as pool:
        pending = [pool.submit(run, at * len(ready.given) // _THREADS) for at in range(_THREADS)]
        gate.wait()
        started = perf_counter()
        took = [each for future in pending for each in future.result()]
        return took, len(took) / (perf_counter() - started)


async def _served(ready: Ready, by_executor: bool) -> tuple[list[int], float]:
    """Serve requests of which some are always in flight, ranking inline or in an executor.

    A request's time runs from the moment when its handler wants the ranking to that when it has it.
    """
    loop = asyncio.get_running_loop()
    call, waiting = ready.call, list(ready.given)
    took: list[int] = []

    async def client(pool: ThreadPoolExecutor) -> None:
        while waiting:
            each = waiting.pop()
            await asyncio.sleep(0)  # as a request that is being read
            began = perf_counter_ns()
            if by_executor:
                await loop.run_in_executor(pool, call, each)
            else:
                call(each)
            took.append(perf_counter_ns() - began)

    with ThreadPoolExecutor(_THREADS) as pool:
        started = perf_counter()
        await asyncio.gather(*(client(pool) for _ in range(_IN_FLIGHT)))
        return took, len(took) / (perf_counter() - started)
