"""A tenant's state against its declarations."""

import math

import pytest

from tenantrank.errors import TenantError
from tenantrank.tenants.document import Document, FieldSpec
from tenantrank.tenants.states import parse_cell, parse_state, parse_value
from tests.tenants.books import BASE, FIELDS

DOCUMENT = Document.model_validate({"version": 1, "ignore": ["name"], "fields": FIELDS, "rules": [BASE]})


def spec(**declared):
    return FieldSpec.model_validate(declared)


@pytest.mark.parametrize(
    ("declared", "value", "parsed"),
    [
        ({"type": "string"}, "any", "any"),
        ({"type": "enum", "values": ["a", "b"]}, "b", "b"),
        ({"type": "number"}, 2, 2.0),
        ({"type": "number"}, -0.0, 0.0),
        ({"type": "integer"}, 2.0, 2),
        ({"type": "boolean"}, False, False),
        ({"type": "list"}, ["b", "a", "b"], ("b", "a")),
        ({"type": "list"}, [], ()),
        ({"type": "string", "optional": True}, None, None),
    ],
)
def test_parse_value__gives_the_declared_type(declared, value, parsed):
    found = parse_value("f", spec(**declared), value)
    assert found == parsed
    assert type(found) is type(parsed)
    assert not (isinstance(found, float) and math.copysign(1, found) < 0)


@pytest.mark.parametrize(
    ("declared", "value", "reason"),
    [
        ({"type": "string"}, None, "field 'f' is missing"),
        ({"type": "string"}, 1, "expected a string, got 1"),
        ({"type": "string"}, "\ud800", "text that UTF-8 can hold"),
        (
            {"type": "enum", "values": ["alpha", "b"]},
            "alpah",
            "expected one of alpha, b, got 'alpah', did you mean 'alpha'",
        ),
        ({"type": "number"}, "1", "expected a finite number, got '1'"),
        ({"type": "number"}, True, "expected a finite number, got True"),
        ({"type": "number"}, math.nan, "expected a finite number, got nan"),
        ({"type": "number"}, math.inf, "expected a finite number, got inf"),
        pytest.param(
            {"type": "number"}, 10**5000, "that a double holds exactly, got a number of very many digits", id="long"
        ),
        ({"type": "number", "minimum": 0, "maximum": 1}, 1.5, "at least 0 and at most 1, got 1.5"),
        ({"type": "integer"}, 1.5, "expected an integer, got 1.5"),
        ({"type": "integer"}, 2.0**54, "a number that a double holds exactly"),
        ({"type": "number"}, 2**53, "a number that a double holds exactly"),
        ({"type": "boolean"}, "true", "expected true or false"),
        ({"type": "boolean"}, 1, "expected true or false"),
        ({"type": "list"}, "a", "expected a list of strings, got 'a'"),
        pytest.param({"type": "list"}, [10**5000], "expected a list of strings, got a number of", id="long item"),
        ({"type": "list"}, ["a", None], "expected a list of strings"),
        ({"type": "list", "values": ["azure"]}, ["azuer"], "items out of azure, got 'azuer', did you mean 'azure'"),
    ],
)
def test_parse_value__refuses_anything_else(declared, value, reason):
    with pytest.raises(TenantError) as caught:
        parse_value("f", spec(**declared), value)
    assert reason in str(caught.value)
    assert caught.value.field == "f"


@pytest.mark.parametrize(
    ("declared", "cell", "parsed"),
    [
        ({"type": "boolean"}, "TRUE", True),
        ({"type": "number"}, "1e-3", 0.001),
        ({"type": "integer"}, "12", 12),
        ({"type": "list"}, "a; b;a ", ("a", "b")),
        ({"type": "list"}, " ; ", ()),
        ({"type": "list", "values": ["a,b", "[c]"]}, "a,b;[c]", ("a,b", "[c]")),
        ({"type": "number"}, "9007199254740991", 9007199254740991.0),
        ({"type": "number"}, "1e30", 1e30),
        ({"type": "string"}, " x ", " x "),
        ({"type": "list"}, ";", ()),
        ({"type": "list"}, ["a"], ("a",)),
        ({"type": "string"}, "007", "007"),
        ({"type": "number", "optional": True}, "", None),
    ],
)
def test_parse_cell__reads_text_as_the_declared_type(declared, cell, parsed):
    assert parse_cell("f", spec(**declared), cell) == parsed


@pytest.mark.parametrize(
    ("declared", "cell"),
    [
        ({"type": "number"}, "1_000"),
        ({"type": "number"}, "nan"),
        ({"type": "number"}, "1e999"),
        ({"type": "number"}, "1,5"),
        ({"type": "integer"}, "1.5"),
        ({"type": "boolean"}, "yes"),
        ({"type": "enum", "values": ["a"]}, " a"),
        ({"type": "enum", "values": ["a"]}, ""),
        ({"type": "number"}, "\uff11\uff12"),
        ({"type": "number"}, "9007199254740993"),
        ({"type": "integer"}, "9007199254740992"),
        pytest.param({"type": "number"}, "1" * 5000, id="long"),
        ({"type": "list", "optional": True}, " "),
        ({"type": "string", "optional": True}, "\t\u00a0"),
        ({"type": "number", "optional": True}, "  "),
        ({"type": "list"}, "a;;b"),
        ({"type": "list"}, "a;"),
        ({"type": "list"}, ";;"),
        ({"type": "list"}, "a,b"),
        ({"type": "list"}, "[]"),
        ({"type": "list"}, '"a"'),
    ],
)
def test_parse_cell__refuses_other_text(declared, cell):
    with pytest.raises(TenantError):
        parse_cell("f", spec(**declared), cell)


def test_parse_state__gives_every_declared_field():
    state = parse_state({"plan": "free", "tenant_id": "t", "name": "N", "seats": None}, DOCUMENT)
    assert list(state) == list(FIELDS)
    assert state["plan"] == "free"
    assert state["seats"] is None


def test_parse_state__refuses_a_key_that_may_be_a_field_misspelt():
    with pytest.raises(TenantError, match="unknown field 'flor', did you mean 'floor'") as caught:
        parse_state({"plan": "free", "flor": 0.5}, DOCUMENT)
    assert caught.value.field == "flor"


def test_parse_state__refuses_a_key_of_any_type():
    for key, name in ((3, "3"), (10**5000, "a number of very many digits"), (None, "None")):
        with pytest.raises(TenantError, match=f"^unknown field '{name}'$"):
            parse_state({"plan": "free", key: 0.5}, DOCUMENT)


def test_parse_value__hints_only_where_asked_to():
    declared = {"type": "enum", "values": ["free", "team"]}
    for parse in (parse_value, parse_cell):
        with pytest.raises(TenantError, match=r"got 'fre', did you mean 'free'\?$"):
            parse("f", spec(**declared), "fre")
        with pytest.raises(TenantError, match=r"got 'fre'$"):
            parse("f", spec(**declared), "fre", hinting=False)


def test_parse_value__refuses_a_value_too_deep_to_show():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TenantError, match="got a value nested too deeply"):
        parse_value("f", spec(type="list"), deep)
