"""A table of tenants to the distinct policies among them."""

import gc

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from tenantrank.errors import TenantError
from tenantrank.tenants.rule_set import RuleSet
from tests.tenants.books import book

RULEBOOK = book(
    {"id": "eu", "when": {"region": {"eq": "eu", "or_absent": False}}, "require": [["is", "eu"]]},
    {"id": "own", "when": {"floor": {"absent": False}}, "floor": {"x": {"tenant": "floor"}}},
    {"id": "big", "when": {"plan": "team"}, "require": [["provider_in", {"tenant": "approved"}]]},
    {"id": "vip", "when": {"vip": True, "plan": "enterprise"}, "floor": {"x": 0.5}},
    ignore=["name"],
)
_CELLS = {
    "plan": st.sampled_from(["free", "team", "enterprise", "gold", None]),
    "region": st.sampled_from(["eu", "us", None]),
    "vip": st.sampled_from([True, False, None]),
    "floor": st.sampled_from([0.25, 0.5, 1.5, None]),
    "approved": st.sampled_from([["a"], ["a", "b"], [], None]),
    "seats": st.sampled_from([1, 2, None]),
}


def outcome(tenant):
    try:
        return RULEBOOK.compile(tenant)
    except TenantError as error:
        return str(error), error.field, error.rule


def as_text(value):
    if isinstance(value, list):
        return ";".join(value) or ";"
    return {"True": "TRUE", "None": ""}.get(str(value), str(value))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.fixed_dictionaries(_CELLS), max_size=8), st.booleans())
def test_compile_many__equals_compile_row_by_row(rows, text):
    schema = pa.schema(
        [
            ("plan", pa.string()),
            ("region", pa.string()),
            ("vip", pa.bool_()),
            ("floor", pa.float64()),
            ("approved", pa.list_(pa.string())),
            ("seats", pa.int64()),
        ]
    )
    table = pa.Table.from_pylist(rows, schema=schema)
    if text:
        cells = {name: pa.array([as_text(row[name]) for row in rows], pa.string()) for name in schema.names}
        table = pa.table(cells)
    ids = [f"t{place}" for place in range(len(rows))]
    fleet = RULEBOOK.compile_many(table.append_column("tenant_id", pa.array(ids, pa.string())))
    assert fleet.tenants == tuple(ids)
    failed = {error.row: (error.message, error.field, error.rule) for error in fleet.errors}
    assert list(failed) == sorted(failed)
    for place, row in enumerate(rows):
        expected = outcome(row)
        if isinstance(expected, tuple):
            assert fleet.index[place] == -1
            assert fleet.compiled(place) is None
            # Numbers read from text show as written, so the message is compared for typed columns alone.
            assert failed[place][1:] == expected[1:]
            assert text or failed[place][0] == expected[0]
        else:
            assert fleet.compiled(place) == expected
            assert place not in failed


def test_compile_many__numbers_policies_by_first_tenant_and_shares_them():
    table = pa.table(
        {
            "tenant_id": ["a", "b", "c", "d"],
            "plan": ["free", "free", "free", "free"],
            "floor": [0.5, None, 0.5, None],
            "seats": [1, 2, 3, 4],
        }
    )
    fleet = RULEBOOK.compile_many(table)
    assert fleet.index.tolist() == [0, 1, 0, 1]
    assert fleet.index.dtype == "int32"
    assert not fleet.index.flags.writeable
    assert len(fleet.policies) == 2
    assert len(fleet) == 4


def test_by_identity__joins_policies_that_differ_in_origins_alone():
    table = pa.table(
        {
            "tenant_id": ["a", "b", "c", "d"],
            "plan": ["enterprise", "gold", "enterprise", "free"],
            "vip": [True, True, False, True],
            "floor": [0.25, 0.5, 0.5, 0.5],
        }
    )
    fleet = RULEBOOK.compile_many(table)
    assert fleet.index.tolist() == [0, -1, 1, 1]
    policies, index = fleet.by_identity()
    # The VIP's 0.5 and the agreed 0.5 are one policy for two reasons.
    assert index.tolist() == [0, -1, 0, 0]
    assert [policy.encoding for policy in policies] == [fleet.policies[1].policy.encoding]


