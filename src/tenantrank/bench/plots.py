"""Results as pictures: bars by implementation, and curves over offers and tenants, as SVG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenantrank.bench.optional import package
from tenantrank.bench.results import Row, Run

_COLOURS = {"engine": "#1b6ca8", "baseline": "#8a8a8a", "peer": "#d98c3f"}
_NAMED = ("python", "tenantrank", "numpy", "numba", "pyarrow", "polars", "duckdb")
_BARS, _OFFERS, _TENANTS = "rank.svg", "scaling-offers.svg", "scaling-tenants.svg"


def draw(run: Run, folder: Path) -> list[Path]:
    """Draw what a run has figures for; gives the files written.

    Raises
    ------
    AbsentError
        where matplotlib is not installed
    """
    matplotlib = package("matplotlib")
    matplotlib.use("agg")
    plots = package("matplotlib.pyplot")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # Equal results give equal files.
    with matplotlib.rc_context({"svg.hashsalt": "tenantrank", "svg.fonttype": "none"}):
        for name, figure in (
            (_BARS, _bars(plots, run)),
            (_OFFERS, _offers(plots, run)),
            (_TENANTS, _tenants(plots, run)),
        ):
            if figure is not None:
                figure.savefig(folder / name, metadata={"Date": None}, bbox_inches="tight")
                plots.close(figure)
                written.append(folder / name)
    return written


def _bars(plots: Any, run: Run) -> Any:
    """Draw µs per policy by implementation, at the middle one of the sizes measured."""
    rows = [row for row in run.rows if row.part == "rank" and row.case == "six shapes" and row.offers]
    sizes = sorted({row.offers or 0 for row in rows})
    if not sizes:
        return None
    size = sizes[len(sizes) // 2]
    chosen = sorted((row for row in rows if row.offers == size), key=lambda row: row.main, reverse=True)
    figure, axes = plots.subplots(figsize=(8, 0.4 * len(chosen) + 1.2))
    bars = axes.barh(
        [row.implementation for row in chosen],
        [row.main for row in chosen],
        color=[_COLOURS[row.role] for row in chosen],
    )
    axes.bar_label(bars, labels=[f" {row.main:.3g}" for row in chosen], fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel(f"µs per policy, best five of {size:,} offers, six shapes (log scale; less is better)")
    return _finished(figure, axes, run)


def _offers(plots: Any, run: Run) -> Any:
    rows = [row for row in run.rows if row.part == "scaling" and row.case == "by offers"]
    return _curves(plots, run, rows, [row.offers or 0 for row in rows], "offers", "µs per policy")


def _tenants(plots: Any, run: Run) -> Any:
    rows = [row for row in run.rows if row.part == "scaling" and row.case.startswith("by tenants")]
    rows = [row for row in rows if "seconds" in row.values]
    return _curves(plots, run, rows, [row.count for row in rows], "tenants", "seconds", "seconds")


def _curves(
    plots: Any, run: Run, rows: Sequence[Row], places: Sequence[int], across: str, up: str, value: str = ""
) -> Any:
    if not rows:
        return None
    figure, axes = plots.subplots(figsize=(7, 4.5))
    for name in dict.fromkeys(row.implementation for row in rows):
        points = [
            (place, row.values[value] if value else row.main)
            for place, row in zip(places, rows, strict=True)
            if row.implementation == name
        ]
        points.sort()
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"{across} (log scale)")
    axes.set_ylabel(f"{up} (log scale; less is better)")
    axes.legend(fontsize=8)
    return _finished(figure, axes, run)


def _finished(figure: Any, axes: Any, run: Run) -> Any:
    axes.grid(axis="both", which="major", linewidth=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    about = run.about
    commit = str(about.get("commit", "none"))[:12] + (" with changes" if about.get("changed") else "")
    stamp = [about.get("machine", {}).get("cpu", ""), f"commit {commit}", str(about.get("date", ""))[:10]]
    versions = about.get("versions", {})
    named = ", ".join(f"{name} {versions[name]}" for name in _NAMED if name in versions)
    title = f"{' · '.join([*stamp, str(about.get('command', ''))])}\n{named}"
    axes.set_title(title, fontsize=7, loc="left")
    return figure
