"""Rejections in bulk: the first clause that each offer fails, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.given import parts_of, request_of
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ready, alone
from tenantrank.policy.normal_form import clauses_of
from tenantrank.policy.policy import Policy
from tenantrank_kernels import clause_counts, first_failing, handle_of

if TYPE_CHECKING:
    from tenantrank.engine.generation import Generation
    from tenantrank.tenants import CompiledPolicy


class Rejections(NamedTuple):
    """What a filter turns away, clause by clause, each offer counted at the first clause it fails.

    Attributes
    ----------
    clauses : canonical text of each clause, in the order tried; a request's needs are one clause
    counts : (clauses,) int32, how many offers it is the first to turn away
    first : (offers,) uint16, the place of the first clause that an offer fails, ``len(clauses)`` where it passes all
    """

    clauses: tuple[str, ...]
    counts: NDArray[np.int32]
    first: NDArray[np.uint16]


def for_clauses(
    now: Generation, policy: Policy | CompiledPolicy, request: Mapping[str, Any] | Request | None
) -> tuple[Ready, int, tuple[str, ...], CatalogIndex]:
    """Give a frame for a policy's program, where that begins, the clauses of its filter, and the catalog's index."""
    admitted, _ = parts_of(policy)
    prepared = now.prepared_for(admitted, request_of(request))
    programs, at = now.compiled.program(admitted, prepared.view)
    clauses = tuple(clause.encoding for clause in clauses_of(now.compiled.envelope.effective(admitted)))
    return prepared.ready_for(programs), at, clauses, prepared.view.index


def counted(ready: Ready, at: int, clauses: int) -> NDArray[np.int32]:
    """Count the offers that each clause of a program is the first to turn away, (clauses,)."""
    counts = np.empty(clauses, dtype=np.int32)
    _run(clause_counts, ready, at, counts)
    return counts


def first_clauses(ready: Ready, at: int, size: int, width: int) -> NDArray[np.uint16]:
    """Find the place of the clause of a program that each offer fails first, (size,)."""
    first = np.empty(width, dtype=np.uint16)
    _run(first_failing, ready, at, first)
    return first[:size]


def _run(kernel: Any, ready: Ready, at: int, result: NDArray[Any]) -> None:
    with alone():
        kernel(ready.frame.handle, ready.scratch.handle, at, handle_of(result))
