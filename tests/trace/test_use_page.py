"""The page on the trace, the part on using it: examples run, and the commands listed are those there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer.main

from tenantrank.cli.trace import app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trace.md").read_text(encoding="utf-8")
USE = PAGE.split("\n## On the command line\n")[0]


def test_page__examples_run() -> None:
    names: dict[str, Any] = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", USE, re.MULTILINE | re.DOTALL))
    for block in blocks:
        line = USE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), "trace.md", "exec"), names)

    assert len(blocks) >= 4


def test_page__lists_every_command() -> None:
    listed = re.findall(r"^\| `tenantrank trace (\w+)", PAGE, re.MULTILINE)
    command = typer.main.get_command(app)

    assert sorted(listed) == sorted(command.commands)  # type: ignore[attr-defined]


def test_page__names_only_options_there_are() -> None:
    options: dict[str, set[str]] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        options[name] = {option for parameter in command.params for option in parameter.opts}
    for name, words in re.findall(r"^\| `tenantrank trace (\w+)[^`]*` \| (.*) \|$", PAGE, re.MULTILINE):
        assert set(re.findall(r"`?(--[\w-]+)", words)) <= options[name], name
