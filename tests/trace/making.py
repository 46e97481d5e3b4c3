"""Stores and records for tests of the trace; nothing in them is random or depends on the moment."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tenantrank.trace.signing import Signer
from tenantrank.trace.store import TraceStore

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SIGNER = Signer(bytes(range(32)))
OTHER_SIGNER = Signer(bytes(range(1, 33)))


class Wall:
    """A clock that goes on by a second with each look at it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def random(seed: int = 1) -> Any:
    """Give something like `os.urandom` that gives the same bytes each time."""
    return lambda count: hashlib.sha256(b"%d" % seed).digest()[:count]


def opened(path: Path, **options: Any) -> TraceStore:
    """Open a store with everything that it needs, and a signing key."""
    given: dict[str, Any] = {"wall": Wall(), "log_id_bits": random(), "signer": SIGNER, "checkpoint_every": 10}
    return TraceStore.open(path, **(given | options))


def decision(number: int, **members: Any) -> dict[str, Any]:
    """Give a small record of a decision."""
    return {
        "kind": "decision",
        "id": f"tr_{number:04}",
        "tenant": f"tenant-{number % 7}",
        "caller": "key-1",
        "policy": {
            "version": "sigma-pol/v2",
            "identity": hashlib.sha256(b"%d" % (number % 3)).hexdigest(),
            "fingerprint": f"{number % 3}-{number % 3}",
        },
        "rules": [f"rule-{number % 4}", "rule-always"],
        "catalog_id": "c" * 64,
        "health_id": "h" * 64,
        "ranked": [[f"offer-{(number + place) % 5}", 0.1 * place] for place in range(3)],
        "survivors": 3,
        **members,
    }


def attempts(number: int, **members: Any) -> dict[str, Any]:
    """Give a small record of what followed a decision."""
    tried = [{"offer": f"offer-{number % 5}", "number": 1, "outcome": None, "tokens_in": 12, "tokens_out": 3}]
    return {"kind": "attempts", "of": f"tr_{number:04}", "tenant": f"tenant-{number % 7}", "attempts": tried, **members}


def filled(path: Path, count: int = 35, **options: Any) -> Path:
    """Make a store with records and a snapshot, and close it: one file is left."""
    with opened(path, **options) as store:
        store.put_snapshot("catalog", "c" * 64, lambda: b"the catalog " * 50).result()
        for number in range(count):
            store.submit(decision(number), [("health", "h" * 64, lambda: b'{"breakers":{}}')]).result()
    return path


def copied(path: Path, name: str) -> Path:
    """Copy a closed store."""
    return Path(shutil.copyfile(path, path.with_name(name)))


def changed(path: Path, *statements: str | tuple[str, tuple[Any, ...]]) -> None:
    """Run statements on a closed store, as somebody would who can write the file."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            sql, values = (statement, ()) if isinstance(statement, str) else statement
            connection.execute(sql, values)
        connection.commit()
