"""Stencils: templates of policies lowered once, from which programs are copied with numbers of their own.

What a policy of a template says differs from that of another in the bounds of some clauses alone, and so do their
programs: instructions never depend on a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.plan import Plan
from tenantrank.engine.programs import Laid
from tenantrank.engine.view import View
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.policy.policy import Policy
from tenantrank.tenants.composed import ComposedPolicy
from tenantrank.tenants.templates import Template, head_of, open_places
from tenantrank_kernels import opcodes as op


class Stencil(NamedTuple):
    """The program of one policy of a template, and which of its numbers are bounds that the others have otherwise.

    ``targets`` are places among the numbers, ``sources`` the place in a policy's own numbers that goes to each.
    """

    plan: Plan
    targets: list[int]
    sources: list[int]


Make: TypeAlias = Callable[[Policy, View], tuple[Node, Plan]]
"""Gives the filter that is lowered for a policy, and its plan."""


class Stencils:
    """The stencils of some templates over one catalog under one envelope."""

    def __init__(self) -> None:
        self._known: dict[Template, Stencil | None] = {}

    def of(self, policy: ComposedPolicy, make: Make, view: View) -> Stencil | None:
        """Give the stencil of a policy's template, making it on first use.

        ``None`` where the envelope makes the place of a clause depend on its bound.
        """
        template = policy.template
        known = self._known
        if template not in known:
            known[template] = _stencil(template, *make(policy, view))
        return known[template]

    def holds(self, template: Template) -> bool:
        """Say whether there is a stencil of a template."""
        return self._known.get(template) is not None


def _stencil(template: Template, condition: Node, plan: Plan) -> Stencil | None:
    # A filter that lets no offer through is `bot`, whatever the bounds are.
    heads = [] if condition.op == "bot" else [head_of(template.clauses[place]) for place in template.places]
    places = open_places(clauses_of(condition), heads)
    if places is None:
        return None
    targets: list[int] = []
    sources: list[int] = []
    bounds = plan.bounds()
    for source, place in enumerate(places):
        own = range(bounds[place], bounds[place + 1])
        targets += own
        sources += [source] * len(own)
    return Stencil(plan, targets, sources)


def laid_out(policies: Sequence[ComposedPolicy], stencils: Sequence[Stencil]) -> Laid:
    """Lay the programs of policies end to end.

    Parameters
    ----------
    policies
        at least one
    stencils
        of the template of each
    """
    place_of: dict[int, int] = {}
    distinct: list[Stencil] = []
    which = np.empty(len(policies), dtype=np.intp)
    for at, stencil in enumerate(stencils):
        place = which[at] = place_of.setdefault(id(stencil), len(distinct))
        if place == len(distinct):
            distinct.append(stencil)
    plans = [stencil.plan for stencil in distinct]
    code, starts = _copies([plan.code for plan in plans], which, np.int32)
    numbers, firsts = _copies([plan.numbers for plan in plans], which, np.float64)
    targets, _ = _copies([stencil.targets for stencil in distinct], which, np.intp)
    sources, patches = _copies([stencil.sources for stencil in distinct], which, np.intp)
    lengths = np.fromiter([len(policy.numbers) for policy in policies], np.intp, len(policies))
    own = np.fromiter(chain.from_iterable([policy.numbers for policy in policies]), np.float64, int(lengths.sum()))
    counts = np.diff(patches, append=len(targets))
    numbers[targets + np.repeat(firsts, counts)] = own[sources + np.repeat(np.cumsum(lengths) - lengths, counts)]
    code[starts + op.NUMBERS] = firsts
    return Laid(
        code,
        numbers,
        starts,
        frozenset[int]().union(*[plan.fields for plan in plans]),
        max(plan.bits for plan in plans),
        max(plan.vectors for plan in plans),
        max(plan.ends for plan in plans),
    )


def _copies(
    parts: Sequence[Sequence[float]], which: NDArray[np.intp], kind: type
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Lay copies of parts end to end; give them, and where each begins."""
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    whole: NDArray[Any] = np.fromiter(chain.from_iterable(parts), kind, int(lengths.sum()))
    begins = np.cumsum(lengths) - lengths
    each = lengths[which]
    starts = np.cumsum(each) - each
    taken = np.arange(int(each.sum()))
    taken += np.repeat(begins[which] - starts, each)
    return whole[taken], starts
