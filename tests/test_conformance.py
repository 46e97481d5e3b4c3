"""Conformance vectors: the project's own, and the larger published set where it is there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tenantrank.cli.conformance import ConformanceError, replay
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
    assert {path.name for path in OWN} == {"basics-v2.jsonl", "random-v1.jsonl.gz", "random-v2.jsonl.gz"}


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


def _altered(tmp_path: Path, kind: str, change: object) -> Path:
    """Write the basic cases with one of a kind changed by a function."""
    lines = [json.loads(line) for line in (record.FOLDER / "basics-v2.jsonl").read_text(encoding="utf-8").splitlines()]
    case = next(line for line in lines[1:] if line["kind"] == kind)
    change(case)  # type: ignore[operator]
    path = tmp_path / "altered.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
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


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\x1f\x8bnot gzip", b'{"version": "sigma-pol/v9", "vectors": []}', b"\xff\xfe"]
)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_replay__refuses_what_is_not_a_vector_file(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"vectors{suffix}"
    path.write_bytes(content)

    with pytest.raises(ConformanceError, match="not a file of conformance vectors"):
        replay(path)


def test_replay__says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match=r"absent\.jsonl"):
        replay(tmp_path / "absent.jsonl")


def test_replay__a_malformed_case_fails_alone(tmp_path: Path) -> None:
    report = replay(_altered(tmp_path, "policy", lambda case: case.pop("ctx")))

    assert len(report.failures) == 1
    assert report.passed == 46
