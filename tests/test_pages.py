"""The pages on policies and results: examples run, JSON is accepted, tables say what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tenantrank as tr
from tenantrank.engine.fleet import SCHEMA
from tenantrank.policy import builder
from tenantrank.policy.parsing import MAX_BYTES
from tenantrank.policy.signature import ACTIONS, MAX_DEPTH, MAX_NODES, OPS, V1, V2

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("policy", "results", "costs")}
JSON_BLOCKS = re.findall(
    r"^(?:<!-- (\w+)(?: = (\w+))? -->\n)?```json\n(.*?)^```$", "\n".join(PAGES.values()), re.MULTILINE | re.DOTALL
)
NAMED_IN_CODE = re.compile(r"`([^`]+)`")


def python_blocks(page: str) -> list[tuple[int, str]]:
    """Give each Python block with the number of its first line."""
    found = re.finditer(r"^```python\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
    return [(PAGES[page].count("\n", 0, block.start(1)) + 1, block.group(1)) for block in found]


def run_page(page: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for line, text in python_blocks(page):
        # Blank lines before a block give a failure the line of the page.
        exec(compile("\n" * (line - 1) + text, f"{page}.md", "exec"), names)
    return names


def tables(page: str, first: str) -> list[list[str]]:
    """Give the rows of every table whose header begins with these words, cell by cell."""
    rows: list[list[str]] = []
    for header, body in re.findall(r"^(\|.*\|)\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGES[page], re.MULTILINE):
        if header.startswith(f"| {first} |"):
            rows += [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in body.splitlines()]
    return rows


@pytest.fixture(scope="module")
def catalog() -> tr.Catalog:
    return tr.Catalog.bundled(date(2026, 11, 23))


@pytest.mark.parametrize("page", PAGES)
def test_pages__examples_run(page: str) -> None:
    assert python_blocks(page)
    run_page(page)


@pytest.mark.parametrize("kind", ["policy", "request", "health", "envelope"])
def test_policy_page__shows_one_of_each(kind: str) -> None:
    assert kind in [found for found, _, _ in JSON_BLOCKS]


@pytest.mark.parametrize(("kind", "name", "text"), JSON_BLOCKS)
def test_pages__json_is_accepted(kind: str, name: str, text: str, catalog: tr.Catalog) -> None:
    value = json.loads(text)
    if kind == "policy":
        tr.admit(text, catalog.fields)
    elif kind == "request":
        tr.Request.of(value)
    elif kind == "health":
        health = tr.Health.of(value)
        assert {key: dict(metrics) for key, metrics in health.ema.items()} == value["ema"]
    elif kind == "envelope":
        assert tr.Engine(catalog, None, value).envelope is not None
    else:
        pytest.fail(f"a JSON block says what it is in a comment above it: {text}")
    if name:
        assert run_page("policy")[name] == value


def test_policy_page__lists_every_op_with_its_arguments() -> None:
    listed = set()
    for row in tables("policy", "op"):
        op, arguments, version = row[0].strip("`"), row[1], row[2]
        listed |= {(op, arguments, known) for known in (V1, V2) if version in ("both", known[-2:])}

    def shown(slots: tuple[str, ...], variadic: bool) -> str:
        return ", ".join(slots) + ("…" if variadic else "") or "–"

    assert listed == {
        (op.name, shown(op.slots, op.variadic), version) for version in (V1, V2) for op in OPS[version].values()
    }


FAILING: dict[str, tuple[list[Any], dict[str, str]]] = {
    "bot": (["bot"], {}),
    "scope_matches": (["scope_matches"], {}),
    "or": (["or", ["bot"], ["is", "no_log"], ["is", "has_tee"]], {}),
    "not": (["not", ["tier_eq", "partner"]], {}),
    "is": (["is", "no_log"], {"field": "no_log"}),
    "cmp": (["cmp", "price_out", "le", 3], {"field": "price_out", "rel": "le"}),
    "tier_eq": (["tier_eq", "fallback"], {}),
    "min_tier": (["min_tier", "gold"], {}),
    "family_eq": (["family_eq", "other"], {}),
    "provider_eq": (["provider_eq", "other"], {}),
    "served_by_eq": (["served_by_eq", "other"], {}),
    "has_cap": (["has_cap", "supports_seed"], {"capability": "supports_seed"}),
}


@pytest.mark.parametrize("op", FAILING)
def test_policy_page__reasons_are_those_given(op: str) -> None:
    offer = {"id": "a|x", "provider_id": "a", "model_family": "x", "scope": "one", "tier": "partner"}
    offers = tr.Catalog.from_records([offer], tier_order=("fallback", "partner", "gold"))
    term, values = FAILING[op]
    policy = tr.admit(builder.policy(builder.Pred(*term)), offers.fields)
    (reason,) = [row[4].strip("`") for row in tables("policy", "op") if row[0] == f"`{op}`"]
    for name, value in values.items():
        reason = reason.replace(f"<{name}>", value)

    assert tr.Engine(offers).rank(policy).rejected == {"a|x": reason}


def test_policy_page__reasons_cover_every_condition_that_has_its_own() -> None:
    conditions = {row[0].strip("`") for row in tables("policy", "op") if len(row) == 5 and row[4].startswith("`")}

    assert conditions == set(FAILING)


def test_policy_page__builder_and_json_agree() -> None:
    pairs = [(cell.strip("`").replace(r"\|", "|") for cell in row) for row in tables("policy", "Python")]
    assert len(pairs) > 10
    for expression, term in pairs:
        built = eval(expression, vars(builder).copy())
        assert getattr(built, "term", built) == json.loads(term), expression


def test_policy_page__limits_and_actions_are_those_of_the_language() -> None:
    numbers = [row[1] for row in tables("policy", "limit")]

    assert numbers == [f"{MAX_DEPTH} levels", f"{MAX_NODES:,} subterms", f"{MAX_BYTES // 1024} KiB"]
    assert {row[0].strip("`") for row in tables("policy", "action")} == set(ACTIONS)


def test_policy_page__requirements_are_those_that_a_request_may_have() -> None:
    listed = {row[0].strip("`") for row in tables("policy", "key") if len(row) == 3}
    rest = next(text for text in PAGES["policy"].split("\n\n") if text.startswith("Only the scorers of version 1"))
    listed |= set(NAMED_IN_CODE.findall(rest))

    # `scope` stands beside the requirements.
    assert listed == set(tr.Request.__dataclass_fields__) - {"scope"}


@pytest.mark.parametrize(
    ("key", "value", "version"),
    [
        ("needs", ["seed"], V2),
        ("min_context", 1, V2),
        ("model_family", "other", V2),
        ("tier", "fallback", V2),
        ("privacy", "tee_required", V2),
        ("privacy", "no_log", V2),
        ("min_quality", 0.1, V1),
        ("min_tok_s", 1, V2),
        ("min_tok_s", 0, V1),
    ],
)
def test_policy_page__requirements_fail_for_the_reason_given(key: str, value: Any, version: str) -> None:
    offers = tr.Catalog.from_records([{"id": "a|x", "provider_id": "a", "model_family": "x"}])
    term = builder.policy(builder.meets_request)
    policy = tr.admit(term if version == V2 else ["policy", ["ev_zero"], *term[1:]], offers.fields)
    (row,) = [row for row in tables("policy", "key") if len(row) == 3 and row[0] == f"`{key}`"]
    given = [reason.replace("<need>", "seed") for reason in NAMED_IN_CODE.findall(row[2])]
    (reason,) = tr.Engine(offers).rank(policy, {"requirements": {key: value}}).rejected.values()

    assert reason == (value if key == "privacy" else given[0])
    assert reason in given


def type_name(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    if pa.types.is_dictionary(kind):
        return f"{type_name(kind.value_type)}, {kind.index_type} codes"
    return str(kind)


def columns(schema: pa.Schema) -> list[tuple[str, str]]:
    return [(f"`{field.name}`", type_name(field.type)) for field in schema]


def test_results_page__columns_are_those_of_the_tables() -> None:
    listed = [(row[0], row[1]) for row in tables("results", "column")]
    policy = tr.admit(builder.policy(builder.everything), {})
    many = tr.Engine(tr.Catalog.from_records([])).rank_many([policy])

    assert listed == columns(SCHEMA) + columns(many.schema)


def keys_of(command: str) -> set[str]:
    return {key for row in tables("results", f"key of `{command}`") for key in NAMED_IN_CODE.findall(row[0])}


def printed(*arguments: str | Path) -> dict[str, Any]:
    script = Path(sys.executable).parent / "tenantrank"
    line = [script, *arguments, "--json", "--as-of", "2026-11-23"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.fixture
def envelope(tmp_path: Path) -> Path:
    path = tmp_path / "envelope.json"
    path.write_text('["top"]')
    return path


def test_results_page__keys_of_rank_are_those_printed(envelope: Path) -> None:
    answer = printed("rank", ROOT / "data" / "policy.example.json", "--envelope", envelope)

    assert set(answer) == keys_of("rank")
    (row,) = [row[1] for row in tables("results", "key of `rank`") if row[0] == "`ranked`"]
    assert set(answer["ranked"][0]) == set(NAMED_IN_CODE.findall(row)) - {"-k"}


def test_results_page__keys_of_tenants_and_metadata_are_those_given(envelope: Path, tmp_path: Path) -> None:
    table, rules, out = tmp_path / "tenants.csv", tmp_path / "rules.yaml", tmp_path / "out.parquet"
    table.write_text("tenant_id,plan,colour\nt1,free,red\nt2,paid,red\nt3,gold,red\n")
    rules.write_text(
        "version: 1\n"
        "fields: {plan: {type: enum, values: [free, paid]}}\n"
        "rules: [{id: base, require: [[top]]}, {id: none, when: {plan: paid}, require: [[bot]]}]\n"
    )
    answer = printed("tenants", table, "--rulebook", rules, "--envelope", envelope, "-o", out)
    rows = {row[0].strip("`"): NAMED_IN_CODE.findall(row[1]) for row in tables("results", "key of `tenants`")}

    assert set(answer) == keys_of("tenants")
    assert set(answer["no_offer"][0]) == set(rows["no_offer"]) - {"deciding"}
    assert set(answer["refused"][0]) == set(rows["refused"])
    assert set(answer["timing"]) == set(rows["timing"])
    metadata = {key.decode() for key in pq.read_schema(out).metadata}
    assert {row[0].strip("`") for row in tables("results", "key")} == metadata - {"ARROW:schema"}
