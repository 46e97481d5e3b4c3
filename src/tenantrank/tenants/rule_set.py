"""The rules that apply together, ready to make the policy of any tenant to whom just these apply.

What such rules say is the same for each of those tenants but for the parts that a tenant's own values fill. The rest is
put together here once, so that a policy costs no more than what is its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, MutableMapping, Sequence, Set
from itertools import repeat
from typing import NamedTuple, TypeAlias

from tenantrank.errors import TenantError
from tenantrank.policy.normal_form import Node, clauses_of, conjunction
from tenantrank.policy.policy import Policy
from tenantrank.policy.rewrites import gathered
from tenantrank.policy.signature import MAX_DEPTH, MAX_NODES
from tenantrank.tenants.composed import filled
from tenantrank.tenants.drafts import CHOICES
from tenantrank.tenants.origin import BoundKind, Origin
from tenantrank.tenants.parts import BoundPart, Part, Placed, measure
from tenantrank.tenants.preparing import Prepared
from tenantrank.tenants.reasons import Reasons, origins_in, reasons_of
from tenantrank.tenants.settling import by_rank
from tenantrank.tenants.states import Value
from tenantrank.tenants.templates import Numbers, Others, Template, open_places

Values: TypeAlias = tuple[Value, ...]
"""What a tenant has in the fields that a rule set reads, in their order."""

_Source: TypeAlias = Node | int
"""A node that is the same for all tenants, or the place among the filled parts of the one that gives it."""


class _Bound(NamedTuple):
    """What rules ask of one offer field in one direction: places of what tenants fill, and the nodes of the rest."""

    kind: BoundKind
    places: tuple[int, ...]
    fixed: tuple[Node, ...]


_LOOSEST: dict[BoundKind, float] = {"floor": -math.inf, "ceiling": math.inf}
_MEMO_LIMIT = 65_536
"""Templates kept for reuse; past it the memory starts anew, so that a server's use of it stays bounded."""


class _Number(NamedTuple):
    """A number that tenants fill in a clause of its own: the text before it, and the strictest value that stands.

    ``places`` are those of the tenant's values among what is read; ``fixed`` is the strictest that rules state, -inf or
    inf where they state none.
    """

    head: str
    kind: BoundKind
    places: tuple[int, ...]
    fixed: float


