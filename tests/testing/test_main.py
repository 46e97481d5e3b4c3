"""The mock provider as a process of its own."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.testing.raw import BODY


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_process__says_where_it_listens_and_ends_on_a_signal(number: signal.Signals) -> None:
    line = [sys.executable, "-m", "tenantrank.testing", "--text", "Hello from there", "--key", "k", "--each-s", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = urlsplit(process.stdout.readline().strip())
            connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
            connection.request("POST", f"{url.path}/chat/completions", json.dumps(BODY), {"Authorization": "Bearer k"})
            answer = json.loads(connection.getresponse().read())
            connection.close()
        finally:
            process.send_signal(number)
        _, errors = process.communicate(timeout=10)

    assert answer["choices"][0]["message"]["content"] == "Hello from there"
    assert (process.returncode, errors) == (0, "")
