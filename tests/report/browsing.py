"""Headless Chromium over a file: what it makes of a page, how it looks, and what it asks the network for."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OWN_HOSTS = ("google.com", "gvt1.com", "googleapis.com", "gstatic.com")
"""What the browser asks for by itself, whatever it shows."""


def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser is installed: one of {', '.join(BROWSERS)} is needed (Debian: apt install chromium)")
    return found


def run(page: Path, *more: str) -> str:
    """Open a page and give what the browser prints."""
    line = [
        browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={page.parent / 'browser'}",
        *more,
        page.as_uri(),
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Stand between a browser and the network: gives the option to use, and a list of what is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def do_CONNECT(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"--proxy-server=127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def host_of(asked: str) -> str:
    """Give the host that a proxy was asked for."""
    return asked.split("//")[-1].split("/")[0].split(":")[0]
