"""Part ``admission``: from the bytes of a policy to an admitted one, on to its plan, and to its first ranking."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Sequence
from itertools import islice
from statistics import median
from time import perf_counter
from typing import Any

from tenantrank.bench.measuring import no_collection
from tenantrank.bench.offers import synthetic_catalog
from tenantrank.bench.parts.timing import MICRO
from tenantrank.bench.policies import terms
from tenantrank.bench.ready import Role
from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings
from tenantrank.catalog import Catalog
from tenantrank.engine import Engine
from tenantrank.policy.policy import Policy, admit
from tenantrank.policy.signature import V2

PART = "admission"
UNIT = "µs per policy"
NEW, AGAIN = "new bytes", "the same bytes again"
PLANNED, RANKED = "new bytes, to the plan", "new bytes, through the first ranking"


def measure(settings: Settings, log: Log) -> None:
    """Time new bytes, the same again, and new bytes to a plan and through a ranking, beside parsing JSON alone."""
    offers, count, batches = settings.pick((2048, 2000, 7), (512, 40, 2))
    settings.on_step(f"{PART}: {count * batches:,} policies")
    catalog = synthetic_catalog(offers, settings.seed)
    texts = [_texts(count, settings.seed + at) for at in range(3 * batches + 1)]
    engine, other = Engine(catalog), Engine(catalog)
    _admit_and_rank(texts[-1], catalog, engine)  # compiles or loads the kernels
    _admit_and_lower(texts[-1], catalog, other)  # in an engine of its own, which finds no cuts for them
    wrong = _wrong(texts[-1], catalog, engine, other)
    if wrong is not None:
        log.fail(PART, NEW, wrong)
        return
    took: dict[tuple[str, str], list[float]] = {}
    for at in range(batches):
        gc.collect()
        new, planned, ranked = texts[3 * at : 3 * at + 3]
        # Equal bytes in objects of their own, as they come from a socket.
        again = [bytes(bytearray(text)) for text in new]
        for case, given, name, work in (
            (NEW, new, "json.loads", _parse),
            (NEW, new, "engine", lambda given: _admit(given, catalog)),
            (AGAIN, again, "json.loads", _parse),
            (AGAIN, again, "engine", lambda given: _admit(given, catalog)),
            (PLANNED, planned, "json.loads", _parse),
            (PLANNED, planned, "engine", lambda given: _admit_and_lower(given, catalog, other)),
            (RANKED, ranked, "json.loads", _parse),
            (RANKED, ranked, "engine", lambda given: _admit_and_rank(given, catalog, engine)),
        ):
            took.setdefault((case, name), []).append(_time(work, given))
    size = sum(map(len, texts[0])) // count
    note = f"JSON of {size} bytes on average"
    for (case, name), times in took.items():
        role: Role = "engine" if name == "engine" else "baseline"
        values = {"min": min(times) * MICRO / count, "median": median(times) * MICRO / count}
        log.add(Row(PART, case, name, role, UNIT, values, offers, count, count, batches, note))


def _texts(count: int, seed: int) -> list[bytes]:
    return [json.dumps(term).encode() for term in islice(terms("distinct", seed), count)]


def _parse(texts: Sequence[bytes]) -> list[Any]:
    return [json.loads(text) for text in texts]


def _admit(texts: Sequence[bytes], catalog: Catalog) -> list[Policy]:
    fields = catalog.fields
    return [admit(text, fields) for text in texts]


def _admit_and_lower(texts: Sequence[bytes], catalog: Catalog, engine: Engine) -> None:
    """Go as far as a first ranking does before a kernel runs; no public call ends there."""
    fields, now = catalog.fields, engine._now
    program, view = now.compiled.program, now.view(V2)
    for text in texts:
        program(admit(text, fields), view)


def _admit_and_rank(texts: Sequence[bytes], catalog: Catalog, engine: Engine) -> None:
    fields = catalog.fields
    for text in texts:
        engine.rank(admit(text, fields), k=1)


def _wrong(texts: Sequence[bytes], catalog: Catalog, ranked: Engine, lowered: Engine) -> str | None:
    """Say what is wrong with admission: parsed or not, and however often, one text is one policy, and ranks as one.

    Engines, one that has ranked them and one that has lowered them.
    """
    once, again = _admit(texts, catalog), _admit(texts, catalog)
    parsed = [admit(json.loads(text), catalog.fields) for text in texts]
    if any(a.identity != b.identity or b.identity != c.identity for a, b, c in zip(once, again, parsed, strict=True)):
        return "the same text was admitted as different policies"
    if any(ranked.rank(policy, k=1).offer_ids != lowered.rank(policy, k=1).offer_ids for policy in parsed):
        return "a policy that was lowered beforehand ranks otherwise"
    return None


def _time(work: Callable[[Sequence[bytes]], object], given: Sequence[bytes]) -> float:
    with no_collection():
        started = perf_counter()
        work(given)
        return perf_counter() - started
