"""An explanation as one Arrow table, a row for each offer, with the clauses that it fails as the bits of a number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.policy.policy import Policy

if TYPE_CHECKING:
    from tenantrank.engine.explain import Explanation

_WORD = 64

MASK = pa.uint64()
"""The type of a bitmask of up to 64 clauses; beyond, it is a list of them, clause 64 being bit 0 of the second."""
SCHEMA = pa.schema(
    [
        pa.field("offer_id", pa.string(), nullable=False),
        pa.field("passes", pa.bool_(), nullable=False),
        pa.field("place", pa.int32()),
        pa.field("score", pa.float64()),
        pa.field("failed", MASK, nullable=False),
        pa.field("unknown", MASK, nullable=False),
        pa.field("failed_count", pa.int32(), nullable=False),
        pa.field("first_reason", pa.dictionary(pa.int32(), pa.string())),
    ]
)
"""Columns of `offers_table`.

``passes``: no clause fails. ``place``: in the decision, from 1; null where the offer is rejected, or cut by the
selector or by how many were asked for. ``score``: null where it is rejected, or a chain does not list it. ``failed``:
bit ``i`` is set where clause ``i`` fails; ``unknown``: those of them that fail because something is not known of the
offer. ``failed_count``: how many fail. ``first_reason``: of the first check that fails, as in `Decision.rejected`.
"""


def offers_table(explanation: Explanation, provenance: Mapping[str, str], policy: Policy) -> pa.Table:
    """Give an explanation as a table, in catalog order.

    Returns
    -------
    pyarrow.Table
        with the columns of `SCHEMA`, where ``failed`` and ``unknown`` are lists of uint64 for more than 64 clauses. Its
        metadata has ``clauses``, a JSON list with ``bit``, ``clause`` (canonical text), ``words``, ``origins``,
        ``failed``, ``alone`` and ``unknown`` of each, ``policy_identity``, and what an engine's tables carry
    """
    acceptance = explanation.acceptance
    passing = explanation.passing
    ids = explanation.offer_ids
    scores, scored = np.full(len(ids), np.nan), np.zeros(len(ids), dtype=bool)
    scores[passing] = acceptance.scores
    scored[passing] = acceptance.scored
    places = np.zeros(len(ids), dtype=np.int32)
    ranked = explanation.ranked_rows
    places[ranked] = np.arange(1, len(ranked) + 1)
    reasons = explanation.reasons
    first = explanation.first_checks
    columns = [
        pa.array(ids, pa.string()),
        pa.array(passing),
        pa.array(places, mask=places == 0),
        pa.array(scores, mask=~scored),
        _masks(explanation.failing),
        _masks(explanation.failing_unknown),
        pa.array(explanation.failing.sum(axis=0, dtype=np.int32)),
        _named(first, reasons),
    ]
    fields = [
        field.with_type(column.type) if field.type == MASK else field
        for field, column in zip(SCHEMA, columns, strict=True)
    ]
    metadata = {**provenance, "policy_identity": policy.identity, "clauses": _clauses(explanation)}
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=metadata))


def _masks(failing: NDArray[np.bool_]) -> pa.Array:
    """Give the clauses that each offer fails as one number, or as a list of them for more than 64 clauses."""
    clauses, offers = failing.shape
    words = max(1, -(-clauses // _WORD))
    octets = np.zeros((offers, 8 * words), dtype=np.uint8)
    packed = np.packbits(failing, axis=0, bitorder="little")
    octets[:, : len(packed)] = packed.T
    numbers = octets.view("<u8").astype(np.uint64)
    if words == 1:
        return pa.array(numbers[:, 0])
    offsets = np.arange(0, words * (offers + 1), words, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers.reshape(-1)))


def _named(first: NDArray[np.intp], reasons: list[str]) -> pa.Array:
    distinct = {reason: code for code, reason in enumerate(dict.fromkeys(reasons))}
    codes = np.array([*(distinct[reason] for reason in reasons), 0], dtype=np.int32)[first]
    codes_of = pa.array(codes, mask=first == len(reasons))
    return pa.DictionaryArray.from_arrays(codes_of, pa.array(list(distinct), pa.string()))


def _clauses(explanation: Explanation) -> str:
    told = [{"bit": bit, **clause.to_json()} for bit, clause in enumerate(explanation.clauses)]
    return json.dumps(told, ensure_ascii=False)
