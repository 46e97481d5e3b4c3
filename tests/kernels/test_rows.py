"""Rows of bits marked by the codes that offers have."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from tenantrank_kernels import handle_of, mark_rows
from tests.kernels.bound import words_of
from tests.kernels.reference import bits_of
from tests.kernels.samples import SIZES


@pytest.mark.parametrize("size", SIZES)
def test_mark_rows__sets_the_bits_of_offers_with_a_code_and_no_other(size: int) -> None:
    rng = Random(size)
    words = words_of(size)
    for known in (0, 1, 2, 5):
        codes = np.array([rng.randrange(-1, 6) for _ in range(size)], dtype=np.int32)
        row_of = np.array([rng.choice((-1, 0, 2, 2)) for _ in range(known)], dtype=np.int32)
        rows = np.zeros(3 * words, dtype=np.uint64)
        rows[words : 2 * words] = 0x5555
        mark_rows(handle_of(codes), size, handle_of(row_of), known, words, handle_of(rows))
        wanted = [
            bits_of(
                {at for at, code in enumerate(codes.tolist()) if code + 1 < known and row_of[code + 1] == row}, words
            )
            for row in (0, 2)
        ]
        assert rows[:words].tolist() == wanted[0].tolist()
        assert set(rows[words : 2 * words].tolist()) == {0x5555}
        assert rows[2 * words :].tolist() == wanted[1].tolist()
