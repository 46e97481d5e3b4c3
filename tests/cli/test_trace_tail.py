"""`tenantrank trace tail --follow` while somebody writes: each decision once, in order, and as soon as it is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.cli import trace as module
from tenantrank.trace.reader import Reader
from tests.cli.running import command
from tests.engine.samples import ABC, policy_of
from tests.trace.decided import logging

DECISION = tr.Engine(ABC).rank(policy_of(ABC, ["is", "region_eu"]))


def _each_time(monkeypatch: pytest.MonkeyPatch, steps: list[Callable[[], object]]) -> None:
    """Do the next of some things whenever the command waits, and interrupt it after the last of them."""
    left = iter(steps)

    def wait(seconds: float) -> None:
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=wait))


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "people"])
def test_follow__shows_each_decision_once_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    with logging(tmp_path) as log:
        for at in range(3):
            log.submit(DECISION, f"tr_{at}", "acme").result(60)

        def write(*ids: str) -> None:
            for name in ids:
                log.submit(DECISION, name, "acme").result(60)

        def attempt() -> None:
            log.attempts("tr_3", [{"offer": "a|x", "provider": "a", "number": 1}])
            log.flush()

        _each_time(
            monkeypatch,
            [lambda: write("tr_3"), lambda: None, attempt, lambda: write("tr_4", "tr_5"), lambda: None],
        )
        done = command("trace", "tail", "-n", 2, "--follow", "--store", tmp_path / "trace.db", *(["--json"] * as_json))
    assert done.returncode == 130
    if as_json:
        shown = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    else:
        shown = [word for line in done.stdout.splitlines() for word in line.split() if word.startswith("tr_")]
    assert shown == ["tr_1", "tr_2", "tr_3", "tr_4", "tr_5"]


def test_follow__what_comes_between_its_first_two_looks_is_shown_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with logging(tmp_path) as log:
        log.submit(DECISION, "tr_0").result(60)
        plain = Reader.head

        def head(reader: Reader) -> Any:
            found = plain(reader)
            log.submit(DECISION, "tr_1").result(60)
            return found

        monkeypatch.setattr(Reader, "head", head)
        _each_time(monkeypatch, [lambda: None, lambda: None])
        done = command("trace", "tail", "--follow", "--json", "--store", tmp_path / "trace.db")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["tr_0", "tr_1"]


@pytest.mark.skipif(os.name != "posix", reason="interrupts are sent as signals")
def test_follow__a_pipe_is_served_at_once(tmp_path: Path) -> None:
    with logging(tmp_path) as log:
        log.submit(DECISION, "tr_0").result(60)
        # Tests that were started in the background may have been told to ignore interrupts, and programs inherit that.
        start = "import signal; signal.signal(2, signal.default_int_handler); from tenantrank.cli import main; main()"
        line = [sys.executable, "-c", start, "trace", "tail", "-f", "--json"]
        process = subprocess.Popen([*line, "--store", str(tmp_path / "trace.db")], stdout=subprocess.PIPE, text=True)
        # Should it never come, the test is to end all the same.
        watch = threading.Timer(300, process.kill)
        watch.start()
        try:
            assert process.stdout is not None
            shown = [json.loads(process.stdout.readline())["id"]]
            for name in ("tr_1", "tr_2"):
                log.submit(DECISION, name).result(60)
                shown.append(json.loads(process.stdout.readline())["id"])
            process.send_signal(signal.SIGINT)
            assert process.wait() == 130
            assert process.stdout.read() == ""
        finally:
            watch.cancel()
            process.kill()
            process.communicate()
    assert shown == ["tr_0", "tr_1", "tr_2"]
