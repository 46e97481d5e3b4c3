"""Every single bit of a small log, flipped: either it is told, or nothing that anybody reads has changed."""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tenantrank.errors import TraceError
from tenantrank.trace.checkpoints import checkpoint_of_line
from tenantrank.trace.store import Reader
from tenantrank.trace.verify import verify_connection
from tests.trace.making import SIGNER, decision, opened

LONG = os.environ.get("TENANTRANK_LONG") == "1"
KEY = SIGNER.public_key


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bits") / "trace.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size=1024")
        connection.execute("VACUUM")
    with opened(path, checkpoint_every=4) as store:
        for number in range(9):
            store.submit(decision(number), [("health", "h" * 64, lambda: b'{"breakers":{}}' * 5)]).result()
    return path


def _connected(data: bytes) -> sqlite3.Connection:
    """Read a store from memory. What its header says of the write-ahead log has no meaning there."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(data[:18] + b"\1\1" + data[20:])
    return connection


_CELLS = (
    ("meta", "name", ("value",)),
    ("records", "seq", ("body", "hash", "kind", "id", "time")),
    ("checkpoints", "seq", ("body", "signature")),
    ("snapshots", "ref", ("kind", "id", "sha256")),
    ("contents", "ref", ("data",)),
    ("names", "ref", ("field", "value")),
    ("sets", "ref", ("digest",)),
)


def _flips(connection: sqlite3.Connection) -> Iterator[tuple[str, object, str, bytes, str, int]]:
    for table, key, columns in _CELLS:
        for column in columns:
            sql = f"SELECT {key}, CAST({column} AS BLOB), typeof({column}) FROM {table} WHERE {column} IS NOT NULL"
            for row, value, kind in connection.execute(sql).fetchall():
                for bit in range(8 * len(value)):
                    yield table, row, column, value, kind, bit


def test_every_bit_of_every_cell(small: Path) -> None:
    data = small.read_bytes()
    with closing(_connected(data)) as connection:
        assert verify_connection(connection, (), KEY).ok
        flips = list(_flips(connection))
        # Without TENANTRANK_LONG one bit of each byte, another one from byte to byte.
        taken = flips if LONG else [flip for flip in flips if flip[5] % 8 == (flip[5] // 8) % 8][::6]
        for table, row, column, value, kind, bit in taken:
            altered = bytearray(value)
            altered[bit // 8] ^= 1 << bit % 8
            key = {"meta": "name", "records": "seq", "checkpoints": "seq"}.get(table, "ref")
            put = f"UPDATE {table} SET {column} = {'CAST(? AS TEXT)' if kind == 'text' else '?'} WHERE {key} = ?"
            connection.execute("BEGIN")
            try:
                connection.execute(put, (bytes(altered), row))
            except sqlite3.IntegrityError:  # Another row has this name; `test_bits_of_the_file` flips such bits, too.
                connection.execute("ROLLBACK")
                continue
            report = verify_connection(connection, (), KEY)
            connection.execute("ROLLBACK")
            if table == "contents" and _content(bytes(altered)) == _content(value):
                continue  # Deflate leaves some bits without a meaning; what is read is the same.
            assert not report.ok, (table, row, column, bit)
            if table == "records" and column in ("body", "hash"):
                assert row in [problem.seq for problem in report.problems]
                assert [segment.ok for segment in report.segments].count(False) == 1
    print(f"\n{len(taken)} of {len(flips)} bits flipped")


def _content(data: bytes) -> bytes | None:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return None


def _everything(connection: sqlite3.Connection) -> list[object]:
    """Give all that can be asked of a store."""
    tables = ("records", "names", "sets", "members", "snapshots", "checkpoints", "stubs", "meta")
    found: list[object] = [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]
    contents = connection.execute("SELECT ref, data FROM contents ORDER BY 1").fetchall()
    return [*found, [(ref, _content(data)) for ref, data in contents]]


def test_bits_of_the_file(small: Path) -> None:
    data = small.read_bytes()
    with closing(_connected(data)) as connection:
        before = _everything(connection)
    stride = 1 if LONG else 8 * len(data) // 800 | 1
    told = same = 0
    for bit in range(0, 8 * len(data), stride):
        if bit // 8 in (18, 19):  # Which `_connected` sets.
            continue
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        with closing(_connected(bytes(altered))) as connection:
            report = verify_connection(connection, (), KEY)
            if report.ok:
                assert _everything(connection) == before, bit
                same += 1
            else:
                told += 1
    assert told > 100
    print(f"\n{told + same} of {8 * len(data)} bits flipped: {told} told, {same} without any effect")


def test_every_bit_of_an_exported_checkpoint(small: Path) -> None:
    with Reader.open(small) as reader, closing(reader.snapshot_connection()) as connection:
        line = reader.checkpoints()[0].line().encode()
        assert verify_connection(connection, [checkpoint_of_line(line)], KEY, thorough=False).ok
        for bit in range(8 * len(line)):
            altered = bytearray(line)
            altered[bit // 8] ^= 1 << bit % 8
            try:
                checkpoint = checkpoint_of_line(bytes(altered))
            except TraceError:
                continue
            report = verify_connection(connection, [checkpoint], KEY, thorough=False)
            assert not report.ok, bit
            assert report.problems[0].what in ("checkpoint", "other log")
