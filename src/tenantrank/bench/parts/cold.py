"""Part ``cold``: from the start of a process to its first ranking, with machine code at hand and without."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median
from time import perf_counter

from tenantrank.bench.results import Log, Row
from tenantrank.bench.settings import Settings

PART = "cold"
UNIT = "s"

_IMPORTS = "import numpy, numba, pyarrow"
_SMALL = """
import tenantrank as tr
from tenantrank.policy.builder import cheapest, f, policy
offers = [{"id": f"p|m{at}", "provider_id": "p", "model_family": f"m{at}", "price_out": float(at)} for at in range(9)]
catalog = tr.Catalog.from_records(offers)
rule = tr.admit(policy(f.price_out <= 5, cheapest("price_out")), catalog.fields)
assert tr.Engine(catalog).rank(rule, k=1).offer_ids == ("p|m0",)
"""
_BUNDLED = """
import tenantrank as tr
from tenantrank.policy.builder import cheapest, f, is_, policy
catalog = tr.Catalog.bundled()
rule = tr.admit(policy(is_("priced") & (f.price_out <= 5), cheapest("price_out")), catalog.fields)
assert tr.Engine(catalog).rank(rule, k=1).offer_ids
"""
SMALL, BUNDLED, EMPTY = "warm cache, nine offers", "warm cache, bundled catalog", "empty cache, nine offers"
IMPORTS = "import numpy, numba, pyarrow"


def measure(settings: Settings, log: Log) -> None:
    """Time whole processes in turn, from start to end; the kernels' cache is a folder of this run."""
    settings.on_step(PART)
    repeats, cold_repeats = settings.pick((9, 3), (1, 0))
    took: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # A quick run takes the user's own cache, which saves compiling.
        warm = settings.pick(folder, None)
        scripts = {IMPORTS: _IMPORTS, SMALL: _SMALL, BUNDLED: _BUNDLED}
        for name, script in scripts.items():
            why = _failure(script, warm)
            if why is not None:
                log.fail(PART, name, why)
                return
        for _ in range(repeats):
            for name, script in scripts.items():
                took.setdefault(name, []).append(_seconds(script, warm))
    for _ in range(cold_repeats):
        with tempfile.TemporaryDirectory() as empty:
            took.setdefault(EMPTY, []).append(_seconds(_SMALL, empty))
    if not cold_repeats:
        log.skip(PART, EMPTY, "not part of a quick run")
    base = took.pop(IMPORTS)
    for case, times in took.items():
        note = "process start to the first ranking"
        for name, values in (("engine", times), (IMPORTS, base)):
            figures = {"min": min(values), "median": median(values)}
            if name == "engine":
                log.add(Row(PART, case, name, "engine", UNIT, figures, repeats=len(values), note=note))
            else:
                log.add(Row(PART, case, name, "baseline", UNIT, figures, repeats=len(values)))


def _seconds(script: str, cache: str | None) -> float:
    started = perf_counter()
    _run(script, cache)
    return perf_counter() - started


def _failure(script: str, cache: str | None) -> str | None:
    done = _run(script, cache)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def _run(script: str, cache: str | None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"TENANTRANK_CACHE_DIR": cache} if cache is not None else {})
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
