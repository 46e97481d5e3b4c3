"""What engines over one catalog and one envelope share, whatever the health: index, envelope, compiled policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter, is_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.lower import Fragments, lower
from tenantrank.engine.plan import Plan
from tenantrank.engine.programs import Programs
from tenantrank.engine.stencils import Stencil, Stencils, laid_out
from tenantrank.engine.view import View
from tenantrank.policy import admission
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import VERSIONS, Version
from tenantrank.policy.stack import whatever_the_stack
from tenantrank.tenants.composed import ComposedPolicy

_PROGRAM_BYTES = 128 * 1024 * 1024  # what the programs of a version may take before they are made anew


_BATCHES_KEPT = 2
_LOOKED_UP = 2048  # policies after which another thread may have the interpreter
_COSTS = f'"{EXPECTED_COST}"'
_identity = attrgetter("identity")


class Batch(NamedTuple):
    """A batch that was ranked before: policies of one version, where the program of each begins in one set."""

    policies: tuple[Policy, ...]
    version: Version
    programs: Programs
    starts: NDArray[np.int64]


def _look_up(at_of: Mapping[str, int], policies: Sequence[Policy]) -> list[int | None]:
    found: list[int | None] = []
    for begin in range(0, len(policies), _LOOKED_UP):
        found += map(at_of.get, map(_identity, policies[begin : begin + _LOOKED_UP]))
    return found


def _same(policies: tuple[Policy, ...], others: object) -> bool:
    """Say whether a tuple or list holds these very objects in this order."""
    if others is policies:
        return True
    kind = type(others)
    return (
        (kind is tuple or kind is list)
        and len(others) == len(policies)  # type: ignore[arg-type]
        and all(map(is_, policies, others))  # type: ignore[call-overload]
    )


class Compiled:
    """Policies compiled onto one catalog under one envelope. Safe to use from several threads."""

    def __init__(self, index: CatalogIndex, envelope: Envelope) -> None:
        self.index = index
        self.envelope = envelope
        self.programs: dict[Version, Programs] = {version: Programs() for version in VERSIONS}
        self._fragments: dict[Version, Fragments] = {version: {} for version in VERSIONS}
        self._batches: tuple[Batch, ...] = ()

    def reads_costs(self, term: Policy | Node) -> bool:
        """Say whether a term under the envelope may read what a call is expected to cost."""
        if not self.index.catalog.expects_costs:
            return False
        own = _COSTS in term.encoding if isinstance(term, Node) else term.mentions(EXPECTED_COST)
        envelope = self.envelope.term
        return own or (envelope is not None and envelope.mentions(EXPECTED_COST))

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

    def found(self, policies: Sequence[Policy]) -> tuple[Version, Programs, NDArray[np.int64]] | None:
        """Give the version of policies that are all compiled already and of one, the set that holds their programs, and
        where each begins; else ``None``.
        """
        for version in reversed(VERSIONS):
            programs = self.programs[version]
            # The identity of a policy is that of its version too.
            if policies and policies[0].identity in programs.at_of:
                found = _look_up(programs.at_of, policies)
                return None if None in found else (version, programs, np.array(found, dtype=np.int64))
        return None

    def starts(self, policies: Sequence[Policy], view: View) -> tuple[Programs, NDArray[np.int64]]:
        """Give the set of programs that holds those of policies of one version, and where each begins."""
        programs = self._with_room(view.version)
        at_of = programs.at_of
        found = _look_up(at_of, policies)
        if None in found:
            # All into one set, however large it grows: a batch is ranked over one.
            lacking = [policy for policy, at in zip(policies, found, strict=True) if at is None]
            self._add_all(lacking, programs, view, Stencils())
            found = [at_of[policy.identity] if at is None else at for policy, at in zip(policies, found, strict=True)]
        return programs, np.array(found, dtype=np.int64)

    def apart(self, policies: Sequence[Policy], view: View, stencils: Stencils) -> tuple[Programs, NDArray[np.int64]]:
        """Give a set of programs of its own for policies of one version, and where each begins.

        Nothing is remembered but stencils, in what is given.
        """
        programs = Programs()
        self._add_all(policies, programs, view, stencils)
        return programs, np.array([programs.at_of[policy.identity] for policy in policies], dtype=np.int64)

    def remembered(self, policies: object) -> Batch | None:
        """Give what is remembered of a batch: of these very policies in this order, since none can change."""
        for batch in self._batches:
            if self.programs[batch.version] is batch.programs and _same(batch.policies, policies):
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

    def _add_all(self, policies: Iterable[Policy], programs: Programs, view: View, stencils: Stencils) -> None:
        """Add policies that a set of programs lacks."""
        distinct = {policy.identity: policy for policy in policies}
        composed = [policy for policy in distinct.values() if isinstance(policy, ComposedPolicy)]
        alike = Counter([policy.template for policy in composed])
        chosen: list[ComposedPolicy] = []
        theirs: list[Stencil] = []
        for policy in composed:
            # Of a template that has one policy here, a stencil would be used once.
            if alike[policy.template] > 1 and (stencil := stencils.of(policy, self._made, view)) is not None:
                chosen.append(policy)
                theirs.append(stencil)
        if chosen:
            for policy in chosen:
                del distinct[policy.identity]
            programs.extend(laid_out(chosen, theirs), map(_identity, chosen))
        for other in distinct.values():
            self._add(programs, other, view)

    def _made(self, policy: Policy, view: View) -> tuple[Node, Plan]:
        """Give the filter that is lowered for a policy, and its plan."""
        return self.envelope.effective(policy), whatever_the_stack(lambda: self._lowered(policy, view))

    def _add(self, programs: Programs, policy: Policy, view: View) -> int:
        return programs.add(policy.identity, whatever_the_stack(lambda: self._lowered(policy, view)))

    def _lowered(self, policy: Policy, view: View) -> Plan:
        if policy.fields is not self.index.catalog.fields:
            admission.check(policy.term, self.index.catalog.fields, policy.version, "Policy")
        condition, fragments = self.envelope.effective(policy), self._fragments[policy.version]
        return lower(condition, policy.scorer, policy.selector, self.index, view, fragments)
