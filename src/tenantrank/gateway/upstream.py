"""Calls to providers: one client for all, that follows nothing, repeats nothing and believes nothing.

There is no retry below the failure plan, no redirect, no cookie, and no header of the caller's. An answer is a success
only if it is the JSON that the protocol says; anything else is a `Failure`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any, Self

import aiohttp
from pydantic_core import from_json
from yarl import URL

from tenantrank.gateway.classify import failure_of_answer, failure_of_error, failure_of_exception
from tenantrank.gateway.failure import Failure, Withheld
from tenantrank.gateway.incoming import Answer, Incoming, Timeouts, limit_silence
from tenantrank.gateway.inflate import Inflater
from tenantrank.gateway.providers import Endpoint

KEPT_HEADERS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "cf-ray", "x-generation-id")
"""Headers of an answer that are kept, for traces: the provider's own name for the request."""
ERROR_BYTES = 65_536
"""How much of an error's body is read."""

_MEMBER: Mapping[str, str] = MappingProxyType({"chat": "choices", "embeddings": "data"})
_ERROR_S = 10.0
_permitted: ContextVar[Callable[[], str | None] | None] = ContextVar("permitted", default=None)


class _Request(aiohttp.ClientRequest):
    """A request that is sent only if it is still permitted when there is a connection for it."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        permitted = _permitted.get()
        if permitted is not None and (reason := permitted()) is not None:
            raise Withheld(reason)
        return await super().send(conn)


class Upstream:
    """The client for all providers; to be made and used within one running event loop.

    Parameters
    ----------
    version
        of this package, for the ``user-agent``
    answer_bytes
        the longest answer, unpacked
    connections, connections_per_host
        how many may be open at once; 0 for no limit
    proxy
        the address of an HTTP proxy for all calls
    trust_env
        whether the environment's proxy variables and its netrc file count
    tls
        for a certificate authority of one's own; by default the system's
    """

    def __init__(
        self,
        version: str,
        *,
        answer_bytes: int = 32 * 1024 * 1024,
        connections: int = 4096,
        connections_per_host: int = 0,
        proxy: str | None = None,
        trust_env: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._answer_bytes = answer_bytes
        self._addresses: dict[str, URL] = {}
        connector = aiohttp.TCPConnector(
            limit=connections,
            limit_per_host=connections_per_host,
            ttl_dns_cache=30,
            ssl=tls if tls is not None else True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            # Answers are not asked for packed; one that is packed all the same is unpacked with a cap of our own.
            auto_decompress=False,
            trust_env=trust_env,
            proxy=proxy,
            headers={"user-agent": f"tenantrank/{version}", "accept-encoding": "identity"},
            read_bufsize=262_144,
            request_class=_Request,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(
        self,
        endpoint: Endpoint,
        route: str,
        body: bytes,
        *,
        stream: bool,
        timeouts: Timeouts,
        permitted: Callable[[], str | None] | None = None,
    ) -> Answer:
        """Call a provider once.

        Parameters
        ----------
        endpoint, route
            where to; headers and key are the endpoint's
        body
            JSON, sent as it is
        stream
            whether the body asks for a stream
        timeouts
            of this call
        permitted
            is asked once more when there is a connection, which may have been waited for; says why nothing may be
            sent, ``None`` where it may

        Raises
        ------
        Failure
            for anything but a success. When the task is cancelled, the connection is closed at once.
        Withheld
            where it is not permitted any more
        """
        headers = endpoint.headers()
        headers["content-type"] = "application/json"
        headers["accept"] = "text/event-stream" if stream else "application/json"
        now = asyncio.get_running_loop().time()
        limits = aiohttp.ClientTimeout(
            total=timeouts.total_s,
            connect=timeouts.connect_s,
            sock_read=timeouts.first_byte_s if stream or timeouts.total_s is None else None,
        )
        address = endpoint.url(route)
        url = self._addresses.get(address)
        if url is None:
            url = self._addresses[address] = URL(address)
        asked = _permitted.set(permitted)
        try:
            if stream:
                async with asyncio.timeout(timeouts.connect_s + timeouts.first_byte_s):
                    response = await self._session.post(
                        url, data=body, headers=headers, timeout=limits, allow_redirects=False
                    )
            else:
                response = await self._session.post(
                    url, data=body, headers=headers, timeout=limits, allow_redirects=False
                )
        except Withheld:
            raise
        except Exception as error:
            raise failure_of_exception(error) from None
        finally:
            _permitted.reset(asked)
        try:
            if response.status != 200:
                raise await self._refused(endpoint, response)
            inflater = self._inflater(response)
            if stream and "json" not in response.headers.get("content-type", ""):
                incoming = Incoming(response, inflater, now + timeouts.first_byte_s, timeouts.idle_s)
                return Answer(200, _kept(response.headers), stream=incoming)
            limit_silence(response, timeouts.idle_s)
            raw = await self._whole(response, inflater)
            record = _checked(endpoint, route, raw, response.headers)
            if stream:
                raise Failure("bad_response", "a whole answer came where a stream was asked for", status=200)
            return Answer(200, _kept(response.headers), raw, record)
        except Failure:
            response.close()
            raise
        except Exception as error:
            response.close()
            raise failure_of_exception(error) from None
        except BaseException:
            response.close()
            raise

    async def _whole(self, response: aiohttp.ClientResponse, inflater: Inflater | None) -> bytes:
        cap = self._answer_bytes
        if (response.content_length or 0) > cap:
            raise _too_large(cap)
        pieces: list[bytes] = []
        size = 0
        content = response.content
        while piece := await content.readany():
            if inflater is not None:
                piece = inflater.feed(piece)
            size += len(piece)
            if size > cap:
                raise _too_large(cap)
            pieces.append(piece)
        if inflater is not None:
            inflater.finish()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _inflater(self, response: aiohttp.ClientResponse) -> Inflater | None:
        packed = response.headers.get("content-encoding")
        return None if packed is None else Inflater.of(packed, self._answer_bytes)

    async def _refused(self, endpoint: Endpoint, response: aiohttp.ClientResponse) -> Failure:
        """Read enough of an error's body to tell what it is; what cannot be read is left."""
        raw = b""
        if response.status >= 400:
            try:
                async with asyncio.timeout(_ERROR_S):
                    inflater = self._inflater(response)
                    while piece := await response.content.readany():
                        raw += piece if inflater is None else inflater.feed(piece)
                        if len(raw) > ERROR_BYTES:
                            break
            except (Failure, aiohttp.ClientError, TimeoutError, OSError):
                pass
        response.close()
        return failure_of_answer(endpoint.kind, response.status, response.headers, raw)


def _checked(endpoint: Endpoint, route: str, raw: bytes, headers: Mapping[str, str]) -> Mapping[str, Any]:
    """Check that a whole answer is what the protocol says, and give what it says."""
    try:
        record = from_json(raw, allow_inf_nan=False)
    except ValueError:
        raise Failure("bad_response", "the answer is not JSON", status=200, accepted=True) from None
    if isinstance(record, dict):
        if isinstance(record.get(_MEMBER[route]), list) and not record.get("error"):
            return record
        if record.get("error"):
            raise failure_of_error(endpoint.kind, record, 200, headers)
    elif isinstance(record, list) and record and isinstance(record[0], dict) and record[0].get("error"):
        raise failure_of_error(endpoint.kind, record, 200, headers)
    raise Failure("bad_response", f"the answer has no list of {_MEMBER[route]}", status=200, accepted=True)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name][:128] for name in KEPT_HEADERS if name in headers}


def _too_large(cap: int) -> Failure:
    return Failure("bad_response", f"the answer is longer than {cap} bytes", status=200, accepted=True)
