"""Wordings that many policies share, which differ in the numbers of some clauses alone.

Most tenants of a plan are told apart by a price ceiling or a quality floor. What is the same for all of them, the other
clauses and the order of all, the four other parts and the text around the numbers, is worked out once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

from tenantrank.policy import encoding
from tenantrank.policy.encoding import encode_number
from tenantrank.policy.node import Node
from tenantrank.policy.signature import V2, Fields

Others: TypeAlias = tuple[Node, Node, Node, Node]
"""The parts of a policy beside its filter: scorer, selector, transform and failure plan."""
Numbers: TypeAlias = tuple[float, ...]
"""The bounds of a template's open clauses, in the order of the clauses."""


class Template:
    """A policy of the second version in which the bounds of some clauses are left open.

    Parameters
    ----------
    clauses, others
        the parts of one such policy, in normal form
    fields
        the vocabulary that they were admitted against
    places
        of the clauses that are open, ascending; each is a `cmp` whose text up to the bound begins no other clause, so
        that the order of the clauses is the same whatever the bounds are

    Attributes
    ----------
    clauses, others, fields, places : as given
    """

    __slots__ = ("_begun", "_mentioned", "_pieces", "clauses", "fields", "others", "places")

    def __init__(self, clauses: tuple[Node, ...], others: Others, fields: Fields, places: tuple[int, ...] = ()) -> None:
        self.clauses = clauses
        self.others = others
        self.fields = fields
        self.places = places
        self._pieces: tuple[str, ...] | None = None
        self._begun = _NOTHING
        self._mentioned: dict[str, bool] = {}

    @property
    def numbers(self) -> Numbers:
        """The bounds of the policy that it was made from."""
        return tuple([self.clauses[place].parameters[2] for place in self.places])

    def mentions(self, name: str) -> bool:
        """Say whether a name stands in its policies, as a field or another string; found out once."""
        found = self._mentioned.get(name)
        if found is None:
            quoted = f'"{name}"'
            found = any(quoted in part.encoding for part in (*self.clauses, *self.others))
            self._mentioned[name] = found
        return found

    @property
    def pieces(self) -> tuple[str, ...]:
        """What stands around the numbers in the canonical text with its version prefix: one piece more than numbers."""
        pieces = self._pieces
        if pieces is None:
            pieces = tuple(self._text(_GAP).split(_GAP))
            self._begun = hashlib.sha256(pieces[0].encode())
            self._pieces = pieces
        return pieces

    def clauses_with(self, numbers: Numbers) -> tuple[Node, ...]:
        """Give the clauses with these bounds."""
        if not self.places:
            return self.clauses
        clauses = list(self.clauses)
        for place, number in zip(self.places, numbers, strict=True):
            clause = clauses[place]
            encoding = f"{head_of(clause)}{encode_number(number)})"
            clauses[place] = Node(clause.op, encoding, (), (*clause.parameters[:2], number), clause.slots)
        return tuple(clauses)

    def encoding(self, numbers: Numbers) -> str:
        """Give the canonical text with these bounds, with its version prefix."""
        if self._pieces is None and numbers == self.numbers:
            # A template may well be that of one policy alone, and pieces take as much room as a text.
            return self._text(None)
        return self.pieces[0] + self._rest(numbers)

    def identity(self, numbers: Numbers) -> str:
        """Give the sha256 of the canonical text with these bounds, in hex."""
        if self._pieces is None and numbers == self.numbers:
            return encoding.identity(self._text(None))
        rest = self._rest(numbers)
        digest = self._begun.copy()
        digest.update(rest.encode())
        return digest.hexdigest()

    def _rest(self, numbers: Numbers) -> str:
        pieces = self.pieces
        if len(numbers) == 1:
            return f"{encode_number(numbers[0])}{pieces[1]}"
        return "".join([f"{encode_number(number)}{piece}" for number, piece in zip(numbers, pieces[1:], strict=True)])

    def _text(self, gap: str | None) -> str:
        """Give the text of the policy that it was made from, a gap in place of each number where one is given."""
        texts = [clause.encoding for clause in self.clauses]
        if gap is not None:
            for place in self.places:
                texts[place] = f"{head_of(self.clauses[place])}{gap})"
        joined = texts[0] if len(texts) == 1 else f"(and {' '.join(texts)})"
        return f"{V2}:(policy {joined} {' '.join([part.encoding for part in self.others])})"


_NOTHING = hashlib.sha256()
_GAP = "\ud800"  # no text that was admitted holds half a surrogate


def head_of(clause: Node) -> str:
    """Give the text of a `cmp` up to its bound."""
    return clause.encoding[: clause.encoding.rindex(" ") + 1]


def open_places(clauses: Sequence[Node], heads: Sequence[str]) -> tuple[int, ...] | None:
    """Give the place of the one clause that begins with each of these texts; ``None`` where one begins several or none.

    Texts that ascend begin clauses that ascend, since clauses are in the order of their texts.
    """
    places = []
    for head in heads:
        found = [place for place, clause in enumerate(clauses) if clause.encoding.startswith(head)]
        if len(found) != 1:
            return None
        places += found
    return tuple(places)
