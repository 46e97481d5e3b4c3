"""Fingerprints of many policies: the same text as `Policy.fingerprint`, for a column of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenantrank.policy.policy import Policy
from tenantrank_kernels import fingerprints

_SLICE = 8192  # policies whose encodings are laid end to end at a time
_FEW = 64  # policies for which a kernel is not worth loading


def fingerprints_of(policies: Sequence[Policy]) -> list[str]:
    """Give the fingerprint of each policy, in order."""
    if len(policies) <= _FEW:
        return [policy.fingerprint for policy in policies]
    found: list[str] = []
    for begin in range(0, len(policies), _SLICE):
        texts = [policy.encoding.encode() for policy in policies[begin : begin + _SLICE]]
        bounds = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in texts], out=bounds[1:])
        first, second = np.empty(len(texts), dtype=np.int64), np.empty(len(texts), dtype=np.int64)
        fingerprints(np.frombuffer(b"".join(texts), dtype=np.uint8), bounds, first, second)
        found += [f"{one}-{other}" for one, other in zip(first.tolist(), second.tolist(), strict=True)]
    return found
