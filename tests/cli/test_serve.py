from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import command, refused
from tests.gateway.test_generation import URLS
from tests.gateway.worlds import ENVIRON, PROVIDER_KEYS, file_of, key_entry, write_files

LITERAL = "sk-literal-canary-71c9"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_files(tmp_path)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def config(folder: Path, **sections: Any) -> Path:
    path = folder / "gateway.json"
    path.write_text(json.dumps(file_of(URLS, **sections)))
    return path


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Start the command, and give the process, where it serves, and the lines until then."""
    line = [sys.executable, "-m", "tenantrank.cli", "serve", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines: list[str] = []
            while not lines or "serving at " not in lines[-1]:
                lines.append(process.stderr.readline())
                assert lines[-1], lines
            yield process, lines[-1].partition("serving at ")[2].partition(",")[0], lines
        finally:
            if process.poll() is None:
                process.kill()


def test_serve__check_tells_what_there_is(folder: Path) -> None:
    done = command("serve", "--check", "--config", config(folder, rulebook="rules.yaml", tenants="tenants.csv"))

    assert done.returncode == 0
    assert "good; of 7 offers these can be called: 4 for chat, 1 for embeddings; 2 tenants, no keys" in done.stdout
    assert "warning: row 3" in done.stderr
    done = command("serve", "--check", "--config", config(folder, keys=[key_entry("app")]))
    assert "1 keys" in done.stdout


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"servers": {}}, "servers: unknown key"),
        ({"server": {"without_keys": False}}, "without keys anybody is let in"),
        ({"server": {"listen": "0.0.0.0:80"}}, "without keys anybody is let in"),
        ({"server": {"listen": "nowhere"}}, "not an address"),
        ({"server": {"operator_key": "os.environ/NOT_THERE"}}, "NOT_THERE"),
        ({"catalog": {"file": "missing.json"}}, "missing.json"),
        ({"rulebook": "missing.yaml"}, "missing.yaml"),
        ({"envelope": ["is", "nonsense"]}, "nonsense"),
        ({"default": ["policy"]}, "default"),
        ({"providers": {"alpha": {"key": LITERAL, "base_url": "http://127.0.0.1:9"}}}, "alpha"),
        ({"providers": {"alpha": {"key": "os.environ/NOT_THERE", "base_url": "http://127.0.0.1:9"}}}, "NOT_THERE"),
        ({"providers": {"alpha": {"base_url": f"http://user:{LITERAL}@127.0.0.1:9"}}}, "alpha"),
        ({"providers": {"alpha": {"base_url": f"http://127.0.0.1:9?key={LITERAL}"}}}, "alpha"),
        ({"keys": [{"name": "app", "sha256": LITERAL}]}, "keys.0.sha256"),
        ({"keys": [key_entry("app", tenant="acme")]}, "keys: app"),
        ({"limits": {"attempts": 0}}, "limits.attempts"),
    ],
)
def test_serve__a_wrong_configuration_is_one_clear_line(folder: Path, sections: dict[str, Any], said: str) -> None:
    path = config(folder, **sections)
    message = refused(command("serve", "--check", "--config", path))

    assert said in message
    assert LITERAL not in message
    # Without --check it is the same line, and nothing is served.
    assert refused(command("serve", "--config", path)) == message


def test_serve__what_has_to_be_given(folder: Path) -> None:
    assert "--config FILE, or --demo" in refused(command("serve"))
    assert "not both" in refused(command("serve", "--demo", "--config", config(folder)))
    assert "--check goes with --config" in refused(command("serve", "--demo", "--check"))
    assert "not an address" in refused(command("serve", "--demo", "--listen", "here"))
    assert "No such file" in refused(command("serve", "--config", folder / "missing.yaml"))
    assert "Is a directory" in refused(command("serve", "--config", folder))


def test_serve__another_address_lets_no_strangers_in(folder: Path) -> None:
    path = config(folder)

    assert "without keys" in refused(command("serve", "--config", path, "--listen", "0.0.0.0:0"))
    assert "without keys" in refused(command("serve", "--demo", "--listen", "0.0.0.0:0"))


def test_serve__an_address_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "tenantrank.cli", "serve", "--config", config(folder), "--listen", address],
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert done.returncode == 2
    assert f"tenantrank: cannot listen at {address}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_serve__demo_answers_and_ends_when_told(folder: Path) -> None:
    with serving("--demo", "--listen", "127.0.0.1:0") as (process, url, _):
        body = json.dumps(
            {
                "model": "any",
                "stream": True,
                "x_router": True,
                "messages": [{"role": "user", "content": "Hello"}],
                "policy_ir": ["policy", ["meets_req"], ["zero"], ["argmax"], ["id"], PLAN],
            }
        )
        request = urllib.request.Request(
            f"{url}/v1/chat/completions", body.encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read().decode()
        with urllib.request.urlopen(f"{url}/ready", timeout=5) as answer:
            assert json.loads(answer.read())["status"] == "ready"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=15)

    assert "simulated" in text or "Nobody was called" in text
    assert text.endswith("data: [DONE]\n\n")
    assert '"x_router"' in text
    assert process.returncode == 0
    assert out == ""
    assert "Traceback" not in err
    assert f"curl {url}/v1/chat/completions" in err
    assert '"event":"request"' in err


PLAN = ["always", {"action": "next_candidate"}]


def test_serve__ends_when_interrupted_and_shows_no_key(folder: Path) -> None:
    path = config(folder, keys=[key_entry("app")], server={"operator_key": "os.environ/OPERATOR_KEY"})
    with serving("--config", str(path)) as (process, url, lines):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)

    assert url.startswith("http://127.0.0.1:")
    assert process.returncode == 0
    told = "".join(lines) + out + err
    assert not any(key in told for key in (*PROVIDER_KEYS.values(), ENVIRON["OPERATOR_KEY"]))
    assert "Traceback" not in told


def test_serve__needs_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tenantrank.gateway.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    assert "pip install 'tenantrank[gateway]'" in refused(command("serve", "--config", config(folder)))


def test_key__makes_one_that_the_configuration_takes(folder: Path) -> None:
    made = json.loads(command("key", "app", "--json").stdout)
    assert hashlib.sha256(made["key"].encode()).hexdigest() == made["sha256"]
    assert made["key"].startswith("trk_")
    assert made["key"] != json.loads(command("key", "app", "--json").stdout)["key"]

    path = folder / "gateway.yaml"
    shown = command("key", "app").stdout
    path.write_text(
        "catalog: {file: catalog.json}\n"
        "providers:\n  alpha: {base_url: 'http://127.0.0.1:9', key: os.environ/KEY_ALPHA}\n"
        + shown.partition("for the configuration:")[2]
    )
    assert "1 keys" in command("serve", "--check", "--config", path).stdout
    assert "a key's name" in refused(command("key", "a b"))


def test_serve__the_environment_is_not_shown_where_a_reference_is_wrong(folder: Path) -> None:
    os.environ["KEY_ALPHA"] = "sk-with\nnewline"  # the fixture's own variable, put back by it

    message = refused(command("serve", "--check", "--config", config(folder)))
    assert "KEY_ALPHA" in message
    assert "sk-with" not in message
