"""Conformance vectors: the project's own, and the larger published set where it is there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tenantrank.cli.conformance import replay
from tenantrank.errors import ConformanceError
from tenantrank.policy.signature import V1, V2
from tests.reference import record

OWN = sorted(record.FOLDER.glob("*.jsonl*"))
PUBLISHED = (
    ("golden-v1.json", 14),
    ("golden-v2.json", 15),
    ("edges-v1.jsonl.gz", 192),
    ("edges-v2.jsonl.gz", 201),
    ("random-v1.jsonl.gz", 800),
    ("random-v2.jsonl.gz", 3000),
    ("failover.jsonl.gz", 400),
)


def test_own_files_are_there() -> None:
    assert {path.name for path in OWN} == {path.name for path in (record.FAILOVER, *map(record.path, (V1, V2)))} | {
        "basics-v2.jsonl"
    }


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_replay__own_cases_pass(path: Path) -> None:
    report = replay(path)

    assert report.failures == []
    assert report.passed > 40


@pytest.mark.parametrize(("name", "count"), PUBLISHED)
def test_replay__published_vectors_pass(conformance_folder: Path, name: str, count: int) -> None:
    report = replay(conformance_folder / name)

    assert report.failures == []
    assert report.passed == count


@pytest.mark.parametrize("version", [V1, V2])
def test_recorded_cases_are_what_the_reference_gives(version: str) -> None:
    recorded = gzip.decompress(record.path(version).read_bytes())
    assert gzip.decompress(record.content(version)) == recorded


def test_recorded_worlds_are_what_the_reference_gives() -> None:
    assert gzip.decompress(record.failover_content()) == gzip.decompress(record.FAILOVER.read_bytes())


def _altered(tmp_path: Path, kind: str, change: object) -> Path:
    """Write the basic cases with one of a kind changed by a function."""
    lines = [json.loads(line) for line in (record.FOLDER / "basics-v2.jsonl").read_text(encoding="utf-8").splitlines()]
    case = next(line for line in lines[1:] if line["kind"] == kind)
    change(case)  # type: ignore[operator]
    path = tmp_path / "altered.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def written(tmp_path: Path, case: dict[str, Any], header: dict[str, Any] | None = None) -> Path:
    path = tmp_path / "vectors.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (header or HEADER, case)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("policy", lambda case: case.update(ordered=case["ordered"][::-1])),
        ("policy", lambda case: case.update(scores=[score + 1e-15 for score in case["scores"]])),
        ("policy", lambda case: case.update(rejected=[["azure/opal", "bot"]])),
        ("admission", lambda case: case.update(sort="Pred")),
        ("encoding", lambda case: case.update(encoding=case["encoding"] + " ")),
        ("xform", lambda case: case.update(expect={"temperature": 2})),
        ("failplan", lambda case: case["cases"][0].update(action={"action": "abort"})),
    ],
)
def test_replay__a_wrong_expectation_fails(tmp_path: Path, kind: str, change: object) -> None:
    report = replay(_altered(tmp_path, kind, change))

    assert len(report.failures) == 1
    assert kind in report.failures[0]


HEADER: dict[str, Any] = {"version": V2, "fields": {}, "tier_order": ["fallback"], "catalogs": [[]]}
TERM = ["policy", ["top"], ["zero"], ["argmax"], ["id"], ["always", {"action": "abort"}]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"5",
        b"[" * 100_000,
        b"\x1f\x8bnot gzip",
        b'{"version": "sigma-pol/v9", "vectors": []}',
        b'{"version": ["sigma-pol/v2"], "vectors": []}',
        b'{"version": "sigma-pol/v2", "vectors": {"a": 1}}',
        b'{"version": "sigma-pol/v2", "vectors": [], "vectors": [{"kind": "pred"}]}',
        b'{"version": "sigma-pol/v2", "vectors": [5]}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_replay__refuses_what_is_not_a_vector_file(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"vectors{suffix}"
    path.write_bytes(content)

    with pytest.raises(ConformanceError, match="not a file of conformance vectors"):
        replay(path)


@pytest.mark.parametrize(
    "change",
    [{"catalogs": 5}, {"fields": 5}, {"fields": {"x": 5}}, {"tier_order": "fallback"}, {"call_latency_ms": "soon"}],
)
def test_replay__refuses_a_header_of_another_shape(tmp_path: Path, change: dict[str, Any]) -> None:
    path = written(tmp_path, {"kind": "policy", "term": TERM, "catalog": 0, "ctx": {}}, HEADER | change)

    with pytest.raises(ConformanceError, match=r"vectors\.jsonl: not a file of conformance vectors"):
        replay(path)


@pytest.mark.parametrize("name", ["vectors.jsonl", "vectors.json"])
def test_replay__refuses_a_file_without_a_case(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(HEADER if name.endswith("l") else {"version": V2, "vectors": []}), encoding="utf-8")

    with pytest.raises(ConformanceError, match="it holds no case"):
        replay(path)


def test_replay__says_that_a_file_is_empty_and_which_key_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"\n")
    (tmp_path / "none.jsonl").write_bytes(b'{"version": "sigma-pol/v2"}')

    with pytest.raises(ConformanceError, match="the file is empty"):
        replay(tmp_path / "empty.jsonl")
    with pytest.raises(ConformanceError, match="it has no 'fields'"):
        replay(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"kind": ["x"]},
        {"kind": "nonsense", "name": ["a", "list"]},
        {"kind": "policy", "term": TERM, "ctx": {}, "catalog": 9, "ordered": [], "scores": [], "rejected": []},
        {"kind": "policy", "term": TERM, "ctx": {}, "catalog": -1, "ordered": [], "scores": [], "rejected": []},
        {"kind": "policy", "term": TERM, "ctx": {}, "catalog": "0", "ordered": [], "scores": [], "rejected": []},
        {"kind": "policy", "term": TERM, "ctx": 5, "catalog": 0, "ordered": [], "scores": [], "rejected": []},
        {"kind": "policy", "term": TERM, "ctx": {}, "candidates": 5, "expect": {}},
        {"kind": "policy", "term": TERM, "ctx": {}, "catalog": 0},
        {"kind": "pred", "term": ["top"], "cases": [5]},
        {"kind": "pred", "term": ["top"], "cases": []},
        {"kind": "failplan", "term": TERM[-1], "cases": 5},
        {"kind": "failplan", "term": TERM[-1], "cases": []},
        {"kind": "encoding", "term": ["top"]},
        {"kind": "encoding", "term": ["top"], "expect": {}},
        {"kind": "encoding", "term": ["top"], "expect": 5},
        {"kind": "encoding", "term": {"deep": [5]}, "sort": "Pred"},
        {"kind": "xform", "term": ["id"], "ctx": {}, "candidate": {}, "request": {}},
        {"kind": "xform", "term": ["id"], "ctx": {}, "catalog": 0, "offer": "none", "request": {}, "expect": {}},
        {"kind": "admission", "term": ["top"]},
        {"kind": "failover", "offers": 5, "calls": []},
        {"kind": "failover", "offers": [], "calls": []},
        {"kind": "failover", "offers": [], "calls": [{"term": TERM, "at_ms": "now", "answers": [], "expect": {}}]},
    ],
    ids=str,
)
def test_replay__a_case_of_another_shape_or_without_expectations_fails(tmp_path: Path, case: dict[str, Any]) -> None:
    good = {"kind": "admission", "term": ["top"], "sort": "Pred"}
    path = written(tmp_path, case)
    path.write_text(path.read_text(encoding="utf-8") + json.dumps(good) + "\n", encoding="utf-8")
    report = replay(path)

    assert report.passed == 1
    (failure,) = report.failures
    assert failure.startswith("case 0 (")


def test_replay__fewer_scores_than_offers_fail(tmp_path: Path) -> None:
    report = replay(_altered(tmp_path, "policy", lambda case: case.update(scores=case["scores"][:-1])))

    assert len(report.failures) == 1


def test_replay__a_string_may_hold_any_line_separator(tmp_path: Path) -> None:
    path = tmp_path / "vectors.jsonl"
    case = {"kind": "encoding", "term": ["provider_eq", "a\u2028b"], "sort": "Pred"}
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in (HEADER, case)), encoding="utf-8")

    assert replay(path).passed == 1


def failover_case() -> dict[str, Any]:
    """One call that is refused by one provider and answered by the next."""
    offers = [
        {"id": "a|x", "provider_id": "a", "model_family": "x", "price_out": 1.0},
        {"id": "b|x", "provider_id": "b", "model_family": "x", "price_out": 2.0},
    ]
    plan = ["override", ["always", {"action": "abort"}], "timeout", {"action": "next_candidate"}]
    term = ["policy", ["top"], ["neg", ["field", "price_out"]], ["argmax"], ["id"], plan]
    first = {"event": "attempted", "provider_id": "a", "model_family": "x", "attempt": 1, "error_kind": "timeout"}
    second = {"event": "attempted", "provider_id": "b", "model_family": "x", "attempt": 1}
    expect = {"ok": True, "error": None, "chosen": ["b", "x"], "path": [first, second], "waits": [], "end_ms": 120}
    call = {"at_ms": 100, "term": term, "answers": ["timeout", "ok"], "expect": expect}
    return {"kind": "failover", "offers": offers, "calls": [call]}


def test_replay__a_failover_case_runs_the_calls_answers(tmp_path: Path) -> None:
    report = replay(written(tmp_path, failover_case(), HEADER | {"call_latency_ms": 10}))

    assert report.failures == []
    assert report.passed == 1


@pytest.mark.parametrize(
    "change",
    [
        {"ok": False},
        {"error": "timeout"},
        {"chosen": ["a", "x"]},
        {"waits": [1]},
        {"end_ms": 110},
        {"path": []},
    ],
)
def test_replay__a_failover_case_with_a_wrong_expectation_fails(tmp_path: Path, change: dict[str, Any]) -> None:
    case = failover_case()
    case["calls"][0]["expect"].update(change)
    report = replay(written(tmp_path, case, HEADER | {"call_latency_ms": 10}))

    assert report.passed == 0
    assert "case 0 (failover): run" in report.failures[0]


def test_replay__says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match=r"absent\.jsonl"):
        replay(tmp_path / "absent.jsonl")


def test_replay__a_malformed_case_fails_alone(tmp_path: Path) -> None:
    report = replay(_altered(tmp_path, "policy", lambda case: case.pop("ctx")))

    assert len(report.failures) == 1
    assert report.passed == 46
