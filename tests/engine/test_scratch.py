"""Scratch: room for what programs need."""

from __future__ import annotations

from tenantrank.engine.scratch import scratch_of
from tenantrank_kernels import frames


def test_scratch_of__has_room_for_the_stacks_and_for_every_offer() -> None:
    kept = scratch_of(8, 3, 2, 5)._kept
    lengths = {name: len(kept[getattr(frames, name)]) for name in ("BITS", "VECTORS", "SURVIVORS", "ENDS", "PARTS")}
    assert lengths == {"BITS": 5 * 8, "VECTORS": 2 * 512, "SURVIVORS": 512, "ENDS": 10, "PARTS": 5}


def test_scratch_of__conditions_alone_need_no_vectors() -> None:
    kept = scratch_of(8, 1, 0, 0)._kept
    assert len(kept[frames.VECTORS]) == 0
    assert len(kept[frames.ENDS]) > 0
