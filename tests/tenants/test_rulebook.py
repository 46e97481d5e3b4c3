"""The rulebook as its users meet it."""

import copy
import json
import pickle

import pytest

from tenantrank.errors import RulebookError, TenantError
from tenantrank.policy.signature import Fields
from tenantrank.tenants import Rulebook
from tests.tenants.books import BASE, book

YAML = """
version: 1   # the same as VALUE, in another order
rules:
  - {require: [[is, priced]], id: base}
  - id: free
    floor: {x: 0.5}
    when:
      plan: free
fields: {plan: {values: [free, team], type: enum}}
"""
VALUE = {
    "version": 1,
    "fields": {"plan": {"type": "enum", "values": ["free", "team"]}},
    "rules": [BASE, {"id": "free", "when": {"plan": "free"}, "floor": {"x": 0.50}}],
}
CATALOG = Fields({"priced": {"sort": "Bool", "default": False}, "x": {"sort": "Num", "default": 0.0}})


def test_load__takes_yaml_and_json_for_the_same_rulebook(tmp_path):
    (tmp_path / "r.yaml").write_text(YAML)
    (tmp_path / "r.json").write_text(json.dumps(VALUE))
    books = [Rulebook.load(tmp_path / "r.yaml"), Rulebook.load(str(tmp_path / "r.json")), Rulebook.from_value(VALUE)]
    assert len({rulebook.rulebook_id for rulebook in books}) == 1
    assert len({rulebook.compile({"plan": "free"}).policy.identity for rulebook in books}) == 1


def test_load__names_file_rule_and_path_of_one_fault_in_one_line(tmp_path):
    (tmp_path / "r.yaml").write_text(YAML.replace("floor:", "flor:"))
    with pytest.raises(RulebookError) as caught:
        Rulebook.load(tmp_path / "r.yaml")
    assert str(caught.value) == f"{tmp_path / 'r.yaml'}: rule 'free', flor: unknown key"


def test_load__names_every_fault_of_a_file(tmp_path):
    (tmp_path / "r.yaml").write_text(YAML.replace("version: 1", "version: 3").replace("{x: 0.5}", "{x: many, y: true}"))
    with pytest.raises(RulebookError) as caught:
        Rulebook.load(tmp_path / "r.yaml")
    head, *faults = str(caught.value).split("\n  ")
    assert head == f"{tmp_path / 'r.yaml'}: 3 faults"
    assert [fault.partition(":")[0] for fault in faults] == [
        "version",
        "rule 'free', floor.x",
        "rule 'free', floor.y",
    ]


@pytest.mark.parametrize("value", [None, [], "text", {"version": 1, "fields": 3, "rules": [5, None]}, {1: 2}])
def test_from_value__refuses_what_is_no_rulebook(value):
    with pytest.raises(RulebookError, match=r"^rulebook: "):
        Rulebook.from_value(value)


def test_from_value__says_own_checks_plainly():
    value = copy.deepcopy(VALUE)
    value["fields"]["plan"] = {"type": "enum"}
    with pytest.raises(RulebookError) as caught:
        Rulebook.from_value(value)
    assert str(caught.value) == "rulebook: fields.plan: an enum needs its values"


def test_rulebook__does_not_change_with_the_value_it_came_from():
    value = copy.deepcopy(VALUE)
    rulebook = Rulebook.from_value(value)
    before = rulebook.compile({"plan": "free"}).policy.identity
    value["rules"][0]["require"][0][1] = "no_log"
    value["rules"].clear()
    assert Rulebook.from_value(VALUE).compile({"plan": "free"}).policy.identity == before
    assert rulebook.bind(CATALOG).compile({"plan": "free"}).policy.identity == before


def test_rulebook_id__tells_contents_apart():
    ids = {Rulebook.from_value(VALUE).rulebook_id}
    for path, replacement in (
        (("rules", 1, "floor", "x"), 0.6),
        (("rules", 1, "id"), "other"),
        (("rules", 1, "when", "plan"), "team"),
        (("fields", "plan", "values"), ["team", "free"]),
        (("key",), "customer"),
    ):
        value = inner = copy.deepcopy(VALUE)
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = replacement
        ids.add(Rulebook.from_value(value).rulebook_id)
    value = copy.deepcopy(VALUE)
    value["rules"].reverse()
    ids.add(Rulebook.from_value(value).rulebook_id)
    assert len(ids) == 7


