from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tenantrank.errors import InputError
from tenantrank.gateway import demo
from tenantrank.gateway.demo import ENVIRON, PACES, demo_settings, sample_folder
from tenantrank.gateway.logs import Log
from tenantrank.gateway.server import serving
from tests.gateway.worlds import CHAT

TENANT = {
    "plan": "enterprise",
    "region": "eu",
    "data_class": "internal",
    "workload": "interactive",
    "vip": False,
    "dpa_signed": True,
    "approved_providers": ["azure", "mistral"],
}


def test_demo_settings__a_tenant_of_the_sample_is_answered_by_a_provider_that_its_rule_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As fast as can be, and nobody fails by chance.
    monkeypatch.setattr(demo, "PACES", {name: type(pace)(0.0, 10_000.0) for name, pace in PACES.items()})

    async def run() -> dict[str, Any]:
        async with (
            demo_settings("127.0.0.1:0", "127.0.0.1:0") as (settings, mock),
            serving(settings, environ=ENVIRON, log=Log(io.StringIO())) as running,
            aiohttp.ClientSession() as http,
        ):
            body = {"model": "any", "messages": [{"role": "user", "content": "Hello"}], "tenant": TENANT}
            async with http.post(running.url + CHAT, json={**body, "x_router": True}) as got:
                assert got.status == 200
                whole: dict[str, Any] = await got.json()
            async with http.post(running.url + CHAT, json={**body, "stream": True}) as got:
                text = await got.text()
            assert "simulated" in text
            assert text.endswith("data: [DONE]\n\n")
            assert mock.count == 2
            return whole

    record = asyncio.run(run())["x_router"]
    assert record["policy"]["source"] == "tenant"
    assert record["offer"].partition("|")[0] in {"azure", "mistral"}


def test_demo_settings__every_address_is_this_machines_and_no_key_is_read() -> None:
    async def run() -> Any:
        async with demo_settings("127.0.0.1:0", "127.0.0.1:0") as (settings, _):
            return settings

    settings = asyncio.run(run())
    addresses = [
        endpoint.base_url for given in settings.providers.values() for endpoint in (given, *given.endpoints.values())
    ]
    assert len(addresses) == len(PACES)
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)
    assert {given.key for given in settings.providers.values()} == {"os.environ/TENANTRANK_DEMO_KEY"}
    assert set(ENVIRON) == {"TENANTRANK_DEMO_KEY"}
    assert settings.server.without_keys


def test_demo_settings__strangers_are_not_let_in() -> None:
    async def run() -> None:
        async with demo_settings("0.0.0.0:8080", "127.0.0.1:0"):
            pass

    with pytest.raises(InputError, match="without keys"):
        asyncio.run(run())


def test_sample_folder__has_what_the_demo_needs() -> None:
    folder = sample_folder()

    assert (folder / "rules.yaml").is_file()
    assert (folder / "overlay.example.yaml").is_file()


def test_sample_folder__a_package_without_the_sample_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "files", lambda _: tmp_path)
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "a" / "b" / "c" / "d.py"))

    with pytest.raises(InputError, match="sample rules"):
        sample_folder()


def test_demo__the_example_of_the_page_is_the_one_that_is_shown() -> None:
    from tenantrank.cli.serve import _TRY

    text = _TRY.format(url="http://127.0.0.1:8080")
    body = json.loads(text.partition("-d '")[2].removesuffix("'"))
    assert body["tenant"] == TENANT
