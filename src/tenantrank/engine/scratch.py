"""The memory that kernels work in: one for each thread that runs them."""

from __future__ import annotations

import numpy as np

from tenantrank.engine.lines import zeros
from tenantrank_kernels import Frame
from tenantrank_kernels.machine import EIGHT, LANES
from tenantrank_kernels.shortfalls import FEW


def scratch_of(words: int, bits: int, vectors: int, ends: int) -> Frame:
    """Make the scratch for programs over a catalog of so many words a bitset.

    ``bits`` and ``vectors`` are the heights that the programs' stacks reach; ``ends`` is the most ends or parts that
    any of them has.
    """
    width = words * 64 if vectors else 0
    return Frame(
        [
            zeros((bits + 2) * words, np.uint64),
            zeros(vectors * width, np.float64),
            zeros(width + EIGHT, np.int32),
            np.zeros(width, dtype=np.int32),
            np.zeros(width, dtype=np.int32),
            zeros(width, np.float32),
            np.zeros(2 * max(1, ends)),
            np.zeros(max(1, ends)),
            np.zeros(max(1, ends), dtype=np.int32),
            np.zeros(max(1, ends)),
            np.zeros(FEW, dtype=np.uint16),
            zeros(-(-words // LANES) * LANES, np.uint16),
        ]
    )
