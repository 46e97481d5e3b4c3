"""Part ``admission``: from the bytes of a policy to an admitted one, and on to its first ranking."""

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

PART = "admission"
UNIT = "µs per policy"
NEW, AGAIN, RANKED = "new bytes", "the same bytes again", "new bytes, through the first ranking"


def measure(settings: Settings, log: Log) -> None:
    """Time new bytes, the same bytes again, and new bytes through a ranking, beside parsing the JSON alone."""
    offers, count, batches = settings.pick((2048, 2000, 7), (512, 40, 2))
    settings.on_step(f"{PART}: {count * batches:,} policies")
    catalog = synthetic_catalog(offers, settings.seed)
    texts = [_texts(count, settings.seed + at) for at in range(2 * batches + 1)]
    engine = Engine(catalog)
    _admit_and_rank(texts[-1], catalog, engine)  # compiles or loads the kernels
    wrong = _wrong(texts[-1], catalog)
    if wrong is not None:
        log.fail(PART, NEW, wrong)
        return
    took: dict[tuple[str, str], list[float]] = {}
    for at in range(batches):
        gc.collect()
        new, further = texts[2 * at], texts[2 * at + 1]
        # Equal bytes in objects of their own, as they come from a socket.
        again = [bytes(bytearray(text)) for text in new]
        for case, given, name, work in (
            (NEW, new, "json.loads", _parse),
            (NEW, new, "engine", lambda given: _admit(given, catalog)),
            (AGAIN, again, "json.loads", _parse),
            (AGAIN, again, "engine", lambda given: _admit(given, catalog)),
            (RANKED, further, "json.loads", _parse),
            (RANKED, further, "engine", lambda given: _admit_and_rank(given, catalog, engine)),
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


def _admit_and_rank(texts: Sequence[bytes], catalog: Catalog, engine: Engine) -> None:
    fields = catalog.fields
    for text in texts:
        engine.rank(admit(text, fields), k=1)


def _wrong(texts: Sequence[bytes], catalog: Catalog) -> str | None:
    """Say what is wrong with admission: parsed or not, and however often, one text is one policy."""
    once, again = _admit(texts, catalog), _admit(texts, catalog)
    parsed = [admit(json.loads(text), catalog.fields) for text in texts]
    same = all(a.identity == b.identity == c.identity for a, b, c in zip(once, again, parsed, strict=True))
    return None if same else "the same text was admitted as different policies"


def _time(work: Callable[[Sequence[bytes]], object], given: Sequence[bytes]) -> float:
    with no_collection():
        started = perf_counter()
        work(given)
        return perf_counter() - started
