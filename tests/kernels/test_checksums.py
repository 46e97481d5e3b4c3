"""Checksums, three ways: compiled, as plain Python, and byte by byte on Python's own integers."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from tenantrank_kernels import fingerprints, python_body


@pytest.mark.parametrize("run", [fingerprints, python_body(fingerprints)], ids=["compiled", "plain"])
def test_fingerprints__agree_with_integers_of_any_size(run: Any) -> None:
    rng = Random(3)
    texts = [b"", b"\x00", b"\xff" * 300, *(rng.randbytes(rng.randrange(200)) for _ in range(30))]
    bounds = np.cumsum([0, *map(len, texts)])
    first, second = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
    run(np.frombuffer(b"".join(texts), dtype=np.uint8), bounds, first, second)
    for text, one, other in zip(texts, first.tolist(), second.tolist(), strict=True):
        wanted_one, wanted_other = 5381, 52711
        for octet in text:
            wanted_one = wanted_one * 31 + octet
            wanted_other = wanted_other * 37 + octet
        assert (one, other) == (wanted_one % 2147483647, wanted_other % 2147483629)
