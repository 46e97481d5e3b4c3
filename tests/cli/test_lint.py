"""`tenantrank lint` and `tenantrank rank --against` as a user runs them, over the small world."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.lint import lint, lint_fleet
from tenantrank.policy.builder import cheapest, everything, f, is_, policy
from tests.cli.running import OFFERS, command, refused, small

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "warnings.md").read_text(encoding="utf-8")
FLAT = policy(everything, cheapest("price_out"))
BELOW_3 = policy(is_("priced") & (f.price_out <= 3), cheapest("price_out"))


def scored(scorer: Any) -> Any:
    return ["policy", ["is", "priced"], scorer, ["argmax"], ["id"], ["always", {"action": "abort"}]]


def put(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def book(world: Path, *more: object) -> tuple[object, ...]:
    return ("--rulebook", world / "rules.yaml", "--tenants", world / "tenants.csv", *small(world), *more)


def document(*arguments: object) -> dict[str, Any]:
    done = command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def keys_of(table: str) -> set[str]:
    (rows,) = re.findall(rf"^\| key of `{table}` \|.*\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    return {name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}


def test_lint__a_policy_is_told_what_the_library_says(world: Path) -> None:
    path = put(world / "flat.json", FLAT)
    engine = tr.Engine(tr.Catalog.load(world / "catalog.json"))
    wanted = lint(engine, tr.admit(FLAT, engine.catalog.fields))
    done = command("lint", path, *small(world))

    assert [finding.code for finding in wanted] == ["TR301", "TR305"]
    assert document("lint", path, *small(world))["warnings"] == [finding.to_json() for finding in wanted]
    assert done.returncode == 0
    assert "TR301" in done.stdout
    assert "2 warnings; docs/warnings.md explains each code" in done.stdout
    assert done.stderr == ""


def test_lint__reads_a_policy_from_standard_input_with_a_request(world: Path) -> None:
    text = json.dumps(scored(["neg", ["field", "expected_cost_usd"]]))
    estimates = {"requirements": {"estimated_input_tokens": 5, "estimated_output_tokens": 5}}
    request = put(world / "request.json", estimates)

    assert "TR307" in command("lint", "-", *small(world), stdin=text).stdout
    assert "TR307" not in command("lint", "-", *small(world), "--request", request, stdin=text).stdout


def test_lint__takes_health_and_envelope(world: Path) -> None:
    path = put(world / "flat.json", FLAT)
    health = put(world / "health.json", {"ema": {"b|y": {"price_in": 0.5, "price_out": 0.5}}})
    envelope = put(world / "envelope.json", ["provider_eq", "a"])

    assert "no warning" not in command("lint", path, *small(world)).stdout
    assert document("lint", path, *small(world), "--health", health)["warnings"] == []
    within = document("lint", path, *small(world), "--envelope", envelope)
    assert within["warnings"] == []
    assert len(within["envelope_identity"]) == 64


def test_lint__a_rulebook_is_told_by_rule_with_its_tenants(world: Path) -> None:
    rules = tr.Rulebook.load(world / "rules.yaml")
    engine = tr.Engine(tr.Catalog.load(world / "catalog.json"))
    bound = rules.bind(engine.catalog.fields)
    fleet = bound.compile_many(tr.read_tenants(world / "tenants.csv"))
    found = document("lint", *book(world))
    done = command("lint", *book(world))

    assert found["warnings"] == [each.to_json() for each in lint_fleet(engine, fleet, bound.warnings)]
    assert [(each["code"], each["rule"], each["tenants"], each["example"]) for each in found["warnings"]] == [
        ("TR201", "cap", 1, "t3"),
        ("TR401", None, 1, "t3"),
    ]
    assert (found["tenants"], found["refused"], found["distinct_policies"]) == (4, 1, 3)
    assert done.stderr == "1 tenants are refused, and have no policy to look at\n"
    assert "t3" in done.stdout


def test_lint__strict_fails_on_what_is_not_ignored(world: Path) -> None:
    path = put(world / "flat.json", FLAT)

    assert command("lint", path, *small(world), "--strict").returncode == 1
    assert command("lint", path, *small(world), "--strict", "--ignore", "TR301").returncode == 1
    done = command("lint", path, *small(world), "--strict", "--ignore", "TR301", "--ignore", "TR305")
    assert done.returncode == 0
    assert done.stdout == "0 warnings; 2 ignored\n"
    assert command("lint", *book(world, "--strict")).returncode == 1
    assert command("lint", world / "policy.json", *small(world), "--strict").returncode == 0


def test_lint__json_has_the_documented_keys(world: Path) -> None:
    path = put(world / "flat.json", FLAT)
    envelope = put(world / "envelope.json", ["top"])
    day = ("--as-of", "2026-11-23", "--envelope", envelope, "--ignore", "TR305")
    one, many = document("lint", path, *small(world), *day), document("lint", *book(world, *day))

    assert set(one) | set(many) == keys_of("lint")
    assert one["ignored"] == ["TR305"]
    assert [each["code"] for each in one["warnings"]] == ["TR301"]
    assert many["ignored"] == []
    assert set(many["warnings"][0]) - set(one["warnings"][0]) == {"rule", "tenants", "policies", "example"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "lint takes a policy, or --rulebook with --tenants"),
        (("--rulebook", "rules.yaml"), "lint takes a policy, or --rulebook with --tenants"),
        (("--tenants", "tenants.csv"), "lint takes a policy, or --rulebook with --tenants"),
        (("policy.json", "--rulebook", "rules.yaml"), "not both"),
        (
            ("--rulebook", "rules.yaml", "--tenants", "tenants.csv", "--request", "r.json"),
            "--request goes with a policy",
        ),
        (("policy.json", "--ignore", "tr301"), "no warning has the code 'tr301', did you mean 'TR301'?"),
        (("absent.json",), "absent.json"),
        (("rules.yaml",), "rules.yaml: policy refused at $"),
    ],
)
def test_lint__refuses_bad_input_in_one_line(world: Path, arguments: tuple[str, ...], words: str) -> None:
    given = [world / part if Path(part).suffix and not part.startswith("-") else part for part in arguments]

    assert words in refused(command("lint", *given, *small(world)))


def test_rank__prints_its_warnings_beside_the_answer(world: Path) -> None:
    path = put(world / "flat.json", FLAT)
    engine = tr.Engine(tr.Catalog.load(world / "catalog.json"))
    findings = lint(engine, tr.admit(FLAT, engine.catalog.fields))
    done = command("rank", path, *small(world), "--json")

    assert done.stderr.splitlines() == [f"warning {finding}" for finding in findings]
    assert json.loads(done.stdout)["warnings"] == [finding.to_json() for finding in findings]
    assert command("rank", world / "policy.json", *small(world)).stderr == ""


def test_rank__tells_names_of_the_envelope_that_no_offer_has(world: Path) -> None:
    envelope = put(world / "envelope.json", ["not", ["provider_eq", "bb"]])
    done = command("rank", world / "policy.json", *small(world), "--envelope", envelope)

    assert done.stderr == "warning: no offer has the name 'bb'; did you mean 'b'?\n"


def test_rank__shows_another_policy_beside_it(world: Path) -> None:
    new, shipped = put(world / "new.json", BELOW_3), world / "policy.json"
    found = document("rank", new, *small(world), "--against", shipped)
    alone = document("rank", shipped, *small(world))
    done = command("rank", new, *small(world), "--against", shipped)

    assert document("rank", new, *small(world))["against"] is None
    assert set(found["against"]) == keys_of("against")
    for key in ("fingerprint", "identity", "version", "survivors", "ranked"):
        assert found["against"][key] == alone[key]
    assert [row["offer_id"] for row in found["ranked"]] == ["b|x"]
    assert [row["offer_id"] for row in found["against"]["ranked"]] == ["b|x", "a|x"]
    assert not found["against"]["winner_changed"]
    assert found["against"]["order_changed"]
    assert (found["against"]["gained"], found["against"]["lost"]) == ([], ["a|x"])
    for line in (
        "first: b|x, as with policy.json",
        "order: differs from place 2 on",
        "pass: 1, with policy.json 2; 1 lost: a|x",
    ):
        assert line in done.stdout.splitlines()


def test_rank__tells_what_the_whole_order_has_and_not_only_what_is_shown(world: Path) -> None:
    dearest = put(world / "dearest.json", scored(["field", "price_out"]))
    found = document("rank", dearest, *small(world), "--against", world / "policy.json", "-k", 1)
    same = document("rank", world / "policy.json", *small(world), "--against", world / "policy.json", "-k", 1)
    narrow = document(
        "rank", put(world / "new.json", BELOW_3), *small(world), "--against", world / "policy.json", "-k", 1
    )

    assert found["against"]["winner_changed"]
    assert len(found["against"]["ranked"]) == 1
    assert not same["against"]["winner_changed"]
    assert not same["against"]["order_changed"]
    assert narrow["ranked"] == narrow["against"]["ranked"]
    assert narrow["against"]["order_changed"]


def test_rank__against_nothing_that_passes(world: Path) -> None:
    nobody = put(world / "nobody.json", policy(f.price_out <= 0.1))
    done = command("rank", world / "policy.json", *small(world), "--against", nobody)
    turned = command("rank", nobody, *small(world), "--against", world / "policy.json")

    assert "first: b|x; with nobody.json no offer" in done.stdout
    assert "pass: 2, with nobody.json 0; 2 gained: a|x, b|x" in done.stdout
    assert "first: no offer; with policy.json b|x" in turned.stdout
    assert "warning TR401: none of the 3 offers passes the filter" in turned.stderr


def test_rank__against_names_its_file_in_a_refusal(world: Path) -> None:
    bad = put(world / "bad.json", ["policy"])

    assert f"--against {bad}: policy refused at $" in refused(
        command("rank", world / "policy.json", *small(world), "--against", bad)
    )
    assert "standard input holds the policy" in refused(command("rank", "-", *small(world), "--against", "-"))
    text = json.dumps(BELOW_3)
    done = command("rank", world / "policy.json", *small(world), "--against", "-", stdin=text)
    assert "first: b|x, as with standard input" in done.stdout


def test_commands_list_lint() -> None:
    assert "lint" in command("--help").stdout
    assert len(OFFERS) == 3
