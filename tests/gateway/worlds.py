"""A gateway over real sockets with mock providers behind it: its file, its clients, and what everybody got.

Offers are named by their provider: ``alpha`` is cheapest, then ``beta``, then ``gamma``; ``eu`` is an offer of alpha's
for the region ``eu``, ``embed`` makes embeddings, and ``far`` is of a provider that the operator has no account with.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tenantrank.gateway.logs import Log
from tenantrank.gateway.server import Serving, serving
from tenantrank.gateway.settings import load_settings
from tenantrank.policy import builder
from tenantrank.testing import MockProvider

PROMPT = "prompt-canary-77d1"
CLIENT_KEY = "trk_client-key-canary-0001"
OPERATOR_KEY = "operator-key-canary-0001"
PROVIDERS = ("alpha", "beta", "gamma")
PROVIDER_KEYS = {name: f"sk-{name}-canary-91" for name in (*PROVIDERS, "alpha_eu")}
ENVIRON: Mapping[str, str] = {
    **{f"KEY_{name.upper()}": key for name, key in PROVIDER_KEYS.items()},
    "OPERATOR_KEY": OPERATOR_KEY,
}


def offer(name: str, price: float, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "provider_id": name,
        "model_family": "m-1",
        "wire_model_id": f"{name}/m-1",
        "mode": "chat",
        "price_in": price,
        "price_out": price,
        "capabilities": {"context": 100_000, "supports_tools": True, "supports_json_mode": True},
        **more,
    }


OFFERS = [
    offer("alpha", 1.0, no_log=False),
    offer("beta", 2.0, no_log=True),
    offer("gamma", 3.0, model_family="m-2", wire_model_id=None),
    offer("eu", 4.0, provider_id="alpha", region_key="eu"),
    offer("us", 0.5, provider_id="alpha", region_key="us"),
    offer("embed", 1.0, provider_id="beta", model_family="e-1", wire_model_id=None, mode="embedding"),
    offer("far", 0.1),
]
RULEBOOK = """
version: 1
key: tenant_id
fields:
  plan: {type: enum, values: [free, paid]}
  most: {type: number, optional: true}
defaults: {preference: {lowest: price_out}}
rules:
  - {id: base, require: [[is, priced]]}
  - {id: cap, when: {most: {absent: false}}, ceiling: {price_out: {tenant: most}}}
  - {id: frugal, when: {plan: free}, require: [[provider_eq, gamma]]}
"""
TENANTS = "tenant_id,plan,most\nacme,paid,2\nfrugal,free,\nbroken,gold,\n"

CHEAPEST = builder.policy(builder.meets_request, builder.cheapest("price_out"))
HELLO: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": PROMPT}]}
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"


def ask(rule: Any = CHEAPEST, **more: Any) -> dict[str, Any]:
    """Give the body of a call that carries a policy."""
    return {**HELLO, "policy_ir": rule, **more}


def only(*names: str, **more: Any) -> list[Any]:
    """Give a policy that allows some providers, the cheapest first."""
    return builder.policy(builder.meets_request & builder.provider.is_in(*names), builder.cheapest("price_out"), **more)


def key_entry(name: str, key: str = CLIENT_KEY, **more: Any) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), **more}


@dataclass(frozen=True)
class Got:
    """An answer as a client got it."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        return found

    @property
    def text(self) -> str:
        found: str = self.json["choices"][0]["message"]["content"]
        return found

    @property
    def events(self) -> list[bytes]:
        return [event for event in self.raw.split(b"\n\n") if event]

    @property
    def offer(self) -> str | None:
        return self.headers.get("x-tenantrank-offer")


