"""Benchmarks for ``pytest benchmarks``: smoke tests by default, measurements with ``--benchmark-enable``.

The implementations and the workloads are those of `tenantrank.bench`, which ``tenantrank bench`` measures in turn and
reports; here each is a benchmark of its own, for pytest-benchmark's statistics and comparisons.
"""
