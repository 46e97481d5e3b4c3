from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tenantrank.catalog.merge import Row
from tenantrank.catalog.quality import (
    COLUMNS,
    FIELDS,
    REFERENCE,
    Figure,
    apply_figures,
    best_figures,
    declared_fields,
    estimate_coding,
    read_figures,
    release_of,
)
from tenantrank.catalog.sources.normalize import model_names
from tenantrank.errors import CatalogError

GOOD = {
    "field": "bench_aider_polyglot",
    "model": "anthropic/claude-4.5-sonnet",
    "configuration": "high",
    "score": "62.5",
    "metric": "percent correct",
    "benchmark": "Aider Polyglot",
    "origin_url": "https://bench.example/",
    "measured_on": "2026-01-02",
    "read_on": "2026-11-23",
    "via": "a repository",
    "licence": "MIT",
}


def content(*rows: dict[str, str]) -> bytes:
    lines = [",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def figure(field: str, key: str, value: float) -> Figure:
    return Figure(field, key, value, "quality:https://bench.example/", "2026-01-02")


def rows_of(*wires: str) -> list[Row]:
    rows = [Row(f"x|{wire}", "x", wire, None) for wire in wires]
    for row in rows:
        row.values["model_key"] = model_names(row.wire_model_id).key
    return rows


def test_read_figures__brings_a_figure_to_0_1_under_the_models_key() -> None:
    (found,) = read_figures(content(GOOD))
    assert found == Figure(
        "bench_aider_polyglot", "claude-sonnet-4-5", 0.625, "quality:https://bench.example/", "2026-01-02"
    )


def test_read_figures__an_unknown_day_is_the_day_it_was_read() -> None:
    assert read_figures(content(GOOD | {"measured_on": ""}))[0].as_of == "2026-11-23"


@pytest.mark.parametrize(
    "change",
    [
        {"field": "bench_unheard_of"},
        {"score": "101"},
        {"score": "-1"},
        {"score": "nan"},
        {"score": "high"},
        {"origin_url": "somewhere"},
        {"model": ""},
        {"read_on": ""},
        {"via": ""},
        {"licence": ""},
    ],
)
def test_read_figures__refuses_a_figure_that_cannot_be_cited(change: dict[str, Any]) -> None:
    with pytest.raises(CatalogError, match="line 2"):
        read_figures(content(GOOD | change))


def test_best_figures__the_best_configuration_counts() -> None:
    figures = [figure(REFERENCE, "m", value) for value in (0.4, 0.7, 0.6)]
    assert best_figures(figures)[REFERENCE]["m"].value == 0.7


def test_apply_figures__exact_joins_stay_apart_from_family_joins() -> None:
    exact, dated, stamped, preview = rows = rows_of("gpt-9", "gpt-9-2030-01-01", "gpt-9-0105", "gpt-9-preview")
    apply_figures(rows, [figure(REFERENCE, "gpt-9", 0.5)], "2026-11-23")
    assert exact.values[REFERENCE] == exact.values[f"{REFERENCE}_family"] == 0.5
    assert REFERENCE not in dated.values
    assert dated.values[f"{REFERENCE}_family"] == 0.5
    assert dated.origins[f"{REFERENCE}_family"][0].endswith("+family")
    for other in (stamped, preview):
        assert not any(name.startswith("bench_") for name in other.values)


def test_apply_figures__snapshots_that_differ_much_lend_nothing_and_others_their_lowest() -> None:
    close = [figure(REFERENCE, "gpt-9-2030-01-01", 0.50), figure(REFERENCE, "gpt-9-2030-02-02", 0.53)]
    (row,) = rows_of("gpt-9")
    apply_figures([row], close, "2026-11-23")
    assert row.values[f"{REFERENCE}_family"] == 0.5
    (row,) = rows_of("gpt-9")
    apply_figures([row], [*close, figure(REFERENCE, "gpt-9-2030-03-03", 0.6)], "2026-11-23")
    assert f"{REFERENCE}_family" not in row.values


@pytest.mark.parametrize(
    ("key", "release"),
    [
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("llama-3-3-70b-instruct", "llama-3-3-70b"),
        ("deepseek-v3-0324", "deepseek-v3-0324"),
        ("o1-preview", "o1-preview"),
        ("mistral-large-latest", "mistral-large-latest"),
    ],
)
def test_release_of__drops_full_dates_only(key: str, release: str) -> None:
    assert release_of(key) == release


def test_estimate_coding__a_model_measured_on_the_reference_alone_keeps_its_figure() -> None:
    figures = {REFERENCE: {"a": figure(REFERENCE, "a", 0.3), "b": figure(REFERENCE, "b", 0.9)}}
    assert estimate_coding(figures) == {"a": (0.3, 1), "b": (0.9, 1)}


def test_estimate_coding__is_the_least_squares_fit() -> None:
    cells = {
        (REFERENCE, "a"): 0.8,
        (REFERENCE, "b"): 0.5,
        ("bench_scicode", "a"): 0.5,
        ("bench_scicode", "b"): 0.3,
        ("bench_scicode", "c"): 0.45,
        ("bench_swe_pro", "c"): 0.2,
        ("bench_swe_pro", "d"): 0.1,
    }
    best: dict[str, dict[str, Figure]] = {}
    for (field, key), value in cells.items():
        best.setdefault(field, {})[key] = figure(field, key, value)
    fields, models = sorted({f for f, _ in cells}), sorted({m for _, m in cells})
    matrix = np.zeros((len(cells), len(fields) + len(models)))
    target = np.zeros(len(cells))
    for place, ((field, key), value) in enumerate(cells.items()):
        matrix[place, models.index(key)] = 1
        matrix[place, len(models) + fields.index(field)] = -1
        target[place] = math.log(value / (1 - value))
    solved = np.linalg.lstsq(matrix, target, rcond=None)[0]
    at = solved[len(models) + fields.index(REFERENCE)]
    found = estimate_coding(best)
    for place, key in enumerate(models):
        assert found[key][0] == pytest.approx(1 / (1 + math.exp(at - solved[place])), abs=6e-4)
        assert found[key][1] == sum(k == key for _, k in cells)


def test_estimate_coding__gives_nothing_to_models_that_nothing_links() -> None:
    best = {
        REFERENCE: {"a": figure(REFERENCE, "a", 0.5)},
        "bench_scicode": {"z": figure("bench_scicode", "z", 0.5)},
    }
    assert set(estimate_coding(best)) == {"a"}
    assert estimate_coding({"bench_scicode": best["bench_scicode"]}) == {}


def test_declared_fields__describe_every_column_that_figures_make() -> None:
    rows = rows_of("m")
    apply_figures(rows, [figure(field, "m", 0.5) for field in FIELDS], "2026-11-23")
    made = {name for name in rows[0].values if name.startswith("bench_")}
    assert made == set(declared_fields())
    assert all(field["sort"] == "Num" and field["default"] == 0.0 for field in declared_fields().values())
