"""The direction of imports, and that importing the package does nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_import__reaches_no_network_and_starts_no_thread() -> None:
    script = (
        "import socket, threading\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "import tenantrank\n"
        "assert threading.active_count() == 1\n"
        "print(tenantrank.__version__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip()


def test_import__leaves_heavy_optional_packages_alone() -> None:
    names = ["typer", "rich", "litellm", "pandas"]
    script = f"import sys, tenantrank; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
