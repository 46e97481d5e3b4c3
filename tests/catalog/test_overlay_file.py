"""An overlay as written: what is accepted, and where each fault is said to be."""

import json
from datetime import date

import pytest

from tenantrank.catalog.overlay_file import EVIDENCED, read_overlay
from tenantrank.catalog.schema import BY_NAME
from tenantrank.errors import CatalogError

VOUCHED = {"contract": "c", "verified_at": "2026-09-01"}
ENTRY = {"match": {"provider_id": "p"}, "set": {"no_log": True}, **VOUCHED}


def test_read_overlay__takes_single_values_and_lists():
    read = read_overlay({"attestations": [ENTRY | {"match": {"provider_id": "p", "geo": ["eu", "uk"]}}]})
    entry = read.attestations[0]
    assert (entry.match.provider_id, entry.match.geo, entry.match.lab) == (("p",), ("eu", "uk"), None)
    assert entry.verified_at == date(2026, 9, 1)
    assert (read.name, read.offers, entry.valid_until, entry.account) == ("operator", (), None, None)


def test_read_overlay__reads_yaml_and_json_alike_and_names_them_by_file(tmp_path):
    (tmp_path / "acme.yaml").write_text(
        "attestations:\n"
        "  - match: {provider_id: p}\n"
        "    set: {no_log: true}\n"
        "    contract: c\n"
        "    verified_at: 2026-09-01\n"
    )
    (tmp_path / "acme.json").write_text(json.dumps({"attestations": [ENTRY]}))
    from_yaml, from_json = (read_overlay(tmp_path / name) for name in ("acme.yaml", "acme.json"))
    assert from_yaml == from_json
    assert from_yaml.name == "acme"


def test_read_overlay__reads_yaml_as_strictly_as_a_rulebook(tmp_path):
    (tmp_path / "x.yaml").write_text("attestations:\n- {match: {lab: 010}, set: {tier: no, lab: 1:30, context: 10}}\n")
    [entry] = read_overlay(tmp_path / "x.yaml").attestations
    assert entry.match.lab == ("010",)
    assert entry.set == {"tier": "no", "lab": "1:30", "context": 10}


def test_evidenced__are_columns():
    assert set(BY_NAME) >= EVIDENCED


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"attestation": []}, "overlay: attestation: Extra inputs"),
        ({"attestations": [ENTRY | {"untl": 1}]}, "attestations[0].untl: Extra"),
        (
            {"attestations": [ENTRY, {"match": {"provider": "p"}, "set": {"tier": "x"}}]},
            "attestations[1].match.provider",
        ),
        ({"attestations": [ENTRY | {"match": {}}]}, "attestations[0].match: names no column"),
        ({"attestations": [ENTRY | {"match": {"geo": []}}]}, "attestations[0].match.geo"),
        ({"attestations": [ENTRY | {"match": {"geo": [1]}}]}, "attestations[0].match.geo[0]"),
        ({"attestations": [ENTRY | {"match": {"provider_id": False}}]}, "attestations[0].match.provider_id"),
        ({"attestations": [ENTRY | {"match": {"provider_id": None}}]}, "attestations[0].match.provider_id: expected a"),
        ({"attestations": [ENTRY | {"match": {"provider_id": "p", "geo": None}}]}, "match.geo: expected a string or"),
        ({"attestations": [ENTRY | {"set": {}}]}, "attestations[0].set"),
        ({"attestations": [{"set": {"tier": "x"}}]}, "attestations[0].match: Field required"),
        ({"attestations": [ENTRY | {"contract": None}]}, "attestations[0]: sets 'no_log' without 'contract'"),
        ({"attestations": [ENTRY | {"verified_at": None}]}, "attestations[0]: sets 'no_log' without 'verified_at'"),
        ({"attestations": [ENTRY | {"verified_at": "soon"}]}, "attestations[0].verified_at: expected a date"),
        ({"attestations": [ENTRY | {"valid_until": 20270101}]}, "attestations[0].valid_until: expected a date"),
        ({"attestations": [ENTRY | {"valid_until": "2026-08-31"}]}, "valid_until lies before verified_at"),
        ({"attestations": "all"}, "attestations[0]"),
        ({"offers": [{"like": "a", "offer_id": "b"}]}, "offers[0].set: Field required"),
        ({"offers": [{"like": "a", "offer_id": "", "set": {"tier": "x"}}]}, "offers[0].offer_id"),
        ({"name": 3}, "overlay: name"),
    ],
)
def test_read_overlay__says_where_the_fault_is(overlay, words):
    with pytest.raises(CatalogError) as caught:
        read_overlay(overlay)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_overlay__needs_no_evidence_for_what_is_no_promise():
    plain = {"match": {"provider_id": "p"}, "set": {"tier": "partner", "price_in": 1.0, "no_log": None}}
    assert read_overlay({"attestations": [plain]}).attestations[0].contract is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.yaml", "attestations: [", "not readable as an overlay"),
        ("x.yaml", "- a\n- b\n", "an overlay is a mapping"),
        ("x.yaml", "", "an overlay is a mapping"),
        ("x.yaml", "name: a\nname: b\n", "line 2, column 1: key 'name' is given twice"),
        (
            "x.yaml",
            "attestations:\n- set: {no_log: false, no_log: true}\n",
            "line 2, column 24: key 'no_log' is given twice",
        ),
        ("x.json", "{", "not readable as an overlay"),
        ("x.json", '{"attestations": [{"match": {}, "match": {}}]}', "duplicate key 'match'"),
        (
            "x.yaml",
            "attestations:\n- match: {provider_id: }\n  set: {lab: z}\n",
            "match.provider_id: expected a string",
        ),
        ("x.yaml", "a: !!python/object/apply:os.getcwd []\n", "not readable as an overlay"),
        ("x.yaml", "name: &x a\nattestations: *x\n", "aliases are not allowed"),
        ("x.yaml", "name: !!timestamp 'x'\n", "the tag '!!timestamp' is none of those of JSON's types"),
        ("x.yaml", "name: !!int ''\n", "'' is no int"),
        pytest.param("x.yaml", "[" * 5000, "nested too deeply", id="deep"),
    ],
)
def test_read_overlay__refuses_broken_files(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        read_overlay(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("overlay", [5, None, [1], b"x.yaml"])
def test_read_overlay__refuses_what_is_no_overlay(overlay):
    with pytest.raises(CatalogError, match="an overlay is a mapping or the path of a file, not a "):
        read_overlay(overlay)


def test_read_overlay__takes_evidence_for_a_column_named_as_a_derived_promise():
    for name in ("region_eu", "region_only_eu", "trains_on_data_no", "zdr_available", "zdr_default"):
        with pytest.raises(CatalogError, match=f"sets '{name}' without 'contract'"):
            read_overlay({"attestations": [{"match": {"provider_id": "p"}, "set": {name: True}}]})
    read_overlay({"attestations": [{"match": {"provider_id": "p"}, "set": {"region_key": "eu"}}]})


def test_read_overlay__refuses_a_path_that_no_file_can_have():
    with pytest.raises(CatalogError, match=r"^'a\\x00b': not readable as an overlay: embedded null byte$"):
        read_overlay("a\0b")


def test_read_overlay__refuses_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CatalogError, match=r"none\.yaml: No such file"):
        read_overlay(tmp_path / "none.yaml")
