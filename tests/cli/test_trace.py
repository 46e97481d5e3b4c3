"""`tenantrank trace …` as a user runs it: over a trace of three tenants, one of whom may have no offer."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import tenantrank as tr
from tenantrank.tenants import read_tenants
from tests.cli.running import command, refused
from tests.trace.decided import logging

pytest.importorskip("cryptography")


@pytest.fixture
def trace(world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A world whose tenants t1 … t3 have called once each, a second apart."""
    catalog = tr.Catalog.load(world / "catalog.json")
    book = tr.Rulebook.load(world / "rules.yaml").bind(catalog.fields)
    fleet = book.compile_many(read_tenants(world / "tenants.csv"))
    engine = tr.Engine(catalog)
    with logging(world) as log:
        for row in range(3):
            compiled = fleet.compiled(row)
            assert compiled is not None
            tenant = fleet.tenants[row]
            log.submit(engine.rank(compiled, seed=row), f"tr_{row}", tenant, "key", "gpt", compiled, book).result(10)
        attempt = {"offer": "b|x", "provider": "b", "number": 1, "tokens_in": 1000, "tokens_out": 1_000_000}
        log.attempts("tr_0", [attempt], tenant="t1", outcome="answered")
    monkeypatch.setenv("TENANTRANK_TRACE", str(world / "trace.db"))
    return world


def document(*arguments: object) -> Any:
    done = command("trace", *arguments, "--json")
    assert done.stderr == ""
    return json.loads(done.stdout)


def lines(*arguments: object) -> list[Any]:
    done = command("trace", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def damage(trace: Path) -> None:
    """Alter one record as somebody would who has the file."""
    import sqlite3

    connection = sqlite3.connect(trace / "trace.db")
    (body,) = connection.execute("SELECT body FROM records WHERE id = 'tr_1'").fetchone()
    altered = bytes(body).replace(b'"b|x"', b'"a|x"')
    assert altered != bytes(body)
    connection.execute("UPDATE records SET body = ? WHERE id = 'tr_1'", (altered,))
    connection.commit()
    connection.close()


def test_show__says_which_rule_applied_in_words(trace: Path) -> None:
    done = command("trace", "show", "tr_1", "--offer", "a|x")

    assert done.returncode == 0, done.stderr
    for words in (
        "rules that applied: base, cap",
        "rule cap, since the tenant's most is 3.0",
        "why not a|x",
        "cmp:price_out:le",
        "computed again it comes to the same, to the bit",
    ):
        assert words in done.stdout


def test_show__json_page_and_raw(trace: Path) -> None:
    shown = document("show", "tr_1", "--offer", "a|x", "--html", trace / "page.html")
    raw = command("trace", "show", "tr_0", "--raw").stdout.splitlines()

    assert shown["applied"] == ["base", "cap"]
    assert shown["offer"]["failed"][0]["observed"] == "4.0"
    assert shown["ranked"] == [{"offer": "b|x", "score": -1.0}]
    assert "rule cap" in (trace / "page.html").read_text()
    assert [json.loads(line)["kind"] for line in raw] == ["decision", "attempts"]


def test_show__what_is_not_there_is_refused(trace: Path) -> None:
    assert "tr_9" in refused(command("trace", "show", "tr_9"))
    assert "zzz" in refused(command("trace", "show", "tr_1", "--offer", "zzz"))
    assert "absent.db" in refused(command("trace", "tail", "--store", trace / "absent.db"))


def test_tail_and_search__find_decisions(trace: Path) -> None:
    assert [record["id"] for record in lines("tail")] == ["tr_0", "tr_1", "tr_2"]
    assert [record["id"] for record in lines("tail", "-n", 1)] == ["tr_2"]
    assert [record["id"] for record in lines("search", "--tenant", "t2")] == ["tr_1"]
    assert [record["id"] for record in lines("search", "--rule", "cap")] == ["tr_2", "tr_1"]
    assert [record["id"] for record in lines("search", "--offer", "b|x", "--limit", 1)] == ["tr_1"]
    assert lines("search", "--since", "2027-01-01") == []
    assert [record["id"] for record in lines("search", "--until", "2026-11-26T00:00:00+00:00", "--limit", 1)] == [
        "tr_2"
    ]
    (third,) = lines("search", "--tenant", "t3")
    assert [r["id"] for r in lines("search", "--identity", third["policy"]["identity"])] == ["tr_2"]
    assert "t2" in command("trace", "tail").stdout
    assert "3 decisions" in command("trace", "search").stdout


def test_search__a_time_that_is_none_is_refused(trace: Path) -> None:
    assert "--since" in refused(command("trace", "search", "--since", "yesterday"))


def test_replay__everything_comes_to_the_same(trace: Path) -> None:
    assert document("replay", "--all") == {"count": 3, "same": 3, "failed": 0, "mismatches": []}
    assert document("replay", "tr_0", "tr_2")["count"] == 2
    assert document("replay", "--since", "2026-11-25")["count"] == 3
    assert document("replay", "--until", "2026-11-25")["count"] == 0
    assert "3 the same to the bit" in command("trace", "replay", "--all").stdout


def test_replay__what_was_altered_is_named_and_the_exit_says_no(trace: Path) -> None:
    damage(trace)
    done = command("trace", "replay", "--all")
    found = document("replay", "--all")

    assert done.returncode == 1
    assert "the offer at place 1: recorded 'a|x', now 'b|x'" in done.stdout
    assert (found["same"], found["mismatches"][0]["id"]) == (2, "tr_1")


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["tr_0", "--all"],
        ["--all", "--rulebook", "r.yaml"],
        ["--all", "--overlay", "o.yaml"],
        ["--all", "--as-of", "2026-01-01"],
    ],
)
def test_replay__options_that_do_not_go_together_are_refused(given: list[str], trace: Path) -> None:
    assert "replay: " in refused(command("trace", "replay", *given))


