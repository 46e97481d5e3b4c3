"""The documents: what they show runs, and what they name exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "data" / "README.md"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_readme__quickstart_runs_and_shows_the_rule() -> None:
    (quickstart,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", quickstart], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "free-tier <- plan='free'" in done.stdout
    assert "cmp:price_out:le" in done.stdout
    assert 15 <= len([line for line in quickstart.splitlines() if line.strip()]) <= 24


def test_readme__two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert blocks("sh")[0].split("\n")[:2] == ["make run", "make test"]
    assert re.search(r"^run:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)


def test_readme__gateway_answers_as_shown() -> None:
    (example,) = blocks("py")
    script = Path(sys.executable).parent / "tenantrank"
    command = [script, "serve", "--demo", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            address = next(
                found[1] for line in server.stderr if (found := re.match(r"serving at (http://[\d.:]+),", line))
            )
            code = example.replace("http://127.0.0.1:8080", address)
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        finally:
            server.terminate()
            server.communicate()

    assert done.returncode == 0, done.stderr
    assert "simulated" in done.stdout
    assert "premium" in done.stdout


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("tenantrank ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_readme__commands_run(line: str, tmp_path: Path) -> None:
    script, *arguments = shlex.split(line.replace(" out/", f" {tmp_path}/"))
    day = ["--as-of", "2026-11-23"] if arguments[0] != "conform" else []
    path = Path(sys.executable).parent / script
    done = subprocess.run([path, *arguments, *day], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents__links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents__paths_named_in_code_exist(document: Path) -> None:
    named = re.findall(r"`((?:src|kernels|tests|benchmarks|data|docs)/[\w./-]*)`", document.read_text(encoding="utf-8"))
    for path in named:
        assert (ROOT / path).exists(), f"{document.name} names {path}"


def test_readme__counts_are_those_of_the_bundled_catalog() -> None:
    import tenantrank as tr

    catalog = tr.Catalog.bundled()
    assert f"{len(catalog):,} offers of {len(catalog.strings('provider_id')[1])} providers" in README


def test_changelog__has_an_entry_for_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)

    assert version is not None
    assert f"[{version.group(1)}]" in changelog or "[Unreleased]" in changelog
