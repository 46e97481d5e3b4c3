"""The processes that a measurement takes: mock provider, gateway, LiteLLM's proxy; what they cost while they serve."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantrank.policy import builder
from tenantrank.policy.builder import f, is_

KEY = f"sk-{secrets.token_hex(24)}"
MODEL = "gpt-4o-mini"
_STARTUP_S = 120.0

RULE = builder.policy(
    builder.meets_request
    & builder.provider.is_in("openai", "groq", "mistral")
    & (f.price_out <= 12)
    & ~is_("deprecated"),
    builder.cheapest("price_out"),
)
"""What decides each call through the gateway: a tenant's usual few conditions."""


class StartError(Exception):
    """A process did not come up."""


@dataclass(frozen=True)
class Target:
    """Something to be measured.

    Attributes
    ----------
    name : in tables
    url : of ``/chat/completions``
    members : what its bodies have beside model and messages
    pid : whose time and memory are looked at
    """

    name: str
    url: str
    members: Mapping[str, Any]
    pid: int

    def cpu_s(self) -> float:
        """Give the time that the process and its children spent computing; 0 where the system does not say."""
        with suppress(OSError):
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def memory_mib(self) -> float:
        """Give what the process holds in memory; 0 where the system does not say."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0


@contextmanager
def mock_provider(each_s: float | None = None) -> Iterator[Target]:
    """Run a mock provider; ``each_s`` 0.0 sends each event of a stream in a packet of its own."""
    paced = [] if each_s is None else ["--each-s", str(each_s)]
    line = [sys.executable, "-m", "tenantrank.testing", *paced]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process, _ended(process):
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        if not url:
            raise StartError("the mock provider did not start")
        yield Target("direct", f"{url}/chat/completions", {}, process.pid)


@contextmanager
def gateway(mock: Target, folder: Path) -> Iterator[Target]:
    """Run ``tenantrank serve`` over the mock provider, with the bundled catalog and no log."""
    port, operator_port = _free_port(), _free_port()
    base_url = mock.url.removesuffix("/chat/completions")
    settings = {
        "server": {
            "listen": f"127.0.0.1:{port}",
            "operator_listen": f"127.0.0.1:{operator_port}",
            "without_keys": True,
        },
        "providers": {
            name: {"base_url": base_url, "key": "os.environ/BENCHMARK_KEY"} for name in ("openai", "groq", "mistral")
        },
        "telemetry": {"log": "none"},
    }
    path = folder / "gateway.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    line = [sys.executable, "-m", "tenantrank.cli", "serve", "--config", str(path)]
    with _served(line, {"BENCHMARK_KEY": KEY}, f"http://127.0.0.1:{port}/ready", folder / "gateway.log") as process:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        yield Target("tenantrank", url, {"policy_ir": RULE}, process.pid)


@contextmanager
def litellm(mock: Target, folder: Path, command: str) -> Iterator[Target]:
    """Run LiteLLM's proxy over the mock provider, without logs and callbacks."""
    port = _free_port()
    base_url = mock.url.removesuffix("/chat/completions")
    settings = {
        "model_list": [
            {
                "model_name": MODEL,
                "litellm_params": {"model": f"openai/{MODEL}", "api_base": base_url, "api_key": KEY},
            }
        ],
        "litellm_settings": {"num_retries": 0, "set_verbose": False, "telemetry": False},
        # It does not start without a key.
        "general_settings": {"master_key": KEY, "disable_spend_logs": True},
    }
    path = folder / "litellm.yaml"
    # JSON is YAML.
    path.write_text(json.dumps(settings), encoding="utf-8")
    line = [command, "--config", str(path), "--port", str(port), "--host", "127.0.0.1", "--num_workers", "1"]
    environ = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    ready = f"http://127.0.0.1:{port}/health/liveliness"
    with _served(line, environ, ready, folder / "litellm.log") as process:
        yield Target("litellm", f"http://127.0.0.1:{port}/v1/chat/completions", {}, process.pid)


@contextmanager
def _served(line: list[str], environ: Mapping[str, str], ready: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; begins when its address of readiness answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output, env={**os.environ, **environ})
    with process, _ended(process):
        until = time.monotonic() + _STARTUP_S
        while not _answers(ready):
            if process.poll() is not None or time.monotonic() > until:
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                raise StartError(f"{line[0]} did not start: {said[-1] if said else process.returncode}")
            time.sleep(0.1)
        yield process


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
