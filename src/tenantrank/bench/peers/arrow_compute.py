"""pyarrow.compute: columns as Arrow arrays, a kernel call a step, the best by ``select_k_unstable`` on two keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import call
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenantrank.bench.answers import Answers
from tenantrank.bench.ready import Ready
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Part, Some
from tenantrank.bench.workload import Columns, K, Workload

Arrays = dict[str, pa.Array]

_ORDER = pc.SelectKOptions(K, [("score", "descending"), ("row", "ascending")])


def prepare(work: Workload) -> Ready:
    """One call a policy."""
    columns = work.columns
    arrays = {name: pa.array(values) for name, values in (columns.numbers | columns.flags).items()}
    arrays["provider"] = pa.array(columns.providers)
    calls = [partial(_rank, _mask(rule.condition, columns, arrays), rule.parts, arrays) for rule in work.rules]
    return Ready(call, calls, _read)


def _rank(mask: Callable[[], pa.Array], parts: tuple[Part, ...], arrays: Arrays) -> pa.Table:
    survivors = pc.indices_nonzero(mask())
    scores = reduce(pc.add, [_scored(pc.take(arrays[part.field], survivors), part) for part in parts])
    table = pa.table({"row": survivors, "score": scores})
    return table.take(pc.select_k_unstable(table, options=_ORDER))


def _scored(values: pa.Array, part: Part) -> pa.Array:
    ends = pc.min_max(values)
    low, high = ends["min"], ends["max"]
    if not len(values) or high.as_py() <= low.as_py():
        scored = pa.array(np.zeros(len(values)))
    else:
        # No value is infinite here, so both ends come out as exactly 0 and 1.
        scored = pc.divide(pc.subtract(values, low), pc.subtract(high, low))
    if part.reversed:
        scored = pc.subtract(1.0, scored)
    return pc.multiply(part.weight, scored) if part.weight != 1.0 else scored


def _mask(condition: Condition, columns: Columns, arrays: Arrays) -> Callable[[], pa.Array]:
    match condition:
        case Compare(field, relation, bound):
            compare = pc.less_equal if relation == "le" else pc.greater_equal
            return partial(compare, arrays[field], pa.scalar(bound))
        case Flag(name):
            flag = arrays[name]
            return lambda: flag
        case OneOf(names):
            listed = pc.SetLookupOptions(pa.array(columns.codes(names), pa.int32()))
            return partial(pc.is_in, arrays["provider"], options=listed)
        case Not(part):
            inner = _mask(part, columns, arrays)
            return lambda: pc.invert(inner())
        case Every(parts):
            joined = [_mask(part, columns, arrays) for part in parts]
            return lambda: reduce(pc.and_, [mask() for mask in joined])
        case Some(parts):
            either = [_mask(part, columns, arrays) for part in parts]
            return lambda: reduce(pc.or_, [mask() for mask in either])


def _read(results: list[Any]) -> Answers:
    return Answers.of((found["row"].to_pylist(), found["score"].to_pylist()) for found in results)
