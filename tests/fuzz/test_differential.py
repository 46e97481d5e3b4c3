"""A bounded run of the differential fuzzing, and that it would notice an engine that errs."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import tenantrank as tr
from tenantrank_kernels import JIT_DISABLED
from tests.fuzz import differential
from tests.fuzz.differential import CASES_A_WORLD, Result, compare_world, draw_world, main, run

CASES = 2000 if JIT_DISABLED else 3000


def test_run__finds_no_difference() -> None:
    done: list[int] = []
    result = run(CASES, seed=20261123, on_progress=done.append)
    assert not result.mismatches, "\n".join(map(str, result.mismatches[:5]))
    assert result.count == done[-1] == CASES


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 127, 128, 129, 1000, 9000])
def test_compare_world__finds_no_difference_at_any_size(size: int) -> None:
    if JIT_DISABLED and size > 1000:
        size //= 10
    result = Result()
    world = draw_world(7, size, size=size)
    few = world.cases[: 2 if size > 200 else CASES_A_WORLD]
    compare_world(
        differential.World(
            world.number, world.offers, world.tier_order, world.state, world.envelope, few, world.spoiled
        ),
        7,
        result,
    )
    assert not result.mismatches, "\n".join(map(str, result.mismatches))
    assert result.count == len(few)


def test_draw_world__is_the_same_for_the_same_seed_and_number() -> None:
    assert draw_world(3, 4) == draw_world(3, 4)
    assert draw_world(3, 4) != draw_world(4, 4) != draw_world(4, 5)


def test_draw_size__is_now_and_then_beyond_what_is_scored_whole() -> None:
    sizes = [len(draw_world(1, number).offers) for number in range(400)]
    large = [size for size in sizes if 65 <= size <= 600]
    assert 0.05 * len(sizes) <= len(large) <= 0.2 * len(sizes)
    assert any(size > 300 for size in large)
    assert differential.draw_size(Random(0), 550) == 2000
    assert differential.draw_size(Random(0), 2500) == 9000


@pytest.mark.parametrize("wrong", ["order", "scores", "zeros", "reasons", "identity", "warning"])
def test_main__reports_an_engine_that_errs(
    wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = tr.Engine.rank

    def rank(self: tr.Engine, *arguments: Any, **named: Any) -> tr.Decision:
        decision = right(self, *arguments, **named)
        if wrong == "order":
            decision.offer_ids = decision.offer_ids[::-1]
        elif wrong == "scores":
            decision.scores = tuple(score + 0.5 for score in decision.scores)
        elif wrong == "zeros":
            decision.scores = tuple(-score if score == 0.0 else score for score in decision.scores)
        elif wrong == "reasons":
            decision._rejected = dict.fromkeys(decision.rejected, "elsewhere")
        elif wrong == "warning":
            raise RuntimeWarning("overflow")
        return decision

    monkeypatch.setattr(tr.Engine, "rank", rank)
    if wrong == "identity":
        monkeypatch.setattr(differential, "identity", lambda text: "0" * 64)
    assert main(["--cases", "60", "--seed", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("60 cases, ")
    assert not lines[-1].endswith(" 0 mismatches")
    assert any("--seed 2 --world" in line for line in lines)


def test_main__runs_one_world_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "2", "--world", "3"]) == 0
    assert capsys.readouterr().out == "10 cases, 0 mismatches\n"
