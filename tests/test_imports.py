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
    script = (
        "import sys, tenantrank as tr\n"
        "for name in tr.__all__:\n"
        "    getattr(tr, name)\n"
        f"print([name for name in {names} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_import__compiler_and_tables_wait_for_who_needs_them() -> None:
    script = (
        "import sys, tenantrank as tr\n"
        "assert set(tr.__all__) | {'__name__'} <= set(dir(tr))\n"
        "tr.admit, tr.Fields, tr.PolicyError, tr.builder, tr.__version__\n"
        "print([name for name in ('numpy', 'numba', 'pyarrow', 'pydantic') if name in sys.modules])\n"
        "assert tr.engine.Engine is tr.Engine and tr.catalog.Catalog is tr.Catalog\n"
        "from tenantrank import *\n"
        "assert Rulebook is tr.tenants.Rulebook and Policy is tr.policy.policy.Policy\n"
        "try:\n"
        "    tr.no_such_name\n"
        "except AttributeError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["[]", "module 'tenantrank' has no attribute 'no_such_name'"]
