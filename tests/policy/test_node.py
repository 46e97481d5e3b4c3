"""Nodes: immutable, equal by encoding, and sharing nothing with the terms that they came from or give."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from tenantrank.policy.node import Node
from tenantrank.policy.normal_form import normalize
from tenantrank.policy.signature import V1, V2, Version
from tests.policy.samples import ALWAYS, OPS, generated, sample
from tests.reference.signature import Term

NEXT: dict[str, Any] = {"action": "next_candidate"}


@pytest.mark.parametrize(("op", "version"), OPS)
def test_node__numbers_are_doubles_wherever_they_stand(op: str, version: Version) -> None:
    def numbers(value: Any) -> list[Any]:
        if isinstance(value, list | tuple):
            return [number for entry in value for number in numbers(entry)]
        if isinstance(value, dict):
            return numbers(list(value.values()))
        return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []

    term = sample(op, version)
    assert all(type(number) is float for number in numbers(normalize(term, version).term()))
    assert len(numbers(normalize(term, version).term())) == len(numbers(term))


def test_node__has_no_negative_zero() -> None:
    for term in (["lit", -0.0], ["always", {"action": "abort", "x": -0.0}], ["filter_text", [{"x": -0.0}]]):
        assert "-0.0" not in json.dumps(normalize(term, V2).term())


def test_node__term_is_a_fresh_copy_and_shares_nothing_with_the_source() -> None:
    source: Term = ["override", ["always", {"action": "abort", "backoff_ms": [1, 2]}], "x", {"action": "retry_same"}]
    node = normalize(source, V2)
    before = copy.deepcopy(source)
    source[1][1]["backoff_ms"].append(3)
    source[3]["action"] = "abort"
    taken = node.term()
    assert taken == before
    taken[1][1]["backoff_ms"].clear()
    taken[3]["attempts"] = 9
    assert node.term() == before


def test_node__equality_and_hash_are_those_of_the_encoding() -> None:
    one, other = normalize(["lit", 1], V2), normalize(["add", ["lit", 1.0], ["zero"]], V2)
    assert one == other
    assert hash(one) == hash(other)
    assert one != normalize(["lit", 2], V2)
    assert one != one.encoding
    assert len({normalize(term, V2) for term in (ALWAYS, ["override", ALWAYS, "x", NEXT], ["top"])}) == 2


def test_node__survives_pickling_and_copying() -> None:
    for term in generated(V1)[:20]:
        node = normalize(term, V1)
        for again in (pickle.loads(pickle.dumps(node)), copy.copy(node), copy.deepcopy(node)):
            assert again == node
            assert again.term() == node.term()


def test_node__cannot_be_changed() -> None:
    node = normalize(["not", ["is", "no_log"]], V2)
    for name in ("op", "encoding", "children", "parameters", "slots", "other"):
        with pytest.raises(AttributeError):
            setattr(node, name, "x")
    with pytest.raises(AttributeError):
        del node.op


def test_node__differs_from_what_only_looks_alike() -> None:
    node = Node("top", "(top)")
    assert (node == Node("other", "(top)"), node != Node("other", "(top)")) == (True, False)
    assert (node == Node("top", "(bot)"), node != Node("top", "(bot)")) == (False, True)
    alike = ("top", "(top)", (), (), ())
    assert (node == alike, alike == node, node != alike, alike != node) == (False, False, True, True)
    assert repr(node) == "Node(op='top', encoding='(top)', children=(), parameters=(), slots=())"
