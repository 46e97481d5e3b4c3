"""What engines over one catalog and one envelope share, whatever the health: index, envelope, compiled policies."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.lower import Fragments, lower
from tenantrank.engine.plan import Plan
from tenantrank.engine.programs import Programs
from tenantrank.engine.view import View
from tenantrank.policy import admission
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import VERSIONS, Version
from tenantrank.policy.stack import whatever_the_stack

_PROGRAM_BYTES = 128 * 1024 * 1024  # what the programs of a version may take before they are made anew


_BATCHES_KEPT = 2
_COSTS = f'"{EXPECTED_COST}"'
_identity = attrgetter("identity")


class Batch(NamedTuple):
    """A batch that was ranked before: policies of one version, where the program of each begins in one set."""

    policies: tuple[Policy, ...]
    version: Version
    programs: Programs
    starts: NDArray[np.int64]


class Compiled:
    """Policies compiled onto one catalog under one envelope. Safe to use from several threads."""

    def __init__(self, index: CatalogIndex, envelope: Envelope) -> None:
        self.index = index
        self.envelope = envelope
        self.programs: dict[Version, Programs] = {version: Programs() for version in VERSIONS}
        self._fragments: dict[Version, Fragments] = {version: {} for version in VERSIONS}
        self._batches: tuple[Batch, ...] = ()

    def reads_costs(self, root: Node) -> bool:
        """Say whether a term under the envelope may read what a call is expected to cost."""
        if not self.index.catalog.expects_costs:
            return False
        envelope = self.envelope.term
        return _COSTS in root.encoding or (envelope is not None and _COSTS in envelope.root.encoding)

    def program(self, policy: Policy, view: View) -> tuple[Programs, int]:
        """Give the set of programs that holds a policy's, and where it begins, compiling it on first use.

        ``view`` is any view of the catalog of the policy's version.
        """
        programs = self.programs[policy.version]
        at = programs.at_of.get(policy.identity)
        if at is None:
            programs = self._with_room(policy.version)
            at = self._add(programs, policy, view)
        return programs, at

    def starts(self, policies: Sequence[Policy], view: View) -> tuple[Programs, NDArray[np.int64]]:
        """Give the set of programs that holds those of policies of one version, and where each begins."""
        programs = self._with_room(view.version)
        at_of = programs.at_of
        found = list(map(at_of.get, map(_identity, policies)))
        if None in found:
            # All into one set, however large it grows: a batch is ranked over one.
            for place, policy in enumerate(policies):
                if found[place] is None:
                    at = at_of.get(policy.identity)
                    found[place] = self._add(programs, policy, view) if at is None else at
        return programs, np.array(found, dtype=np.int64)

    def remembered(self, policies: object) -> Batch | None:
        """Give what is remembered of a batch: of this very tuple, since neither it nor a policy can change."""
        for batch in self._batches:
            if batch.policies is policies and self.programs[batch.version] is batch.programs:
                return batch
        return None

    def remember(self, batch: Batch) -> None:
        """Remember a batch, in place of the one that was remembered longest."""
        self._batches = (batch, *self._batches[: _BATCHES_KEPT - 1])

    def _with_room(self, version: Version) -> Programs:
        """Give the set that new programs go to, made anew where there is no more room."""
        programs = self.programs[version]
        if programs.nbytes > _PROGRAM_BYTES:
            programs = self.programs[version] = Programs()
        return programs

    def _add(self, programs: Programs, policy: Policy, view: View) -> int:
        return programs.add(policy.identity, whatever_the_stack(lambda: self._lowered(policy, view)))

    def _lowered(self, policy: Policy, view: View) -> Plan:
        if policy.fields is not self.index.catalog.fields:
            admission.check(policy.term, self.index.catalog.fields, policy.version, "Policy")
        condition, fragments = self.envelope.effective(policy), self._fragments[policy.version]
        return lower(condition, policy.scorer, policy.selector, self.index, view, fragments)