def test_compile_many__reports_bad_rows_and_does_the_others():
    table = pa.table(
        {
            "tenant_id": pa.array(["a", "b", None, "a", "", "c", "d"]),
            "plan": ["free", "gold", "free", "free", "free", "team", "enterprise"],
        }
    )
    fleet = RULEBOOK.compile_many(table)
    assert fleet.index.tolist() == [0, -1, -1, -1, -1, -1, -1]
    assert [str(error) for error in fleet.errors] == [
        "row 1, tenant 'b': field 'plan': expected one of free, team, enterprise, got 'gold'",
        "row 2, tenant '': the row has no tenant id in 'tenant_id'",
        "row 3, tenant 'a': tenant 'a' is in row 0 already",
        "row 4, tenant '': the row has no tenant id in 'tenant_id'",
        "row 5, tenant 'c': rule 'big' needs field 'approved' (require[0]), which the tenant lacks",
        "row 6, tenant 'd': rule 'vip' turns on 'vip', which the tenant lacks, and does not say what absence means",
    ]


@pytest.mark.parametrize("type_", ["enum", "list"])
def test_compile_many__tells_the_nearest_value_for_the_first_bad_ones_of_a_column(type_, monkeypatch):
    asked = []
    monkeypatch.setattr("tenantrank.tenants.states.hint", lambda name, known: asked.append(name) or ", a hint")
    fields = {"plan": {"type": type_, "values": ["free", "team"]}, "other": {"type": "enum", "values": ["a"]}}
    rulebook = book(fields=fields)
    cells = pa.array([f"tean{row}" for row in range(500)])
    fleet = rulebook.compile_many(pa.table({"tenant_id": range(500), "plan": cells, "other": cells}))
    assert len(asked) == 40  # 20 distinct values of each column
    messages = [error.message for error in fleet.errors]
    assert [message.endswith(", a hint") for message in messages] == [True] * 20 + [False] * 480
    assert messages[499].endswith("free, team, got 'tean499'")


def test_compile_many__takes_whole_numbers_for_ids():
    fleet = RULEBOOK.compile_many(pa.table({"tenant_id": [7, 7, 8], "plan": ["free"] * 3}))
    assert fleet.tenants == ("7", "7", "8")
    assert fleet.index.tolist() == [0, -1, 0]


def test_compile_many__lists_columns_that_decide_nothing():
    table = pa.table({"tenant_id": ["a"], "plan": ["free"], "name": ["A"], "colour": ["red"]})
    assert RULEBOOK.compile_many(table).ignored == ("colour",)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"plan": ["free"]}, "no column(s) 'tenant_id'"),
        ({"tenant_id": ["a"]}, "no column for field 'plan', which is not optional"),
        ({"tenant_id": ["a"], "plan": ["free"], "Floor": [1.0]}, "a column 'Floor' and none for field 'floor'"),
        ({"tenant_id": ["a"], "plan": ["free"], "aproved": ["a"]}, "a column 'aproved' and none for field 'approved'"),
    ],
)
def test_compile_many__refuses_a_table_whose_columns_cannot_be_right(columns, reason):
    with pytest.raises(TenantError) as caught:
        RULEBOOK.compile_many(pa.table(columns))
    assert reason in str(caught.value)


def test_compile_many__refuses_a_column_given_twice():
    for name in ("plan", "tenant_id"):
        table = pa.table([["a"], ["free"], ["free"]], names=["tenant_id", "plan", name])
        with pytest.raises(TenantError, match=f"2 column.* '{name}'"):
            RULEBOOK.compile_many(table)


def test_compile_many__takes_a_table_without_rows():
    fleet = RULEBOOK.compile_many(pa.table({"tenant_id": pa.array([], pa.string()), "plan": pa.array([], pa.string())}))
    assert (len(fleet), fleet.policies, fleet.errors, fleet.index.tolist()) == (0, (), (), [])
    assert fleet.by_identity()[1].tolist() == []


def test_compile_many__makes_each_distinct_policy_once(monkeypatch):
    made = []
    original = RuleSet.policy

    def counting(self, values, known):
        made.append(values)
        return original(self, values, known)

    monkeypatch.setattr(RuleSet, "policy", counting)
    # Seats are declared, but no rule reads them.
    table = pa.table({"tenant_id": range(3000), "plan": ["free", "enterprise", "gold"] * 1000, "vip": [True] * 3000})
    fleet = RULEBOOK.compile_many(table.append_column("seats", pa.array(range(3000))))
    assert len(made) == 2
    assert len(fleet.errors) == 1000


def test_compile_many__takes_two_spellings_of_a_number_for_one():
    table = pa.table({"tenant_id": ["a", "b", "c"], "plan": ["free"] * 3, "floor": ["0.5", "5e-1", ".25"]})
    fleet = RULEBOOK.compile_many(table)
    assert fleet.index.tolist() == [0, 0, 1]


