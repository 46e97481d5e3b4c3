from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenantrank.errors import TenantError
from tenantrank.gateway.known_tenants import known_tenants
from tenantrank.tenants import Rulebook

BOOK = Rulebook.from_value(
    {
        "version": 1,
        "key": "tenant_id",
        "fields": {
            "plan": {"type": "enum", "values": ["free", "paid"]},
            "most": {"type": "number", "optional": True},
            "vip": {"type": "boolean", "optional": True},
            "partners": {"type": "list", "optional": True},
        },
        "rules": [{"id": "base", "require": [["is", "priced"]]}],
    }
)


def test_known_tenants__cells_are_read_as_the_rulebook_declares_them(tmp_path: Path) -> None:
    path = tmp_path / "tenants.csv"
    path.write_text("tenant_id,plan,most,vip,partners\nacme,paid,2,true,a;b\nplain,free,,,\n")

    states, left_out = known_tenants(path, BOOK)

    assert states == {
        "acme": {"tenant_id": "acme", "plan": "paid", "most": 2.0, "vip": True, "partners": ["a", "b"]},
        "plain": {"tenant_id": "plain", "plan": "free"},
    }
    assert left_out == []
    for state in states.values():
        BOOK.compile(state)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_known_tenants__a_state_that_the_rulebook_does_not_declare_is_left_out(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tenants.{suffix}"
    rows = [{"tenant_id": "acme", "plan": "paid"}, {"tenant_id": "gone", "plan": "gold"}, {"tenant_id": "bare"}]
    if suffix == "csv":
        path.write_text("tenant_id,plan\nacme,paid\ngone,gold\nbare,\n")
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)

    states, left_out = known_tenants(path, BOOK)

    assert list(states) == ["acme"]
    assert [line[: line.index("'", 15) + 1] for line in left_out] == ["row 2: tenant 'gone'", "row 3: tenant 'bare'"]


def test_known_tenants__numbers_of_a_typed_column_are_held_to_their_declaration(tmp_path: Path) -> None:
    path = tmp_path / "tenants.jsonl"
    rows = [{"tenant_id": "acme", "plan": "paid", "most": 2}, {"tenant_id": "text", "plan": "paid", "most": "2"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    states, left_out = known_tenants(path, BOOK)

    assert list(states) == ["acme"]
    assert "most" in left_out[0]


def test_known_tenants__of_two_rows_with_one_id_neither_counts(tmp_path: Path) -> None:
    path = tmp_path / "tenants.csv"
    path.write_text("tenant_id,plan\nacme,free\nother,paid\nacme,paid\nacme,free\n,paid\n")

    states, left_out = known_tenants(path, BOOK)

    assert list(states) == ["other"]
    assert [line.partition(":")[0] for line in left_out] == ["row 3", "row 4", "row 5"]


def test_known_tenants__what_a_table_needs(tmp_path: Path) -> None:
    path = tmp_path / "tenants.csv"
    path.write_text("name,plan\nacme,paid\n")

    assert known_tenants(None, None) == ({}, [])
    with pytest.raises(TenantError, match="needs a rulebook"):
        known_tenants(path, None)
    with pytest.raises(TenantError, match="no column 'tenant_id'"):
        known_tenants(path, BOOK)
    with pytest.raises(TenantError, match="missing"):
        known_tenants(tmp_path / "missing.csv", BOOK)


def test_known_tenants__states_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "tenants.csv"
    path.write_text("tenant_id,plan\nacme,paid\n")
    states, _ = known_tenants(path, BOOK)

    with pytest.raises(TypeError):
        states["acme"]["plan"] = "free"  # type: ignore[index]
