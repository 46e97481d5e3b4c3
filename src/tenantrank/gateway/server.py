"""The server: both listeners on one event loop, from the start to the last request."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

import tenantrank
from tenantrank.errors import InputError, TenantrankError
from tenantrank.gateway.app import client_app, operator_app
from tenantrank.gateway.calls import Calls
from tenantrank.gateway.durable import Durable
from tenantrank.gateway.logs import Log, utc_now
from tenantrank.gateway.metrics import Metrics
from tenantrank.gateway.protocol import BoundedProtocol
from tenantrank.gateway.rate import Rates
from tenantrank.gateway.secret import secret_of
from tenantrank.gateway.settings import Settings, address_of
from tenantrank.gateway.spans import spans_of
from tenantrank.gateway.state import State
from tenantrank.gateway.traces import Traces
from tenantrank.gateway.upstream import Upstream

_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Serving:
    """A running gateway.

    Attributes
    ----------
    url, operator_url : where its two listeners are, without a slash at the end
    state, calls : what is behind them
    """

    url: str
    operator_url: str
    state: State
    calls: Calls


@asynccontextmanager
async def serving(
    settings: Settings,
    folder: Path = Path(),
    *,
    environ: Mapping[str, str] | None = None,
    path: Path | None = None,
    log: Log | None = None,
) -> AsyncIterator[Serving]:
    """Serve on the running event loop while the block lasts; requests under way are finished, up to a limit.

    Parameters
    ----------
    settings, folder
        the configuration, and the folder that its paths begin at
    environ
        where references to keys are looked up; the process's own environment unless given
    path
        the file that the configuration was read from, which reloads read again
    log
        where lines go; as the configuration says unless given

    Raises
    ------
    TenantrankError
        one line for whatever cannot be used, an address that is taken among it
    """
    variables = os.environ if environ is None else environ
    state = State(
        settings, folder, variables, utc_now, lambda: time.monotonic() * 1000.0, Metrics(), log or _log(settings), path
    )
    traces = Traces(settings.traces)
    server, upstream_settings = settings.server, settings.upstream
    operator_key = None if server.operator_key is None else secret_of(server.operator_key, variables, folder)
    async with AsyncExitStack() as stack:
        tracer, close_tracer = _tracer(settings)
        stack.callback(close_tracer)
        durable = None
        if settings.trace is not None:
            durable = stack.enter_context(Durable.open(settings.trace, folder, utc_now, os.urandom))
        upstream = await stack.enter_async_context(
            Upstream(
                tenantrank.__version__,
                answer_bytes=settings.limits.answer_bytes,
                connections=upstream_settings.connections,
                connections_per_host=upstream_settings.connections_per_host,
                proxy=upstream_settings.proxy,
                trust_env=upstream_settings.trust_env,
            )
        )
        bits = random.SystemRandom().getrandbits
        calls = Calls(state, upstream, Rates(time.monotonic), traces, spans_of(tracer), bits, durable)
        clients = _server(client_app(calls), server.listen, settings, folder, public=True)
        operators = _server(operator_app(calls, operator_key), server.operator_listen, settings, folder)
        operator_url = await stack.enter_async_context(_listening(operators))
        url = await stack.enter_async_context(_listening(clients))
        # The kernels first: until then both listeners say that they are not ready.
        await asyncio.get_running_loop().run_in_executor(None, state.start)
        tasks = [asyncio.create_task(state.watch())]
        if durable is not None:
            tasks.append(asyncio.create_task(durable.retain(utc_now, state.ending)))
        try:
            yield Serving(url, operator_url, state, calls)
        finally:
            state.stop()
            await asyncio.gather(*tasks)


def serve(settings: Settings, folder: Path, path: Path | None, started: Callable[[Serving], None]) -> None:
    """Serve until the process is told to stop (SIGTERM, SIGINT); SIGHUP reloads. Errors as `serving`."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_until_stopped(settings, folder, path, started))


async def _until_stopped(
    settings: Settings, folder: Path, path: Path | None, started: Callable[[Serving], None]
) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with serving(settings, folder, path=path) as running:
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            task = loop.create_task(_reload(running.state))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, reload)
        settle_memory()
        started(running)
        await stopping.wait()
        running.state.log.event("stopping")


async def _reload(state: State) -> None:
    with suppress(TenantrankError):  # told by the log
        await state.reload()


def settle_memory() -> None:
    """Tell the cyclic garbage collector that what there is now stays.

    A catalog is some hundred thousand objects, which every full collection would look through, in the middle of some
    call. For a process that does nothing but serve.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give what makes the event loop: uvloop's where it is there."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Server(uvicorn.Server):
    """A server whose process is another's to stop: signals are not its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _server(app: Any, listen: str, settings: Settings, folder: Path, public: bool = False) -> _Server:
    host, port = address_of(listen)
    server = settings.server
    tls: dict[str, Any] = {}
    if public and server.tls_certificate is not None and server.tls_key is not None:
        tls = {"ssl_certfile": str(folder / server.tls_certificate), "ssl_keyfile": str(folder / server.tls_key)}
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="off",
        http=partial(BoundedProtocol, most=server.connections if public else None),  # type: ignore[arg-type]
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(server.drain_s)),
        proxy_headers=False,
        **tls,
    )
    return _Server(config)


@asynccontextmanager
async def _listening(server: _Server) -> AsyncIterator[str]:
    config = server.config
    sockets = [_bound(config.host, config.port)]
    task = asyncio.create_task(server.serve(sockets))
    try:
        while not server.started:
            if task.done():
                await task
                raise InputError(f"cannot listen at {config.host}:{config.port}")
            await asyncio.sleep(_POLL_S)
        host, port = sockets[0].getsockname()[:2]
        scheme = "https" if config.is_ssl else "http"
        yield f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


def _bound(host: str, port: int) -> socket.socket:
    """Take an address; uvicorn would end the process where it cannot be had."""
    # With its protocol named, asyncio lets short answers go out at once (TCP_NODELAY).
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror or error}") from None
    return made


def _log(settings: Settings) -> Log:
    streams = {"stderr": sys.stderr, "stdout": sys.stdout, "none": None}
    return Log(streams[settings.telemetry.log])


def _tracer(settings: Settings) -> tuple[Any, Callable[[], None]]:
    """Give a tracer that sends spans to the operator's collector, and what ends it."""
    address = settings.telemetry.otlp
    if address is None:
        return None, lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise InputError("telemetry.otlp needs the extra: pip install 'tenantrank[telemetry]'") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "tenantrank"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    return provider.get_tracer("tenantrank", tenantrank.__version__), provider.shutdown
