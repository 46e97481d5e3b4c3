"""The page on testing: its examples run, and its tables name what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from tenantrank.testing import MockProvider, Recorded, Reply, faults
from tenantrank.testing.provider_errors import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([^`]+)`")


def first_cells(header: str) -> list[str]:
    (body,) = re.findall(rf"^\| {re.escape(header)} \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return [name for line in body.splitlines() for name in NAMED.findall(line.split(" | ")[0])]


def test_page__examples_run() -> None:
    pytest.importorskip("uvicorn", reason="the gateway's extra is not installed: pip install 'tenantrank[gateway]'")
    names: dict[str, Any] = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 5
    for block in blocks:
        line = PAGE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), "testing.md", "exec"), names)


def test_page__lists_every_argument() -> None:
    assert first_cells("argument") == list(inspect.signature(MockProvider).parameters)


def test_page__lists_every_attribute_of_a_request() -> None:
    listed = {name.partition("(")[0] for name in first_cells("attribute")}
    known = {name for name in dir(Recorded) if not name.startswith("_")} - {"head_end", "line", "reply"}

    assert listed == known


def test_page__lists_every_fault() -> None:
    listed = {name.partition("(")[0] for name in first_cells("fault")}
    known = {
        name
        for name, member in vars(faults).items()
        if inspect.isfunction(member) and member.__module__ == faults.__name__ and not name.startswith("_")
    }

    assert listed == known
    for name in first_cells("fault"):
        parameters = inspect.signature(getattr(faults, name.partition("(")[0])).parameters
        for given in re.findall(r"[a-z_]+", name.partition("(")[2]):
            assert given in parameters, name


def test_page__lists_every_kind_of_error() -> None:
    (sentence,) = re.findall(r"^Kinds are (.*?);", PAGE, re.MULTILINE | re.DOTALL)

    assert NAMED.findall(sentence) == list(KINDS)


def test_page__combines_what_can_be_combined() -> None:
    (text,) = re.findall(r"`(faults\.[^`]+\.but\([^`]+)`", PAGE)
    assert isinstance(eval(text, {"faults": faults}), Reply)
