"""The bounded memory: what is kept, what is forgotten first, and that it makes each value on demand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

from tenantrank.engine.recent import Recent


def test_get__makes_a_value_once_while_it_is_held() -> None:
    made: list[str] = []
    recent: Recent[str] = Recent(2)

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return recent.get(key, make)

    assert [get(key) for key in "aabb"] == ["A", "A", "B", "B"]
    assert made == ["a", "b"]
    get("a")  # used last, so that b is forgotten for c
    get("c")
    assert made == ["a", "b", "c"]
    get("a")
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]


def test_get__keeps_no_more_than_its_limit_under_threads() -> None:
    recent: Recent[int] = Recent(5)

    def work(seed: int) -> bool:
        rng = Random(seed)
        keys = [rng.randrange(20) for _ in range(500)]
        return all(recent.get(key, lambda key=key: -key - 1) == -key - 1 for key in keys)  # type: ignore[misc]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(recent._values) == 5
