"""Lowering: normal form to plan. Atomic conditions become rows of the catalog's index, everything else instructions."""

from __future__ import annotations

from typing import Any

from tenantrank.engine.fragments import Form, Fragments, form_of, keep
from tenantrank.engine.index import EVERY_OFFER, NO_OFFER, CatalogIndex
from tenantrank.engine.plan import Plan
from tenantrank.engine.view import V1_SCORERS, View
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.policy.signature import V2
from tenantrank_kernels import opcodes as op

_NAMED_ATOMS = {
    "tier_eq": "tier",
    "min_tier": "min_tier",
    "family_eq": "family",
    "provider_eq": "provider",
    "served_by_eq": "served_by",
    "has_cap": "capability",
}
_LIVE_ROWS = {"meets_req": op.MEETS_REQUEST, "scope_matches": op.SCOPE, "envelope": op.ENVELOPE}
_LIVE_FLAGS = {"breaker_open": op.BREAKER_OPEN, "disabled": op.DISABLED}
COLUMN_SCORERS = {"quality": "*quality", "partner": "*partner"}
_SELECTORS = {"argmax": op.ARGMAX, "ordered": op.ORDERED, "sample": op.SAMPLE, "chain": op.CHAINED}
# Each relation as a comparison, inverted or not; the two others are made of two.
_CUTS = {"le": op.LE, "gt": op.LE | op.INVERT, "lt": op.LT, "ge": op.LT | op.INVERT}
_UNLIMITED = 2**31 - 1
_NO_NUMBER = -1
_OWN_ENDS = -1  # a vector is normalized between its own ends, and not between those of a field
_AROUND = frozenset({"scale", "neg", "clamp", "normalize"})
_new = tuple.__new__


