"""Bodies of requests as they arrive, within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from tenantrank.gateway.problem import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_JSON = (b"application/json", b"text/json")
_LINGERING_BYTES = 4 * 1024 * 1024
_LINGERING_S = 1.0


class ClientLeftError(Exception):
    """The client went away before its request was complete."""


async def read_body(scope: Scope, receive: Receive, most: int, seconds: float) -> bytes:
    """Read the whole body of a request.

    Parameters
    ----------
    scope, receive
        of ASGI
    most
        how many bytes are read at most
    seconds
        how long it may take to arrive

    Raises
    ------
    Problem
        413 ``body_too_large``, told by its declared length where there is one, and nothing of it is kept; 415
        ``unsupported_media_type`` for a content coding, or a type that is not JSON; 408 ``request_timeout``
    ClientLeftError
        where the client goes away
    """
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise Problem(415, "unsupported_media_type", "send the body without a content coding")
        if name == b"content-type" and value.partition(b";")[0].strip().lower() not in _JSON:
            raise Problem(415, "unsupported_media_type", "the body must be application/json")
        if name == b"content-length" and value.isdigit() and int(value[:20]) > most:
            raise await _too_large(most, receive, True)
    pieces: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeftError
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                more = message.get("more_body", False)
                if size > most:
                    raise await _too_large(most, receive, more)
    except TimeoutError:
        raise _too_slow(seconds) from None
    return b"".join(pieces)


async def _too_large(most: int, receive: Receive, more: bool) -> Problem:
    # Some of the rest is thrown away: a connection that is closed with bytes unread is reset, and the client, which is
    # still sending, does not see the answer. It cannot be used again, as there may be more.
    left = _LINGERING_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGERING_S):
            while more and left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                more = message.get("more_body", False)
    return Problem(413, "body_too_large", f"the body is longer than {most} bytes", headers={"connection": "close"})


def _too_slow(seconds: float) -> Problem:
    return Problem(
        408, "request_timeout", f"the request did not arrive within {seconds:g} s", headers={"connection": "close"}
    )
