"""The format's documentation: its examples run, its schema is current."""

import doctest
import json
import re

import pyarrow as pa
import pytest
import yaml

import tenantrank as tr
from tenantrank.policy.signature import Fields

_BLOCK = re.compile(r"^```(yaml rulebook|yaml rule|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FIELDS = Fields(
    {name: {"sort": "Bool", "default": False} for name in ("priced", "deprecated", "region_only_eu", "region_only_us")}
    | {"bench_coding": {"sort": "Num", "default": 0.0}}
)


@pytest.fixture(scope="module")
def blocks(repository):
    found = {}
    for kind, text in _BLOCK.findall((repository / "docs" / "rulebook.md").read_text(encoding="utf-8")):
        found.setdefault(kind, []).append(text)
    return found


def test_documentation__examples_print_what_they_say(blocks, tmp_path, monkeypatch):
    (example,) = blocks["yaml rulebook"]
    (tmp_path / "rules.yaml").write_text(example)
    monkeypatch.chdir(tmp_path)
    rules = {rule["id"]: rule for text in blocks["yaml rule"] for rule in yaml.safe_load(text)}

    class Catalog:
        fields = _FIELDS

    def with_rule(name, **changes):
        value = yaml.safe_load(example)
        return tr.Rulebook.from_value({**value, "rules": [*value["rules"], rules[name] | changes]})

    names = {"tr": tr, "pa": pa, "catalog": Catalog, "with_rule": with_rule}
    session = doctest.DocTestParser().get_doctest("\n".join(blocks["python"]), names, "rulebook.md", None, None)
    assert len(session.examples) >= 10
    printed = []
    doctest.DocTestRunner().run(session, out=printed.append)
    assert printed == []


def test_documentation__every_rule_shown_is_valid(blocks):
    value = yaml.safe_load(blocks["yaml rulebook"][0])
    for text in blocks["yaml rule"]:
        tr.Rulebook.from_value({**value, "rules": [*value["rules"], *yaml.safe_load(text)]}).bind(_FIELDS)


def test_documentation__schema_file_is_current(repository):
    # After a change of the format: json.dumps(tr.Rulebook.json_schema(), indent=2), and a newline at the end.
    text = (repository / "docs" / "rulebook.schema.json").read_text(encoding="utf-8")
    assert text == json.dumps(tr.Rulebook.json_schema(), indent=2) + "\n"
