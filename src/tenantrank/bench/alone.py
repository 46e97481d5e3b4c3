"""Work in a process of its own, where the most memory it ever held can be told, and nothing was done before.

Run as ``python -m tenantrank.bench.alone MODULE FUNCTION ARGUMENTS``: calls a function of a module with keyword
arguments given as JSON, and prints what it returns as JSON.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


class AloneError(Exception):
    """The process failed; the message is the last line that it printed."""


def call_alone(module: str, function: str, **arguments: Any) -> Any:
    """Call a function in a fresh interpreter; arguments and result are JSON values.

    Raises
    ------
    AloneError
        where it fails
    """
    line = [sys.executable, "-m", "tenantrank.bench.alone", module, function, json.dumps(arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise AloneError((done.stderr.strip().splitlines() or [f"the process ended with {ended}"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def peak_mb() -> float:
    """Give the most memory that this process has held so far, in megabytes; NaN where the platform does not tell."""
    with suppress(OSError, ValueError, IndexError):
        # Not ru_maxrss: on Linux it begins with what the parent held when it started this process.
        text = Path("/proc/self/status").read_text(encoding="utf-8")
        return float(text.partition("VmHWM:")[2].split()[0]) / 1024
    with suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return float("nan")


def main(arguments: list[str]) -> None:
    """Call what the arguments name."""
    module, function, given = arguments
    result = getattr(importlib.import_module(module), function)(**json.loads(given))
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
