"""The engine by its public interface: a batch on some threads, and one call a policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tenantrank.bench.answers import Answers
from tenantrank.bench.ready import Ready
from tenantrank.bench.workload import K, Workload
from tenantrank.engine import Decision, Engine
from tenantrank.policy.policy import Policy


def batch(threads: int) -> Callable[[Workload], Ready]:
    """Give a preparation with one call of ``rank_rows`` for all policies, on so many threads at most."""

    def prepare(work: Workload) -> Ready:
        engine = Engine(work.catalog, threads=threads)
        return Ready(partial(engine.rank_rows, k=K), [work.policies], lambda results: Answers.of_rows(results[0]))

    return prepare


def one_by_one(k: int) -> Callable[[Workload], Ready]:
    """Give a preparation with one call of ``Engine.rank`` a policy."""

    def prepare(work: Workload) -> Ready:
        rank = Engine(work.catalog).rank
        row = {offer: at for at, offer in enumerate(work.catalog.offer_ids)}

        def read(results: list[Any]) -> Answers:
            return Answers.of((([row[offer] for offer in found.offer_ids], found.scores) for found in results), k)

        def rank_one(policy: Policy) -> Decision:
            return rank(policy, k=k)

        return Ready(rank_one, work.policies, read)

    return prepare
