"""Rows of bits: which offers satisfy conditions that look at one property of an offer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels._compile import brief_kernel
from tenantrank_kernels.machine import integers, words

_ONE = np.uint64(1)


@brief_kernel
def mark_rows(codes: Any, size: int, row_of: Any, known: int, count: int, rows: Any) -> None:
    """Set the bits of some rows.

    Parameters
    ----------
    codes : (size,) int32, what each offer has of the property, from -1 on
    row_of : (known,) int32, the row of the offers with each code, the first for -1; -1 where there is none
    rows : (rows, count) words, bits of offers; no other bit is changed
    """
    given, wanted, bits = integers(codes), integers(row_of), words(rows)
    for offer in range(size):
        code = given[offer] + 1
        row = wanted[code] if code < known else -1
        if row >= 0:
            bits[row * count + (offer >> 6)] |= _ONE << np.uint64(offer & 63)
