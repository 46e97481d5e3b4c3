"""The benchmark suite: the engine against other ways to rank, on seeded work, each checked before it is timed.

``tenantrank bench`` runs it; ``python -m tenantrank.bench.report`` and ``python -m tenantrank.bench.compare`` read what
it wrote. `tenantrank.bench.implementations` is the one table that tests and benchmarks share.
"""
