"""A JSON value to a node in normal form in one pass: admitted, rewritten and encoded at once, or nothing.

Source: the language's specification, sections 1 to 3. What is admitted is what `admission.check` lets through, which
says what is wrong with a value that gives nothing here. Each op has a handler that reads its terms, and whatever is
amiss ends the pass by a ``LookupError`` or a ``ValueError``. A handler checks that an argument is a list that begins
with a string before it looks for the argument's handler, by type, so that no foreign value's own code is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, TypeAlias

from tenantrank.policy.node import Node
from tenantrank.policy.parameters import READERS, RELATION, action, number, text
from tenantrank.policy.rewrites import REWRITTEN, gated, gathered, joined, negated, normalized, scaled
from tenantrank.policy.signature import MAX_DEPTH, MAX_NODES, OPS, VERSIONS, Op, Version, is_subterm
from tenantrank.policy.vocabulary import Kept, Vocabulary

_EXACT = 2**53
_LONGEST_KEPT = 64
_LONGEST_NUMBER_KEPT = 12
_new = tuple.__new__
_encoding = itemgetter(1)


class _Pass:
    """One pass: its vocabulary, and the count of subterms so far. Filled without a constructor, which takes longer."""

    __slots__ = ("nodes", "words")

    nodes: int
    words: Vocabulary


_Handler: TypeAlias = Callable[[list[Any], int, _Pass], Node]
"""Reads a term of its op, which stands at a depth; whoever calls it has counted the term."""
_Handlers: TypeAlias = dict[str, _Handler]


def read_term(value: Any, words: Vocabulary, sort: str | None = None) -> tuple[Node, int, str] | None:
    """Read a term of any sort, or of the one given; ``None`` where it is not admitted.

    Any Python value may be given; it is not changed, and nothing is shared with it.

    Returns
    -------
    the normal form, of how many subterms the value consists, and its sort
    """
    work = _Pass()
    work.words, work.nodes = words, 1
    try:
        if type(value) is not list or type(value[0]) is not str:
            return None
        if sort is None:
            sort = OPS[words.version][value[0]].sort
        node = _HANDLERS[words.version][sort][value[0]](value, 1, work)
    except (LookupError, ValueError):
        return None
    return (node, work.nodes, sort) if work.nodes <= MAX_NODES else None


def _constant(op: Op) -> _Handler:
    node = Node(op.name, f"({op.name})")

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        if len(term) != 1:
            raise ValueError
        return node

    return read


def _variadic(op: Op, handlers: _Handlers) -> _Handler:
    name, rewritten = op.name, REWRITTEN[op.name]

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        # Counted here, before it goes on, since one list may stand in many places.
        work.nodes = subterms = work.nodes + len(term) - 1
        if len(term) == 1 or depth == MAX_DEPTH or subterms > MAX_NODES:
            raise ValueError
        depth += 1
        nodes = []
        plain = True
        for child in term[1:]:
            if type(child) is not list or type(head := child[0]) is not str:
                raise ValueError
            node = handlers[head](child, depth, work)
            if node[0] in rewritten:
                plain = False
            nodes.append(node)
        return joined(name, nodes) if plain else gathered(name, nodes)

    return read


def _unary(op: Op, handlers: _Handlers) -> _Handler:
    name, slots = op.name, op.slots
    rewrite, rewritten = {
        "not": (negated, ("not", "top", "bot")),
        "normalize": (normalized, ("normalize",)),
    }.get(name, (None, ()))
    kept: Kept[str] = Kept()
    of_fields = {"normalize": ("field",), "neg": ("field", "normalize")}.get(name, ())

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        _, child = term
        if depth == MAX_DEPTH or type(child) is not list or type(head := child[0]) is not str:
            raise ValueError
        work.nodes += 1
        node = handlers[head](child, depth + 1, work)
        inner, encoding = node[0], node[1]
        if inner in of_fields:
            made = kept.get(encoding)
            if made is None:
                made = _new(Node, (name, f"({name} {encoding})", (node,), (), slots))
                if len(encoding) <= _LONGEST_KEPT:
                    kept.keep(encoding, made)
            return made
        if rewrite is not None and inner in rewritten:
            other = rewrite(node)
            if other is not None:
                return other
        return _new(Node, (name, f"({name} {encoding})", (node,), (), slots))

    return read


def _scale(op: Op, handlers: _Handlers) -> _Handler:
    slots = op.slots

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        _, factor, child = term
        if depth == MAX_DEPTH or type(child) is not list or type(head := child[0]) is not str:
            raise ValueError
        work.nodes += 1
        written = number(factor)
        node = handlers[head](child, depth + 1, work)
        if factor == 0 or factor == 1 or node[0] == "zero":
            other = scaled(factor, node)
            if other is not None:
                return other
        return _new(Node, ("scale", f"(scale {written} {node[1]})", (node,), (factor + 0.0,), slots))

    return read


def _is(term: list[Any], depth: int, work: _Pass) -> Node:
    _, name = term
    if type(name) is not str:
        raise ValueError
    return work.words.flags[name]


def _field(term: list[Any], depth: int, work: _Pass) -> Node:
    _, name = term
    if type(name) is not str:
        raise ValueError
    return work.words.columns[name]


def _tier(op: Op) -> _Handler:
    name, slots = op.name, op.slots

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        _, tier = term
        if type(tier) is not str:
            raise ValueError
        return _new(Node, (name, f"({name} {work.words.tiers[tier]})", (), (tier,), slots))

    return read


def _cmp(op: Op) -> _Handler:
    slots = op.slots

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        _, name, relation, bound = term
        if type(name) is not str or type(relation) is not str or (type(bound) is not float and type(bound) is not int):
            raise ValueError
        words = work.words
        key = (name, relation, bound)
        node = words.bounds.get(key)
        if node is None:
            written = number(bound)
            encoding = f"(cmp {words.numbers[name]} {RELATION[relation]} {written})"
            node = _new(Node, ("cmp", encoding, (), (name, relation, bound + 0.0), slots))
            # What takes more digits is no price that many policies have. None is kept beyond that range in any case:
            # there an integer that is refused equals a double that is not.
            if len(written) <= _LONGEST_NUMBER_KEPT and -_EXACT <= bound <= _EXACT:
                words.bounds.keep(key, node)
        return node

    return read


def _word(op: Op) -> _Handler:
    name, slots = op.name, op.slots
    kept: Kept[str] = Kept()

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        _, word = term
        if type(word) is not str:
            raise ValueError
        node = kept.get(word)
        if node is None:
            node = _new(Node, (name, f"({name} {text(word)})", (), (word,), slots))
            if len(word) <= _LONGEST_KEPT:
                kept.keep(word, node)
        return node

    return read


def _always(op: Op) -> _Handler:
    slots = op.slots
    kept: Kept[str] = Kept()

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        _, given = term
        written, copy = action(given)
        node = kept.get(written)
        if node is None:
            node = _new(Node, ("always", f"(always {written})", (), (copy,), slots))
            if len(written) <= _LONGEST_KEPT:
                kept.keep(written, node)
        return node

    return read


def _override(op: Op, always: _Handler) -> _Handler:
    """Read a whole failure plan: one override a reason, ascending from the inside out, none that equals the base."""
    slots = op.slots

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        plan: Any = term
        chosen: dict[str, tuple[str, str, Any]] = {}
        while plan[0] == "override":
            _, plan, reason, given = plan
            if depth == MAX_DEPTH or type(plan) is not list or type(plan[0]) is not str:
                raise ValueError
            depth += 1
            work.nodes += 1
            quoted = text(reason)
            written, copy = action(given)
            if reason not in chosen:  # the outermost one stands
                chosen[reason] = (quoted, written, copy)
        if plan[0] != "always":
            raise ValueError
        node = always(plan, depth, work)
        base = node.encoding[len("(always ") : -1]
        for reason in sorted(chosen):
            quoted, written, copy = chosen[reason]
            if written != base:
                encoding = f"(override {node.encoding} {quoted} {written})"
                node = _new(Node, ("override", encoding, (node,), (reason, copy), slots))
        return node

    return read


def _of_parameters(op: Op) -> _Handler:
    name, slots, given = op.name, op.slots, len(op.slots) + 1
    readers = list(enumerate([READERS[slot] for slot in slots], 1))

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        if len(term) != given:
            raise ValueError
        written, parameters = [name], []
        for at, reader in readers:
            encoding, parameter = reader(term[at])
            written.append(encoding)
            parameters.append(parameter)
        return _new(Node, (name, f"({' '.join(written)})", (), tuple(parameters), slots))

    return read


def _of_parameters_and_term(op: Op, handlers: _Handlers) -> _Handler:
    name, slots, given = op.name, op.slots, len(op.slots) + 1
    readers = list(enumerate([READERS[slot] for slot in slots[:-1]], 1))

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        child = term[-1]
        if len(term) != given or depth == MAX_DEPTH or type(child) is not list or type(child[0]) is not str:
            raise ValueError
        work.nodes += 1
        written, parameters = [name], []
        for at, reader in readers:
            encoding, parameter = reader(term[at])
            written.append(encoding)
            parameters.append(parameter)
        node = handlers[child[0]](child, depth + 1, work)
        return _new(Node, (name, f"({' '.join(written)} {node.encoding})", (node,), tuple(parameters), slots))

    return read


def _of_terms(op: Op, tables: Mapping[str, _Handlers]) -> _Handler:
    name, slots, size = op.name, op.slots, len(op.slots)
    expected = [tables[slot] for slot in slots]
    rewrite = gated if name == "gate" else None

    def read(term: list[Any], depth: int, work: _Pass) -> Node:
        if len(term) - 1 != size or depth == MAX_DEPTH:
            raise ValueError
        work.nodes += size
        depth += 1
        nodes = []
        for handlers, child in zip(expected, term[1:], strict=False):  # as many, by what was looked at above
            if type(child) is not list or type(head := child[0]) is not str:
                raise ValueError
            nodes.append(handlers[head](child, depth, work))
        if rewrite is not None:
            other = rewrite(*nodes)
            if other is not None:
                return other
        return _new(Node, (name, f"({name} {' '.join(map(_encoding, nodes))})", tuple(nodes), (), slots))

    return read


def _handler(op: Op, tables: Mapping[str, _Handlers]) -> _Handler:
    own = tables[op.sort]
    if not op.slots:
        return _constant(op)
    if op.variadic:
        return _variadic(op, own)
    special = {"is": _is, "field": _field}.get(op.name)
    if special is not None:
        return special
    if op.name == "cmp":
        return _cmp(op)
    if op.name == "always":
        return _always(op)
    if op.name == "override":
        return _override(op, own["always"])
    if op.name == "scale":
        return _scale(op, own)
    if op.slots == ("Tier",):
        return _tier(op)
    if op.slots == ("Text",):
        return _word(op)
    if op.slots == (op.sort,):
        return _unary(op, own)
    if all(map(is_subterm, op.slots)):
        return _of_terms(op, tables)
    if op.slots[-1] == op.sort:
        return _of_parameters_and_term(op, own)
    return _of_parameters(op)


def _handlers(version: Version) -> dict[str, _Handlers]:
    """Give the handlers of a version by sort, then by op."""
    tables: dict[str, _Handlers] = {op.sort: {} for op in OPS[version].values()}
    for op in OPS[version].values():
        tables[op.sort][op.name] = _handler(op, tables)
    return tables


_HANDLERS = {version: _handlers(version) for version in VERSIONS}
