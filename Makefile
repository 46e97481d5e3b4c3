# Every target does its own set-up: a machine needs Python 3.11 or newer, and make.
PYTHON ?= python3
BIN := .venv/bin
FUZZ_CASES ?= 200000
FUZZ_SEED ?= 1
BENCH_FLAGS ?=

.PHONY: run demo test check lint nojit wheel boundscheck fuzz bench clean

run: .venv/installed  ## rank the sample customer base over the bundled catalog
	$(BIN)/tenantrank tenants data/tenants.csv --rulebook data/rules.yaml --overlay data/overlay.example.yaml \
	  --as-of 2026-11-23 -o out/tenants.parquet

demo: .venv/installed-gateway  ## serve the gateway with simulated providers
	$(BIN)/tenantrank serve --demo

test: .venv/installed-dev  ## every test, the benchmarks once each as a smoke test
	$(BIN)/python -m pytest tests benchmarks -n auto

check: lint nojit wheel test  ## everything that continuous integration runs

lint: .venv/installed-dev  ## style, types, direction of imports
	$(BIN)/ruff format --check src kernels tests benchmarks data
	$(BIN)/ruff check src kernels tests benchmarks data
	$(BIN)/mypy
	$(BIN)/lint-imports

nojit: .venv/installed-dev  ## the tests of what decides again, with kernels as plain Python
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests -q -n auto --ignore=tests/gateway --ignore=tests/testing \
	  --ignore=tests/trace --ignore=tests/cli/test_serve.py --ignore=tests/cli/test_trace.py

wheel: .venv/installed-dev  ## the wheel, built from the sdist, installed alone and tried
	$(BIN)/python -m tests.wheel

boundscheck: .venv/installed-dev  ## kernels, engine and fuzz with every array access checked
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest tests/kernels tests/engine tests/fuzz -q

fuzz: .venv/installed-dev  ## the engine against the reference evaluator
	$(BIN)/python -m tests.fuzz.differential --cases $(FUZZ_CASES) --seed $(FUZZ_SEED)

bench: .venv/installed-bench  ## pytest-benchmark, then the suite: results and report in out/
	mkdir -p out
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-json=out/pytest-benchmark.json
	$(BIN)/tenantrank bench --json out/bench.json --report out/bench $(BENCH_FLAGS)
	$(BIN)/python -m benchmarks.gateway --json out/gateway.json --report out/gateway.md

clean:
	rm -rf .venv out dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tenantrank needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/installed-gateway: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[gateway]'
	touch $@ .venv/installed

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/installed .venv/installed-gateway

.venv/installed-bench: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/installed .venv/installed-gateway .venv/installed-dev
