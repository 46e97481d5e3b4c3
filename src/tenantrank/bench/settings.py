"""How much a run measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


def _ignore(_: str) -> None:
    pass


@dataclass(frozen=True)
class Settings:
    """What every part is given.

    Attributes
    ----------
    quick : shrinks every part to a few seconds, for a look and for tests; figures of such a run are rough
    seed : decides all work
    on_step : called with a line for people whenever a step begins
    """

    quick: bool = False
    seed: int = 1
    on_step: Callable[[str], None] = _ignore

    def pick(self, full: T, quick: T) -> T:
        """Choose between the value of a full run and that of a quick one."""
        return quick if self.quick else full

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of offers that most parts go through."""
        return self.pick((512, 2048, 8192), (512,))

    @property
    def repeats(self) -> int:
        """Rounds of interleaved measurements."""
        return self.pick(9, 2)

    @property
    def least_s(self) -> float:
        """Least duration of one measurement."""
        return self.pick(0.02, 0.0)
