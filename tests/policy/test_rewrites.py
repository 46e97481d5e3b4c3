"""The rewrites one by one; that they are the language's, the tests of `normal_form` show against the reference."""

from __future__ import annotations

import itertools

import pytest

from tenantrank.policy.node import Node
from tenantrank.policy.rewrites import BOT, REWRITTEN, TOP, ZERO, gated, gathered, joined, negated, normalized, scaled

A, B, C = (Node("is", f'(is "{name}")', (), (name,), ("BoolField",)) for name in "abc")
X = Node("field", '(field "x")', (), ("x",), ("NumField",))


@pytest.mark.parametrize("name", ["and", "or", "add", "ev_add"])
def test_joined__sorts_by_encoding_at_every_size(name: str) -> None:
    for nodes in itertools.chain(itertools.permutations((A, B)), itertools.permutations((A, B, C))):
        node = joined(name, list(nodes))
        assert node.children == tuple(sorted(nodes, key=lambda child: child.encoding))
        assert node.encoding == f"({name} {' '.join(child.encoding for child in node.children)})"
        assert (node.op, node.parameters, node.slots) == (name, (), ())


def test_joined__keeps_the_order_of_a_sequence_and_every_duplicate() -> None:
    for nodes in ((C, A), (C, B, A), (C, A, C)):
        assert joined("seq", list(nodes)).children == nodes
    assert joined("and", [B, A, B]).children == (A, B, B)
    assert joined("or", [A]) is A


def test_gathered__flattens_drops_units_and_absorbs() -> None:
    assert gathered("and", [joined("and", [B, C]), TOP, A]).children == (A, B, C)
    assert gathered("and", [A, BOT, B]) == BOT
    assert gathered("or", [A, TOP]) == TOP
    assert gathered("or", [BOT, A]) is A
    assert gathered("add", [ZERO, ZERO]) == ZERO
    for name, unit in {"and": "top", "or": "bot", "add": "zero", "seq": "id", "ev_add": "ev_zero"}.items():
        assert gathered(name, []) == Node(unit, f"({unit})")
        assert gathered(name, [Node(unit, f"({unit})"), A]) is A


def test_rewritten__names_the_ops_for_which_joining_is_not_enough() -> None:
    for name, ops in REWRITTEN.items():
        for op in ("and", "or", "add", "seq", "ev_add", "top", "bot", "zero", "id", "ev_zero", "is"):
            child = Node(op, f"({op} …)", (A, B))
            alike = gathered(name, [child, C]).encoding == joined(name, [child, C]).encoding
            assert alike == (op not in ops)


def test_negated__undoes_another_and_turns_constants() -> None:
    assert negated(Node("not", "(not …)", (A,))) is A
    assert (negated(TOP), negated(BOT), negated(A)) == (BOT, TOP, None)


def test_scaled__by_nothing_and_by_one() -> None:
    assert (scaled(0, X), scaled(-0.0, X), scaled(3, ZERO)) == (ZERO, ZERO, ZERO)
    assert scaled(1, X) is scaled(1.0, X) is X
    assert scaled(2, X) is None


def test_gated__by_constants_and_of_nothing() -> None:
    assert (gated(BOT, X), gated(A, ZERO)) == (ZERO, ZERO)
    assert gated(TOP, X) is X
    assert gated(A, X) is None


def test_normalized__only_once() -> None:
    twice = Node("normalize", "(normalize …)", (X,))
    assert normalized(twice) is twice
    assert normalized(X) is None
