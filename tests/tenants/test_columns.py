"""Tables of tenants: columns, groups of equal rows."""

import decimal

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from tenantrank.errors import TenantError
from tenantrank.tenants.columns import CELLS, JSON, PLAIN, Unreadable, group_rows, read_cells, read_column


def cells(column, metadata=None):
    schema = pa.schema([pa.field("f", column.type, metadata=metadata)])
    return read_cells(pa.Table.from_arrays([column], schema=schema), "f")


@pytest.mark.parametrize(
    "column",
    [
        pa.chunked_array([["b", None], ["a", "b"]]),
        pa.chunked_array([pa.array(["b", None, "a", "b"], pa.large_string())]),
        pa.chunked_array([pa.array(["b", None, "a", "b"], pa.string_view())]),
        pa.chunked_array([pa.array(["b", None]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]),
        pa.chunked_array([pa.array([2, None, 1, 2], pa.int16())]),
        pa.chunked_array([pa.array([2.5, None, 1.0, 2.5])]),
        pa.chunked_array([pa.array([True, None, False, True])]),
        pa.chunked_array([pa.array([["b"], None, [], ["b"]])]),
        pa.chunked_array([pa.array([["b"], None, [], ["b"]], pa.large_list(pa.string()))]),
        pa.chunked_array([pa.array([2.5, None, 1.0, 2.5]).dictionary_encode()]),
        pa.chunked_array([pa.RunEndEncodedArray.from_arrays([1, 2, 3, 4], pa.array([2.0, None, 1.0, 2.0]))]),
    ],
)
def test_read_column__checks_each_distinct_value_once(column):
    seen = []

    def check(value):
        seen.append(value)
        return value

    read = read_column(cells(column), check)
    assert [read.values[code] for code in read.codes] == column.to_pylist()
    assert len(seen) == 3
    assert not read.bad.any()


def test_read_cells__takes_decimals_as_a_json_reader_takes_literals():
    column = pa.array([decimal.Decimal("1.25"), decimal.Decimal("9007199254740993.00"), None])
    assert list(cells(column).values) == [1.25, 9007199254740993, None]


@pytest.mark.parametrize("table", [pa.table({"a": [1, 2, 3]}), pa.table({"f": pa.nulls(3)})])
def test_read_cells__of_nothing_is_absent_in_every_row(table):
    read = read_cells(table, "f")
    assert (read.codes.tolist(), read.values) == ([0, 0, 0], [None])


def not_utf8(kind=None):
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(kind or pa.string(), 2, [None, offsets, pa.py_buffer(b"\xffa")])


@pytest.mark.parametrize(
    ("column", "good"),
    [
        (not_utf8(), ["a"]),
        (not_utf8().dictionary_encode(), ["a"]),
        (pa.ListArray.from_arrays([0, 1, 2], not_utf8()), [["a"]]),
        (pa.array([1, None], pa.timestamp("ns")), [None]),
        (pa.array([1, None], pa.timestamp("us", tz="Nowhere/Zone")), [None]),
        (pa.array([1, None], pa.duration("ns")), [None]),
        (pa.array([1, None], pa.date32()), [None]),
        (pa.array([1, None], pa.timestamp("ns")).dictionary_encode(), [None]),
        (pa.array([[1], None], pa.list_(pa.duration("ns"))), [None]),
        (pa.array([{"a": 1}, None]), [None]),
        (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8())), [None]),
        (pa.array([[1], []], pa.list_(pa.int8())), [[]]),
        (pa.array([["a", None], None], pa.list_(pa.string())), [["a", None], None]),
        (pa.array([b"x", None]), [None]),
        (pa.array([(1, 2, 3), None], pa.month_day_nano_interval()), [None]),
        (
            pa.UnionArray.from_dense(
                pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([b"x"]), pa.array(["a"])]
            ),
            ["a"],
        ),
    ],
)
def test_read_cells__marks_cells_that_no_field_can_take(column, good):
    read = cells(column)
    taken = [read.values[code] for code in read.codes]
    assert [value for value in taken if not isinstance(value, Unreadable)] == good
    assert len(taken) == 2


def test_read_cells__reads_each_cell_as_its_metadata_says():
    texts = pa.array(['"a"', "[]", "{", None, "1"])
    read = cells(texts, {CELLS: JSON})
    assert [read.values[code] for code in read.codes if code != 2] == ["a", [], None, 1]
    assert isinstance(read.values[2], Unreadable)
    assert not read.are_text
    assert (list(cells(texts, {CELLS: PLAIN}).values), cells(texts, {CELLS: PLAIN}).are_text) == (
        texts.to_pylist(),
        False,
    )
    assert (list(cells(texts).values), cells(texts).are_text) == (texts.to_pylist(), True)


@pytest.mark.skipif(not hasattr(pa, "json_"), reason="this Arrow has no JSON type")
def test_read_cells__reads_arrows_own_json_type():
    read = cells(pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(["[]", None])))
    assert (list(read.values), read.are_text) == ([[], None], False)


def test_read_column__marks_the_rows_of_refused_values():
    def check(value):
        if value == "bad":
            raise TenantError("no", "f")
        return value

    read = read_column(cells(pa.chunked_array([["bad", "good", "bad"]])), check)
    assert read.bad.tolist() == [True, False, True]
    assert isinstance(read.values[read.codes[0]], TenantError)


def test_read_column__takes_a_table_without_rows():
    for read in (cells(pa.chunked_array([], pa.string())), read_cells(pa.table({}), "f")):
        column = read_column(read, lambda value: value)
        assert (column.codes.tolist(), column.bad.tolist()) == ([], [])


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=12), st.integers(0, 2**61))
def test_group_rows__groups_equal_rows_in_order_of_first_appearance(rows, large):
    columns = [np.array([row[place] for row in rows], np.int64) for place in range(3)]
    # Codes this large overflow a naive mixing of the columns.
    columns = [np.where(column == 3, large, column) for column in columns]
    groups, first = group_rows(columns, np.arange(len(rows)))
    order: dict[tuple[int, ...], int] = {}
    expected = [order.setdefault(tuple(int(c[place]) for c in columns), len(order)) for place in range(len(rows))]
    assert groups.tolist() == expected
    assert first.tolist() == [expected.index(group) for group in range(len(order))]


def test_group_rows__leaves_out_rows_not_asked_for():
    groups, first = group_rows([np.array([5, 7, 5, 7, 9])], np.array([1, 3, 4]))
    assert (groups.tolist(), first.tolist()) == ([0, 0, 1], [1, 4])


def test_read_column__keeps_no_frames_of_what_was_refused():
    def check(cell):
        raise TenantError(cell)

    refused = read_column(cells(pa.array(["gold", "free"])), check).values
    assert [error.__traceback__ for error in refused] == [None, None]
