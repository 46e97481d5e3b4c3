"""Files of tenants."""

import json

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from tenantrank.errors import TenantError
from tenantrank.tenants import Rulebook
from tenantrank.tenants.tables import read_tenants


def test_read_tenants__keeps_csv_cells_as_text(tmp_path):
    (tmp_path / "t.csv").write_text('tenant_id,code,vip,empty\n001,"a;b",true,\n2,"two\nlines",,\n')
    table = read_tenants(tmp_path / "t.csv")
    assert table.to_pylist() == [
        {"tenant_id": "001", "code": "a;b", "vip": "true", "empty": ""},
        {"tenant_id": "2", "code": "two\nlines", "vip": "", "empty": ""},
    ]


def test_read_tenants__takes_a_csv_cell_that_is_not_utf8_for_the_error_of_its_row(tmp_path):
    (tmp_path / "t.csv").write_bytes(
        b"tenant_id,plan,contract,denied\nt0,free,\xc3\xa4,a;b\nt1,fr\xffee,,\nt2,free,\xff,\n\xff,free,,\nt4,1,x,b\xff\nt5,,,\n"
    )
    table = read_tenants(tmp_path / "t.csv")
    table.validate(full=True)
    fleet = RULEBOOK.compile_many(table)
    assert [(error.row, error.tenant, error.field) for error in fleet.errors] == [
        (1, "t1", "plan"),
        (2, "t2", "contract"),
        (3, "", "tenant_id"),
        (4, "t4", "denied"),
    ]
    assert all("unreadable" in error.message for error in fleet.errors)
    assert fleet.compiled(0) == RULEBOOK.compile({"plan": "free", "contract": "ä", "denied": ["a", "b"]})
    assert fleet.compiled(5) == RULEBOOK.compile({})


def test_read_tenants__takes_a_csv_file_with_a_byte_order_mark(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbftenant_id,plan\nt,free\n")
    assert read_tenants(tmp_path / "t.csv").to_pylist() == [{"tenant_id": "t", "plan": "free"}]


@pytest.mark.parametrize("text", ['\ufeff{"a": 1}\n{"a": 2}\n', '\ufeff\n{"a": 1}\n{"a": 2}\n'])
def test_read_tenants__takes_json_lines_with_a_byte_order_mark(tmp_path, text):
    (tmp_path / "t.jsonl").write_text(text, encoding="utf-8")
    assert read_tenants(tmp_path / "t.jsonl").to_pylist() == [{"a": 1}, {"a": 2}]


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


def test_read_tenants__keeps_a_json_lines_column_of_mixed_types_as_json(tmp_path):
    values = [1, "many", True, ["x;y", 3], {"k": 1.5}, None, [], "", "ä"]
    write_lines(tmp_path / "t.jsonl", [{"id": str(place), "n": value} for place, value in enumerate(values)])
    table = read_tenants(tmp_path / "t.jsonl")
    assert [None if text is None else json.loads(text) for text in table["n"].to_pylist()] == values
    assert table.schema.field("n").metadata == {b"tenantrank": b"json"}
    assert table["id"].to_pylist() == [str(place) for place in range(len(values))]


@pytest.mark.parametrize(
    ("values", "kind", "meant"),
    [
        ([1, None, 2], pa.int64(), None),
        ([1, 2.5], pa.float64(), None),
        ([True, False], pa.bool_(), None),
        (["", "a"], pa.string(), b"plain"),
        ([[], ["a"]], pa.list_(pa.string()), None),
        ([[]], pa.list_(pa.string()), None),
        ([None], pa.null(), None),
        ([[None]], pa.string(), b"json"),
        ([[1]], pa.string(), b"json"),
        ([True, 1], pa.string(), b"json"),
    ],
)
def test_read_tenants__gives_a_json_lines_column_the_type_of_its_values(tmp_path, values, kind, meant):
    write_lines(tmp_path / "t.jsonl", [{"f": value} for value in values])
    field = read_tenants(tmp_path / "t.jsonl").schema.field("f")
    assert (field.type, (field.metadata or {}).get(b"tenantrank")) == (kind, meant)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"tenant_id": "\\ud800"}', "lone surrogate"),
        ('{"\\ud800": 1}', "lone surrogate"),
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": 1' + "0" * 30 + "}", "outside"),
        ('{"a": 1e999}', "beyond the range"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
        ("\ufeff{}", "not valid JSON"),
    ],
)
def test_read_tenants__names_file_and_line_of_json_that_it_refuses(tmp_path, line, reason):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(TenantError) as caught:
        read_tenants(tmp_path / "t.jsonl")
    assert str(caught.value).startswith(f"{tmp_path / 't.jsonl'}: line 3: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["a\0b.jsonl", "a\0b.csv", "a\0b.parquet", "a\0b.arrow", "a\0b", 5, None])
def test_read_tenants__refuses_what_is_no_path(path):
    with pytest.raises(TenantError) as caught:
        read_tenants(path)
    assert "\n" not in str(caught.value)


FIELDS = {
    "flag": {"type": "boolean", "optional": True},
    "count": {"type": "integer", "optional": True},
    "level": {"type": "number", "minimum": 0, "maximum": 9, "optional": True},
    "contract": {"type": "string", "optional": True},
    "plan": {"type": "enum", "values": ["free", "true", "1"], "optional": True},
    "allowed": {"type": "list", "optional": True},
    "denied": {"type": "list", "values": ["a", "b", "a;b"], "optional": True},
}
RULES = [
    {"id": "base", "require": [["top"]]},
    *(
        {"id": f"has-{name}", "when": {name: {"absent": False}}, "require": [["provider_not_in", name]]}
        for name in FIELDS
    ),
    {"id": "allowed", "when": {"allowed": {"absent": False}}, "require": [["provider_in", {"tenant": "allowed"}]]},
    {"id": "denied", "when": {"denied": {"absent": False}}, "require": [["provider_not_in", {"tenant": "denied"}]]},
    {"id": "level", "when": {"level": {"absent": False}}, "floor": {"x": {"tenant": "level"}}},
    {"id": "contract", "when": {"contract": {"absent": False}}, "require": [["family_eq", {"tenant": "contract"}]]},
    {"id": "flagged", "when": {"flag": {"eq": True, "or_absent": False}}, "require": [["is", "no_log"]]},
    {"id": "plan", "when": {"plan": {"in": ["true", "1"], "or_absent": False}}, "require": [["bot"]]},
    {"id": "counted", "when": {"count": {"ge": 2, "or_absent": False}}, "require": [["is", "has_tee"]]},
]
RULEBOOK = Rulebook.from_value({"version": 1, "fields": FIELDS, "rules": RULES})
_STRINGS = st.sampled_from(
    ["", " ", "a", "b", "a;b", ";", "true", "TRUE", "1", "2.0", "free", "[]", '["a"]', "null", "ä"]
)
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, 2**53 - 1, -1]),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, 1e300]),
    _STRINGS,
    st.lists(_STRINGS, max_size=2),
    st.lists(st.one_of(st.none(), st.integers(0, 2), _STRINGS), max_size=2),
    st.dictionaries(_STRINGS, st.integers(0, 1), max_size=1),
)
# Most columns are of one type, and some rows of another, as files are.
_ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "flag": st.one_of(st.booleans(), _VALUES),
            "count": st.one_of(st.integers(0, 3), _VALUES),
            "level": st.one_of(st.sampled_from([0.5, 1, 9]), _VALUES),
            "contract": st.one_of(_STRINGS, _VALUES),
            "plan": st.one_of(st.sampled_from(["free", "true", "1"]), _VALUES),
            "allowed": st.one_of(st.lists(_STRINGS, max_size=2), _VALUES),
            "denied": st.one_of(st.lists(st.sampled_from(["a", "b", "a;b"]), max_size=2), _VALUES),
        },
    ),
    min_size=1,
    max_size=5,
)


