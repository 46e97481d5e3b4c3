"""The server as a whole: its listeners, when it is ready, how it takes a new configuration, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tenantrank.errors import InputError
from tenantrank.gateway import server
from tenantrank.gateway.logs import Log
from tenantrank.gateway.server import serving
from tenantrank.gateway.settings import settings_of
from tenantrank.gateway.state import State
from tenantrank.testing import MockProvider, faults
from tenantrank.testing.mock import TEXT
from tests.gateway.test_generation import URLS
from tests.gateway.worlds import (
    CHAT,
    CLIENT_KEY,
    ENVIRON,
    OFFERS,
    PROVIDER_KEYS,
    World,
    ask,
    file_of,
    key_entry,
    only,
    run,
    write_catalog,
    write_files,
)

FEWER = [offer for offer in OFFERS if offer["id"] in ("beta", "embed")]


async def until(world: World, event: str) -> dict[str, Any]:
    return (await world.logged(1, event))[0]


def test_serving__a_reload_by_the_operator(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        got = await world.reload(limits={"attempts": 2})
        assert got.status == 200
        assert (got.json["outcome"], got.json["generation"]) == ("taken", 2)
        assert got.json["offers"] == {"chat": 4, "embeddings": 1}
        assert (await world.call("/x/live", operator=True)).json["generation"] == 2

        refused = await world.reload(envelope=["is", "nonsense"])
        assert (refused.status, refused.error["code"]) == (409, "reload_refused")
        assert "nonsense" in refused.error["message"]
        assert (await world.chat()).offer == "alpha"
        assert world.running.state.now.number == 2

        write_catalog(tmp_path, FEWER)
        refused = await world.reload(envelope=None)
        assert refused.error["code"] == "reload_refused"
        assert (await world.chat()).offer == "alpha"
        forced = await world.reload("?force=true")
        assert forced.json["offers"] == {"chat": 1, "embeddings": 1}
        assert (await world.chat()).offer == "beta"
        metrics = (await world.call("/metrics", operator=True)).raw.decode()
        assert "tenantrank_catalog_generation 3.0" in metrics
        assert 'tenantrank_catalog_reloads_total{outcome="refused"} 2.0' in metrics

    run(tmp_path, test)


def test_serving__a_key_that_was_taken_out_is_known_no_more(tmp_path: Path) -> None:
    second = "trk_second-key-000001"

    async def test(world: World) -> None:
        assert (await world.chat(key=CLIENT_KEY)).status == 200
        await world.reload(keys=[key_entry("two", second)])
        assert (await world.chat(key=CLIENT_KEY)).error["code"] == "invalid_api_key"
        assert (await world.chat(key=second)).status == 200

    run(tmp_path, test, keys=[key_entry("one")])


def test_serving__calls_go_on_while_a_generation_is_made(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        reloading = [asyncio.create_task(world.running.state.reload()) for _ in range(3)]
        answers = [await world.chat() for _ in range(10)]
        await asyncio.gather(*reloading)
        answers += await asyncio.gather(*(world.chat() for _ in range(10)))

        assert {got.status for got in answers} == {200}
        assert world.running.state.now.number == 4

    run(tmp_path, test)


def test_serving__takes_a_changed_file_by_itself(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        write_catalog(tmp_path, [*FEWER, OFFERS[2], OFFERS[3]])
        await until(world, "reloaded")
        assert (await world.chat()).offer == "beta"

    run(tmp_path, test, watch_s=0.05)


def test_serving__is_ready_only_after_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path)
    start = State.start
    seen: dict[str, tuple[int, str]] = {}
    addresses: list[str] = []
    monkeypatch.setattr(server, "_listening", _noting(addresses))

    def asked(path: str, body: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(addresses[-1] + path, body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def slow(state: State) -> None:
        # In a thread of its own, while both listeners are up.
        for path, body in (("/ready", None), ("/health", None), (CHAT, json.dumps(ask()).encode())):
            seen[path] = asked(path, body)
        start(state)

    monkeypatch.setattr(State, "start", slow)

    async def test() -> None:
        async with serving(settings_of(file_of(URLS)), tmp_path, environ=ENVIRON, log=Log(io.StringIO())):
            status, _ = await asyncio.to_thread(asked, "/ready")
            assert status == 200

    asyncio.run(test())
    assert seen["/ready"][0] == 503
    assert seen["/health"][0] == 200
    assert seen[CHAT][0] == 503
    assert "not_ready" in seen[CHAT][1]


def _noting(addresses: list[str]) -> Any:
    listening = server._listening

    @asynccontextmanager
    async def noting(started: Any) -> AsyncIterator[str]:
        async with listening(started) as url:
            addresses.append(url)
            yield url

    return noting


def test_serving__a_stop_lets_a_request_under_way_finish(tmp_path: Path) -> None:
    answered: list[tuple[int, bytes]] = []

    async def test() -> None:
        write_files(tmp_path)
        async with MockProvider(key=PROVIDER_KEYS["alpha"]) as mock, aiohttp.ClientSession() as http:
            settings = settings_of(file_of({**URLS, "alpha": mock.url}))
            log = Log(io.StringIO())
            async with serving(settings, tmp_path, environ=ENVIRON, log=log) as running:
                mock.script(faults.late(0.4), faults.slow_body(each_s=0.03))

                async def call(stream: bool) -> None:
                    body = ask(only("alpha"), stream=stream)
                    async with http.post(running.url + CHAT, json=body) as got:
                        answered.append((got.status, await got.read()))

                calls = [asyncio.create_task(call(stream)) for stream in (False, True)]
                await mock.arrived(2)
            await asyncio.gather(*calls)
            with pytest.raises(aiohttp.ClientConnectionError):
                await http.post(running.url + CHAT, json=ask())

    asyncio.run(test())
    assert [status for status, _ in answered] == [200, 200]
    assert any(raw.endswith(b"data: [DONE]\n\n") for _, raw in answered)
    assert any(TEXT.encode() in raw for _, raw in answered)


def test_serving__a_request_that_does_not_end_is_cut_off_after_a_while(tmp_path: Path) -> None:
    async def test() -> float:
        write_files(tmp_path)
        async with MockProvider(key=PROVIDER_KEYS["alpha"]) as mock, aiohttp.ClientSession() as http:
            settings = settings_of(file_of({**URLS, "alpha": mock.url}, server={"drain_s": 1}))
            async with serving(settings, tmp_path, environ=ENVIRON, log=Log(io.StringIO())) as running:
                mock.script(faults.silence())
                waiting = asyncio.create_task(http.post(running.url + CHAT, json=ask(only("alpha"))))
                await mock.arrived(1)
                began = asyncio.get_running_loop().time()
            took: float = asyncio.get_running_loop().time() - began
            await asyncio.wait([waiting], timeout=2)
            assert waiting.done()
            if waiting.exception() is None:
                assert waiting.result().status >= 500
            await mock.settled(1.0)
            return took

    assert asyncio.run(test()) < 4.0


def test_serving__an_address_that_is_taken_is_told_in_a_line(tmp_path: Path) -> None:
    write_files(tmp_path)

    async def start(**listeners: Any) -> None:
        async with serving(settings_of(file_of(URLS, server=listeners)), tmp_path, environ=ENVIRON, log=Log(None)):
            pass

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for name in ("listen", "operator_listen"):
            with pytest.raises(InputError, match=f"cannot listen at {address}"):
                asyncio.run(start(**{name: address}))
            gc.collect()  # which would warn of a socket that was left open


def test_serving__an_operators_key_that_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    write_files(tmp_path)

    async def start() -> None:
        settings = settings_of(file_of(URLS, server={"operator_key": "os.environ/NOT_THERE"}))
        async with serving(settings, tmp_path, environ=ENVIRON, log=Log(None)):
            pass

    with pytest.raises(InputError, match="NOT_THERE"):
        asyncio.run(start())


def test_serving__of_too_many_connections_only_those_beyond_the_limit_are_turned_away(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.alpha.script(*[faults.late(0.3)] * 8)
        answers = await asyncio.gather(*(world.chat(ask(only("alpha"))) for _ in range(8)))

        served = [got for got in answers if got.status == 200]
        assert 3 <= len(served) < 8
        for got in answers:
            assert got in served or (got.status, got.error["type"]) == (503, "server_error")

    run(tmp_path, test, server={"connections": 3})


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_serve__sighup_reloads_and_sigterm_ends(tmp_path: Path) -> None:
    async def test() -> None:
        write_files(tmp_path)
        path = tmp_path / "gateway.json"
        async with MockProvider(key=PROVIDER_KEYS["alpha"]) as mock, aiohttp.ClientSession() as http:
            file = file_of({**URLS, "alpha": mock.url})
            path.write_text(json.dumps(file))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tenantrank.cli", "serve", "--config", str(path)),
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **ENVIRON},
            )
            assert process.stderr is not None
            lines: list[str] = []

            async def line_with(text: str) -> str:
                assert process.stderr is not None
                while text not in (line := (await process.stderr.readline()).decode()):
                    assert line, lines
                    lines.append(line)
                return line

            try:
                url = (await line_with("serving at ")).split()[2].rstrip(",")
                async with http.post(url + CHAT, json=ask(only("alpha"))) as got:
                    assert got.status == 200
                path.write_text("{")
                process.send_signal(signal.SIGHUP)
                await line_with("reload_refused")
                path.write_text(json.dumps({**file, "envelope": ["not", ["provider_eq", "alpha"]]}))
                process.send_signal(signal.SIGHUP)
                await line_with('"reloaded"')
                async with http.post(url + CHAT, json=ask(only("alpha"))) as got:
                    assert got.status == 422
                process.terminate()
                await line_with("stopping")
                assert await asyncio.wait_for(process.wait(), 5) == 0
                assert not any(key in "".join(lines) for key in PROVIDER_KEYS.values())
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def bounded() -> None:
        async with asyncio.timeout(40):
            await test()

    asyncio.run(bounded())
