"""A mock provider in a thread, for code without an event loop."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from typing import Any

import pytest

from tenantrank.testing import MockProvider, Reply, running
from tests.testing.raw import BODY, loops


def post(mock: MockProvider) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(mock.host, mock.port, timeout=5)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(BODY), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("loop", loops())
def test_running__serves_several_and_ends_its_thread(loop: Any) -> None:
    second = MockProvider(text="second")
    with running(MockProvider(text="first"), second, loop_factory=loop) as first:
        assert post(first)[1]["choices"][0]["message"]["content"] == "first"
        assert post(second)[1]["choices"][0]["message"]["content"] == "second"
        first.script(Reply(status=503))
        assert post(first)[0] == 503
        assert [recorded.json for recorded in first.requests] == [BODY, BODY]

    assert "mock provider" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        post(first)


def test_running__says_where_it_cannot_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mock = MockProvider(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"), running(mock):
            pytest.fail("it cannot listen there")


def test_running__stops_when_the_block_fails() -> None:
    mock = MockProvider()
    with pytest.raises(KeyError), running(mock):
        raise KeyError("x")
    with pytest.raises(ConnectionRefusedError):
        post(mock)


def test_running__wants_a_mock_provider() -> None:
    with pytest.raises(ValueError, match="needs a mock provider"), running():
        pass