def outcome(tenant):
    try:
        return RULEBOOK.compile(tenant)
    except TenantError as error:
        return error.field, error.rule


@settings(max_examples=300, derandomize=True, deadline=None)
@given(rows=_ROWS)
def test_compile_many__takes_json_lines_as_compile_takes_each_object(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "property.jsonl"
    write_lines(path, [{"tenant_id": f"t{place}", **row} for place, row in enumerate(rows)])
    fleet = RULEBOOK.compile_many(read_tenants(path))
    failed = {error.row: error for error in fleet.errors}
    for place, row in enumerate(rows):
        expected = outcome({"tenant_id": f"t{place}", **row})
        if isinstance(expected, tuple):
            assert fleet.compiled(place) is None
            assert (failed[place].field, failed[place].rule) == expected
        else:
            assert fleet.compiled(place) == expected


def test_compile_many__takes_an_empty_json_list_for_nothing_allowed_whatever_other_rows_hold(tmp_path):
    for other in (["a"], "a", 7, {}, [1]):
        write_lines(tmp_path / "t.jsonl", [{"tenant_id": "t", "allowed": []}, {"tenant_id": "u", "allowed": other}])
        fleet = RULEBOOK.compile_many(read_tenants(tmp_path / "t.jsonl"))
        assert "(bot)" in fleet.compiled(0).origins


def test_compile_many__reads_json_lines_as_csv_text_where_the_metadata_is_lost(tmp_path):
    write_lines(tmp_path / "t.jsonl", [{"tenant_id": "t", "contract": "", "flag": "true", "allowed": "a;b"}])
    table = read_tenants(tmp_path / "t.jsonl")
    kept = [table, table.select(table.column_names), table.slice(0), table.take([0]), table.filter(pa.array([True]))]
    for same in kept:
        assert [error.field for error in RULEBOOK.compile_many(same).errors] == ["flag"]
    lost = [pa.table(table.to_pydict()), pa.table(dict(zip(table.column_names, table.columns, strict=True)))]
    for other in lost:
        assert RULEBOOK.compile_many(other).compiled(0) == RULEBOOK.compile({"flag": True, "allowed": ["a", "b"]})


def test_read_tenants__empty_json_lines_have_no_rows(tmp_path):
    (tmp_path / "t.jsonl").write_text("\n\n")
    assert read_tenants(tmp_path / "t.jsonl").num_rows == 0
