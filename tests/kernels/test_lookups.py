"""Hash tables of integers, three ways: compiled, as plain Python, and beside a dict."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import enter, look_up, python_body


@pytest.mark.parametrize(("enter_", "look_up_"), [(enter, look_up), (python_body(enter), python_body(look_up))])
@pytest.mark.parametrize("spread", [1, 16, 2**32, 2**55])
def test_look_up__finds_what_a_dict_does(enter_: Any, look_up_: Any, spread: int) -> None:
    rng = Random(spread)
    table = np.zeros((256, 2), dtype=np.int64)
    table[:, 1] = -1
    known: dict[int, int] = {}
    for _ in range(9):
        keys = [rng.choice([-1, 1]) * rng.randrange(1, 16) * spread + rng.randrange(8) or 1 for _ in range(28)]
        numbers = [rng.randrange(1000) for _ in keys]
        before = len(known)
        known.update(zip(keys, numbers, strict=True))
        new = enter_(table, np.array(keys, dtype=np.int64), np.array(numbers, dtype=np.int64))
        assert new == len(known) - before
        asked = np.array([*known, *(key + 9 * spread // 8 + 8 for key in known)], dtype=np.int64)
        asked = asked[asked != 0]
        found = np.zeros(len(asked), dtype=np.int64)
        look_up_(table, asked, found)
        assert found.tolist() == [known.get(key, -1) for key in asked.tolist()]


def test_look_up__of_nothing() -> None:
    table = np.full((2, 2), -1, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    look_up(table, none, none)
    assert enter(table, none, none) == 0