class Program:
    """Instructions under construction, with the heights their stacks reach.

    A policy is lowered once, but so is each of a hundred thousand: what most of them consist of is written out here
    where a function for it would be called some twenty times a policy, and nodes are read by place, which takes half
    the time of doing so by name.
    """

    __slots__ = (
        "_bits",
        "_fragments",
        "_index",
        "_limits",
        "_pinned",
        "_places",
        "_position",
        "_vectors",
        "bits",
        "clauses",
        "code",
        "ends",
        "fields",
        "numbers",
        "vectors",
    )

    def __init__(self, index: CatalogIndex, view: View, fragments: Fragments | None = None) -> None:
        self._index = index
        self._position = view.position
        self._pinned = view.version == V2
        self._fragments = Fragments() if fragments is None else fragments
        self.code: list[int] = []
        self.numbers: list[float] = []
        self.fields: set[int] = set()
        self.ends: list[int] = []
        self.clauses: list[int] = []
        self._bits = 0
        self._vectors = 0
        self.bits = 1  # with room for the comparison at hand
        self.vectors = 2  # the least that sampling needs
        self._places: dict[int, int] = {}  # of columns among the ends
        # Numbers that a clause bounds a field with: by its column from below, by the complement of that from above.
        self._limits: dict[int, int] = {}

    def number(self, value: float) -> int:
        """Give the place of a number among the program's own."""
        numbers = self.numbers
        numbers.append(value)
        return len(numbers) - 1

    def filter(self, node: Node) -> None:
        """Append the whole filter: it leaves one bitset. Bounds that its clauses set on a field are remembered."""
        code, numbers, fields, limits, ends = self.code, self.numbers, self.fields, self._limits, self.clauses
        known, cuts = self._fragments.clauses, self._fragments.cuts
        join, both = op.PUSH, op.AND
        self.bits = 2
        for clause in clauses_of(node):
            cut = None
            if clause[0] == "cmp":
                compared = clause[3][:2]
                cut = cuts.get(compared) or self._cut(*compared)
            if cut is not None:
                operation, column, side = cut
                fields.add(column)
                limits[side] = number = len(numbers)
                numbers.append(clause[3][2])
                code += (operation | join, column, number)
            else:
                fragment = known.get((clause[1], join))
                if fragment is None:
                    self._clause(clause, join)
                else:
                    code += fragment[0]
                    if self.bits < fragment[1]:
                        self.bits = fragment[1]
            ends.append(len(code) // 3)
            join = both
        self._bits = 1

    def _cut(self, field: str, relation: str) -> tuple[int, int, int] | None:
        """Give what a comparison of these is in `Fragments.cuts`, ``None`` for one that takes two."""
        operation = _CUTS.get(relation)
        if operation is None:
            return None
        column = self._position[field]
        cut = operation, column, ~column if relation == "le" or relation == "lt" else column
        self._fragments.cuts[field, relation] = cut
        return cut

    def _clause(self, clause: Node, join: int) -> None:
        """Append one clause of the filter, which leaves one bitset; one without numbers is kept as a fragment."""
        begin, first, height = len(self.code), len(self.numbers), self.bits
        self.bits = 1
        self._bits = 0 if join == op.PUSH else 1
        self.condition(clause, join)
        if len(self.numbers) == first:
            keep(self._fragments.clauses, (clause.encoding, join), (self.code[begin:], self.bits))
        self.bits = max(self.bits, height)

    def condition(self, node: Node, join: int = op.PUSH, inverted: bool = False) -> None:
        """Append a Pred: it is joined to the bitset on top of the stack, or pushed."""
        name = node[0]
        if name == "and" or name == "or":
            inner = op.AND if (name == "and") is not inverted else op.OR
            nested = join != op.PUSH and join != inner
            first = op.PUSH if nested else join
            code, leaves, turned = self.code, self._fragments.leaves, op.INVERT if inverted else 0
            for child in node[2]:
                leaf = leaves.get(child[1])
                if leaf is None:
                    self.condition(child, first, inverted)
                else:
                    code += (leaf[0] | first | turned, leaf[1], 0)
                    if first == op.PUSH:
                        self._bits += 1
                first = inner
            if self.bits <= self._bits:
                self.bits = self._bits + 1
            if nested:
                self._emit(op.TOP | join)
                self._bits -= 1
        elif name == "not":
            self.condition(node.children[0], join, not inverted)
        elif name == "cmp":
            field, relation, bound = node.parameters
            self._comparison(field, relation, bound, join, inverted)
        else:
            leaves = self._fragments.leaves
            source, place = leaves.get(node.encoding) or keep(leaves, node.encoding, self._leaf(node))
            self.code += (source | join | op.INVERT if inverted else source | join, place, 0)
            if join == op.PUSH:
                self._bits += 1
            if self.bits <= self._bits:
                self.bits = self._bits + 1

    def _comparison(self, field: str, relation: str, bound: float, join: int, inverted: bool) -> None:
        column = self._position[field]
        self.fields.add(column)
        cut = _CUTS.get(relation)
        if cut is not None:
            self._push((cut ^ op.INVERT if inverted else cut) | join, column, self.number(bound))
            return
        # Equal: at most and not less. Unequal: less, or not at most.
        equal = (relation == "eq") is not inverted
        inner = op.AND if equal else op.OR
        nested = join not in (op.PUSH, inner)
        first, second = (op.LE, op.LT) if equal else (op.LT, op.LE)
        self._push(first | (op.PUSH if nested else join), column, self.number(bound))
        self._push(second | inner | op.INVERT, column, self.number(bound))
        if nested:
            self._emit(op.TOP | join)
            self._bits -= 1

    def _leaf(self, node: Node) -> tuple[int, int]:
        """Give what an atomic condition reads, and where."""
        name = node.op
        atom = _NAMED_ATOMS.get(name)
        if atom is not None:
            return op.ROW, self._index.row((atom, node.parameters[0]))
        if name == "is":
            flag = node.parameters[0]
            live = _LIVE_FLAGS.get(flag)
            return (op.ROW, self._index.row(("flag", flag))) if live is None else (op.LIVE, live)
        live = _LIVE_ROWS.get(name)
        if live is not None:
            return op.LIVE, live
        return op.ROW, EVERY_OFFER if name == "top" else NO_OFFER

    def forget(self) -> None:
        """Begin the next condition on an empty stack."""
        self._bits = 0

    def score(self, node: Node) -> None:
        """Append a Scorer: it leaves one vector."""
        around: list[Node] = []  # scorers of one scorer, the outermost first
        name = node.op
        while name in _AROUND:
            around.append(node)
            node = node.children[0]
            name = node.op
        ends = _OWN_ENDS
        if name == "field":
            field = node.parameters[0]
            if around and self._pinned and around[-1].op == "normalize":
                ends = self._ends(self._position[field])
            self._column(field)
        elif name == "add":
            self._literal(0.0)
            for child in node.children:
                self.score(child)
                self.code += (op.ADD, 0, 0)
                self._vectors -= 1
        elif name == "lit" or name == "zero":
            self._literal(node.parameters[0] if node.parameters else 0.0)
        elif name == "gate":
            condition, scorer = node.children
            self.score(scorer)
            self.condition(condition)
            self._emit(op.GATE)
            self._bits -= 1
        elif name in COLUMN_SCORERS:
            self._column(COLUMN_SCORERS[name])
        else:
            self._grow()
            self._emit(op.FIELD, len(self._position) + V1_SCORERS[name])
        code = self.code
        for outer in reversed(around):
            name = outer.op
            if name == "scale":
                code += (op.SCALE, 0, self.number(outer.parameters[0]))
            elif name == "normalize":
                code += (op.NORMALIZE if self._pinned else op.NORMALIZE_V1, ends, 0)
                ends = _OWN_ENDS
            elif name == "neg":
                code += (op.NEGATE, 0, 0)
            else:
                low, high = outer.parameters
                code += (op.CLAMP, 0, self.number(low))
                self.number(high)

    def ranked(self, scorer: Node) -> int:
        """Append a Scorer in the form of the kernel that may rank by it, and note the ends of the fields that it needs.

        Gives that kernel's mode.
        """
        mode = op.GENERAL
        if not self._pinned:
            self.score(scorer)
            return mode
        if scorer[0] == "add":
            if self._weighted(scorer[2]):
                return op.BLEND
            fields = [_linear(child) for child in scorer.children]
            if None not in fields:
                for child, field in zip(scorer.children, fields, strict=False):
                    self._part(child, field)
                return op.BLEND
        else:
            form = self._form(scorer)
            if form is not None:
                column, _, mode, alone = form
                self._ends(column)
                self._vectors = 1
                self.code += alone
                return mode
            field, rising = _monotone(scorer)
            if field:
                self._ends(self._position[field])
                mode = op.GREATEST_FIRST if rising else op.LEAST_FIRST
        self.score(scorer)
        return mode

    def _form(self, scorer: Node) -> Form | None:
        """Give the form of a scorer, ``None`` where it has none; one met before is found again."""
        forms = self._fragments.forms
        form = forms.get(scorer[1])
        if form is None:
            form = form_of(scorer, self._position)
            if form is not None:
                forms[scorer[1]] = form
        return form

    def _weighted(self, scorers: tuple[Node, ...]) -> bool:
        """Append a blend if each of its parts is a form, or one with a weight; else nothing, which is told."""
        forms = self._fragments.forms
        parts: list[tuple[Form, float]] = []
        for scorer in scorers:
            weight, inner = (scorer[3][0], scorer[2][0]) if scorer[0] == "scale" else (1.0, scorer)
            form = forms.get(inner[1]) or self._form(inner)
            if form is None:
                return False
            parts.append((form, weight))
        code, numbers = self.code, self.numbers
        for (column, part, _, _), weight in parts:
            code += (part | self._ends(column) << op.PLACE, column, len(numbers))
            numbers.append(weight)
        return True

    def _part(self, scorer: Node, field: str | None) -> None:
        """Append a part of a blend, which is linear in a field or else a constant."""
        around: list[Node] = []
        while scorer.op == "scale" or scorer.op == "neg":
            around.append(scorer)
            scorer = scorer.children[0]
        if not field:
            # Worked out here, by the same steps: doubles are everywhere the same.
            value = float(scorer.parameters[0]) if scorer.parameters else 0.0
            for outer in reversed(around):
                value = 1.0 - value if outer.op == "neg" else outer.parameters[0] * value
            self.code += (op.PART | op.CONSTANT, 0, self.number(value))
            return
        column = self._position[field]
        operation = op.PART | self._ends(column) << op.PLACE
        if scorer.op == "normalize":
            operation |= op.NORMALIZED
        if around and around[-1].op == "neg":
            operation |= op.REVERSED
            around.pop()
        weight = around.pop().parameters[0] if around and around[-1].op == "scale" else 1.0
        self.code += (operation, column, self.number(weight))
        for outer in reversed(around):
            self.code += (op.NEGATE, 0, 0) if outer.op == "neg" else (op.SCALE, 0, self.number(outer.parameters[0]))

    def _ends(self, column: int) -> int:
        """Give the place of a column among those whose ends are found."""
        places = self._places
        place = places.get(column)
        if place is None:
            self.fields.add(column)
            place = places[column] = len(places)
            limits = self._limits
            self.ends += (column, limits.get(column, _NO_NUMBER), limits.get(~column, _NO_NUMBER))
        return place

    def _column(self, name: str) -> None:
        column = self._position[name]
        self._grow()
        self.code += (op.FIELD, column, self._places.get(column, 0))

    def _literal(self, value: float) -> None:
        self._grow()
        self._emit(op.LITERAL, 0, self.number(value))

    def _push(self, operation: int, a: int = 0, b: int = 0) -> None:
        self._emit(operation, a, b)
        if operation & op.JOIN == op.PUSH:
            self._bits += 1
        self.bits = max(self.bits, self._bits + 1)

    def _emit(self, operation: int, a: int = 0, b: int = 0) -> None:
        self.code += (operation, a, b)

    def _grow(self) -> None:
        self._vectors += 1
        if self.vectors < self._vectors:
            self.vectors = self._vectors


def _linear(scorer: Node) -> str | None:
    """Give the field that a scorer is linear in; ``""`` for a constant, ``None`` for any other scorer."""
    while scorer.op in ("scale", "neg"):
        scorer = scorer.children[0]
    if scorer.op in ("lit", "zero"):
        return ""
    if scorer.op == "normalize":
        scorer = scorer.children[0]
    return scorer.parameters[0] if scorer.op == "field" else None


def _monotone(scorer: Node) -> tuple[str, bool]:
    """Give the field that a scorer rises or falls with, ``""`` where there is none, and whether it rises."""
    rising = True
    while scorer.op in ("scale", "neg", "clamp"):
        if scorer.op == "neg" or (scorer.op == "scale" and scorer.parameters[0] < 0):
            rising = not rising
        elif scorer.op == "clamp" and scorer.parameters[0] > scorer.parameters[1]:
            return "", rising
        scorer = scorer.children[0]
    if scorer.op == "normalize":
        scorer = scorer.children[0]
    return (scorer.parameters[0], rising) if scorer.op == "field" else ("", rising)


def lower(
    condition: Node,
    scorer: Node,
    selector: Node,
    index: CatalogIndex,
    view: View,
    fragments: Fragments | None = None,
) -> Plan:
    """Lower the deciding parts of an admitted policy.

    Parameters
    ----------
    condition, scorer, selector
        in normal form, admitted against the vocabulary of the index's catalog
    index, view
        the catalog, and any view of it of the policy's version (only the places of its columns are used)
    fragments
        what clauses lowered before left for this index and version, used and added to
    """
    limit = _UNLIMITED
    while selector[0] == "top_k":
        limit = int(min(selector.parameters[0], float(limit)))
        selector = selector.children[0]
    kind = _SELECTORS[selector[0]]
    program = Program(index, view, fragments)
    program.numbers.append(selector.parameters[0] if kind == op.SAMPLE else 0.0)
    program.filter(condition)
    split = len(program.code)
    chain: list[int] = []
    mode = op.GENERAL
    if kind == op.CHAINED:
        chain = _chain(selector.parameters[0], index)
    else:
        mode = program.ranked(scorer)
        if kind == op.ARGMAX and mode == op.GENERAL and _linear(scorer) == "":
            # Every offer scores the same, so that catalog order decides, and only those chosen need a score.
            kind, mode = op.ORDERED, op.GREATEST_FIRST
    code, ends, clauses = program.code, program.ends, program.clauses
    filtered, scored = split // 3, (len(code) - split) // 3
    # The header, in the order of the opcodes.
    fields = len(ends) // 3
    whole = [mode, filtered, scored, 0, kind, limit, fields, len(clauses), len(chain) // 2]
    whole += code
    whole += ends
    whole += clauses
    whole += chain
    parts = len(scorer[2])
    most = fields if fields > parts else parts
    return _new(Plan, (view.version, whole, program.numbers, program.fields, program.bits, program.vectors, most))


def _chain(pairs: list[dict[str, Any]], index: CatalogIndex) -> list[int]:
    """Give the rows a chain lists, each with its place: by a pair's last mention, then in catalog order."""
    place_of: dict[tuple[str, str], int] = {}
    for place, pair in enumerate(pairs, 1):
        provider = pair["provider"] if "provider" in pair else pair["provider_id"]
        family = pair["model"] if "model" in pair else pair["model_family"]
        place_of[provider, family] = place
    listed = sorted((place, row) for pair, place in place_of.items() for row in index.rows_by_pair.get(pair, ()))
    return [number for place, row in listed for number in (row, place)]
