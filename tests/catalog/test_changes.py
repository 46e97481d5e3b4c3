"""Values set in a table, and what is then said of them."""

from datetime import date

import numpy as np
import pyarrow as pa

from tenantrank.catalog.changes import Change, changed_provenance, changed_table

TABLE = pa.table(
    {
        "offer_id": ["a", "b", "c"],
        "lab": pa.array(["x", None, "x"]).dictionary_encode(),
        "geo": pa.array([["eu"], None, ["us"]]),
    }
)


def change(column, value, rows, source="s", as_of=None):
    return Change(
        column, pa.array([value], pa.string() if isinstance(value, str) else None), np.array(rows), source, as_of
    )


def test_changed_table__sets_rows_and_the_last_change_counts():
    table = changed_table(
        TABLE,
        [
            change("lab", "y", [True, True, False]),
            change("geo", ["uk", "ch"], [False, True, True]),
            change("lab", "z", [False, True, False]),
            change("new", 1.5, [False, False, True]),
        ],
    )
    assert table["lab"].to_pylist() == ["y", "z", "x"]
    assert table["geo"].to_pylist() == [["eu"], ["uk", "ch"], ["uk", "ch"]]
    assert table["new"].to_pylist() == [None, None, 1.5]
    assert table["offer_id"].to_pylist() == ["a", "b", "c"]


def test_changed_provenance__copies_then_replaces():
    said = pa.table(
        {
            "offer_id": ["a", "a"],
            "column": pa.array(["lab", "geo"]).dictionary_encode(),
            "source": pa.array(["s", "s"]).dictionary_encode(),
            "as_of": pa.array(["1", "1"]).dictionary_encode(),
        }
    )
    changes = [change("geo", "x", [False, False, True], "overlay:c", date(2026, 9, 1))]
    after = changed_provenance(said, pa.chunked_array([["a", "b", "copy"]]), [("a", "copy")], changes)
    assert [tuple(row.values()) for row in after.to_pylist()] == [
        ("a", "lab", "s", "1"),
        ("a", "geo", "s", "1"),
        ("copy", "lab", "s", "1"),
        ("copy", "geo", "overlay:c", "2026-09-01"),
    ]


def test_changed_provenance__of_nothing_said_holds_the_changes_alone():
    after = changed_provenance(None, TABLE["offer_id"], [], [change("lab", "y", [False, True, False])])
    assert [tuple(row.values()) for row in after.to_pylist()] == [("b", "lab", "s", None)]