class RuleSet:
    """Rules that apply together.

    Parameters
    ----------
    prepared
        all rules
    positions
        of those that apply, in file order
    """

    def __init__(self, prepared: Prepared, positions: Iterable[int]) -> None:
        self._prepared = prepared
        self._positions = tuple(positions)
        self._fewer: dict[str, RuleSet] = {}
        self._applying = [prepared.rules[position] for position in self._positions]
        self.rules = tuple([rule.id for rule in self._applying])
        """Their ids, in file order."""
        reads = dict.fromkeys(name for rule in self._applying for name in rule.reads)
        reads |= dict.fromkeys(name for part in prepared.defaults.values() for name in part.reads)
        self.reads = tuple(reads)
        """The tenant fields that decide the policy and the reasons behind it."""
        self._filled: list[tuple[Part, tuple[int, ...]]] = []
        # What fixed parts come to, with two subterms and levels for what holds parts together: policy, and `and` or
        # `seq`.
        self._size, self._depth = 3, 2
        self._clauses: dict[str, Node] = {}
        self._others: Others | None = None
        # In the order in which a tenant is told of the first value that is missing or makes no term.
        self._own_clauses = self._add_clauses()
        self._choices, self._preference = self._add_choices()
        self._transforms = [self._source(rule.transform) for rule in self._applying if rule.transform is not None]
        self._bounds = self._add_bounds()
        if not any(isinstance(source, int) for source in [*self._choices, *self._transforms]):
            self._others = self._others_of([])
        self._open: set[int] = set()
        self._numbers, self._deciding = self._add_numbers()
        self._preferring = tuple([self.reads.index(name) for name in self._preference.reads])
        self._templates: dict[Values, Template] = {}

    def _source(self, part: Part) -> _Source:
        if part.fixed is None:
            self._filled.append((part, tuple([self.reads.index(name) for name in part.reads])))
            return len(self._filled) - 1
        node, size, depth = part.fixed
        self._size += size
        self._depth = max(self._depth, 2 + depth)
        return node

    def _add_clauses(self) -> int:
        """Take the hard clauses, and give how many parts a tenant fills of these."""
        for part in [part for rule in self._applying for part in rule.clauses]:
            source = self._source(part)
            if isinstance(source, Node):
                self._clauses.update((clause.encoding, clause) for clause in clauses_of(source))
        return len(self._filled)

    def _add_choices(self) -> tuple[list[_Source], Part]:
        """Take the choices, and give those that stand, and the part that gives the preference."""
        asked = {
            key: [rule.choices[key] for rule in by_rank(key, self._applying)] or [self._prepared.defaults[key]]
            for key in CHOICES
        }
        sources = [[self._source(part) for part in parts] for parts in asked.values()]
        return [standing for standing, *_ in sources], asked["preference"][0]

    def _add_bounds(self) -> list[_Bound]:
        """Take floors and ceilings, and give those of which a tenant fills some."""
        asked: dict[tuple[BoundKind, str], list[_Source]] = {}
        for rule in self._applying:
            for kind, name, part in rule.bounds:
                asked.setdefault((kind, name), []).append(self._source(part))
        filled: list[_Bound] = []
        for (kind, _), sources in asked.items():
            places = tuple([source for source in sources if isinstance(source, int)])
            fixed = tuple([source for source in sources if isinstance(source, Node)])
            if places:
                filled.append(_Bound(kind, places, fixed))
            else:
                clause = _strictest(kind, fixed)
                self._clauses[clause.encoding] = clause
        return filled

    def _add_numbers(self) -> tuple[list[_Number], tuple[int, ...]]:
        """Take the numbers that tenants fill in clauses of their own, and give the places of all else that fills
        parts.
        """
        found: dict[str, list[_Number]] = {}
        alone = [_Bound("floor", (at,), ()) for at in range(self._own_clauses)]
        for kind, sources, fixed in [*alone, *self._bounds]:
            filled = [self._filled[at] for at in sources]
            part, _ = filled[0]
            if all(type(each) is BoundPart for each, _ in filled) and isinstance(part, BoundPart):
                strictest = _value(_strictest(kind, fixed)) if fixed else _LOOSEST[kind]
                places = tuple([at for _, reads in filled for at in reads])
                found.setdefault(part.head, []).append(_Number(part.head, kind, places, strictest))
                self._open.update(sources)
        # In the order of the clauses, which is that of their texts.
        numbers = [number for _, (number, *_) in sorted(found.items())]
        if any(len(of_head) > 1 for of_head in found.values()):
            numbers = []
            self._open.clear()
        rest = [reads for at, (_, reads) in enumerate(self._filled) if at not in self._open]
        return numbers, tuple(dict.fromkeys(at for reads in rest for at in reads))

    def policy(self, values: Values, known: MutableMapping[str, Policy]) -> Policy:
        """Make a tenant's policy.

        Parameters
        ----------
        values
            what the tenant has in the fields of `reads`
        known
            policies by identity, of which one is taken where it is the same, and to which it is added where not

        Raises
        ------
        TenantError
            where a part cannot be filled, no rule states a hard clause, or the policy would be too large
        """
        numbers = self._own_numbers(values)
        key = tuple([values[at] for at in self._deciding])
        template = None if numbers is None else self._templates.get(key)
        if numbers is None or template is None:
            return self._composed(values, key, numbers, known)
        return filled(template, numbers if template.places else (), known)

    def _own_numbers(self, values: Values) -> Numbers | None:
        """Give the bounds that stand in the clauses of `_numbers`; ``None`` where a tenant has no number there."""
        numbers = []
        for _, kind, places, number in self._numbers:
            for place in places:
                value = values[place]
                if type(value) is not float and type(value) is not int:
                    return None
                bound = float(value) + 0.0
                if bound > number if kind == "floor" else bound < number:
                    number = bound
            numbers.append(number)
        return tuple(numbers)

    def _composed(
        self, values: Values, key: Values, numbers: Numbers | None, known: MutableMapping[str, Policy]
    ) -> Policy:
        """Make a policy part by part, and remember its template, which takes other numbers too, by the key."""
        placed = [part.fill(tuple([values[at] for at in reads])) for part, reads in self._filled]
        clauses = self._clauses.copy()
        own: dict[str, Node] = {}
        for at, part in enumerate(placed[: self._own_clauses]):
            for clause in clauses_of(part.node):
                (own if at in self._open else clauses)[clause.encoding] = clause
        for kind, asking, fixed in self._bounds:
            clause = _strictest(kind, [*fixed, *[placed[at].node for at in asking]])
            (own if asking[0] in self._open else clauses)[clause.encoding] = clause
        heads = tuple([number.head for number in self._numbers])
        # Whatever the numbers are: one may happen to give a clause that there is anyhow.
        shared = numbers is not None and not any(map(str.startswith, clauses, repeat(heads)))
        clauses |= own
        if not clauses:
            raise TenantError(
                "no rule says what this tenant may use; a rule that lets every offer through says 'require: [[top]]'"
            )
        filter_ = conjunction(list(clauses.values()))
        standing, others = clauses_of(filter_), self._others or self._others_of(placed)
        # A filter that lets no offer through is `bot`, and has no other clause.
        places = open_places(standing, () if filter_.op == "bot" else heads) if shared else None
        template = Template(standing, others, self._prepared.fields, places or ())
        policy = filled(template, numbers if numbers and places else (), known)
        size, depth = self._size, self._depth
        for part in placed:
            size += part.size
            depth = max(depth, 2 + part.depth)
        if size > MAX_NODES or depth > MAX_DEPTH:
            _check_size(policy)
        elif self._numbers and places is not None:
            if len(self._templates) >= _MEMO_LIMIT:
                self._templates.clear()
            self._templates[key] = template
        return policy

    def _others_of(self, placed: Sequence[Placed]) -> Others:
        def node(source: _Source) -> Node:
            return placed[source].node if isinstance(source, int) else source

        preference, selector, failure_plan = map(node, self._choices)
        transform = gathered("seq", [node(source) for source in self._transforms])
        return preference, selector, transform, failure_plan

    def without(self, rule: str) -> RuleSet:
        """Give the same rules but for one of them; it reads no field that these do not read."""
        fewer = self._fewer.get(rule)
        if fewer is None:
            kept = [at for at, name in zip(self._positions, self.rules, strict=True) if name != rule]
            fewer = self._fewer[rule] = RuleSet(self._prepared, kept)
        return fewer

    def preference(self, values: Values) -> Origin:
        """Give the origin of a tenant's preference alone."""
        return self._preference.fill(tuple([values[at] for at in self._preferring])).origins[0]

    def origins(self, values: Values, encodings: Set[str]) -> dict[str, tuple[Origin, ...]]:
        """Give the origins of some clauses of the policy that was made of these values, as `reasons` gives all."""

        def filled(part: Part) -> Placed:
            return part.fill(tuple([values[self.reads.index(name)] for name in part.reads]))

        placed = [
            filled(part)
            for rule in self._applying
            for part in rule.clauses
            if part.fixed is None or any(clause.encoding in encodings for clause in clauses_of(part.fixed[0]))
        ]
        asked: dict[tuple[BoundKind, str], list[Placed]] = {}
        for rule in self._applying:
            for kind, name, part in rule.bounds:
                asked.setdefault((kind, name), []).append(filled(part))
        for (kind, _), bounds in asked.items():
            standing = _value(_strictest(kind, [bound.node for bound in bounds]))
            placed += [bound for bound in bounds if _value(bound.node) == standing]
        return {encoding: found for encoding, found in origins_in(placed).items() if encoding in encodings}

    def reasons(self, values: Values, policy: Policy) -> Reasons:
        """Give the reasons behind the policy that was made of these values."""
        state = dict(zip(self.reads, values, strict=True))
        return reasons_of(self._applying, self._prepared.defaults, state, policy.clauses)


def _strictest(kind: BoundKind, bounds: Sequence[Node]) -> Node:
    """Give the highest floor or the lowest ceiling; of equal ones, which are one clause, any."""
    return max(bounds, key=_value) if kind == "floor" else min(bounds, key=_value)


def _value(bound: Node) -> float:
    value: float = bound.parameters[-1]
    return value


def _check_size(policy: Policy) -> None:
    size, depth = measure(policy.root)
    if size > MAX_NODES or depth > MAX_DEPTH:
        raise TenantError(
            f"the policy would have {size} subterms on {depth} levels, more than the {MAX_NODES} on {MAX_DEPTH} "
            "that the language allows"
        )
