"""Answers of providers as they come in: their limits in time, their bytes, and what is kept of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tenantrank.gateway.classify import failure_of_exception
from tenantrank.gateway.failure import Failure
from tenantrank.gateway.inflate import Inflater


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes
    ----------
    connect_s : for a connection, with its TLS
    first_byte_s : for the first event of a stream; a whole answer begins only when it is finished, so that
        ``total_s`` alone limits it, where there is one
    idle_s : between two pieces of an answer that has begun
    total_s : for the whole call; ``None`` for no limit
    """

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    total_s: float | None = 120.0


class Incoming:
    """The bytes of a streamed answer, as they come.

    Attributes
    ----------
    deadline : of the event loop's clock, until when the first event must be there
    """

    __slots__ = ("_content", "_idle_s", "_inflater", "_response", "deadline")

    def __init__(
        self, response: aiohttp.ClientResponse, inflater: Inflater | None, deadline: float, idle_s: float
    ) -> None:
        self._response = response
        self._content = response.content
        self._inflater = inflater
        self._idle_s = idle_s
        self.deadline = deadline

    async def read(self) -> bytes:
        """Give the next bytes; none at the end.

        Raises
        ------
        Failure
            where the connection breaks, stays silent for too long, or the bytes cannot be unpacked
        """
        try:
            while True:
                piece = await self._content.readany()
                if self._inflater is None:
                    return piece
                if not piece:
                    self._inflater.finish()
                    return b""
                if piece := self._inflater.feed(piece):
                    return piece
        except Failure:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise failure_of_exception(error) from None
        except BaseException:
            self.close()
            raise

    def begun(self) -> None:
        """Note that the first event is there: from now on the wait between two pieces is limited."""
        limit_silence(self._response, self._idle_s)

    async def finish(self, wait_s: float = 0.25) -> None:
        """End after the last event: give the connection back for reuse if the answer ends there, else close it."""
        try:
            async with asyncio.timeout(wait_s):
                while await self._content.readany():
                    pass
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close at once; a connection whose answer was read to its end stays open for reuse."""
        self._response.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's success.

    Attributes
    ----------
    status : of HTTP
    headers : those of the provider's that are kept, for traces
    body : the bytes of a whole answer, as they came
    record : what the body says, read once
    stream : the bytes of a streamed one, which must be closed; its body and record are empty
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    record: Mapping[str, Any] = field(default_factory=dict)
    stream: Incoming | None = None


def limit_silence(response: aiohttp.ClientResponse, idle_s: float) -> None:
    """From now on, fail where the provider stays silent for so long; an answer that is complete has no more to say."""
    connection = response.connection
    if connection is not None and connection.protocol is not None:
        protocol = connection.protocol
        protocol.read_timeout = idle_s
        protocol.start_timeout()
