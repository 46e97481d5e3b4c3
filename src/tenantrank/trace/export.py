"""A trace as a Parquet file, for whoever asks questions of many records at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tenantrank.errors import TraceError
from tenantrank.trace.rows import Stored, key_of

SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("tenant", pa.string()),
        pa.field("caller", pa.string()),
        pa.field("fingerprint", pa.string()),
        pa.field("identity", pa.string()),
        pa.field("catalog_id", pa.string()),
        pa.field("health_id", pa.string()),
        pa.field("rulebook_id", pa.string()),
        pa.field("first", pa.string()),
        pa.field("survivors", pa.int64()),
        pa.field("cost_usd", pa.float64()),
        pa.field("hash", pa.binary(32), nullable=False),
        pa.field("body", pa.string(), nullable=False),
    ]
)
"""One row a record. ``id`` is that of the decision it belongs to, ``first`` the best offer of a decision, ``body`` the
record's canonical text, of which ``hash`` is made: nothing is lost, and the chain can be checked from the file."""

_GROUP = 10_000


def write_parquet(path: str | Path, records: Iterable[Stored]) -> int:
    """Write records to a file that appears under its name when it is whole.

    Raises
    ------
    TraceError
        ``failed``: the file cannot be written
    """
    unfinished = Path(f"{path}.unfinished")
    written = 0
    try:
        with pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
            source = iter(records)
            while rows := [_row(stored) for stored in islice(source, _GROUP)]:
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                written += len(rows)
        os.replace(unfinished, path)
    except OSError as error:
        raise TraceError(f"cannot write {path}: {error}", "failed") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return written


def _row(stored: Stored) -> dict[str, Any]:
    record = stored.record
    policy = record.get("policy") or {}
    ranked = record.get("ranked") or []
    return {
        **{name: record.get(name) for name in _PLAIN},
        "seq": stored.seq,
        "time": datetime.fromisoformat(record["time"]),
        "id": key_of(record),
        "fingerprint": policy.get("fingerprint"),
        "identity": policy.get("identity"),
        "first": ranked[0][0] if ranked else None,
        "hash": stored.hash,
        "body": stored.body.decode(),
    }


_PLAIN = ("kind", "tenant", "caller", "catalog_id", "health_id", "rulebook_id", "survivors", "cost_usd")
