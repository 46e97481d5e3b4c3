"""The answers of a batch as an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.engine.running import Ranked

_MOST_BYTES = 2**31 - 1  # of one array of strings


def ranked_table(
    identities: NDArray[np.bytes_] | Sequence[str],
    ranked: Ranked,
    offer_ids: pa.Array,
    provenance: Mapping[str, str],
) -> pa.Table:
    """Give a row for each policy, in order, with the columns of `Engine.rank_many`.

    Parameters
    ----------
    identities, ranked
        of the policies of the batch, and its answers
    offer_ids
        of the catalog, in its order
    provenance
        the table's metadata
    """
    rows, scores, counts, survived = ranked
    kept = np.arange(rows.shape[1]) < counts[:, None]
    offsets = np.zeros(len(identities) + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    offers = pa.DictionaryArray.from_arrays(pa.array(rows[kept]), offer_ids)
    return pa.table(
        {
            "identity": _texts(identities),
            "survivors": pa.array(survived),
            "offer_ids": pa.ListArray.from_arrays(offsets, offers),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(scores[kept])),
        }
    ).replace_schema_metadata(provenance)


def _texts(values: NDArray[np.bytes_] | Sequence[str]) -> pa.Array:
    """Give texts as Arrow holds them; those of an array are ASCII and of one length, as identities are."""
    if isinstance(values, np.ndarray) and values.nbytes <= _MOST_BYTES:
        ends = np.arange(len(values) + 1, dtype=np.int32) * np.int32(values.itemsize)
        return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(values))
    return pa.array(list(values), pa.string())
