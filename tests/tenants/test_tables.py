"""Files of tenants."""

import json

import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from tenantrank.errors import TenantError
from tenantrank.tenants.tables import read_tenants


def test_read_tenants__keeps_csv_cells_as_text(tmp_path):
    (tmp_path / "t.csv").write_text('tenant_id,code,vip,empty\n001,"a;b",true,\n2,"two\nlines",,\n')
    table = read_tenants(tmp_path / "t.csv")
    assert table.to_pylist() == [
        {"tenant_id": "001", "code": "a;b", "vip": "true", "empty": ""},
        {"tenant_id": "2", "code": "two\nlines", "vip": "", "empty": ""},
    ]


def test_read_tenants__reads_arrow_and_parquet(tmp_path):
    table = pa.table({"tenant_id": ["a"], "names": [["x", "y"]]})
    pq.write_table(table, tmp_path / "t.parquet")
    for suffix in ("arrow", "ipc", "feather"):
        pf.write_feather(table, tmp_path / f"t.{suffix}")
    for suffix in ("parquet", "arrow", "ipc", "feather"):
        assert read_tenants(tmp_path / f"t.{suffix}").equals(table)


def test_read_tenants__refuses_other_files_in_one_line(tmp_path):
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "not.parquet").write_text("text")
    (tmp_path / "broken.jsonl").write_text('{"a": 1}\n{"a":\n')
    (tmp_path / "twins.jsonl").write_text('{"a": 1, "a": 2}\n')
    (tmp_path / "list.ndjson").write_text("[1]\n")
    for name in (
        "ragged.csv",
        "empty.csv",
        "not.parquet",
        "missing.csv",
        "t.xlsx",
        "broken.jsonl",
        "twins.jsonl",
        "list.ndjson",
    ):
        with pytest.raises(TenantError) as caught:
            read_tenants(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_read_tenants__reads_json_lines_with_keys_in_any_order(tmp_path):
    write_lines(tmp_path / "t.jsonl", [{"id": "a", "n": 1}, {"names": ["x"], "id": "b"}, {"n": 2.5, "id": "c"}])
    assert read_tenants(tmp_path / "t.jsonl").to_pylist() == [
        {"id": "a", "n": 1, "names": None},
        {"id": "b", "n": None, "names": ["x"]},
        {"id": "c", "n": 2.5, "names": None},
    ]


def test_read_tenants__keeps_a_json_lines_column_of_mixed_types_as_text(tmp_path):
    rows = [{"id": "a", "n": 1}, {"id": "b", "n": "many"}, {"id": "c", "n": True}, {"id": "d", "n": ["x", "y"]}]
    write_lines(tmp_path / "t.jsonl", [*rows, {"id": "e", "n": {"k": 1}}, {"id": "f", "n": None}])
    table = read_tenants(tmp_path / "t.jsonl")
    assert table["n"].to_pylist() == ["1", "many", "true", "x;y", '{"k": 1}', None]
    assert table["id"].to_pylist() == list("abcdef")


def test_read_tenants__a_huge_integer_in_json_lines_is_text(tmp_path):
    write_lines(tmp_path / "t.jsonl", [{"n": 10**30}])
    assert read_tenants(tmp_path / "t.jsonl")["n"].to_pylist() == [str(10**30)]


def test_read_tenants__empty_json_lines_have_no_rows(tmp_path):
    (tmp_path / "t.jsonl").write_text("\n\n")
    assert read_tenants(tmp_path / "t.jsonl").num_rows == 0