@dataclass
class World:
    """A running gateway, the providers behind it, and a client."""

    running: Serving
    mocks: Mapping[str, MockProvider]
    lines: io.StringIO
    http: aiohttp.ClientSession
    path: Path
    file: dict[str, Any]

    def __getattr__(self, name: str) -> MockProvider:
        return self.mocks[name]

    async def call(
        self,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        operator: bool = False,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send a body, JSON or bytes, and read the whole answer."""
        url = (self.running.operator_url if operator else self.running.url) + path
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **(headers or {})}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        async with self.http.request(
            method or ("GET" if body is None else "POST"), url, data=data, headers=sent
        ) as got:
            return Got(got.status, {name.lower(): value for name, value in got.headers.items()}, await got.read())

    async def chat(self, body: Any = None, **options: Any) -> Got:
        return await self.call(CHAT, ask() if body is None else body, **options)

    def rewrite(self, **sections: Any) -> None:
        """Write the file anew, some of its sections changed."""
        self.file.update(sections)
        self.path.write_text(json.dumps(self.file))

    async def reload(self, query: str = "", **sections: Any) -> Got:
        """Change the file, and have the operator reload it."""
        self.rewrite(**sections)
        return await self.call(f"/x/reload{query}", b"", operator=True)

    async def drop(self, name: str) -> None:
        """Break off what a provider is at, so that its calls fail now."""
        await self.mocks[name].stop()
        await self.mocks[name].start()

    @property
    def sent(self) -> dict[str, int]:
        """How many requests each provider got, those left out that got none."""
        return {name: mock.count for name, mock in self.mocks.items() if mock.count}

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]

    async def logged(self, count: int = 1, event: str = "request") -> list[dict[str, Any]]:
        """Wait for so many lines of the log: a line comes after the last byte of its answer."""
        for _ in range(200):
            found = [line for line in self.log if line["event"] == event]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
        raise TimeoutError(f"no {count} lines of {event}: {self.lines.getvalue()}")


def file_of(mocks: Mapping[str, str], **sections: Any) -> dict[str, Any]:
    """Give the gateway's file for providers at some addresses."""
    providers: dict[str, Any] = {
        name: {"kind": "openai-compatible", "base_url": mocks[name], "key": f"os.environ/KEY_{name.upper()}"}
        for name in PROVIDERS
    }
    providers["alpha"]["endpoints"] = {"eu": {"base_url": mocks["alpha_eu"], "key": "os.environ/KEY_ALPHA_EU"}}
    usual: dict[str, Any] = {
        "server": {"listen": "127.0.0.1:0", "operator_listen": "127.0.0.1:0", "without_keys": True},
        "catalog": {"file": "catalog.json"},
        "providers": providers,
        # One failure of a test is not to hide the next.
        "breakers": {"threshold": 1000},
        "watch_s": 0,
    }
    if "keys" in sections:
        del usual["server"]["without_keys"]
    server = {**usual["server"], **sections.pop("server", {})}
    return {**usual, **sections, "server": server}


def write_files(folder: Path) -> None:
    """Write the catalog, the rulebook and the table of tenants."""
    write_catalog(folder, OFFERS)
    (folder / "rules.yaml").write_text(RULEBOOK)
    (folder / "tenants.csv").write_text(TENANTS)


def write_catalog(folder: Path, offers: list[dict[str, Any]]) -> None:
    (folder / "catalog.json").write_text(json.dumps({"offers": offers}))


class _Quick:
    """asyncio for uvicorn, which looks ten times a second whether it is to stop: no test has to wait for that."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 20)


@asynccontextmanager
async def world(folder: Path, environ: Mapping[str, str] = ENVIRON, **sections: Any) -> AsyncIterator[World]:
    """Serve while the block lasts; sections of the file stand in place of the usual ones."""
    write_files(folder)
    mocks = {name: MockProvider(key=key) for name, key in PROVIDER_KEYS.items()}
    lines = io.StringIO()
    path = folder / "gateway.json"
    try:
        for mock in mocks.values():
            await mock.start()
        file = file_of({name: mock.url for name, mock in mocks.items()}, **sections)
        path.write_text(json.dumps(file))
        async with (
            serving(load_settings(path), folder, environ=environ, path=path, log=Log(lines)) as running,
            aiohttp.ClientSession(auto_decompress=False) as http,
        ):
            yield World(running, mocks, lines, http, path, file)
    finally:
        for mock in mocks.values():
            await mock.stop()


def run(folder: Path, test: Callable[[World], Awaitable[None]], **sections: Any) -> World:
    """Run a test in a world of its own, and give the world as it was left."""

    async def whole() -> World:
        async with asyncio.timeout(60):
            async with world(folder, **sections) as made:
                await test(made)
            return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("uvicorn.server.asyncio", _Quick())
        return asyncio.run(whole())
