"""Columns in 16 bits, as `frames` describes them: kernels bound scores by them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HALF = 32767
_LEAST_STEP = 1e-290  # far from where doubles lose digits


def fill_scale(ordered: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
    """Write the least value of a column and its step, given the values in order."""
    known = int(ordered.searchsorted(np.inf))
    least, step = 0.0, np.inf
    if known:
        least = ordered.item(0)
        step = (ordered.item(known - 1) - least) / (2 * _HALF)
    scale[:] = least, step if _LEAST_STEP <= step < np.inf else np.inf


def shorts_of(values: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Give a column in 16 bits; an unknown value is as the greatest known one."""
    least, step = scale.tolist()
    if step == np.inf:
        return np.zeros(len(values), dtype=np.uint16)
    steps = (values - least) / step
    np.rint(steps, out=steps)
    np.clip(steps, 0, 2 * _HALF, out=steps)
    steps -= _HALF
    shorts: NDArray[np.uint16] = steps.astype(np.int16).view(np.uint16)
    return shorts
