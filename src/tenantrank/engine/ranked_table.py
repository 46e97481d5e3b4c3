"""The answers of a batch as an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tenantrank.engine.running import Ranked
from tenantrank.policy.policy import Policy


def ranked_table(
    policies: Sequence[Policy], ranked: Ranked, offer_ids: Sequence[str], provenance: Mapping[str, str]
) -> pa.Table:
    """Give a row for each policy, in order, with the columns of `Engine.rank_many`.

    Parameters
    ----------
    policies, ranked
        the batch and its answers
    offer_ids
        of the catalog, in its order
    provenance
        the table's metadata
    """
    rows, scores, counts, survived = ranked
    kept = np.arange(rows.shape[1]) < counts[:, None]
    offsets = np.zeros(len(policies) + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    offers = pa.DictionaryArray.from_arrays(pa.array(rows[kept]), pa.array(offer_ids, pa.string()))
    return pa.table(
        {
            "identity": pa.array([policy.identity for policy in policies], pa.string()),
            "survivors": pa.array(survived),
            "offer_ids": pa.ListArray.from_arrays(offsets, offers),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(scores[kept])),
        }
    ).replace_schema_metadata(provenance)
