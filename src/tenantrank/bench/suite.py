"""The suite: its parts, and running some of them into one run's results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from tenantrank.bench.machine import about_machine, about_versions, commit, now
from tenantrank.bench.parts import (
    admission,
    all_tenants,
    cold,
    explain,
    hot_path,
    rank,
    scaling,
    tenants,
    updates,
)
from tenantrank.bench.results import Log, Run
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Workload
from tenantrank.errors import InputError, TenantrankError

Measure = Callable[[Settings, Log], None]

PARTS: MappingProxyType[str, Measure] = MappingProxyType(
    {
        module.PART: module.measure
        for module in (rank, all_tenants, admission, explain, tenants, cold, updates, scaling, hot_path)
    }
)
"""The parts by name, in the order in which they run."""


def chosen_parts(names: Sequence[str]) -> list[str]:
    """Give the parts named, in the suite's order; all where none is.

    Raises
    ------
    InputError
        for a name that is no part
    """
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise InputError(f"--parts: no part is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in names] if names else list(PARTS)


def run_suite(names: Sequence[str], settings: Settings) -> Run:
    """Run parts and give the results.

    A part that fails as a whole becomes a failure of the run; the others run all the same.

    Raises
    ------
    InputError
        for a name that is no part
    """
    parts = chosen_parts(names)
    about = _about(parts, settings)
    log = Log()
    for name in parts:
        try:
            PARTS[name](settings, log)
        except (TenantrankError, OSError, AssertionError, MemoryError) as error:
            log.fail(name, "the part", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    about["ended"] = now()
    return Run(about, log.rows, log.failures, log.skipped)


def _about(parts: Sequence[str], settings: Settings) -> dict[str, Any]:
    small = Workload.make("six shapes", 512, 60, settings.seed)
    command = ["tenantrank bench"]
    command += [f"--parts {','.join(parts)}"] if len(parts) < len(PARTS) else []
    command += ["--quick"] if settings.quick else []
    command += [f"--seed {settings.seed}"] if settings.seed != 1 else []
    return {
        "date": now(),
        "command": " ".join(command),
        "quick": settings.quick,
        "parts": list(parts),
        "machine": about_machine(),
        "versions": about_versions(),
        "seeds": {"catalogs": settings.seed, "policies": settings.seed, "tenants": settings.seed},
        # Equal digests are equal work: the generators gave the same on both machines.
        "work": {"six shapes, 512 offers, 60 policies": small.digest},
        **commit(),
    }
