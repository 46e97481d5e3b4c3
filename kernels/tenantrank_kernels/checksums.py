"""Checksums of many texts at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels._compile import kernel


@kernel
def fingerprints(
    octets: NDArray[np.uint8], bounds: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> None:
    """Work out both parts of the fingerprint of each of several texts.

    Parameters
    ----------
    octets : the texts in UTF-8, end to end
    bounds : (t + 1,), where each begins, and the end of the last
    first, second : (t,), written

    Notes
    -----
    Source: specification, section 3 (fingerprint).
    """
    for t in range(first.shape[0]):
        one, other = np.int64(5381), np.int64(52711)
        for at in range(bounds[t], bounds[t + 1]):
            octet = np.int64(octets[at])
            one = (one * 31 + octet) % 2147483647
            other = (other * 37 + octet) % 2147483629
        first[t] = one
        second[t] = other
