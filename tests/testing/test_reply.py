"""Replies are values that are changed by making others."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from tenantrank.testing import Reply
from tenantrank.testing.reply import USUAL


def test_reply__but_leaves_the_first_as_it_is() -> None:
    first = Reply(status=503)

    assert first.but(text="x") == Reply(status=503, text="x")
    assert first == Reply(status=503)
    with pytest.raises(FrozenInstanceError):
        first.status = 200  # type: ignore[misc]


def test_reply__knows_whether_it_is_cut_or_timed() -> None:
    assert not USUAL.is_cut
    assert not USUAL.is_timed
    for cut in ({"cut_at": 0}, {"cut_after": 0}, {"cut_head_at": 0}):
        assert Reply(**cut).is_cut
    for timed in ({"head_after_s": 1.0}, {"head_byte_s": 1.0}, {"first_s": 1.0}, {"each_s": 0.0}):
        assert Reply(**timed).is_timed
