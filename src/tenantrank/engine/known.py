"""Policies that were ranked in batches, kept to find their programs again without a look at them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.by_object import ByObject
from tenantrank.engine.programs import Programs

_FEW, _MOST = 4096, 262_144  # policies that are kept whatever the batches, and at most
_WORTH_A_COPY = 64  # one in so many that are new is worth copying the rest for

Sets = tuple[Programs, ...]
"""A set of programs for each version, in the order of the versions."""


class Known:
    """Where the programs of policies begin, by the policy's object. Immutable; safe to use from several threads.

    Attributes
    ----------
    sets : the programs that places are among; a place is twice where a program begins, plus which of the sets it is in
    """

    def __init__(self, sets: Sets = (), most: int = 0) -> None:
        self.sets = sets
        self._most = most
        self._objects = ByObject()
        self._places = np.array([-1], dtype=np.int64)  # the last is that of what is not known
        self._identities = np.zeros(0, dtype="S64")

    def places(self, addresses: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the place of the program of each policy at some addresses, -1 where it is not known."""
        return self._places[self._objects.find(addresses)]

    def identities(self, addresses: NDArray[np.int64]) -> NDArray[np.bytes_] | None:
        """Give the identity of each policy at some addresses; ``None`` where one of them is not known."""
        found = self._objects.find(addresses)
        return None if (found < 0).any() else self._identities[found]

    def extended(
        self, policies: tuple[Any, ...], places: NDArray[np.int64], identities: list[str], batch: int
    ) -> Known:
        """Give what is known with further policies, which are kept alive.

        No more are kept than twice what the largest batch had since all were forgotten last, within bounds: when there
        are more, all but these are forgotten.

        Parameters
        ----------
        policies
            admitted or compiled ones
        places, identities
            of each
        batch
            how many there were in the batch that they are part of
        """
        count = len(self._identities)
        most = max(self._most, min(_MOST, max(_FEW, 2 * batch)))
        if count + len(policies) > most:
            fresh = Known(self.sets)
            return fresh if len(policies) > _MOST else fresh.extended(policies, places, identities, batch)
        if _WORTH_A_COPY * len(policies) < count:
            return self
        other = Known(self.sets, most)
        other._objects = self._objects.extended(policies, count + np.arange(len(policies)))
        other._places = np.concatenate([self._places[:-1], places, self._places[-1:]])
        other._identities = np.concatenate([self._identities, np.array(identities, dtype="S64")])
        return other
