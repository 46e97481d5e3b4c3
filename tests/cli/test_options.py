"""What each option changes in the answer, and the remarks that go with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tests.cli.running import OFFERS, command, refused, small, tenants

PLAN = ["always", {"action": "abort"}]
CHEAPEST = ["neg", ["field", "price_out"]]


def document(*arguments: object) -> Any:
    done = command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def put(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


@pytest.fixture
def overlay(world: Path) -> tuple[object, ...]:
    """Make the first offer the cheapest, and name an offer that is not there."""
    entries = [
        {"match": {"provider_id": "a"}, "set": {"price_out": 0.25}},
        {"match": {"provider_id": "nobody"}, "set": {"tier": "partner"}},
    ]
    return "--overlay", put(world / "overlay.json", {"name": "own", "attestations": entries})


@pytest.fixture
def health(world: Path) -> tuple[object, ...]:
    """Break the provider that would win, for rules that look at breakers."""
    for name in ("policy.json", "rules.yaml"):
        text = (world / name).read_text()
        text = text.replace("[[is, priced]]", "[[is, priced], [not, [is, breaker_open]]]")
        text = text.replace('["is", "priced"]', '["is", "priced"], ["not", ["is", "breaker_open"]]')
        (world / name).write_text(text)
    return "--health", put(world / "health.json", {"breakers": {"b": True}})


@pytest.fixture
def envelope(world: Path) -> tuple[object, ...]:
    """Exclude the provider that would win."""
    return "--envelope", put(world / "envelope.json", ["not", ["provider_eq", "b"]])


def of(world: Path, name: str) -> tuple[object, ...]:
    rulebook = ("--rulebook", world / "rules.yaml", *small(world))
    return {
        "rank": ("rank", world / "policy.json", *small(world)),
        "tenants": ("tenants", world / "tenants.csv", *rulebook),
        "explain": ("explain", "t1", "--tenants", world / "tenants.csv", *rulebook),
    }[name]


def winner(found: Any) -> str:
    """Give the offer that wins, whichever command answered."""
    if "ranked" in found:
        return str(found["ranked"][0]["offer_id"])
    return str(next(iter(found["winners"])) if "winners" in found else found["offer_ids"][0])


@pytest.mark.parametrize("name", ["rank", "tenants", "explain"])
@pytest.mark.parametrize("option", ["overlay", "health", "envelope"])
def test_options__state_of_the_operator_decides(
    world: Path, name: str, option: str, request: pytest.FixtureRequest
) -> None:
    given = request.getfixturevalue(option)

    assert winner(document(*of(world, name))) == "b|x"
    assert winner(document(*of(world, name), *given)) == "a|x"


def test_overlay__counts_for_what_catalog_commands_show(world: Path, overlay: tuple[object, ...]) -> None:
    tr.Catalog.from_records([OFFERS[2], {**OFFERS[0], "price_out": None}]).save(world / "catalog.json")

    def coverage(*more: object) -> Any:
        listed = document("catalog", "fields", *small(world), *more)
        return next(field["coverage"] for field in listed if field["name"] == "price_out")

    (offer,) = document("catalog", "show", "a|x", *small(world), *overlay)
    assert offer["values"]["price_out"]["value"] == 0.25
    assert "own" in offer["values"]["price_out"]["source"]
    assert coverage() == 0
    assert coverage(*overlay) == 0.5


@pytest.mark.parametrize("name", ["rank", "tenants", "explain"])
def test_overlay__warnings_are_printed(world: Path, name: str, overlay: tuple[object, ...]) -> None:
    done = command(*of(world, name), *overlay)

    assert done.returncode == 0
    assert "warning: overlay own: attestations[1] matches no offer" in done.stderr
    assert command(*of(world, name)).stderr == ""


def test_catalog_show__prints_warnings(world: Path, overlay: tuple[object, ...]) -> None:
    for name in ("show", "fields"):
        assert "attestations[1] matches no offer" in command("catalog", name, *small(world), *overlay).stderr


def test_rank__seed_decides_the_order_of_a_sample(world: Path) -> None:
    term = ["policy", ["top"], ["zero"], ["sample", 0.5], ["id"], PLAN]
    path = put(world / "sample.json", term)
    catalog = tr.Catalog.load(world / "catalog.json")
    engine, policy = tr.Engine(catalog), tr.admit(term, catalog.fields)
    orders = []
    for seed in range(6):
        found = document("rank", path, *small(world), "--seed", seed)
        orders.append(tuple(row["offer_id"] for row in found["ranked"]))
        assert orders[-1] == engine.rank(policy, seed=seed).offer_ids

    assert len(set(orders)) > 1


@pytest.mark.parametrize("name", ["rank", "tenants", "explain"])
def test_as_of__is_the_day_that_counts(world: Path, name: str) -> None:
    ends = {**OFFERS[1], "deprecation_date": "2030-01-01"}
    tr.Catalog.from_records([OFFERS[0], ends]).save(world / "catalog.json")
    put(world / "policy.json", ["policy", ["not", ["is", "deprecated"]], CHEAPEST, ["argmax"], ["id"], PLAN])
    rules = (world / "rules.yaml").read_text()
    (world / "rules.yaml").write_text(rules.replace("[[is, priced]]", "[[is, priced], [not, [is, deprecated]]]"))

    assert winner(document(*of(world, name), "--as-of", "2029-12-31")) == "b|x"
    assert winner(document(*of(world, name), "--as-of", "2030-01-02")) == "a|x"


def test_as_of__an_attestation_lapses(world: Path) -> None:
    evidence = {"contract": "C-1", "verified_at": "2020-01-01", "valid_until": "2030-01-01"}
    entry = {"match": {"provider_id": "a"}, "set": {"no_log": True}, **evidence}
    given = ("--overlay", put(world / "overlay.json", {"name": "own", "attestations": [entry]}))
    put(world / "policy.json", ["policy", ["is", "no_log"], CHEAPEST, ["argmax"], ["id"], PLAN])

    assert document(*of(world, "rank"), *given, "--as-of", "2029-12-31")["survivors"] == 1
    assert document(*of(world, "rank"), *given, "--as-of", "2030-01-02")["survivors"] == 0


@pytest.mark.parametrize("given", ["2026-W01-1", "20260101", "2026-1-1", "2026-02-30", "today", "２０２６-01-01", ""])
def test_as_of__is_a_day_in_one_form_only(world: Path, given: str) -> None:
    assert "--as-of must be a day as YYYY-MM-DD" in refused(command(*of(world, "rank"), "--as-of", given))


@pytest.mark.parametrize("option", ["--request", "--health"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"requirements": {"privacy": "no_log"}, "requirements": {}}', "duplicate key 'requirements'"),
        ('{"breakers": {"a": true, "a": false}}', "duplicate key 'a'"),
        ("null", "expected an object, got null"),
        ('"x"', "expected an object, got a string"),
        ("[1]", "expected an object, got a list"),
        ("1.5", "expected an object, got a number"),
        ('{"requirements": {"min_context": NaN}}', "NaN"),
        ('{"requirements": {"min_context": 1e999}}', "beyond the range"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "not valid JSON"),
        ('{"no_such_key": 1, "requirements": {"no_such_key": 1}}', "no_such_key"),
    ],
    ids=range(11),
)
def test_documents__are_read_strictly_and_named(world: Path, option: str, text: str, why: str) -> None:
    path = world / "document.json"
    path.write_text(text)
    message = refused(command(*of(world, "rank"), option, path))

    assert why in message
    assert f"{option} {path}: " in message


def test_documents__an_empty_list_stands_for_an_empty_object(world: Path) -> None:
    path = put(world / "empty.json", [])

    assert document(*of(world, "rank"), "--request", path, "--health", path)["survivors"] == 2


def test_refusals__name_the_file(world: Path) -> None:
    bad = put(world / "bad.json", ["is", "nonsense"])
    (world / "short.csv").write_text("tenant_id\nt1\n")
    rest = ("--rulebook", world / "rules.yaml", *small(world))

    assert f"{bad}: policy refused at $" in refused(command("rank", bad, *small(world)))
    assert f"--envelope {bad}: policy refused at $" in refused(command(*of(world, "rank"), "--envelope", bad))
    assert "short.csv" in refused(command("tenants", world / "short.csv", *rest))
    assert "short.csv" in refused(command("explain", "t1", "--tenants", world / "short.csv", *rest))
    assert "standard input: policy refused at $" in refused(command("rank", "-", *small(world), stdin='["top"]'))


def test_tenants__strict_exits_1_where_a_tenant_has_no_answer(world: Path) -> None:
    loose, strict = tenants(world), tenants(world, "--strict", "-o", world / "out.parquet")

    assert (loose.returncode, strict.returncode) == (0, 1)
    assert "1 with no offer, 1 refused" in strict.stdout
    assert (world / "out.parquet").exists()
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt3,paid,1\n")
    assert tenants(world, "--strict").returncode == 1
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt4,gold,\n")
    assert tenants(world, "--strict").returncode == 1
    (world / "tenants.csv").write_text("tenant_id,plan,most\nt1,free,\n")
    assert tenants(world, "--strict").returncode == 0


def test_tenants__json_holds_the_remarks_that_stderr_has(world: Path, overlay: tuple[object, ...]) -> None:
    (world / "tenants.csv").write_text("tenant_id,plan,most,colour\nt1,free,,red\n")
    rules = (world / "rules.yaml").read_text()
    (world / "rules.yaml").write_text(rules + "  - id: quick\n    floor: {success_rate: 0.9}\n")
    found = document(*of(world, "tenants"), *overlay)
    done = tenants(world, *overlay)

    lapsed, unstated = found["warnings"]
    assert lapsed == "overlay own: attestations[1] matches no offer"
    assert "rule 'quick'" in unstated
    assert "states no success_rate" in unstated
    assert found["ignored"] == ["colour"]
    for remark in (f"warning: {lapsed}", f"warning: {unstated}", "columns that no rule uses: colour"):
        assert remark in done.stderr.splitlines()


def test_names__that_no_offer_has_are_told(world: Path) -> None:
    catalog = [{**OFFERS[0], "provider_id": "mistral"}, *OFFERS[1:]]
    tr.Catalog.from_records(catalog).save(world / "catalog.json")
    condition = ["and", ["not", ["provider_eq", "mistrall"]], ["not", ["family_eq", "q00"]], ["provider_eq", "b"]]
    put(world / "policy.json", ["policy", condition, CHEAPEST, ["argmax"], ["id"], PLAN])
    rules = (world / "rules.yaml").read_text()
    (world / "rules.yaml").write_text(
        rules.replace("[[is, priced]]", "[[not, [provider_eq, mistrall]], [not, [family_eq, q00]], [provider_eq, b]]")
    )
    said = {name: command(*of(world, name)).stderr.splitlines() for name in ("rank", "tenants")}

    for name in ("rank", "tenants"):
        assert document(*of(world, name))["unknown_names"] == {"mistrall": "mistral", "q00": ""}
    assert sorted(said["tenants"]) == [
        "warning: no offer has the name 'mistrall'; did you mean 'mistral'?",
        "warning: no offer has the name 'q00'",
    ]
    excludes = "and excluding it excludes nobody"
    for line in (
        f"the provider 'mistrall', {excludes}; did you mean 'mistral'?",
        f"the model family 'q00', {excludes}",
    ):
        assert f"warning TR101: no offer has {line}" in said["rank"]


def test_catalog_build__says_how_to_go_on_without_a_package(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def absent(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    message = refused(command("catalog", "build", "-o", world / "out.parquet", "--as-of", "2026-11-23"))

    assert "source litellm" in message
    assert "pip install tenantrank[sources]" in message
    assert "`none` leaves a source out" in message
