"""Attributes worked out on first use: once, as plain attributes, and described as what they are."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

from tenantrank.policy.lazily import lazily


class Sample:
    def __init__(self) -> None:
        self.asked = 0

    @lazily
    def value(self) -> list[int]:
        """Some words."""
        self.asked += 1
        return [self.asked]


def test_lazily__works_a_value_out_once() -> None:
    sample = Sample()
    assert sample.asked == 0
    assert sample.value is sample.value
    assert (sample.value, sample.asked) == ([1], 1)
    assert Sample().value is not sample.value


def test_lazily__is_itself_on_the_class_and_keeps_the_words() -> None:
    assert type(Sample.value) is lazily
    assert Sample.value.__doc__ == "Some words."


def test_lazily__what_was_worked_out_is_copied_along() -> None:
    sample = Sample()
    assert sample.value == [1]
    copy = pickle.loads(pickle.dumps(sample))
    assert (copy.value, copy.asked) == ([1], 1)


def test_lazily__threads_are_given_equal_values() -> None:
    class Constant:
        @lazily
        def value(self) -> str:
            return "".join(["a"] * 1000)

    for _ in range(50):
        one = Constant()
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _, one=one: one.value, range(8))) == {"a" * 1000}
