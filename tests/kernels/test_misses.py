"""The fewest conditions that some offer fails, against looking at each offer's set."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from tenantrank.engine.misses import fewest
from tenantrank_kernels import Frame, clause_fails, handle_of
from tests.kernels import reference
from tests.kernels.bound import bound
from tests.kernels.reference import Rows, bits_of, rows_of
from tests.kernels.samples import SEEDS, SIZES, draw_offers, draw_program


@pytest.mark.parametrize("size", SIZES)
def test_clause_fails__is_each_clause_on_its_own(size: int) -> None:
    for seed in SEEDS:
        rng = Random(f"{size}/{seed}")
        offers = draw_offers(rng, size)
        programs = [draw_program(rng, size) for _ in range(4)]
        at = bound(offers, programs)
        for place, program in enumerate(programs):
            fails = np.full((len(program.clauses), at.words), 7, dtype=np.uint64)
            desk = Frame([at.frame, at.scratch])
            clause_fails(desk.handle, int(at.starts[place]), handle_of(fails.reshape(-1)))
            assert [rows_of(row) for row in fails] == reference.clause_fails(program, offers)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("conditions", [1, 2, 3, 7, 64, 65, 130])
def test_fewest__is_the_most_shared_of_the_smallest_sets(size: int, conditions: int) -> None:
    rng = Random(f"{size}/{conditions}")
    words = max(8, -(-size // 512) * 8)
    for share in (0.2, 0.9, 1.0):
        fails: list[Rows] = [{row for row in range(size) if rng.random() < share} for _ in range(conditions)]
        for row in range(size):
            # Few distinct sets, so that they are shared, and none that passes.
            if rng.random() < 0.5:
                for at in range(conditions):
                    (fails[at].add if at in (row % 3, conditions - 1) else fails[at].discard)(row)
            if not any(row in rows for rows in fails):
                fails[rng.randrange(conditions)].add(row)
        given = np.stack([bits_of(rows, words) for rows in fails])
        offers = bits_of(range(size), words)
        wanted = reference.fewest_failing(fails, size)
        assert bool(wanted) == (size > 0)
        assert fewest(given, offers) == wanted
        if size:
            given[:, 0] &= ~np.uint64(1)
            assert fewest(given, offers) == []


def test_fewest__of_no_condition_is_none() -> None:
    assert fewest(np.zeros((0, 8), dtype=np.uint64), np.ones(8, dtype=np.uint64)) == []