def test_compile_many__of_many_distinct_states_equals_compile_row_by_row():
    rows = 10_500
    table = pa.table(
        {
            "tenant_id": range(rows),
            "plan": (["free", "team", "enterprise"] * rows)[:rows],
            "vip": [place % 2 == 0 for place in range(rows)],
            "floor": [place / rows for place in range(rows)],
            "approved": [[f"p{place % 50}", f"q{place % 7}"] if place % 5 else [] for place in range(rows)],
        }
    )
    collecting = gc.isenabled()
    fleet = RULEBOOK.compile_many(table)
    assert gc.isenabled() is collecting
    assert len(fleet.policies) > rows // 2
    for place, row in list(enumerate(table.to_pylist()))[::500]:
        assert fleet.compiled(place) == outcome(row)


def test_compile_many__keeps_no_frames_of_what_was_refused(monkeypatch):
    kept = []
    original = RuleSet.policy

    def watching(self, values, known):
        try:
            return original(self, values, known)
        except TenantError as error:
            kept.append(error)
            raise

    monkeypatch.setattr(RuleSet, "policy", watching)
    RULEBOOK.compile_many(pa.table({"tenant_id": ["a"], "plan": ["team"]}))
    (error,) = kept
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)


def test_compile_many__tells_progress_up_to_all_rows():
    told = []
    rows = 2500
    table = pa.table(
        {"tenant_id": range(rows), "plan": ["free"] * rows, "floor": [place / rows for place in range(rows)]}
    )
    RULEBOOK.compile_many(table, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1000, rows), (2000, rows), (rows, rows)]


@pytest.mark.parametrize("table", [None, 5, [{"tenant_id": "a", "plan": "free"}], {"tenant_id": ["a"]}])
def test_compile_many__refuses_what_is_no_table(table):
    with pytest.raises(TenantError, match="tenants come as a pyarrow"):
        RULEBOOK.compile_many(table)


def test_compile_many__refuses_a_table_with_a_column_name_that_is_not_utf8():
    table = pa.Table.from_arrays([pa.array(["a"])], schema=pa.schema([pa.field(b"\xff", pa.string())]))
    with pytest.raises(TenantError, match="column 0 of the table is not valid UTF-8"):
        RULEBOOK.compile_many(table)


@pytest.mark.parametrize("field", ["plan", "vip", "floor", "seats", "approved"])
@pytest.mark.parametrize(
    "cell",
    [
        pa.array([1], pa.timestamp("ns")),
        pa.array([1], pa.timestamp("us", tz="Nowhere/Zone")),
        pa.array([1], pa.duration("ns")),
        pa.Array.from_buffers(pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]),
        pa.array([{"a": 1}]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
        pa.array([b"x"]),
        pa.array([[1]]),
        pa.array([2**63], pa.uint64()),
        pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([b"a"])]),
        pa.array([1], pa.date32()).dictionary_encode(),
    ],
    ids=lambda cell: str(cell.type),
)
def test_compile_many__a_cell_that_no_field_takes_is_the_error_of_its_row(field, cell):
    columns = {"tenant_id": ["t"], "plan": ["free"]} | {field: cell}
    (error,) = RULEBOOK.compile_many(pa.table(columns)).errors
    assert error.message.startswith(f"field '{field}': expected ")
    assert (error.field, "\n" in error.message) == (field, False)


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (pa.array([1.0, 2.5, None]), ("1", "", "")),
        (pa.array(["a", " ", ""]), ("a", "", "")),
        (pa.array([1, 2, 3], pa.timestamp("ns")), ("", "", "")),
        (pa.array([True, None, False]), ("", "", "")),
        (pa.array(["x", "y", None]).dictionary_encode(), ("x", "y", "")),
    ],
)
def test_compile_many__takes_strings_and_whole_numbers_for_ids(ids, names):
    fleet = RULEBOOK.compile_many(pa.table({"tenant_id": ids, "plan": ["free"] * 3}))
    assert fleet.tenants == names
    assert [error.row for error in fleet.errors] == [row for row, name in enumerate(names) if not name]
    assert all("no tenant id" in error.message for error in fleet.errors)


def test_compile_many__takes_text_as_csv_gives_it_and_compile_as_it_is():
    table = pa.table({"tenant_id": ["a", "b"], "plan": ["free", "free"], "vip": ["true", ""], "approved": ["x;y", ";"]})
    assert RULEBOOK.compile_many(table).errors == ()
    for cell in ({"vip": "true"}, {"vip": ""}, {"approved": "x;y"}):
        with pytest.raises(TenantError):
            RULEBOOK.compile({"plan": "free"} | cell)
