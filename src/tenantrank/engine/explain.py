"""Explanations: which clauses each offer failed, on what values, whose rules the clauses are, and why others passed.

Everything is read from the same observations and the same conditions that ranking used; nothing is decided anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.engine.accepted import Acceptance, Accepted, Outcome, Selection
from tenantrank.engine.atoms import Atoms
from tenantrank.engine.clauses import Check, checks_of, first_failing
from tenantrank.engine.failures import Clause, Failure, Met
from tenantrank.engine.index import EVERY_OFFER, Bits
from tenantrank.engine.misses import fewest
from tenantrank.engine.offers_table import offers_table
from tenantrank.engine.request import Request
from tenantrank.engine.score_parts import Scoring
from tenantrank.engine.stated import Stated
from tenantrank.engine.view import View
from tenantrank.policy.arguments import check_type
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy
from tenantrank.policy.stack import whatever_the_stack
from tenantrank.tenants.origin import Origin

if TYPE_CHECKING:
    from tenantrank.engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Part:
    """Clauses of an effective filter that observe through one view, with their origins by encoding."""

    clauses: tuple[Node, ...]
    view: View
    origins: Mapping[str, tuple[Origin, ...]]


class Explanation:
    """Every failing clause of every offer of one decision, and what the scores of the others are made of.

    Parameters
    ----------
    parts
        the clauses in the order they are tried; the last part is the policy's own
    request
        what the call needs
    engine, policy
        what was ranked by
    outcome
        how it came out; ``None``: ranked now, whole and without a seed, when it is asked for
    """

    def __init__(
        self, parts: Sequence[Part], request: Request, engine: Engine, policy: Policy, outcome: Outcome | None = None
    ) -> None:
        self._index = parts[0].view.index
        self._request = request
        self._engine = engine
        self._policy = policy
        self._outcome = outcome
        self._nodes: list[Node] = []
        self._part_of: list[int] = []
        self._checks: list[Check] = []
        self._parts = parts
        for at, part in enumerate(parts):
            self._checks += checks_of(part.clauses, part.view, request, len(self._nodes))
            self._nodes += part.clauses
            self._part_of += [at] * len(part.clauses)

    @property
    def offer_ids(self) -> tuple[str, ...]:
        """Every offer, in catalog order."""
        return self._index.catalog.offer_ids

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses in the order they are tried."""
        return tuple(self._clause(at) for at in range(len(self._nodes)))

    @cached_property
    def failing(self) -> NDArray[np.bool_]:
        """Whether each clause, (clauses, offers), is failed by each offer, in catalog order."""
        return self._index.unpack(self._fails)

    @cached_property
    def failing_unknown(self) -> NDArray[np.bool_]:
        """Whether each clause, (clauses, offers), is failed by each offer because something is not known of it."""
        return self._index.unpack(self._fails_unknown)

    def first_reasons(self) -> dict[str, str]:
        """Give the reason of the first failing check of each rejected offer, by offer id in catalog order."""
        first = self.first_checks.tolist()
        ids, reasons = self._index.catalog.offer_ids, self.reasons
        return {ids[row]: reasons[at] for row, at in enumerate(first) if at < len(reasons)}

    @property
    def reasons(self) -> list[str]:
        """The reason that each check gives, in the order tried; one a clause, and one for each need of the request."""
        return [check.reason for check in self._checks]

    @property
    def first_checks(self) -> NDArray[np.intp]:
        """The place among ``reasons`` of the first check that each offer fails, (offers,); their number if none."""
        return first_failing(self._checks, self._index)

    def of(self, offer_id: str) -> tuple[Failure, ...]:
        """Give what one offer fails, in the order tried; nothing for an offer that passes.

        Raises
        ------
        KeyError
            for an id that is not in the catalog
        RequestError
            for an id that is no string
        """
        row = self._row_of(offer_id)
        word, bit = row >> 6, row & 63
        return tuple(self._failure(check, row) for check in self._checks if not (int(check.passes[word]) >> bit) & 1)

    def met(self, offer_id: str) -> tuple[Met, ...]:
        """Give what one offer passes, in the order tried, with the values observed; errors as `of`."""
        row = self._row_of(offer_id)
        word, bit = row >> 6, row & 63
        return tuple(self._met(check, row) for check in self._checks if (int(check.passes[word]) >> bit) & 1)

    def accepted(self, offer_id: str) -> Accepted | None:
        """Say of one offer that passes what its score is made of, who stands next, and what the selector made of it;
        ``None`` for one that is rejected.

        Raises
        ------
        KeyError, RequestError
            as `of`
        """
        row = self._row_of(offer_id)
        if not self.passing[row]:
            return None
        return whatever_the_stack(lambda: self.acceptance.of(row))

    @property
    def selection(self) -> Selection:
        """What the selector did with the offers that pass."""
        return self.acceptance.selection

    @cached_property
    def passing(self) -> NDArray[np.bool_]:
        """Whether each offer passes every clause, (offers,), in catalog order."""
        passes = self._index.rows[EVERY_OFFER] & ~np.bitwise_or.reduce(self._fails, axis=0)
        return self._index.unpack(passes)

    @cached_property
    def acceptance(self) -> Acceptance:
        """What became of all offers that pass."""
        survivors = np.flatnonzero(self.passing)
        scoring = Scoring(self._policy.scorer, self._stated[-1], survivors)
        return Acceptance(self.outcome, self._policy.selector, scoring, survivors, self._index.catalog)

    @property
    def outcome(self) -> Outcome:
        """How the ranking came out."""
        if self._outcome is None:
            decision = self._engine.rank(self._policy, self._request)
            self._outcome = Outcome(decision.offer_ids, decision.scores, None, None)
        return self._outcome

    @property
    def ranked_rows(self) -> list[int]:
        """The catalog rows of the ranked offers, best first."""
        return [self._index.row_of_offer(name) for name in self.outcome.offer_ids]

    def table(self) -> pa.Table:
        """Give all of it as an Arrow table, a row for each offer; see `tenantrank.engine.offers_table`."""
        return whatever_the_stack(lambda: offers_table(self, self._engine.provenance, self._policy))

    def deciding(self) -> tuple[Clause, ...]:
        """Give the fewest clauses whose removal would leave an offer; nothing where an offer passes or none exists.

        See `tenantrank.engine.misses.fewest` for which of several sets of equal size it is.
        """
        return tuple(self._clause(at) for at in fewest(self._fails, self._index.rows[EVERY_OFFER]))

    def _clause(self, at: int) -> Clause:
        node, fails = self._nodes[at], self._fails[at]
        return Clause(
            node.encoding,
            describe_clause(node),
            self._parts[self._part_of[at]].origins.get(node.encoding, ()),
            int(np.bitwise_count(fails).sum()),
            int(np.bitwise_count(fails & self._fails_one).sum()),
            int(np.bitwise_count(self._fails_unknown[at]).sum()),
        )

    def _failure(self, check: Check, row: int) -> Failure:
        node, atoms = self._nodes[check.clause], self._atoms_of(check.clause)
        clause = self.clauses[check.clause]
        if node.op == "meets_req":
            (first, *more) = needs = atoms.needs(check.reason)
            bound, observed = (None, None) if more else (atoms.bound(first), atoms.value(first, row))
            return Failure(clause, check.reason, bound, observed, partial(atoms.of_need, needs, row))
        return Failure(clause, check.reason, atoms.bound(node), atoms.value(node, row), partial(atoms.of, node, row))

    def _met(self, check: Check, row: int) -> Met:
        node, atoms = self._nodes[check.clause], self._atoms_of(check.clause)
        clause = self.clauses[check.clause]
        if node.op == "meets_req":
            return Met(clause, partial(atoms.of_need, atoms.needs(check.reason), row, True))
        return Met(clause, partial(atoms.of, node, row))

    def _row_of(self, offer_id: str) -> int:
        check_type(offer_id, str, "an offer id")
        return self._index.row_of_offer(offer_id)

    def _atoms_of(self, clause: int) -> Atoms:
        return self._atoms[self._part_of[clause]]

    @cached_property
    def _atoms(self) -> list[Atoms]:
        return [Atoms(part.clauses, stated) for part, stated in zip(self._parts, self._stated, strict=True)]

    @cached_property
    def _stated(self) -> list[Stated]:
        health = self._engine.health
        return [Stated(part.view, health, self._request) for part in self._parts]

    @cached_property
    def _fails(self) -> Bits:
        """The offers that fail each clause, (clauses, words)."""
        fails = np.zeros((len(self._nodes), self._index.words), dtype=np.uint64)
        for check in self._checks:
            fails[check.clause] |= self._index.rows[EVERY_OFFER] & ~check.passes
        return fails

    @cached_property
    def _fails_one(self) -> Bits:
        """The offers that fail one clause and no other, (words,)."""
        one = np.zeros(self._index.words, dtype=np.uint64)
        more = one.copy()
        for fails in self._fails:
            more |= one & fails
            one |= fails
        return one & ~more

    @cached_property
    def _fails_unknown(self) -> Bits:
        """The offers that fail each clause because something is not known of them, (clauses, words)."""
        return whatever_the_stack(
            lambda: np.stack(
                [self._atoms_of(at).failing_unknown(node, self._fails[at]) for at, node in enumerate(self._nodes)]
            )
        )
