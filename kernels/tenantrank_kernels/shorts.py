"""Columns in 16 bits, as `frames` describes them, from which blends are bounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels._compile import part, small_part

HALF = 32767.0
"""How many of its steps the middle of a column in 16 bits is above its least value."""
_LEAST_STEP = 1e-290  # far from where doubles lose digits


@part
def write_scale(ordered: Any, run_first: Any, size: int, scale: Any) -> None:
    """Write the least value of a column, and its step: infinite where values differ not at all, or by too much.

    Parameters
    ----------
    ordered, run_first : (size,), as of `frames`; scale : (2,) doubles, written
    """
    known = size
    if size and ordered[size - 1] == np.inf:
        known = run_first[size - 1]
    least, step = 0.0, np.inf
    if known:
        least = ordered[0]
        step = (ordered[known - 1] - least) / (2.0 * HALF)
        if not (step >= _LEAST_STEP):
            step = np.inf
    scale[0], scale[1] = least, step


@small_part
def short_of(value: float, least: float, step: float) -> np.uint16:
    """Give a value in 16 bits, off by half a step at most; an unknown one is as the greatest known."""
    if step == np.inf:
        return np.uint16(0)
    short: Any = np.int64(min(max(np.rint((value - least) / step), 0.0), 2.0 * HALF) - HALF)
    return np.uint16(short & 0xFFFF)
