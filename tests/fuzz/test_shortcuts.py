"""A short run of the shortcuts' fuzz."""

from __future__ import annotations

from tenantrank_kernels import JIT_DISABLED
from tests.fuzz.shortcuts import differences


def test_shortcuts__agree_with_the_reference() -> None:
    for world in range(2 if JIT_DISABLED else 12):
        assert differences(7, world) == []
