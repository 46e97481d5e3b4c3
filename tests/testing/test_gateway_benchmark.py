"""The benchmark of the gateway, on so little work that only its answers count."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks.gateway.__main__ import main
from benchmarks.gateway.load import Call, WrongAnswerError, load
from benchmarks.gateway.measure import Results, Round, percentile, summary
from benchmarks.gateway.report import to_markdown
from tenantrank.testing import MockProvider, Reply, faults
from tests.testing.raw import BODY, STREAMED

PLAIN, STREAM = json.dumps(BODY).encode(), json.dumps(STREAMED).encode()


async def loaded(reply: Reply | None, stream: bool = False) -> tuple[int, int]:
    async with MockProvider(respond=lambda _: reply) as mock:
        url = f"{mock.url}/chat/completions"
        call = Call(url, STREAM, expects=b"chunk", ends=b"data: [DONE]\n\n") if stream else Call(url, PLAIN)
        measured = await load(call, connections=4, requests=50)
        assert len(measured.total_ns) == len(measured.first_ns) == 50
        assert all(0 < first <= total for first, total in zip(measured.first_ns, measured.total_ns, strict=True))
        return mock.count, mock.connections


@pytest.mark.parametrize(
    ("reply", "stream"),
    [(None, False), (None, True), (faults.slow_body(), True), (faults.slow_body(piece=7), False)],
)
def test_load__makes_so_many_calls(reply: Reply | None, stream: bool) -> None:
    # One call of each connection comes before those that are counted.
    assert asyncio.run(loaded(reply, stream)) == (54, 4)


@pytest.mark.parametrize(
    "reply", [faults.error("server"), faults.other_shape(), faults.cut(3, how="keep"), faults.hang_up()]
)
def test_load__measures_no_wrong_answers(reply: Reply) -> None:
    with pytest.raises(WrongAnswerError):
        asyncio.run(loaded(reply, stream=True))


def test_percentile() -> None:
    values = [number * 1000 for number in range(1, 101)]

    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([5000], 0.99)) == (51.0, 100.0, 5.0)


def round_of(target: str, p50_us: float, per_s: float = 1000.0) -> Round:
    return Round(target, False, 1, p50_us, p50_us * 2, p50_us, p50_us * 2, per_s, 10.0)


def test_summary__compares_rounds_that_belong_together() -> None:
    results = Results([round_of("direct", 100), round_of("tenantrank", 900, 1100), round_of("direct", 300)])
    results.rounds.append(round_of("tenantrank", 1000, 1900))
    direct, ours = summary(results)

    assert (direct["p50_us"], ours["p50_us"], ours["added_p50_us"], ours["per_s"]) == (200.0, 950.0, 750.0, 1900.0)
    assert "added_p50_us" not in direct


def page_of(*rounds: Round) -> str:
    results = Results(list(rounds))
    return to_markdown(
        {
            "made": "now",
            "machine": {},
            "plan": {"rounds": 1, "requests": 1},
            "memory": [],
            "absent": {"litellm": "not here"},
            "summary": summary(results),
        }
    )


def test_report__says_which_goals_were_missed() -> None:
    slow = page_of(round_of("direct", 100), round_of("tenantrank", 2000, 500))
    quick = page_of(round_of("direct", 100), round_of("tenantrank", 200, 5000))

    assert "p50 added, one at a time: 1.90 ms, goal 1.50 ms" in slow
    assert "requests a second: 500, goal 1,500" in slow
    assert "Goals missed" not in quick
    assert "litellm is left out: not here" in quick
    assert "| 1 | tenantrank | 0.20 | 0.10 |" in quick


def test_benchmark__of_the_mock_alone(tmp_path: Path) -> None:
    written, page = tmp_path / "out.json", tmp_path / "out.md"
    assert main(["--quick", "--only-mock", "--json", str(written), "--report", str(page)]) == 0

    value = json.loads(written.read_text())
    assert {(row["target"], row["stream"]) for row in value["summary"]} == {("direct", False), ("direct", True)}
    assert "## Streaming" in page.read_text()


@pytest.mark.slow
def test_benchmark__through_the_gateway(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="the gateway's extra is not installed: pip install 'tenantrank[gateway]'")
    written, page = tmp_path / "out.json", tmp_path / "out.md"
    assert main(["--quick", "--litellm", "/nonexistent", "--json", str(written), "--report", str(page)]) == 0

    value = json.loads(written.read_text())
    ours = [row for row in value["summary"] if row["target"] == "tenantrank"]
    assert {row["stream"] for row in ours} == {False, True}
    assert all(row["added_p50_us"] > 0 for row in ours)
    assert "litellm" in value["absent"]
