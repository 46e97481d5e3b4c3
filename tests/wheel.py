"""Build the sdist, build the wheel from it, install the wheel alone in a new environment, and try it there.

Run as ``python -m tests.wheel``; exit 0 where all of it works.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TRIAL = """
import json, sys
import tenantrank as tr
from tenantrank.policy.builder import cheapest, f, is_, policy

assert "site-packages" in tr.__file__, tr.__file__
catalog = tr.Catalog.bundled()
term = policy(is_("priced") & (f.price_out <= 12), cheapest("price_out"))
decision = tr.Engine(catalog).rank(tr.admit(term, catalog.fields), k=3)
assert len(decision.offer_ids) == 3, decision
json.dump([len(catalog), list(decision.offer_ids)], sys.stdout)
"""


def _run(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:6]))} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _run(sys.executable, "-m", "build", "--sdist", "--wheel", "--outdir", work, ROOT, cwd=work)
        (wheel,) = work.glob("*.whl")
        (sdist,) = work.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            unwanted = [name for name in archive.getnames() if "__pycache__" in name or name.endswith((".nbi", ".nbc"))]
        if unwanted:
            sys.exit(f"the sdist holds build leftovers: {unwanted[:3]}")
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / "bin" / "python"
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=work)
        print(_run(python, "-c", TRIAL, cwd=work))
        print(_run(work / "venv" / "bin" / "tenantrank", "--version", cwd=work).strip())
        said = subprocess.run([work / "venv" / "bin" / "tenantrank", "serve", "--demo"], capture_output=True, text=True)
        if said.returncode != 2 or "pip install 'tenantrank[gateway]'" not in said.stderr:
            sys.exit(f"serve without its extra says: {said.returncode} {said.stderr[-500:]}")
        print(f"{wheel.name}: built from the sdist, installed alone, ranked the bundled catalog")


if __name__ == "__main__":
    main()
