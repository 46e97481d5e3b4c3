"""Listeners without keys: programs of this machine are let in, pages of a browser are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantrank.gateway.near import check_near
from tenantrank.gateway.problem import Problem
from tests.gateway.worlds import CLIENT_KEY, World, key_entry, run


@pytest.mark.parametrize("host", [b"127.0.0.1", b"127.0.0.1:8080", b"localhost:1", b"localhost", b"[::1]:80", b"[::1]"])
def test_check_near__lets_this_machine_in(host: bytes) -> None:
    check_near({"headers": [(b"host", host)]})
    check_near({"headers": []})


@pytest.mark.parametrize(
    "header",
    [
        (b"host", b"evil.example"),
        (b"host", b"evil.example:8080"),
        (b"host", b"127.0.0.1.evil.example"),
        (b"host", b"[::1].evil"),
        (b"host", b""),
        (b"origin", b"https://evil.example"),
        (b"origin", b"null"),
        (b"origin", b"http://127.0.0.1:8080"),
    ],
)
def test_check_near__keeps_pages_out(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(Problem) as refused:
        check_near({"headers": [(b"host", b"localhost"), header]})
    assert (refused.value.status, refused.value.code) == (403, "not_permitted")


def test_listeners__without_keys_answer_no_page_and_with_keys_whoever_has_one(tmp_path: Path) -> None:
    page = {"origin": "https://evil.example"}

    async def without(it: World) -> None:
        assert (await it.chat(headers=page)).status == 403
        assert (await it.call("/x/fields", headers=page)).status == 403
        assert (await it.call("/x/reload", b"", operator=True, headers=page)).status == 403
        assert (await it.call("/metrics", operator=True, headers={"host": "evil.example"})).status == 403
        assert (await it.chat()).status == 200
        assert it.sent == {"alpha": 1}

    async def having(it: World) -> None:
        assert (await it.chat(key=CLIENT_KEY, headers={**page, "host": "gateway.example"})).status == 200

    run(tmp_path, without)
    run(tmp_path, having, keys=[key_entry("one")])
