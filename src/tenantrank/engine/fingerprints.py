"""Fingerprints of many policies: the same text as `Policy.fingerprint`, for a column of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenantrank.policy.encoding import CHECKSUMS, encode_number
from tenantrank.policy.policy import Policy
from tenantrank.tenants.composed import ComposedPolicy
from tenantrank.tenants.templates import Template
from tenantrank_kernels import fingerprints

_SLICE = 8192  # policies whose encodings are laid end to end at a time
_FEW = 64  # policies for which a kernel is not worth loading

_Sums = NDArray[np.int64]


def fingerprints_of(policies: Sequence[Policy]) -> list[str]:
    """Give the fingerprint of each policy, in order."""
    if len(policies) <= _FEW:
        return [policy.fingerprint for policy in policies]
    found: list[str] = []
    for begin in range(0, len(policies), _SLICE):
        some = policies[begin : begin + _SLICE]
        composed = [policy for policy in some if isinstance(policy, ComposedPolicy)]
        if len(composed) == len(some) and 2 * len({policy.template for policy in composed}) < len(some):
            sums = _of_templates(composed)
        else:
            sums = _of_texts([policy.encoding for policy in some])
        found += [f"{one}-{other}" for one, other in zip(sums[0].tolist(), sums[1].tolist(), strict=True)]
    return found


def _of_texts(texts: Sequence[str]) -> tuple[_Sums, ...]:
    """Give both checksums of each text."""
    return _checksums([text.encode() for text in texts])[0]


def _checksums(octets: Sequence[bytes]) -> tuple[tuple[_Sums, ...], _Sums]:
    """Give both checksums of each text in UTF-8, and the length of each."""
    lengths = np.array([len(text) for text in octets], dtype=np.int64)
    bounds = np.zeros(len(octets) + 1, dtype=np.int64)
    np.cumsum(lengths, out=bounds[1:])
    first, second = np.empty(len(octets), dtype=np.int64), np.empty(len(octets), dtype=np.int64)
    fingerprints(np.frombuffer(b"".join(octets), dtype=np.uint8), bounds, first, second)
    return (first, second), lengths


def _of_templates(policies: Sequence[ComposedPolicy]) -> tuple[_Sums, ...]:
    """Give both checksums of each policy's encoding, of which only the numbers are gone through for each.

    A checksum is linear: that of two texts one after the other follows from those of the two and the length of the
    second.
    """
    place_of: dict[Template, int] = {}
    which = np.array([place_of.setdefault(policy.template, len(place_of)) for policy in policies])
    pieces = [template.pieces for template in place_of]
    most = max(map(len, pieces))
    # All as if they had the most numbers: an empty text changes no checksum.
    shared = [piece.encode() for own in pieces for piece in own + ("",) * (most - len(own))]
    numbers = [[encode_number(number).encode() for number in policy.numbers] for policy in policies]
    own = [text for texts in numbers for text in texts + [b""] * (most - 1 - len(texts))]
    sums, lengths = _checksums(shared + own)
    longest = int(lengths.max(initial=0)) + 1
    found = []
    for of_texts, (start, factor, modulus) in zip(sums, CHECKSUMS, strict=True):
        powers = _powers(factor, modulus, longest)[lengths]
        from_zero = (of_texts - start * powers) % modulus
        of_pieces, by_pieces = (part[: len(shared)].reshape(-1, most)[which] for part in (from_zero, powers))
        of_numbers, by_numbers = (part[len(shared) :].reshape(-1, most - 1) for part in (from_zero, powers))
        total = (start * by_pieces[:, 0] + of_pieces[:, 0]) % modulus
        for at in range(most - 1):
            total = (total * by_numbers[:, at] + of_numbers[:, at]) % modulus
            total = (total * by_pieces[:, at + 1] + of_pieces[:, at + 1]) % modulus
        found.append(total)
    return tuple(found)


def _powers(factor: int, modulus: int, count: int) -> _Sums:
    """Give the first powers of a factor, (count,)."""
    powers = [1]
    for _ in range(1, count):
        powers.append(powers[-1] * factor % modulus)
    return np.array(powers, dtype=np.int64)
