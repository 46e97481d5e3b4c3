"""Published quality figures, joined to offers by model name, as ``bench_*`` fields between 0 and 1.

The table is the project's own: CSV, a row a figure, with the page it stands on. A field's value is the model's figure
in percent divided by 100; where a page lists several configurations of a model (reasoning efforts, say), the best one
counts. Figures of one field come from one origin, for two harnesses' figures under one name are not comparable; the
exception, ``bench_swe_verified``, holds what each maker publishes and says so.

``bench_x`` holds exact joins: the offer's model key is the measured one. ``bench_x_family`` adds, where there is no
exact join, the figure of a model that differs in a full date or in ``instruct`` only (`release_of`). It is given where
all such measured models lie within `FAMILY_SPREAD`, and is their lowest. Short stamps (``-2603``), ``preview`` and
``latest`` name models that may differ a lot, so they join nothing.

``bench_coding`` is an estimate from all these figures: see `estimate_coding`.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tenantrank.catalog.merge import Row
from tenantrank.catalog.sources.normalize import model_names
from tenantrank.errors import CatalogError

NAME = "quality"
COLUMNS = (
    "field",
    "model",
    "configuration",
    "score",
    "metric",
    "benchmark",
    "origin_url",
    "measured_on",
    "read_on",
    "via",
    "licence",
)
FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "bench_aider_polyglot": "Aider Polyglot, share of exercises solved within two tries",
        "bench_aa_coding": "Artificial Analysis Coding Index / 100",
        "bench_scicode": "SciCode, share correct, as measured by Artificial Analysis",
        "bench_swe_atlas_qna": "SWE-Atlas Codebase QnA, share, Scale's leaderboard",
        "bench_swe_atlas_refactoring": "SWE-Atlas Refactoring, share, Scale's leaderboard",
        "bench_swe_atlas_tests": "SWE-Atlas Test Writing, share, Scale's leaderboard",
        "bench_swe_pro": "SWE-Bench Pro (public set), share resolved, Scale's leaderboard",
        "bench_swe_verified": "SWE-Bench Verified, share resolved, as each model's maker or swebench.com publishes it",
        "bench_terminal_hard": "Terminal-Bench Hard, share of tasks, as measured by Artificial Analysis",
    }
)
"""Fields that a figure may fill, with their meaning."""

CODING = "bench_coding"
CODING_COUNT = "bench_coding_figures"
REFERENCE = "bench_aider_polyglot"
"""The benchmark whose scale `bench_coding` is expressed on."""
FAMILY = "_family"
FAMILY_SPREAD = 0.05
_ROUNDS = 400
_CLIP = 0.02
_FULL_DATE = re.compile(r"-(?:20\d{6}|20\d\d-\d\d-\d\d)$")
_INSTRUCT = re.compile(r"-(?:instruct|it|hf)$")


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure: the field it fills, the model's key, its value from 0 to 1, and its origin and date."""

    field: str
    model_key: str
    value: float
    origin: str
    as_of: str


def read_figures(content: bytes) -> list[Figure]:
    """Read the table.

    Raises
    ------
    CatalogError
        naming the line, for another header, an unknown field, a score outside 0 to 100, or a missing page, date, way or
        licence
    """
    reader = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise CatalogError(f"{NAME}: the header must be {','.join(COLUMNS)}")
    return [_figure(cells, f"{NAME}, line {reader.line_num}") for cells in reader]


def _figure(cells: dict[str, Any], where: str) -> Figure:
    if None in cells or None in cells.values():
        raise CatalogError(f"{where}: needs {len(COLUMNS)} cells")
    if cells["field"] not in FIELDS:
        raise CatalogError(f"{where}: unknown field {cells['field']!r}")
    try:
        score = float(cells["score"])
    except ValueError:
        score = math.nan
    if not 0 <= score <= 100:
        raise CatalogError(f"{where}: a score is a number from 0 to 100, not {cells['score']!r}")
    if not cells["origin_url"].startswith("https://") or not all(
        cells[c] for c in ("model", "read_on", "via", "licence")
    ):
        raise CatalogError(f"{where}: needs a model, an https page, a date, a way and a licence")
    origin = f"{NAME}:{cells['origin_url']}"
    key = model_names(cells["model"]).key
    return Figure(cells["field"], key, round(score / 100, 6), origin, cells["measured_on"] or cells["read_on"])


def best_figures(figures: Iterable[Figure]) -> dict[str, dict[str, Figure]]:
    """Give the best figure of each model in each field, as ``{field: {model key: figure}}``; the first of equals."""
    best: dict[str, dict[str, Figure]] = defaultdict(dict)
    for figure in figures:
        known = best[figure.field].get(figure.model_key)
        if known is None or figure.value > known.value:
            best[figure.field][figure.model_key] = figure
    return dict(best)


