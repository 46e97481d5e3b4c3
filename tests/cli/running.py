"""Running the command line as its script would, over a small world of three offers and four tenants."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tenantrank.cli import main

OFFERS: list[dict[str, Any]] = [
    {"id": "a|x", "provider_id": "a", "model_family": "x", "price_in": 1.0, "price_out": 4.0},
    {"id": "b|x", "provider_id": "b", "model_family": "x", "price_in": 1.0, "price_out": 2.0},
    {"id": "b|y", "provider_id": "b", "model_family": "y"},
]
RULEBOOK = """
version: 1
key: tenant_id
fields:
  plan: {type: enum, values: [free, paid]}
  most: {type: number, optional: true}
defaults:
  preference: {lowest: price_out}
rules:
  - id: base
    require: [[is, priced]]
  - id: cap
    when: {most: {absent: false}}
    ceiling: {price_out: {tenant: most}}
"""
TENANTS = "tenant_id,plan,most\nt1,free,\nt2,paid,3\nt3,paid,1\nt4,gold,\n"


def command(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, as its script would."""
    line = ["tenantrank", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", line)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    return subprocess.CompletedProcess(line, code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Give the message of a run that ended as bad input does: exit 2, one line, no traceback."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("tenantrank: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def small(world: Path) -> tuple[str, ...]:
    return ("--catalog", str(world / "catalog.json"))


def tenants(world: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return command("tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", *small(world), *more)
