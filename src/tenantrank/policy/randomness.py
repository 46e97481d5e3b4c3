"""The language's random numbers: small, fixed, and the same everywhere.

Source: the language's specification, section 5 (rng) and section 6 (jitter).
"""

from __future__ import annotations

MODULUS = 2147483647
_FACTOR = 16807
_THROWN_AWAY = 4


class Rng:
    """A sequence of draws in (0, 1), decided by an integer seed of any size and sign."""

    def __init__(self, seed: int) -> None:
        state = seed % MODULUS
        if state <= 0:
            state += MODULUS - 1
        self._state = state
        for _ in range(_THROWN_AWAY):
            self.draw()

    def draw(self) -> float:
        """Give the next draw."""
        self._state = self._state * _FACTOR % MODULUS
        return self._state / MODULUS


def text_hash(text: str) -> int:
    """Hash the UTF-8 bytes of a string into 0 … 2147483646."""
    value = 0
    for byte in text.encode():
        value = (value * 31 + byte) % MODULUS
    return value
