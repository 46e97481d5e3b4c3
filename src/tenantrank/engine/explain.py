"""Explanations: which clauses each offer failed, on what values, whose rules the clauses are, and why others passed.

Everything is read from the same observations and the same conditions that ranking used; nothing is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.engine.accepted import Acceptance, Accepted, Outcome, Selection
from tenantrank.engine.atoms import Atoms
from tenantrank.engine.clauses import Check, checks_of, clause_masks
from tenantrank.engine.failures import Clause, Failure, Met
from tenantrank.engine.index import EVERY_OFFER, Bits, CatalogIndex
from tenantrank.engine.misses import fewest
from tenantrank.engine.offers_table import offers_table
from tenantrank.engine.rejections import counts_and_first_of, counts_of, fail_counts_of, fails_of, first_of
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ready
from tenantrank.engine.score_parts import Scoring
from tenantrank.engine.stated import Stated
from tenantrank.engine.view import View
from tenantrank.policy.arguments import check_type
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.lazily import lazily
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy
from tenantrank.policy.stack import whatever_the_stack
from tenantrank.tenants.origin import Origin
from tenantrank_kernels import OWN_COUNTS

if TYPE_CHECKING:
    from tenantrank.engine.engine import Engine


class Part(NamedTuple):
    """Clauses of an effective filter that observe through one view, with their origins by encoding."""

    clauses: tuple[Node, ...]
    view: View
    origins: Mapping[str, tuple[Origin, ...]]


class Explanation:
    """Every failing clause of every offer of one decision, and what the scores of the others are made of.

    Parameters
    ----------
    index
        of the catalog
    parts
        gives the clauses in the order they are tried; the last part is the policy's own
    request
        what the call needs
    engine, policy
        what was ranked by
    outcome
        how it came out; ``None``: ranked now, whole and without a seed, when it is asked for
    located
        gives where the policy's program is, where its clauses are those of the parts
    """

    def __init__(
        self,
        index: CatalogIndex,
        parts: Callable[[], Sequence[Part]],
        request: Request,
        engine: Engine,
        policy: Policy,
        outcome: Outcome | None,
        located: Callable[[], tuple[Ready, int]] | None,
    ) -> None:
        self._index = index
        self._find_parts = parts
        self._request = request
        self._engine = engine
        self._policy = policy
        self._outcome = outcome
        self._located = located

    @property
    def offer_ids(self) -> tuple[str, ...]:
        """Every offer, in catalog order."""
        return self._index.catalog.offer_ids

    @lazily
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses in the order they are tried."""
        counts = fail_counts_of(self._fails, self._fails_unknown).T.tolist()
        told = zip(self._nodes, self._part_of, counts, strict=True)
        origins = [part.origins for part in self._parts]
        return tuple(
            [
                Clause(node.encoding, describe_clause(node), origins[part].get(node.encoding, ()), *found)
                for node, part, found in told
            ]
        )

    @property
    def failed(self) -> NDArray[np.intp]:
        """How many offers fail each clause, (clauses,), in the order tried: what ``clauses`` say of it alone."""
        if self._located is not None:
            return counts_of(*self._located(), OWN_COUNTS).astype(np.intp)
        failed: NDArray[np.intp] = np.bitwise_count(self._fails).sum(axis=1, dtype=np.intp)
        return failed

    @lazily
    def failing(self) -> NDArray[np.bool_]:
        """Whether each clause, (clauses, offers), is failed by each offer, in catalog order."""
        return self._index.unpack(self._fails)

    @lazily
    def failing_unknown(self) -> NDArray[np.bool_]:
        """Whether each clause, (clauses, offers), is failed by each offer because something is not known of it."""
        return self._index.unpack(self._fails_unknown)

    def first_reasons(self) -> dict[str, str]:
        """Give the reason of the first failing check of each rejected offer, by offer id in catalog order."""
        reasons = self.reasons
        first = self._first
        rejected = first < len(reasons)
        texts = np.array(reasons, dtype=object)[first[rejected]].tolist()
        return dict(zip(compress(self.offer_ids, rejected.tobytes()), texts, strict=True))

    @property
    def reasons(self) -> list[str]:
        """The reason that each check gives, in the order tried; one a clause, and one for each need of the request."""
        return [check.reason for check in self._checks]

    @property
    def first_checks(self) -> NDArray[np.intp]:
        """The place among ``reasons`` of the first check that each offer fails, (offers,); their number if none."""
        return self._first.astype(np.intp)

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
        return tuple([self._failure(check, row) for check in self._checks if self._fails_check(check, row)])

    def met(self, offer_id: str) -> tuple[Met, ...]:
        """Give what one offer passes, in the order tried, with the values observed; errors as `of`."""
        row = self._row_of(offer_id)
        return tuple([self._met(check, row) for check in self._checks if not self._fails_check(check, row)])

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

    @lazily
    def passing(self) -> NDArray[np.bool_]:
        """Whether each offer passes every clause, (offers,), in catalog order."""
        passes = self._index.rows[EVERY_OFFER] & ~np.bitwise_or.reduce(self._fails, axis=0)
        return self._index.unpack(passes)

    @lazily
    def acceptance(self) -> Acceptance:
        """What became of all offers that pass."""
        survivors = np.flatnonzero(self.passing)
        scoring = Scoring(self._policy.scorer, self._atoms[-1].stated, survivors)
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
        return tuple([self.clauses[at] for at in fewest(self._fails, self._index.rows[EVERY_OFFER])])

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

    def _fails_check(self, check: Check, row: int) -> bool:
        bits = self._fails[check.clause] if check.need is None else ~check.need
        return bool((int(bits[row >> 6]) >> (row & 63)) & 1)

    def _atoms_of(self, clause: int) -> Atoms:
        return self._atoms[self._part_of[clause]]

    @lazily
    def _parts(self) -> Sequence[Part]:
        return self._find_parts()

    @lazily
    def _nodes(self) -> list[Node]:
        return [node for part in self._parts for node in part.clauses]

    @lazily
    def _part_of(self) -> list[int]:
        """The place of the part that each clause belongs to."""
        return [at for at, part in enumerate(self._parts) for _ in part.clauses]

    @lazily
    def _atoms(self) -> list[Atoms]:
        health, request = self._engine.health, self._request
        return [Atoms(part.clauses, Stated(part.view, health, request)) for part in self._parts]

    @lazily
    def _fails(self) -> Bits:
        """The offers that fail each clause, (clauses, words)."""
        if self._located is not None:
            return fails_of(*self._located())
        return whatever_the_stack(lambda: np.concatenate([self._fails_of(part) for part in self._parts]))

    def _fails_of(self, part: Part) -> Bits:
        fails: Bits = self._index.rows[EVERY_OFFER] & ~clause_masks(part.clauses, part.view, self._request)
        return fails

    @lazily
    def _fails_unknown(self) -> Bits:
        """The offers that fail each clause because something is not known of them, (clauses, words)."""
        return whatever_the_stack(self._found_unknown)

    def _found_unknown(self) -> Bits:
        if len(self._atoms) == 1:
            return self._atoms[0].failing_unknown(self._fails)
        by_part = zip(self._atoms, np.split(self._fails, [len(self._parts[0].clauses)]), strict=True)
        return np.concatenate([atoms.failing_unknown(fails) for atoms, fails in by_part])

    @lazily
    def _checks(self) -> list[Check]:
        """What is checked of every offer, in the order tried."""
        return checks_of(self._nodes, [self._parts[at].view for at in self._part_of], self._request)

    @lazily
    def _first(self) -> NDArray[np.uint16]:
        """The place of the first check that each offer fails, (offers,); their number if none."""
        if self._located is not None and all(node.op != "meets_req" for node in self._nodes):
            return counts_and_first_of(*self._located())[1]
        every, size = self._index.rows[EVERY_OFFER], self._index.size
        fails = [self._fails[at] if need is None else every & ~need for at, _, need in self._checks]
        return first_of(np.array(fails), size) if fails else np.zeros(size, dtype=np.uint16)
