"""Warming up."""

from __future__ import annotations

import tenantrank as tr


def test_warm__leaves_the_kernels_compiled() -> None:
    tr.warm()
    assert tr.is_warm()
