"""Part ``hot-path``: a server's day in seconds: popular and rare policies, and an engine that is swapped meanwhile."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle
from threading import Event, Thread
from time import perf_counter, perf_counter_ns

import numpy as np
import numpy.typing as npt

from tenantrank.bench.answers import Answers, difference
from tenantrank.bench.implementations import expected_answers
from tenantrank.bench.measuring import percentiles
from tenantrank.bench.offers import synthetic_table
from tenantrank.bench.peers import numpy_columns
from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Workload
from tenantrank.catalog import Catalog
from tenantrank.engine import Engine

PART = "hot-path"
UNIT = "µs per call"

Swap = Callable[[Engine], Engine]
"""Gives the next engine, for the one in use."""

_SWAP_S = 0.2
_EXPONENT = 1.1


def measure(settings: Settings, log: Log) -> None:
    """Time calls for policies drawn by a Zipf law, while nothing changes, while health does, while the catalog does."""
    offers, distinct, seconds = settings.pick((2048, 10_000, 8.0), (512, 100, 0.3))
    settings.on_step(f"{PART}: {distinct:,} policies, {offers:,} offers")
    table = synthetic_table(offers, settings.seed)
    work = Workload.make("distinct", offers, distinct, settings.seed, Catalog.from_table(table))
    engine = Engine(work.catalog)
    some = work.first(600)
    expected = expected_answers(some).first(600, 1)
    row = {offer: at for at, offer in enumerate(work.catalog.offer_ids)}
    answered = [engine.rank(policy, k=1) for policy in some.policies]
    wrong = difference(Answers.of((([row[o] for o in d.offer_ids], d.scores) for d in answered), 1), expected)
    if wrong is not None:
        log.fail(PART, "engine", wrong)
        return
    draws = zipf(distinct, 1 << 16, settings.seed)
    # Read beforehand: what is swapped here is the engine.
    count = 1 + int(seconds / _SWAP_S)
    catalogs = [Catalog.from_table(table) for _ in range(2 * count)]
    others: dict[str, Iterator[Swap]] = {
        "nothing changes": iter(()),
        "health changes five times a second": cycle(
            [partial(_breaker_changed, engine, each) for each in (True, False)]
        ),
        "the catalog changes five times a second": iter([partial(_made_anew, each) for each in catalogs[:count]]),
        "the same, by with_catalog": iter([partial(_taken_over, each) for each in catalogs[count:]]),
    }
    for case, swaps in others.items():
        settings.on_step(f"{PART}: {case}")
        gc.collect()  # of what earlier cases made: a collection goes through 10,000 policies, for a quarter of a second
        took, swapped = _drive(engine, work, draws, swaps, seconds)
        by_numpy = _drive_numpy(work, draws, seconds / 8)
        values = percentiles(took) | {"calls per second": 1e9 * len(took) / sum(took), "swaps": float(swapped)}
        log.add(Row(PART, case, "engine, one call, k=1", "engine", UNIT, values, offers, len(took), len(expected)))
        log.add(Row(PART, case, "NumPy", "baseline", UNIT, percentiles(by_numpy), offers, len(by_numpy)))


def zipf(distinct: int, count: int, seed: int) -> npt.NDArray[np.intp]:
    """Draw positions below ``distinct`` by a Zipf law, the most popular anywhere among them."""
    rng = np.random.RandomState(seed)
    weights = 1.0 / np.arange(1, distinct + 1) ** _EXPONENT
    return rng.permutation(distinct)[rng.choice(distinct, count, p=weights / weights.sum())]


def _breaker_changed(engine: Engine, is_open: bool, _: Engine) -> Engine:
    """Give an engine under another health; no policy of the work looks at breakers, so that answers stay."""
    provider = engine.catalog.strings("provider_id")[1][0]
    return engine.with_health(engine.health.updated(breakers={provider: is_open}))


def _made_anew(catalog: Catalog, _: Engine) -> Engine:
    return Engine(catalog)


def _taken_over(catalog: Catalog, now: Engine) -> Engine:
    return now.with_catalog(catalog)


def _drive(
    engine: Engine, work: Workload, draws: npt.NDArray[np.intp], swaps: Iterator[Swap], seconds: float
) -> tuple[Sequence[int], int]:
    """Call for some seconds; a second thread makes the next engine and puts it in place."""
    current = [engine]
    ended = Event()
    swapped = 0

    def swap() -> None:
        nonlocal swapped
        due = perf_counter()
        for make in swaps:
            due += _SWAP_S
            if ended.wait(max(0.0, due - perf_counter())):
                return
            current[0] = make(current[0])
            swapped += 1

    other = Thread(target=swap, daemon=True)
    other.start()
    took = array("q")
    clock = perf_counter_ns
    until = perf_counter() + seconds
    order = draws.tolist()
    policies = work.policies
    while perf_counter() < until:
        for at in order[:1024]:
            began = clock()
            current[0].rank(policies[at], k=1)
            took.append(clock() - began)
        order = order[1024:] + order[:1024]
    ended.set()
    other.join()
    return took, swapped


def _drive_numpy(work: Workload, draws: npt.NDArray[np.intp], seconds: float) -> list[int]:
    ready = numpy_columns.prepare(work.first(2000))
    took: list[int] = []
    until = perf_counter() + seconds
    for at in draws.tolist():
        began = perf_counter_ns()
        ready.call(ready.given[at % len(ready.given)])
        took.append(perf_counter_ns() - began)
        if perf_counter() > until:
            break
    return took
