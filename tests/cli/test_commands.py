"""The commands as a user runs them: what they print, what they leave, how they fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import tenantrank as tr
from tenantrank.policy.builder import cheapest, f, policy
from tests.cli.running import OFFERS, RULEBOOK, command, refused, small, tenants

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
DAY = ("--as-of", "2026-11-23")
RULES = ("--rulebook", str(DATA / "rules.yaml"))
OVERLAY = ("--overlay", str(DATA / "overlay.example.yaml"))


def test_script__runs_as_a_process_of_its_own() -> None:
    script = Path(sys.executable).parent / "tenantrank"
    done = subprocess.run([script, "conform", DATA / "absent.json"], capture_output=True, text=True, check=False)

    assert "absent.json" in refused(done)


def test_tenants__sample_job_prints_a_summary(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.parquet"
    done = command("tenants", DATA / "tenants.csv", *RULES, *OVERLAY, *DAY, "-o", out)

    assert done.returncode == 0, done.stderr
    for words in ("what the rules chose", "tenants by winner", "tenants with no offer", "1000 tenants"):
        assert words in done.stdout
    assert pq.read_table(out).num_rows == 1000


def test_tenants__one_bad_row_does_not_stop_the_others(world: Path) -> None:
    out = world / "out.parquet"
    done = tenants(world, "-o", out, "-k", 1)
    assert done.returncode == 0, done.stderr
    rows = {row["tenant"]: row for row in pq.read_table(out).to_pylist()}

    assert rows["t1"]["offer_ids"] == rows["t2"]["offer_ids"] == ["b|x"]
    assert rows["t1"]["prices_out"] == [2.0]
    assert rows["t3"]["status"] == "no_offer"
    assert "cap <- most=1" in rows["t3"]["deciding"]
    assert rows["t4"]["status"] == "error"
    assert "plan" in rows["t4"]["error"]
    assert rows["t4"]["offer_ids"] is None
    assert "1 tenants refused" in done.stdout


def test_tenants__json_is_one_document(world: Path) -> None:
    document = json.loads(tenants(world, "--json").stdout)

    assert document["status"] == {"ranked": 2, "no_offer": 1, "error": 1}
    assert document["winners"] == {"b|x": 2}
    assert document["refused"][0]["tenant"] == "t4"
    assert len(document["catalog_id"]) == len(document["rulebook_id"]) == 64


def test_tenants__every_form_of_table_gives_the_same_answers(world: Path) -> None:
    rows = [
        {"tenant_id": "t1", "plan": "free", "most": None},
        {"tenant_id": "t2", "plan": "paid", "most": 3.0},
        {"tenant_id": "t3", "plan": "paid", "most": 1.0},
        {"tenant_id": "t4", "plan": "gold", "most": None},
    ]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, world / "t.parquet")
    with pyarrow.ipc.new_file(world / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    (world / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = []
    for name in ("tenants.csv", "t.parquet", "t.arrow", "t.jsonl"):
        out = world / "out.jsonl"
        done = command("tenants", world / name, "--rulebook", world / "rules.yaml", *small(world), "-o", out)
        assert done.returncode == 0, done.stderr
        answers.append(
            [(r["tenant"], r["status"], r["offer_ids"]) for r in map(json.loads, out.read_text().splitlines())]
        )

    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert len(answers[0]) == 4


@pytest.mark.parametrize("suffix", [".arrow", ".parquet", ".jsonl"])
def test_tenants__results_are_replaced_whole(world: Path, suffix: str) -> None:
    out = world / f"out{suffix}"
    out.write_text("before")
    assert tenants(world, "-o", out).returncode == 0

    assert out.stat().st_size > len("before")
    assert [path for path in world.iterdir() if path.name.startswith(".")] == []


def test_tenants__an_empty_table_is_a_result(world: Path) -> None:
    (world / "tenants.csv").write_text("tenant_id,plan,most\n")
    done = tenants(world, "-o", world / "out.parquet")

    assert done.returncode == 0, done.stderr
    assert pq.read_table(world / "out.parquet").num_rows == 0


def test_tenants__refuses_bad_input_in_one_line(world: Path) -> None:
    broken = world / "broken.yaml"
    broken.write_text("rules: [")
    (world / "empty.csv").write_bytes(b"")
    (world / "rows.xlsx").write_bytes(b"PK")
    rules = ("--rulebook", world / "rules.yaml")

    assert "broken.yaml" in refused(command("tenants", world / "tenants.csv", "--rulebook", broken, *small(world)))
    assert "absent.csv" in refused(command("tenants", world / "absent.csv", *rules, *small(world)))
    assert "empty.csv" in refused(command("tenants", world / "empty.csv", *rules, *small(world)))
    assert "rows.xlsx" in refused(command("tenants", world / "rows.xlsx", *rules, *small(world)))
    assert "absent.parquet" in refused(
        command("tenants", world / "tenants.csv", *rules, "--catalog", world / "absent.parquet")
    )
    assert "--as-of" in refused(tenants(world, "--as-of", "yesterday"))
    assert "out.xlsx" in refused(tenants(world, "-o", world / "out.xlsx"))
    assert "tenants.csv" in refused(tenants(world, "-o", world / "tenants.csv" / "out.parquet"))


def test_rank__shows_the_order_and_why_others_fail(world: Path) -> None:
    done = command("rank", world / "policy.json", *small(world))

    assert done.returncode == 0, done.stderr
    assert done.stdout.index("b|x") < done.stdout.index("a|x")
    assert "is:priced" in done.stdout or "cmp:price_out:le" in done.stdout


def test_rank__json_holds_what_the_library_gives(world: Path) -> None:
    text = (world / "policy.json").read_text()
    document = json.loads(command("rank", "-", *small(world), "--json", stdin=text).stdout)
    catalog = tr.Catalog.load(world / "catalog.json")
    decision = tr.Engine(catalog).rank(tr.admit(text, catalog.fields))

    assert [row["offer_id"] for row in document["ranked"]] == list(decision.offer_ids)
    assert [row["score"] for row in document["ranked"]] == list(decision.scores)
    assert document["rejected"] == dict(decision.rejected)
    assert document["identity"] == decision.policy.identity


def test_rank__takes_request_health_and_envelope(world: Path) -> None:
    (world / "health.json").write_text(json.dumps({"ema": {"b|y": {"price_in": 0.5, "price_out": 0.5}}}))
    (world / "envelope.json").write_text(json.dumps(["not", ["provider_eq", "a"]]))
    (world / "request.json").write_text(json.dumps({"requirements": {"min_context": 0}}))
    (world / "policy.json").write_text(json.dumps(policy(f.price_out <= 12, cheapest("price_out"))))
    done = command(
        "rank", world / "policy.json", *small(world), "--health", world / "health.json",
        "--envelope", world / "envelope.json", "--request", world / "request.json", "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)

    assert [row["offer_id"] for row in document["ranked"]] == ["b|y", "b|x"]
    assert document["rejected"] == {"a|x": "not"}
    assert len(document["envelope_identity"]) == 64


def test_rank__says_what_the_call_is_expected_to_cost(world: Path) -> None:
    wanted = {"estimated_input_tokens": 1_000_000, "estimated_output_tokens": 500_000}
    (world / "request.json").write_text(json.dumps({"requirements": wanted}))
    line = ("rank", world / "policy.json", *small(world), "--request", world / "request.json")
    ranked = json.loads(command(*line, "--json").stdout)["ranked"]

    assert ranked
    for row in ranked:
        assert row["expected_cost_usd"] == row["price_in"] + row["price_out"] / 2
    assert "$ a call" in command(*line).stdout
    assert "$ a call" not in command("rank", world / "policy.json", *small(world)).stdout


def test_rank__refuses_bad_input_in_one_line(world: Path) -> None:
    (world / "bad.json").write_text('["policy", ["is", "no_logs"]]')
    (world / "text.json").write_text("{")
    good = world / "policy.json"

    assert "policy refused at $" in refused(command("rank", world / "bad.json", *small(world)))
    assert "not valid JSON" in refused(command("rank", world / "text.json", *small(world)))
    assert "absent.json" in refused(command("rank", world / "absent.json", *small(world)))
    assert "health" in refused(command("rank", good, *small(world), "--health", world / "bad.json"))
    assert "not valid JSON" in refused(command("rank", good, *small(world), "--request", world / "text.json"))


def test_explain__names_the_rule_behind_each_clause(world: Path) -> None:
    rest = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", *small(world))
    document = json.loads(command("explain", "t3", *rest, "--offer", "b|x", "--json").stdout)
    done = command("explain", "t2", *rest)

    assert document["offer_ids"] == []
    assert document["deciding"] == ['(cmp "price_out" "le" 1)']
    origins = {clause["clause"]: clause["origins"] for clause in document["clauses"]}
    assert origins['(cmp "price_out" "le" 1)'] == [{"rule": "cap", "field": "most", "value": 1}]
    (failure,) = document["offer"]["failed"]
    assert (failure["reason"], failure["bound"], failure["observed"]) == ("cmp:price_out:le", 1, 2)
    assert done.returncode == 0
    assert "cap <- most=3" in done.stdout


def test_explain__says_what_leaves_a_tenant_without_an_offer(world: Path) -> None:
    rest = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml")
    clauses = command("explain", "t3", *rest, *small(world)).stdout
    assert "no offer passes; what keeps the nearest out: price_out is at most 1 (cap" in clauses

    chain = "    selector: [chain, [{provider: nobody, model: m}]]\n"
    (world / "rules.yaml").write_text(
        RULEBOOK.replace("    require: [[is, priced]]\n", f"    require: [[top]]\n{chain}")
    )
    chained = command("explain", "t1", *rest, *small(world)).stdout
    assert "the selector keeps none of the 3 offers that pass (base)" in chained
    assert "no offer passes" not in chained

    tr.Catalog.from_records([]).save(world / "empty.json")
    empty = command("explain", "t1", *rest, "--catalog", world / "empty.json").stdout
    assert "the catalog has no offers" in empty


def test_explain__refuses_what_it_does_not_know(world: Path) -> None:
    rest = ("--tenants", world / "tenants.csv", "--rulebook", world / "rules.yaml", *small(world))

    assert "no tenant 't9'" in refused(command("explain", "t9", *rest))
    assert "t4" in refused(command("explain", "t4", *rest))
    assert "no offer 'z'" in refused(command("explain", "t1", *rest, "--offer", "z"))


def test_catalog_show__and_fields_describe_the_bundled_snapshot() -> None:
    shown = json.loads(command("catalog", "show", *DAY, "--json").stdout)
    fields = {field["name"]: field for field in json.loads(command("catalog", "fields", *DAY, "--json").stdout)}

    assert shown["offers"] >= 8000
    assert shown["providers"] >= 200
    assert fields["price_out"]["default"] == "+inf"
    assert fields["region_eu"]["sort"] == "Bool"
    assert 0.9 < fields["price_in"]["coverage"] <= 1
    assert command("catalog", "fields", *DAY).stdout.count("│") > 100


def test_catalog_show__gives_an_offer_with_the_source_of_each_value() -> None:
    (offer,) = json.loads(command("catalog", "show", "azure|gpt-4o", *DAY, "--json").stdout)

    assert offer["values"]["price_out"]["source"]
    assert offer["values"]["price_out"]["as_of"]
    assert "no offer" in refused(command("catalog", "show", "azure|nothing", *DAY))


def test_catalog_diff__says_what_changed(world: Path) -> None:
    changed = [{**OFFERS[0], "price_out": 5.0}, OFFERS[1]]
    tr.Catalog.from_records(changed).save(world / "new.json")
    rows = json.loads(command("catalog", "diff", world / "catalog.json", world / "new.json", "--json").stdout)
    done = command("catalog", "diff", world / "catalog.json", world / "new.json")

    assert {(row["kind"], row["offer_id"]) for row in rows} == {("removed", "b|y"), ("changed", "a|x")}
    assert "1 removed" in done.stdout


def test_catalog_build__says_which_package_is_missing(world: Path) -> None:
    place = world / "nothing.whl"
    message = refused(command("catalog", "build", "-o", world / "out.parquet", "--litellm", place, *DAY))

    assert "nothing.whl" in message
    assert not (world / "out.parquet").exists()


def test_conform__counts_and_exits_1_on_a_failure(tmp_path: Path) -> None:
    basics = DATA / "conformance" / "basics-v2.jsonl"
    lines = basics.read_text(encoding="utf-8").splitlines()
    case = json.loads(lines[1])
    case["ordered"] = case["ordered"][::-1]
    (tmp_path / "wrong.jsonl").write_text("\n".join([lines[0], json.dumps(case)]), encoding="utf-8")
    good = command("conform", basics)
    bad = command("conform", basics, tmp_path / "wrong.jsonl")

    assert good.returncode == 0
    assert good.stdout.splitlines()[-1] == "47 passed, 0 failed"
    assert bad.returncode == 1
    assert bad.stdout.splitlines()[-1] == "47 passed, 1 failed"
    assert "everything passes top" in bad.stdout
    assert json.loads(command("conform", basics, "--json").stdout)["failed"] == 0


def test_options__unknown_ones_exit_2_and_help_names_every_command() -> None:
    done = command("tenants", "--nonsense")
    listed = command("--help").stdout

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert all(name in listed for name in ("rank", "tenants", "explain", "catalog", "conform"))
    assert command("--version").stdout.strip() == f"tenantrank {tr.__version__}"
