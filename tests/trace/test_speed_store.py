"""How fast records become durable here: printed, and not judged, since a machine may be busy with something else.

`pytest tests/trace/test_speed_store.py -s` shows the figures; with TENANTRANK_LONG=1 they come from more records.
"""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tenantrank.trace.signing import Signer
from tenantrank.trace.store import TraceStore
from tenantrank.trace.texts import Fixed, FixedList

COUNT = 200_000 if os.environ.get("TENANTRANK_LONG") == "1" else 10_000
SINGLE = 5_000 if COUNT > 10_000 else 500


def _shared(policy: int) -> dict[str, Any]:
    """Give what all records of one policy have in common, as those who make records keep it."""
    identity = hashlib.sha256(b"%d" % policy).hexdigest()
    named = {"version": "sigma-pol/v2", "identity": identity, "fingerprint": f"{policy}-1", "source": "rulebook"}
    clauses = [f'["cmp","price_out","le",{policy + number}]' for number in range(5)]
    return {
        "policy": Fixed({**named, "encoding": f'["policy",{",".join(clauses)},["min","price_out"],["first"]]'}),
        "origins": Fixed({clause: [{"rule": "r", "field": "plan", "value": "enterprise"}] for clause in clauses}),
        "rules": FixedList(f"rule-{(policy + place) % 40}" for place in range(4)),
        "rejections": Fixed({"clauses": 5, "counts": [812, 40, 3, 0, 77], "first": identity, "bits": "A" * 340}),
    }


def _request() -> dict[str, Any]:
    return {"needs": ["tools"], "estimated_input_tokens": 812.0, "estimated_output_tokens": 100.0}


def _ranked(order: int) -> list[Any]:
    return [[f"provider-{place}/model-{order % 50 + place}", 0.1 * place] for place in range(8)]


_REQUEST, _ORDERS = Fixed(_request()), [FixedList(_ranked(order)) for order in range(50)]


def _records(first: int, count: int, shared: list[dict[str, Any]], alike: bool) -> list[dict[str, Any]]:
    """Give records; where they are `alike`, those of equal requests and orders share these, as those of a log do."""
    return [
        {
            "kind": "decision",
            "id": f"tr_{hashlib.md5(b'%d' % number).hexdigest()}",
            "tenant": f"tenant-{number * 7919 % 5000}",
            "caller": "key-1",
            "label": "auto",
            **shared[number % len(shared)],
            "envelope": None,
            "rulebook_id": None,
            "catalog_id": "c" * 64,
            "health_id": "d" * 64,
            "as_of": "2026-11-25",
            "request": _REQUEST if alike else _request(),
            "seed": None,
            "k": 8,
            "engine": "0.1.0",
            "ranked": _ORDERS[number % 50] if alike else _ranked(number),
            "places": 311,
            "survivors": 311,
            "order_digest": "e" * 64,
            "masked": [],
        }
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize("alike", [True, False], ids=["orders and requests recur", "all are new"])
def test_how_many_a_second_and_how_long_one_takes(tmp_path: Path, alike: bool) -> None:
    shared = [_shared(policy) for policy in range(200)]
    signer = Signer(bytes(32))
    with TraceStore.open(
        tmp_path / "trace.db", wall=lambda: datetime.now(UTC), log_id_bits=os.urandom, signer=signer
    ) as store:
        took, worked, single = [], [], []
        for at in range(0, COUNT, 1000):
            records = _records(at, 1000, shared, alike)
            start, busy = time.perf_counter(), time.process_time()
            store.append(records)
            took.append(time.perf_counter() - start)
            worked.append(time.process_time() - busy)
        for record in _records(COUNT, SINGLE, shared, alike):
            start = time.perf_counter()
            store.append([record])
            single.append(time.perf_counter() - start)
        single.sort()
        size = len(store.get(1).body)  # type: ignore[union-attr]
        print(
            f"\nbatches of 1,000, {size:,} bytes each: {COUNT / sum(took):,.0f} records/s, best batch "
            f"{1000 / min(took):,.0f}/s; {sum(worked) / COUNT * 1e6:.0f} µs of processor time each, best batch "
            f"{min(worked) * 1e3:.0f} µs\n"
            f"one durable append: p50 {single[len(single) // 2] * 1e3:.2f} ms, "
            f"p99 {single[len(single) * 99 // 100] * 1e3:.2f} ms, max {single[-1] * 1e3:.2f} ms"
        )
        assert store.head()[0] == COUNT + SINGLE
