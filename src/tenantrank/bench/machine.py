"""Where a run took place: the CPU, the versions of everything that took part, the commit where there is one."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tenantrank
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.peers.c_files import compiler

_WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sse4_2": "SSE4.2"}
_PACKAGES = ("numpy", "numba", "llvmlite", "pyarrow", "polars", "duckdb", "matplotlib")


def about_machine() -> dict[str, Any]:
    """Say what the CPU is, how many cores there are and may be used, and how busy the machine is at the start."""
    found: dict[str, Any] = {"cpu": cpu_model(), "cores": os.cpu_count(), "system": platform.system()}
    with suppress(AttributeError):
        found["cores_usable"] = len(os.sched_getaffinity(0))
    with suppress(OSError, AttributeError):
        found["load_average"] = round(os.getloadavg()[0], 2)
    return found


def cpu_model() -> str:
    """Give the CPU's model as the system names it, with the widest vector instructions that kernels may use there."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
        if "model name" in told:
            flags = set(told.get("flags", "").split())
            widest = [text for flag, text in _WIDEST.items() if flag in flags][:1]
            kind = ", ".join(f"{key} {told[key]}" for key in ("cpu family", "model") if key in told)
            return ", ".join([f"{told['model name']} ({kind})" if kind else told["model name"], *widest])
    if platform.system() == "Darwin":
        named = _output("sysctl", "-n", "machdep.cpu.brand_string")
        if named:
            return named
    return platform.processor() or platform.machine()


def about_versions() -> dict[str, str]:
    """Give the versions of Python, of this package, of every library that takes part and of the C compiler."""
    found = {"python": platform.python_version(), "tenantrank": tenantrank.__version__}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    with suppress(AbsentError):
        lines = _output(compiler(), "--version").splitlines()
        if lines:
            found["c compiler"] = lines[0]
    return found


def commit() -> dict[str, Any]:
    """Give the commit that the code is of and whether it was changed since; empty where no repository holds it."""
    package = Path(tenantrank.__file__).resolve().parent
    top = _output("git", "rev-parse", "--show-toplevel", folder=package)
    if not top or Path(top).resolve() / "src" / "tenantrank" != package:
        return {}
    head = _output("git", "rev-parse", "HEAD", folder=package)
    if not head:
        return {}
    changed = _output("git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=no", folder=package)
    return {"commit": head, "changed": bool(changed)}


def now() -> str:
    """Give the date and time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _output(*command: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