def test_bind__uses_the_catalogs_vocabulary_and_keeps_the_id():
    rulebook = Rulebook.from_value(VALUE)
    bound = rulebook.bind(CATALOG)
    assert bound.fields is CATALOG
    assert bound.rulebook_id == rulebook.rulebook_id
    assert bound.compile({"plan": "free"}).policy.fields is CATALOG
    assert rulebook.fields is not CATALOG


def test_bind__names_every_use_that_the_catalog_does_not_have():
    with pytest.raises(RulebookError) as caught:
        Rulebook.from_value(VALUE).bind(Fields({"price": {"sort": "Num", "default": 0.0}}))
    assert str(caught.value).split("\n  ")[1:] == [
        "rule 'base', require[0]: the catalog has no field 'priced', did you mean 'price'?",
        "rule 'free', floor.x: the catalog has no field 'x'",
    ]


def test_compile__names_the_tenant_in_errors():
    rulebook = Rulebook.from_value(VALUE)
    for tenant, tenant_id in (({"plan": "gold", "tenant_id": "acme"}, None), ({"plan": "gold"}, "acme")):
        with pytest.raises(TenantError, match=r"^tenant 'acme': field 'plan': expected one of free, team") as caught:
            rulebook.compile(tenant, tenant_id)
        assert (caught.value.field, caught.value.rule) == ("plan", None)
    with pytest.raises(TenantError, match=r"^field 'plan' is missing"):
        rulebook.compile({})


def test_compile__uses_the_key_that_the_rulebook_names():
    rulebook = book(key="customer")
    rulebook.compile({"plan": "free", "customer": "acme"})
    with pytest.raises(TenantError, match="unknown field 'tenant_id'"):
        rulebook.compile({"plan": "free", "tenant_id": "acme"})


@pytest.mark.parametrize("tenant", [None, [], "free", [("plan", "free")]])
def test_compile__refuses_a_state_that_is_no_mapping(tenant):
    with pytest.raises(TenantError, match="a tenant's state is a mapping"):
        book().compile(tenant)


def test_rulebook__survives_pickling():
    rulebook = book({"id": "a", "when": {"vip": {"eq": True, "or_absent": False}}, "require": [["provider_in", ["p"]]]})
    compiled = rulebook.compile({"plan": "free", "vip": True})
    again = pickle.loads(pickle.dumps(rulebook))
    assert again.compile({"plan": "free", "vip": True}) == pickle.loads(pickle.dumps(compiled)) == compiled


def test_rulebook__shows_its_name():
    assert repr(Rulebook.from_value({**VALUE, "name": "mine"})) == "<Rulebook 'mine': 2 rules>"


def test_from_value__refuses_a_value_too_deep_or_that_holds_itself():
    deep = ["top"]
    for _ in range(3000):
        deep = ["not", deep]
    endless = ["and"]
    endless.append(endless)
    for term in (deep, endless):
        value = {**VALUE, "rules": [{"id": "r", "require": [term]}]}
        with pytest.raises(RulebookError, match=r"^rulebook: nested deeper than"):
            Rulebook.from_value(value)


def test_from_value__takes_the_deepest_term_that_the_language_does():
    term = ["is", "priced"]
    for _ in range(30):
        term = ["not", ["and", term, ["is", "x"]]]
    rulebook = Rulebook.from_value({**VALUE, "rules": [{"id": "r", "require": [term]}]})
    assert rulebook.compile({"plan": "free"}).policy.clauses


@pytest.mark.parametrize("path", [5, None, "a\0b"])
def test_load__refuses_what_is_no_path(path):
    with pytest.raises(RulebookError):
        Rulebook.load(path)


def test_bind__refuses_what_are_no_fields():
    with pytest.raises(RulebookError, match="bound to a catalog's fields, got int"):
        Rulebook.from_value(VALUE).bind(5)
