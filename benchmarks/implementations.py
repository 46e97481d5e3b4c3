"""What is timed: implementations that rank the same policies, and must agree before they are timed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tenantrank as tr
from tenantrank.policy.builder import Pred, Score, blend, cheapest, f, has, highest, is_, policy, provider
from tests.reference.evaluate import rank as reference_rank
from tests.reference.generate import FIELDS, random_catalog
from tests.reference.signature import TIER_ORDER, V2

K = 5
Ranking = list[str]


@dataclass(frozen=True)
class Workload:
    """A seeded catalog with policies of six shapes, interleaved, each guarded so that no survivor is unpriced."""

    records: list[dict[str, Any]]
    catalog: tr.Catalog
    policies: list[tr.Policy]


def workload(offers: int, policies: int, seed: int = 1) -> Workload:
    rng = random.Random(seed)
    records = [_whole(record) for record in random_catalog(rng, offers)]
    catalog = tr.Catalog.from_records(records, FIELDS, TIER_ORDER)
    names = sorted({record["provider_id"] for record in records})
    return Workload(records, catalog, [_policy(at % 6, rng, names, catalog) for at in range(policies)])


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    """Round the columns that a catalog holds as whole numbers of tokens."""
    if "max_output" in record:
        record["max_output"] = int(record["max_output"])
    if "context" in record.get("capabilities", {}):
        record["capabilities"]["context"] = int(record["capabilities"]["context"])
    return record


def _policy(shape: int, rng: random.Random, providers: Sequence[str], catalog: tr.Catalog) -> tr.Policy:
    ceiling = round(rng.uniform(5, 60), 3)
    guard = (f.price_out <= ceiling) & (f.price_in <= ceiling)
    some = rng.sample(list(providers), min(4, len(providers)))
    quality = round(rng.uniform(0, 0.4), 3)
    price_blend = blend({"bench_intelligence": 0.6, "price_out": -0.4})
    shapes: list[tuple[Pred, Score]] = [
        (guard & (f.bench_intelligence >= quality), cheapest("price_out")),
        (guard & provider.is_in(*some), cheapest("price_in")),
        (guard & is_("region_eu"), price_blend),
        (guard & is_("no_log") & provider.not_in(*some), highest("bench_coding")),
        (guard & has("supports_tools"), blend({"bench_intelligence": 0.9, "price_out": -0.1})),
        (guard & (is_("region_eu") | is_("region_us")), blend({"bench_coding": 0.5, "context": 0.2, "price_in": -0.3})),
    ]
    return tr.admit(policy(*shapes[shape]), catalog.fields)


def engine_batch(load: Workload) -> Callable[[], list[Ranking]]:
    """All policies in one call."""
    engine = tr.Engine(load.catalog)
    ids = load.catalog.offer_ids

    def run() -> list[Ranking]:
        rows, _, ranked, _ = engine.rank_rows(load.policies, k=K)
        return [[ids[row] for row in row_list[:n]] for row_list, n in zip(rows.tolist(), ranked.tolist(), strict=True)]

    return run


def engine_single(load: Workload) -> Callable[[], list[Ranking]]:
    """One call a policy."""
    engine = tr.Engine(load.catalog)
    return lambda: [list(engine.rank(each, k=K).offer_ids) for each in load.policies]


def numpy_columns(load: Workload) -> Callable[[], list[Ranking]]:
    """A term walked over NumPy columns, one policy after the other."""
    columns = _Columns(load.catalog)
    return lambda: [columns.rank(each.term) for each in load.policies]


def reference(load: Workload) -> Callable[[], list[Ranking]]:
    """The slow evaluator that is written from the specification."""
    return lambda: [
        reference_rank(each.term, load.records, {}, FIELDS, TIER_ORDER, V2).ordered[:K] for each in load.policies
    ]


IMPLEMENTATIONS: dict[str, Callable[[Workload], Callable[[], list[Ranking]]]] = {
    "engine, batch": engine_batch,
    "engine, one by one": engine_single,
    "numpy": numpy_columns,
    "pure python reference": reference,
}


class _Columns:
    """What NumPy alone makes of the six shapes."""

    def __init__(self, catalog: tr.Catalog) -> None:
        self._ids = np.array(catalog.offer_ids)
        self._catalog = catalog
        self._numbers = {
            name: np.nan_to_num(catalog.numbers(name), nan=field.default)
            for name, field in catalog.fields.items()
            if field.sort == "Num"
            and name in ("price_in", "price_out", "context", "bench_intelligence", "bench_coding")
        }
        self._codes, names = catalog.strings("provider_id")
        self._code = {name: code for code, name in enumerate(names)}

    def rank(self, term: list[Any]) -> Ranking:
        survivors = np.flatnonzero(self._mask(term[1]))
        if not len(survivors):
            return []
        scores = self._score(term[2], survivors)
        return [str(name) for name in self._ids[survivors[np.argsort(-scores, kind="stable")[:K]]]]

    def _mask(self, term: list[Any]) -> Any:
        op, *args = term
        if op == "and":
            return np.logical_and.reduce([self._mask(arg) for arg in args])
        if op == "or":
            return np.logical_or.reduce([self._mask(arg) for arg in args])
        if op == "not":
            return ~self._mask(args[0])
        if op == "cmp":
            compare = np.less_equal if args[1] == "le" else np.greater_equal
            return compare(self._numbers[args[0]], args[2])
        if op == "is":
            return self._catalog.flags(args[0]) == 1
        if op == "has_cap":
            return self._catalog.capability(args[0]) == 1
        return self._codes == self._code.get(args[0], -2)

    def _score(self, term: list[Any], survivors: Any) -> Any:
        op, *args = term
        if op == "field":
            return self._numbers[args[0]][survivors]
        if op == "add":
            total = np.zeros(len(survivors))
            for arg in args:
                total = total + self._score(arg, survivors)
            return total
        if op == "scale":
            return args[0] * self._score(args[1], survivors)
        values = self._score(args[0], survivors)
        if op == "neg":
            return 1.0 - values
        low, high = values.min(), values.max()
        if high <= low:
            return np.zeros(len(values))
        return np.where(values >= high, 1.0, np.where(values <= low, 0.0, (values - low) / (high - low)))
