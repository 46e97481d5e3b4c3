"""Export: a Parquet file from which nothing is lost, that appears when it is whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tenantrank.errors import TraceError
from tenantrank.trace.chain import beginning, record_hash
from tests.trace.making import attempts, decision, opened


def test_the_chain_can_be_checked_from_the_file(tmp_path: Path) -> None:
    with opened(tmp_path / "trace.db") as store:
        store.append([decision(number) for number in range(1200)] + [attempts(3, cost_usd=0.25)])
        assert store.export(tmp_path / "trace.parquet") == 1201
        before = beginning(store.log_id)
    table = pq.read_table(tmp_path / "trace.parquet")
    for row in table.to_pylist():
        before = record_hash(before, row["body"].encode())
        assert row["hash"] == before
    last = table.slice(1200).to_pylist()[0]
    assert (last["kind"], last["id"], last["cost_usd"], last["first"]) == ("attempts", "tr_0003", 0.25, None)
    assert pc.count_distinct(table["tenant"]).as_py() == 7
    assert table["time"][0].as_py().tzinfo is not None


def test_a_part_of_the_log_and_what_cannot_be_written(tmp_path: Path) -> None:
    with opened(tmp_path / "trace.db") as store:
        store.append([decision(number) for number in range(20)])
        assert store.export(tmp_path / "part.parquet", since_seq=5, until_seq=8) == 3
        (tmp_path / "part.parquet").write_bytes(b"old")
        with pytest.raises(TraceError, match="cannot write"):
            store.export(tmp_path / "no" / "part.parquet")
    assert sorted(path.name for path in tmp_path.iterdir() if "parquet" in path.name) == ["part.parquet"]
