"""How the command line ends: exit codes, one line on stderr, whatever becomes of its streams."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.cli import app, rank
from tenantrank.cli.commands import COMMANDS, load
from tests.cli.running import OFFERS, command, refused, small, tenants

SCRIPT = str(Path(sys.executable).parent / "tenantrank")


def shell(line: str, world: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell with the script's path in $TR."""
    variables = {"TR": SCRIPT, "PATH": "/usr/bin:/bin", "W": str(world), **environment}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=variables, check=False)


FIELDS = '"$TR" catalog fields --catalog "$W/catalog.json"'


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("more", ["", " --json"])
def test_output__a_full_device_is_one_line(world: Path, more: str) -> None:
    done = shell(f"{FIELDS}{more} >/dev/full", world)

    assert done.returncode == 2
    assert done.stderr == "tenantrank: the output: No space left on device\n"


def test_output__a_closed_one_is_one_line(world: Path) -> None:
    done = shell(f"{FIELDS} >&-", world)

    assert done.returncode == 2
    assert done.stderr == "tenantrank: standard output is closed\n"
    assert shell(f"{FIELDS} 2>&-", world).returncode == 0


@pytest.mark.parametrize("more", [[], ["--json"], ["--help"]], ids=str)
def test_output__a_reader_that_leaves_is_no_failure(world: Path, more: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [SCRIPT, "catalog", "fields", *small(world), *more]
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")


def test_output__ascii_is_enough_for_any_text(world: Path) -> None:
    (world / "tenants.csv").write_text("tenant_id,plan,most\ntürkis,gold,\nt1,free,\n", encoding="utf-8")
    line = '"$TR" tenants "$W/tenants.csv" --rulebook "$W/rules.yaml" --catalog "$W/catalog.json"'
    plain = shell(line, world, PYTHONIOENCODING="ascii", LC_ALL="C")
    machine = shell(f"{line} --json", world, PYTHONIOENCODING="ascii", LC_ALL="C")

    assert plain.returncode == machine.returncode == 0, plain.stderr
    assert "t?rkis" in plain.stdout
    assert json.loads(machine.stdout)["refused"][0]["tenant"] == "türkis"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (MemoryError(), 2, "tenantrank: not enough memory\n"),
        (OSError(28, "No space left on device"), 2, "tenantrank: the output: No space left on device\n"),
        (PermissionError(13, "Permission denied", "x.bin"), 2, "tenantrank: x.bin: Permission denied\n"),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_main__ends_without_a_traceback(
    world: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(rank, "load_catalog", fail)
    done = command("rank", world / "policy.json", *small(world))

    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


def test_main__an_interruption_while_it_loads_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "tenantrank.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, app.__name__)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    done = command("--help")

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_help__waits_for_nothing_that_a_command_needs() -> None:
    script = (
        "import sys\n"
        "from tenantrank.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    needed = ('numpy', 'numba', 'pyarrow', 'pydantic', 'yaml', 'rich.console', 'tenantrank.engine')\n"
        "    print([name for name in needed if name in sys.modules])\n"
    )
    for arguments in (["--help"], ["--version"]):
        line = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        assert done.stdout.endswith("\n[]\n"), done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help__of_a_command_begins_as_the_list_says_and_ends_with_the_exit_codes(name: str) -> None:
    loaded = load(name)
    first, *_ = inspect.cleandoc(loaded.help).split("\n\n")

    assert " ".join(first.split()) == COMMANDS[name]
    paths = [[name], *([name, below] for below in getattr(loaded, "commands", {}))]
    for path in paths:
        said = command(*path, "--help").stdout
        words = " ".join(said.split())
        assert "Exit code 0: done; " in words
        assert words.endswith("2: bad input, or an output that cannot be written; 130: interrupted.")
        assert "--install-completion" not in said


def test_help__says_what_the_exit_code_1_means_where_there_is_one() -> None:
    sources = {path.stem: path.read_text(encoding="utf-8") for path in Path(rank.__file__).parent.glob("*.py")}
    may_fail = {name for name, source in sources.items() if "raise typer.Exit(1)" in source}
    said = {path for path in _paths() if "; 1: " in " ".join(command(*path.split(), "--help").stdout.split())}

    assert said == {"tenants", "diff", "lint", "conform", "bench", "trace verify", "trace replay"}
    assert may_fail == {"tenants", "diff", "lint", "conform", "bench", "trace_keep", "trace_replay"}


def _paths() -> list[str]:
    return [
        path
        for name in COMMANDS
        for path in [name, *(f"{name} {below}" for below in getattr(load(name), "commands", {}))]
    ]


def test_tables__names_that_look_like_markup_are_shown_as_they_are(world: Path) -> None:
    tr.Catalog.from_records([{**OFFERS[0], "id": "[/a]|[red]x"}]).save(world / "catalog.json")
    (world / "tenants.csv").write_text("tenant_id,plan,most\n[/t],free,\n\\[b],gold,\n")
    rest = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", *small(world))

    for done in (
        tenants(world),
        command("rank", world / "policy.json", *small(world)),
        command("explain", "[/t]", *rest, "--offer", "[/a]|[red]x"),
        command("catalog", "show", "[/a]|[red]x", *small(world)),
    ):
        assert done.returncode == 0, done.stderr
        assert "[/a]|[red]x" in done.stdout
    assert "\\[b]" in tenants(world).stdout
    assert "no offer '[x]'" in refused(command("catalog", "show", "[x]", *small(world)))


def test_tables__are_as_wide_as_columns_says(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tenants(world).stdout
    monkeypatch.setenv("COLUMNS", "60")
    narrow = tenants(world).stdout
    first = narrow.splitlines()[:8]

    assert "survivors" in whole
    assert "survivors" not in narrow
    assert all(len(line) <= 60 for line in first)
    assert all(word in narrow for word in ("tenants", "rules", "most frequent winner", "base", "b|x"))


def test_tables__empty_ones_are_left_out(world: Path) -> None:
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt4,gold,\n")
    nobody = tenants(world).stdout
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt3,paid,1\n")
    stranded = tenants(world).stdout

    assert "what the rules chose" not in nobody
    assert "tenants by winner" not in nobody
    assert "1 tenants refused" in nobody
    assert "what the rules chose" in stranded
    assert "tenants by winner" not in stranded
