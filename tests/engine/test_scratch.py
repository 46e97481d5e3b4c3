"""Scratch: room for what programs need."""

from __future__ import annotations

import numpy as np

from tenantrank.engine.lines import LINE, zeros
from tenantrank.engine.scratch import scratch_of
from tenantrank_kernels import frames


def test_scratch_of__has_room_for_the_stacks_and_for_every_offer() -> None:
    kept = scratch_of(8, 3, 2, 5)._kept
    lengths = {name: len(kept[getattr(frames, name)]) for name in ("BITS", "VECTORS", "SURVIVORS", "ENDS", "PARTS")}
    assert lengths == {"BITS": 5 * 8, "VECTORS": 2 * 512, "SURVIVORS": 520, "ENDS": 10, "PARTS": 5}


def test_scratch_of__conditions_alone_need_no_vectors() -> None:
    kept = scratch_of(8, 1, 0, 0)._kept
    assert len(kept[frames.VECTORS]) == 0
    assert len(kept[frames.ENDS]) > 0


def test_scratch_of__what_is_read_by_blocks_begins_at_a_line_of_the_cache() -> None:
    names = ("BITS", "VECTORS", "SURVIVORS", "BOUNDS")
    for words in (8, 16, 40):
        for _ in range(8):  # NumPy's own arrays do now and then
            kept = scratch_of(words, 3, 2, 5)._kept
            assert [kept[getattr(frames, name)].ctypes.data % LINE for name in names] == [0] * len(names)


def test_zeros__is_an_array_of_its_own_kind_and_length() -> None:
    for kind in (np.uint64, np.float64, np.float32, np.int32):
        for count in (0, 1, 7, 520):
            made = zeros(count, kind)
            assert made.dtype == kind
            assert made.tolist() == [0] * count
            assert made.flags.c_contiguous
            assert made.flags.writeable
