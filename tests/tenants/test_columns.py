"""Tables of tenants: columns, groups of equal rows."""

import decimal

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from tenantrank.errors import TenantError
from tenantrank.tenants.columns import group_rows, read_column


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
    ],
)
def test_read_column__checks_each_distinct_value_once(column):
    seen = []

    def check(value):
        seen.append(value)
        return value

    read = read_column(column, 4, check)
    assert [read.values[code] for code in read.codes] == column.to_pylist()
    assert len(seen) == 3
    assert not read.bad.any()


def test_read_column__gives_decimals_as_doubles():
    column = pa.chunked_array([pa.array([decimal.Decimal("1.25")])])
    assert read_column(column, 1, lambda value: value).values == [1.25]


@pytest.mark.parametrize("column", [None, pa.chunked_array([pa.nulls(3)])])
def test_read_column__of_nothing_is_absent_in_every_row(column):
    read = read_column(column, 3, lambda value: value)
    assert (read.codes.tolist(), read.values) == ([0, 0, 0], [None])


def test_read_column__marks_the_rows_of_refused_values():
    def check(value):
        if value == "bad":
            raise TenantError("no", "f")
        return value

    read = read_column(pa.chunked_array([["bad", "good", "bad"]]), 3, check)
    assert read.bad.tolist() == [True, False, True]
    assert isinstance(read.values[read.codes[0]], TenantError)


def test_read_column__takes_a_table_without_rows():
    assert read_column(pa.chunked_array([], pa.string()), 0, lambda value: value).codes.tolist() == []
    assert read_column(None, 0, lambda value: value).bad.tolist() == []


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