def test_replay__an_id_that_is_not_there_is_refused(trace: Path) -> None:
    assert "'tr_9'" in refused(command("trace", "replay", "tr_9"))


def test_replay__another_catalog_says_what_would_have_changed(trace: Path) -> None:
    offers = json.loads((trace / "catalog.json").read_text())
    text = json.dumps(offers).replace('"price_out": 2.0', '"price_out": 9.0')
    assert text != json.dumps(offers)
    value = json.loads(text)
    value.pop("catalog_id", None)
    (trace / "other.json").write_text(json.dumps(value))
    other = ("--catalog", trace / "other.json")
    found = document("replay", "--all", *other)
    done = command("trace", "replay", "--all", *other)

    assert (found["compared"], found["first"], found["none"], found["priced"]) == (3, 2, 1, 1)
    assert found["cost_before"] == pytest.approx(2.001)
    assert found["cost_after"] == pytest.approx(4.001)
    assert "another offer would have come first in 2" in done.stdout
    assert "in the place of 2.001" in done.stdout
    assert done.returncode == 0


def test_replay__another_rulebook_needs_the_tenants(trace: Path) -> None:
    rules = (trace / "rules.yaml").read_text().replace("lowest: price_out", "highest: price_out")
    (trace / "other.yaml").write_text(rules)
    found = document("replay", "--all", "--rulebook", trace / "other.yaml", "--tenants", trace / "tenants.csv")

    assert found["moves"] == [{"before": "b|x", "after": "a|x", "decisions": 1}]


def test_export__writes_every_record(trace: Path) -> None:
    out = trace / "out.parquet"
    written = document("export", out)["records"]

    assert written == pq.read_table(out).num_rows > 3
    assert document("export", out, "--until", "2020-01-01")["records"] == 0


def test_key_checkpoint_and_verify__notice_what_was_done(trace: Path) -> None:
    key, kept = trace / "key.pem", trace / "kept.jsonl"
    made = document("key", key)
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert "File exists" in refused(command("trace", "key", key))
    assert document("checkpoint", "--to", kept)["added"] == 0
    added = document("checkpoint", "--to", kept, "--key", key)
    assert (added["added"], document("checkpoint", "--to", kept)["added"]) == (1, 0)

    found = document("verify", "--checkpoints", kept, "--public-key", made["public"])
    assert found["ok"]
    assert "could have signed it anew" in command("trace", "verify").stdout
    damage(trace)
    done = command("trace", "verify", "--checkpoints", kept, "--public-key", made["public"])
    assert done.returncode == 1
    assert "edited: record" in done.stdout


def test_retain__leaves_a_stub_and_the_rest_verifies(trace: Path) -> None:
    key = trace / "key.pem"
    command("trace", "key", key)
    command("trace", "checkpoint", "--to", trace / "kept.jsonl", "--key", key)

    assert document("retain", "--before", "2026-01-01", "--key", key) == {"removed_in_all": 0, "last": None}
    assert document("retain", "--before", "2027-01-01", "--key", key)["removed_in_all"] > 0
    assert lines("tail") == []
    assert command("trace", "verify", "--public-key", f"{key}.pub").returncode == 0
    assert "no such trace" in refused(
        command("trace", "retain", "--before", "2027-01-01", "--key", key, "--store", trace / "absent.db")
    )
