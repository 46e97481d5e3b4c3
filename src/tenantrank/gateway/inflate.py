"""Unpacking answers that a provider packs although it was not asked to, with a cap on what comes out."""

from __future__ import annotations

import zlib
from typing import Self

from tenantrank.gateway.failure import Failure


class Inflater:
    """Unpacks ``gzip`` and ``deflate`` piece by piece.

    Parameters
    ----------
    bits
        zlib's window: 47 for gzip or zlib by the data's own header
    cap
        the most bytes that may come out in all; nothing above it is ever held
    """

    def __init__(self, bits: int, cap: int) -> None:
        self._left = cap
        self._unpacker = zlib.decompressobj(bits)

    @classmethod
    def of(cls, encoding: str, cap: int) -> Self | None:
        """Give one for a ``content-encoding``; ``None`` for one that changes nothing.

        Raises
        ------
        Failure
            for another encoding than gzip and deflate, and for more than one
        """
        name = encoding.strip().lower()
        if name in ("", "identity"):
            return None
        if name in ("gzip", "x-gzip", "deflate"):
            return cls(47, cap)
        raise Failure("bad_response", "the answer is packed in a way that was not asked for", status=200, accepted=True)

    def feed(self, piece: bytes) -> bytes:
        """Unpack a piece.

        Raises
        ------
        Failure
            for bytes that are not packed so, that go on after their end, or that unpack to more than the cap
        """
        if self._unpacker.eof:
            raise _broken()
        try:
            given = self._unpacker.decompress(piece, self._left + 1)
        except zlib.error:
            raise _broken() from None
        self._left -= len(given)
        if self._left < 0:
            raise Failure("bad_response", "the answer unpacks to more than is allowed", status=200, accepted=True)
        if self._unpacker.unused_data:
            raise _broken()
        return given

    def finish(self) -> None:
        """Check that the packed data is complete."""
        if not self._unpacker.eof:
            raise _broken()


def _broken() -> Failure:
    return Failure("bad_response", "the packed answer is broken", status=200, accepted=True)