def estimate_coding(best: Mapping[str, Mapping[str, Figure]]) -> dict[str, tuple[float, int]]:
    """Bring all figures to one scale.

    The log-odds of a figure are taken as a model's strength minus a benchmark's difficulty, both found by least squares
    (alternating means, a fixed number of rounds); a figure counts as at least 0.02 and at most 0.98. The estimate is
    the share that the model would be expected to solve of `REFERENCE`, to three decimals. Models that no chain of
    shared benchmarks links to `REFERENCE` get none.

    Returns
    -------
    dict
        model key to (estimate, number of figures it rests on)
    """
    odds = {(field, key): _log_odds(figure.value) for field, figures in best.items() for key, figure in figures.items()}
    linked = _linked(odds)
    odds = {cell: value for cell, value in odds.items() if cell[0] in linked}
    by_model: dict[str, list[tuple[str, float]]] = defaultdict(list)
    by_field: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for (field, key), value in odds.items():
        by_model[key].append((field, value))
        by_field[field].append((key, value))
    difficulty = dict.fromkeys(by_field, 0.0)
    strength = dict.fromkeys(by_model, 0.0)
    for _ in range(_ROUNDS):
        for key, cells in by_model.items():
            strength[key] = sum(value + difficulty[field] for field, value in cells) / len(cells)
        for field, cells in by_field.items():
            difficulty[field] = sum(strength[key] - value for key, value in cells) / len(cells)
    at = difficulty.get(REFERENCE, 0.0)
    return {key: (round(1 / (1 + math.exp(at - value)), 3), len(by_model[key])) for key, value in strength.items()}


def _log_odds(value: float) -> float:
    clipped = min(max(value, _CLIP), 1 - _CLIP)
    return math.log(clipped / (1 - clipped))


def _linked(cells: Iterable[tuple[str, str]]) -> set[str]:
    """Give the benchmarks that share models with `REFERENCE`, directly or through others."""
    models: dict[str, set[str]] = defaultdict(set)
    for field, key in cells:
        models[field].add(key)
    reached = {REFERENCE} & set(models)
    while True:
        known = set().union(*(models[field] for field in reached)) if reached else set()
        more = {field for field in models if field not in reached and models[field] & known}
        if not more:
            return reached
        reached |= more


def apply_figures(rows: Sequence[Row], figures: Iterable[Figure], built: str) -> None:
    """Set the ``bench_*`` columns of rows that have their names, in place."""
    best = best_figures(figures)
    for field in sorted(best):
        _join(rows, field, best[field])
    coding = estimate_coding(best)
    source = f"{NAME}:estimate"
    _join(rows, CODING, {k: Figure(CODING, k, value, source, built) for k, (value, _) in coding.items()})
    for row in rows:
        if CODING in row.values:
            row.put(CODING_COUNT, float(coding[row.values["model_key"]][1]), source, built)


def release_of(model_key: str) -> str:
    """Give what a model key and its dated snapshots share: the key without a full date and without ``instruct``.

    >>> release_of("gpt-5-2025-08-07"), release_of("mistral-small-2603")
    ('gpt-5', 'mistral-small-2603')
    """
    return _INSTRUCT.sub("", _FULL_DATE.sub("", model_key))


def _join(rows: Sequence[Row], field: str, figures: Mapping[str, Figure]) -> None:
    members: dict[str, list[Figure]] = defaultdict(list)
    for key, figure in figures.items():
        members[release_of(key)].append(figure)
    families = {
        family: min(known, key=lambda figure: figure.value)
        for family, known in members.items()
        if max(f.value for f in known) - min(f.value for f in known) <= FAMILY_SPREAD
    }
    for row in rows:
        exact = figures.get(row.values["model_key"])
        if exact is not None:
            row.put(field, exact.value, exact.origin, exact.as_of)
        known = exact or families.get(release_of(row.values["model_key"]))
        if known is not None:
            source = known.origin if exact else f"{known.origin}+family"
            row.put(field + FAMILY, known.value, source, known.as_of)


def declared_fields() -> dict[str, dict[str, Any]]:
    """Declare the ``bench_*`` fields for a catalog: Num, 0 where unknown, with unit and meaning."""
    meanings = dict(FIELDS)
    meanings[CODING] = f"estimate from all bench figures of the model, on the scale of {REFERENCE}"
    declared = {}
    for name, meaning in meanings.items():
        declared[name] = _field(f"{meaning}; this very model")
        declared[name + FAMILY] = _field(f"{meaning}; this model, else another snapshot of it")
    declared[CODING_COUNT] = _field(f"how many published figures {CODING} rests on", "figures")
    return declared


def _field(description: str, unit: str = "0-1") -> dict[str, Any]:
    return {"sort": "Num", "default": 0.0, "unit": unit, "description": description, "source": "published figures"}
