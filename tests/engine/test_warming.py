"""Warming up."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tenantrank as tr
from tenantrank_kernels import JIT_DISABLED

_KERNELS = """
import tenantrank as tr
import tenantrank_kernels as kernels

tr.warm()
compiled = {name: getattr(getattr(kernels, name), "signatures", None) for name in kernels.__all__}
print(*sorted(name for name, signatures in compiled.items() if signatures == []))
"""


def test_warm__leaves_the_kernels_compiled() -> None:
    tr.warm()
    assert tr.is_warm()


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
def test_warm__leaves_out_no_kernel_of_a_single_call() -> None:
    run = subprocess.run([sys.executable, "-c", _KERNELS], capture_output=True, text=True, check=True)
    # Checksums of texts are those of fleets, whose other work takes far longer.
    assert run.stdout.split() == ["fingerprints"]
