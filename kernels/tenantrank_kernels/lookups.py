"""Open hash tables from integers to numbers, asked for many integers at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels._compile import kernel, small_part

_SPREAD = 0x1E3779B97F4A7C15  # odd, without a pattern: spreads integers that lie evenly


@small_part
def _first_slot(key: int, slots: int) -> int:
    """Give the slot where a key is looked for first; the ones behind it follow."""
    return ((key * _SPREAD) >> 32) & (slots - 1)


@kernel
def look_up(table: NDArray[np.int64], keys: NDArray[np.int64], found: NDArray[np.int64]) -> None:
    """Find the number of each of many keys.

    Parameters
    ----------
    table : (slots, 2), a key and its number in each slot, key 0 where there is none; slots are a power of two, no more
        than 2^31, and one at least is free
    keys : (t,), none of them 0
    found : (t,), written: the number of each, or that of a free slot
    """
    slots = table.shape[0]
    for t in range(keys.shape[0]):
        key = keys[t]
        slot = _first_slot(key, slots)
        while table[slot, 0] != key and table[slot, 0] != 0:
            slot = (slot + 1) & (slots - 1)
        found[t] = table[slot, 1]


@kernel
def enter(table: NDArray[np.int64], keys: NDArray[np.int64], numbers: NDArray[np.int64]) -> int:
    """Enter many keys with their numbers; a key that is there already has the new number from then on.

    Parameters
    ----------
    table : written, as in `look_up`; one slot at least stays free
    keys, numbers : (t,)

    Returns
    -------
    how many keys were not there
    """
    slots = table.shape[0]
    new = 0
    for t in range(keys.shape[0]):
        key = keys[t]
        slot = _first_slot(key, slots)
        while table[slot, 0] != key and table[slot, 0] != 0:
            slot = (slot + 1) & (slots - 1)
        if table[slot, 0] == 0:
            table[slot, 0] = key
            new += 1
        table[slot, 1] = numbers[t]
    return new
