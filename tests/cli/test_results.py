"""Written results: whole, readable by others, never over an input."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenantrank.cli import results
from tenantrank.cli.results import check_results, write_results
from tenantrank.errors import InputError
from tests.cli.running import command, refused, small, tenants

TABLE = pa.table({"tenant": ["é"], "scores": [[math.inf, -math.inf, math.nan, 0.5]]})


def test_write__json_lines_hold_null_for_what_json_lacks(tmp_path: Path) -> None:
    write_results(TABLE, tmp_path / "out.jsonl")
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")

    assert json.loads(text, parse_constant=pytest.fail) == {"tenant": "é", "scores": [None, None, None, 0.5]}
    assert text.endswith("\n")


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_write__permissions_are_those_of_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_results(TABLE, tmp_path / "out.parquet")
    finally:
        os.umask(before)

    assert (tmp_path / "out.parquet").stat().st_mode & 0o777 == mode


def test_write__suffix_may_be_in_capitals(tmp_path: Path) -> None:
    write_results(TABLE, tmp_path / "out.PARQUET")

    assert pq.read_table(tmp_path / "out.PARQUET").column_names == ["tenant", "scores"]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".jsonl"])
def test_write__a_full_disk_is_named_and_leaves_the_old_file(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("before")

    def full(*_: Any) -> None:
        # As a writer does that removes what it could not finish.
        next(tmp_path.glob(".tenantrank-*")).unlink()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(results, "_write", full)
    with pytest.raises(InputError, match=rf"out\{suffix}: cannot be written: No space left on device"):
        write_results(TABLE, path)

    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "before"


def test_check__leaves_nothing_but_the_folder(tmp_path: Path) -> None:
    check_results(tmp_path / "deep" / "out.parquet", (None, tmp_path / "absent.csv"))

    assert list((tmp_path / "deep").iterdir()) == []


def test_check__refuses_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.parquet").mkdir()

    for name, why in (
        ("out.csv", "results are written as one of"),
        ("file/out.parquet", "cannot be written"),
        ("folder.parquet", "it is a folder"),
    ):
        with pytest.raises(InputError, match=why):
            check_results(tmp_path / name, ())


def test_tenants__bad_output_is_refused_before_anything_is_read(world: Path) -> None:
    missing = ("tenants", world / "absent.csv", "--rulebook", world / "absent.yaml", *small(world))

    assert "out.csv: results are written as one of" in refused(command(*missing, "-o", world / "out.csv"))
    assert "cannot be written" in refused(command(*missing, "-o", world / "tenants.csv" / "out.parquet"))


def test_tenants__an_input_is_never_replaced(world: Path) -> None:
    table = pa.table({"tenant_id": ["t1"], "plan": ["free"], "most": pa.array([None], pa.float64())})
    pq.write_table(table, world / "t.parquet")
    (world / "link.parquet").symlink_to(world / "t.parquet")
    before = (world / "t.parquet").read_bytes()
    rest = ("--rulebook", world / "rules.yaml")

    for out in ("t.parquet", "link.parquet"):
        line = ("tenants", world / "t.parquet", *rest, *small(world), "-o", world / out)
        assert "would be replaced" in refused(command(*line))
    line = ("tenants", world / "tenants.csv", *rest, "--catalog", world / "t.parquet", "-o", world / "t.parquet")
    assert "would be replaced" in refused(command(*line))
    assert (world / "t.parquet").read_bytes() == before


def test_tenants__infinite_scores_are_valid_json_lines(world: Path) -> None:
    rules = (world / "rules.yaml").read_text()
    (world / "rules.yaml").write_text(rules.replace("[[is, priced]]", "[[top]]").replace("lowest", "highest"))
    done = tenants(world, "-o", world / "out.jsonl")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line, parse_constant=pytest.fail) for line in (world / "out.jsonl").read_text().splitlines()]

    assert None in rows[0]["scores"]


def test_write__keeps_the_rights_of_what_it_replaces_and_follows_links(tmp_path: Path) -> None:
    target, link = tmp_path / "kept.jsonl", tmp_path / "link.jsonl"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    write_results(TABLE, link)
    assert link.is_symlink()
    assert json.loads(target.read_text())["tenant"] == "é"
    assert target.stat().st_mode & 0o777 == 0o600


def test_check__a_file_that_nobody_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "precious.jsonl"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(InputError, match="cannot be written: it is read-only"):
        check_results(path, [])
    assert path.read_text() == "old"


def test_names_that_would_steer_a_terminal_are_written_out(tmp_path: Path) -> None:
    hostile = "a\x1b]0;pwn\x07\x1b[2J\u202e|x"
    catalog = tmp_path / "catalog.json"
    offer = {"offer_id": hostile, "provider_id": "a\x1b[31m", "model_family": "x", "price_in": 1, "price_out": 1}
    catalog.write_text(json.dumps({"offers": [offer]}))
    policy = tmp_path / "policy.json"
    plan = ["always", {"action": "next_candidate"}]
    term = ["policy", ["not", ["provider_eq", "b\x1b[2J"]], ["zero"], ["argmax"], ["id"], plan]
    policy.write_text(json.dumps(term))
    done = command("rank", policy, "--catalog", catalog)
    assert done.returncode == 0, done.stderr
    assert "\\u001b[2J" in done.stdout
    for raw in ("\x1b]", "\x1b[2J", "\u202e", "\x07", "\x1b[31m"):
        assert raw not in done.stdout + done.stderr
