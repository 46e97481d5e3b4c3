"""What engines over one catalog and one envelope share, whatever the health: index, envelope, compiled policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog import Catalog
from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.engine.by_object import addresses_of
from tenantrank.engine.carried import carried, holds_over
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.fragments import Fragments
from tenantrank.engine.given import admitted_of
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.known import Known, Sets
from tenantrank.engine.lower import lower
from tenantrank.engine.plan import Plan
from tenantrank.engine.programs import Programs
from tenantrank.engine.stencils import Stencil, Stencils, laid_out
from tenantrank.engine.view import View
from tenantrank.policy import admission
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import VERSIONS, Fields, Version
from tenantrank.policy.stack import whatever_the_stack
from tenantrank.tenants.composed import ComposedPolicy

_PROGRAM_BYTES = 128 * 1024 * 1024  # what the programs of a version may take before they are made anew
_BATCHES_KEPT = 2
_LOOKED_UP = 2048  # policies after which another thread may have the interpreter
WORTH_A_TABLE = 128  # policies below which asking each for its identity is as fast
_COSTS = f'"{EXPECTED_COST}"'
_identity, _version = attrgetter("identity"), attrgetter("version")


class Batch(NamedTuple):
    """A batch that was ranked before: policies of one version, where the program of each begins in one set."""

    policies: tuple[Any, ...]
    addresses: NDArray[np.int64]
    version: Version
    programs: Programs
    starts: NDArray[np.int64]


def _look_up(at_of: Mapping[str, int], policies: Sequence[Policy]) -> list[int | None]:
    found: list[int | None] = []
    for begin in range(0, len(policies), _LOOKED_UP):
        found += map(at_of.get, map(_identity, policies[begin : begin + _LOOKED_UP]))
    return found


class Compiled:
    """Policies compiled onto one catalog under one envelope. Safe to use from several threads."""

    def __init__(self, index: CatalogIndex, envelope: Envelope) -> None:
        self.index = index
        self.envelope = envelope
        self.programs: dict[Version, Programs] = {version: Programs() for version in VERSIONS}
        self._fragments: dict[Version, Fragments] = {version: Fragments() for version in VERSIONS}
        self._batches: tuple[Batch, ...] = ()
        self._known = Known()
        self._admitted_by: Fields | None = None

    def over(self, catalog: Catalog) -> Compiled:
        """Give what is compiled here over another catalog under the same envelope, as far as it holds there.

        Raises
        ------
        PolicyError
            where the envelope does not fit the catalog
        """
        other = Compiled(CatalogIndex(catalog), Envelope(self.envelope.term, catalog))
        if holds_over(self.index, other.index):
            # Programs first: those that are added meanwhile may name rows that are made meanwhile.
            programs = {version: carried(self.programs[version]) for version in VERSIONS}
            if other.index.number_as(self.index):
                other.programs = programs
        return other

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
        version, identity = policy.version, policy.identity
        programs = self.programs[version]
        at = programs.at_of.get(identity)
        if at is None:
            if programs.nbytes > _PROGRAM_BYTES:
                programs = self._with_room(version)
            at = programs.add(identity, whatever_the_stack(lambda: self._lowered(policy, view)))
        return programs, at

    def located(
        self, policies: tuple[Any, ...], addresses: NDArray[np.int64], span: slice, view_of: Callable[[Version], View]
    ) -> tuple[Sets, NDArray[np.int64]]:
        """Find the programs of some policies of a batch, compiling those that are new.

        Parameters
        ----------
        policies, addresses
            the batch, admitted or compiled policies, and where they lie
        span
            which of them
        view_of
            gives any view of the catalog of a version

        Returns
        -------
        sets of programs, and the place of each policy's program among them as `Known` has it

        Raises
        ------
        RequestError
            for an item that is no policy
        """
        sets = tuple([self.programs[version] for version in VERSIONS])
        wanted, known = addresses[span], self._known
        many = len(wanted) >= WORTH_A_TABLE
        places = known.places(wanted) if many and known.sets == sets else np.full(len(wanted), -1, dtype=np.int64)
        new = np.flatnonzero(places < 0)
        if len(new):
            objects = tuple([policies[at] for at in (span.start + new).tolist()])
            admitted = admitted_of(objects)
            if self._full(sets) and not self._hold(sets, admitted):
                # All into one set, however large it grows: a batch is ranked over one.
                sets = tuple([self._with_room(version) for version in VERSIONS])
                new, objects, admitted = np.arange(len(wanted)), policies[span], admitted_of(policies[span])
            places[new] = self._places(sets, admitted, view_of)
            if many:
                self._keep(sets, objects, places[new], list(map(_identity, admitted)), len(policies))
        return sets, places

    def identities(self, policies: tuple[Any, ...]) -> NDArray[np.bytes_] | Sequence[str]:
        """Give the identities of admitted or compiled policies."""
        found = self._known.identities(addresses_of(policies)) if len(policies) >= WORTH_A_TABLE else None
        return list(map(_identity, admitted_of(policies))) if found is None else found

    def starts(self, policies: Sequence[Policy], view: View) -> tuple[Programs, NDArray[np.int64]]:
        """Give the set of programs that holds those of policies of one version, and where each begins."""
        programs = self._with_room(view.version)
        return programs, self._starts(programs, policies, view)

    def apart(self, policies: Sequence[Policy], view: View, stencils: Stencils) -> tuple[Programs, NDArray[np.int64]]:
        """Give a set of programs of its own for policies of one version, and where each begins.

        Nothing is remembered but stencils, in what is given.
        """
        programs = Programs()
        self._add_all(policies, programs, view, stencils)
        return programs, np.array([programs.at_of[policy.identity] for policy in policies], dtype=np.int64)

    def remembered(self, policies: tuple[Any, ...]) -> tuple[Batch | None, NDArray[np.int64]]:
        """Give what is remembered of a batch, of these very policies in this order, since none can change; and where
        they lie.
        """
        batches = [batch for batch in self._batches if self.programs[batch.version] is batch.programs]
        for batch in batches:
            if batch.policies is policies:
                return batch, batch.addresses
        addresses = addresses_of(policies)
        for batch in batches:
            # Another batch mostly begins or ends with another policy, which is seen at once.
            if policies and policies[-1] is batch.policies[-1] and np.array_equal(batch.addresses, addresses):
                return batch, addresses
        return None, addresses

    def remember(self, batch: Batch) -> None:
        """Remember a batch, in place of the one that was remembered longest."""
        self._batches = (batch, *self._batches[: _BATCHES_KEPT - 1])

    def _places(self, sets: Sets, policies: Sequence[Policy], view_of: Callable[[Version], View]) -> NDArray[np.int64]:
        """Give the places of policies as `located` does, adding what the sets lack to these very sets."""
        versions = list(map(_version, policies))
        places = np.empty(len(policies), dtype=np.int64)
        for version in dict.fromkeys(versions):
            which = VERSIONS.index(version)
            own = [at for at, each in enumerate(versions) if each == version]
            places[own] = 2 * self._starts(sets[which], [policies[at] for at in own], view_of(version)) + which
        return places

    def _starts(self, programs: Programs, policies: Sequence[Policy], view: View) -> NDArray[np.int64]:
        """Give where the programs of policies of one version begin in a set, adding those that it lacks."""
        at_of = programs.at_of
        found = _look_up(at_of, policies)
        if None in found:
            lacking = [policy for policy, at in zip(policies, found, strict=True) if at is None]
            self._add_all(lacking, programs, view, Stencils())
            found = [at_of[policy.identity] if at is None else at for policy, at in zip(policies, found, strict=True)]
        return np.array(found, dtype=np.int64)

    def _keep(
        self, sets: Sets, objects: tuple[Any, ...], places: NDArray[np.int64], identities: list[str], batch: int
    ) -> None:
        """Have policies known by their object from now on."""
        # Without a lock, which a forked child would wait for in vain: who is overwritten by another thread is found by
        # its identity, and is kept then.
        known = self._known
        if known.sets != sets:
            known = Known(sets)
        self._known = known.extended(objects, places, identities, batch)

    def _full(self, sets: Sets) -> bool:
        return any(programs.nbytes > _PROGRAM_BYTES for programs in sets)

    def _hold(self, sets: Sets, policies: Sequence[Policy]) -> bool:
        """Say whether sets have the programs of all of some policies."""
        return all(policy.identity in sets[VERSIONS.index(policy.version)].at_of for policy in policies)

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
        # Catalogs that follow one another mostly have equal fields, and those found to be so last are looked at first.
        if policy.fields is not self._admitted_by:
            fields = self.index.catalog.fields
            if fields.admits(policy.fields):
                self._admitted_by = policy.fields
            else:
                admission.check(policy.term, fields, policy.version, "Policy")
        fragments = self._fragments[policy.version]
        if type(policy) is Policy and self.envelope.term is None:
            # As below, without a function for each part.
            condition, scorer, selector = policy.root[2][-5:-2]
            return lower(condition, scorer, selector, self.index, view, fragments)
        return lower(self.envelope.effective(policy), policy.scorer, policy.selector, self.index, view, fragments)
