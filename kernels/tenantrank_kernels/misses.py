"""Near misses: the fewest conditions that some offer fails, where none passes them all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels._compile import brief_kernel, part
from tenantrank_kernels.machine import lowest

_ONE = np.uint64(1)
_NONE = np.uint64(0)


@part
def _count_up(fails: NDArray[np.uint64], digits: NDArray[np.uint64]) -> None:
    """Count the bitsets that hold each offer, in binary: ``digits[d]`` has the offers whose count has the digit 2^d."""
    for c in range(fails.shape[0]):
        for w in range(fails.shape[1]):
            carry = fails[c, w]
            d = 0
            while carry != _NONE:
                digit = digits[d, w]
                digits[d, w] = digit ^ carry
                carry = digit & carry
                d += 1


@part
def _least(digits: NDArray[np.uint64], offers: NDArray[np.uint64]) -> int:
    """Leave those of the offers whose count is least; give that count."""
    least = 0
    for d in range(digits.shape[0] - 1, -1, -1):
        any_without = _NONE
        for w in range(offers.shape[0]):
            any_without |= offers[w] & ~digits[d, w]
        if any_without == _NONE:
            least += 1 << d
        else:
            for w in range(offers.shape[0]):
                offers[w] &= ~digits[d, w]
    return least


@part
def _goes_before(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> bool:
    """Say whether of two sets of equal size one holds the first member that they do not share."""
    for w in range(one.shape[0]):
        apart = one[w] ^ other[w]
        if apart != _NONE:
            return (one[w] >> np.uint64(lowest(apart))) & _ONE != _NONE
    return False


@part
def _equal(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> bool:
    differ = _NONE
    for w in range(one.shape[0]):
        differ |= one[w] ^ other[w]
    return differ == _NONE


@brief_kernel
def fewest_failing(
    fails: NDArray[np.uint64],
    offers: NDArray[np.uint64],
    digits: NDArray[np.uint64],
    sets: NDArray[np.uint64],
    slots: NDArray[np.int32],
    counts: NDArray[np.int32],
) -> int:
    """Choose the set of conditions that the nearest offers fail: the fewest, then the most shared, then the first.

    Parameters
    ----------
    fails : (c, w), the offers that fail each condition; c is at least 1
    offers : (w,), every offer; written: those that fail the fewest conditions
    digits : (d, w), zeros, 2^d > c
    sets : (64 w, s), zeros, 64 s >= c; written: for each of those offers the set of conditions that it fails
    slots : (m,), m a power of two and more than the number of offers, all -1; counts : (m,), zeros; both are written

    Returns
    -------
    the row of an offer whose set is chosen, or -1 where an offer fails nothing or there is none

    Notes
    -----
    Of sets of equal size the one that most offers fail stands; of those that are shared equally often the one that
    holds the first condition that they do not share.
    """
    present = _NONE
    for w in range(offers.shape[0]):
        present |= offers[w]
    if present == _NONE:
        return -1
    _count_up(fails, digits)
    if _least(digits, offers) == 0:
        return -1
    for c in range(fails.shape[0]):
        member = _ONE << np.uint64(c & 63)
        for w in range(offers.shape[0]):
            bits = fails[c, w] & offers[w]
            while bits != _NONE:
                sets[w * 64 + lowest(bits), c >> 6] |= member
                bits &= bits - _ONE
    last = slots.shape[0] - 1
    chosen, most = -1, 0
    for w in range(offers.shape[0]):
        bits = offers[w]
        while bits != _NONE:
            row = w * 64 + lowest(bits)
            bits &= bits - _ONE
            mixed = _NONE
            for s in range(sets.shape[1]):
                mixed = (mixed ^ sets[row, s]) * np.uint64(0x9E3779B97F4A7C15)
            slot: Any = np.int64((mixed >> np.uint64(33)) & np.uint64(last))
            while slots[slot] != -1 and not _equal(sets[slots[slot]], sets[row]):
                slot = (slot + 1) & last
            if slots[slot] == -1:
                slots[slot] = row
            counts[slot] += 1
    for place in range(slots.shape[0]):
        row = slots[place]
        if row == -1:
            continue
        if counts[place] > most or (counts[place] == most and _goes_before(sets[row], sets[chosen])):
            chosen, most = row, counts[place]
    return chosen
