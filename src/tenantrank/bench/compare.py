"""Two runs compared by the ratios inside each: the engine against what else was measured in the same run.

Times of two runs say little, since machines and their moods differ; how many times as fast as NumPy, or as a column
scan in C, the engine was on the same work in the same minutes says more. Run as
``python -m tenantrank.bench.compare OLD.json NEW.json [--tolerance 0.25]``: exit code 1 where a ratio worsened by more
than the tolerance, 2 where the files cannot be compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenantrank.bench.results import Run, read_run
from tenantrank.bench.tables import figure, table
from tenantrank.errors import InputError

TOLERANCE = 0.25
"""How much greater a ratio may become: by a quarter, which is more than quiet runs of one machine differ by."""

Key = tuple[str, str, int | None, str, str]


@dataclass(frozen=True)
class Change:
    """One ratio in two runs: the engine's figure divided by a baseline's, so that more is worse."""

    part: str
    case: str
    offers: int | None
    ours: str
    baseline: str
    old: float
    new: float

    @property
    def factor(self) -> float:
        """How many times as great the ratio has become."""
        return self.new / self.old

    def worse(self, tolerance: float) -> bool:
        """Whether the ratio worsened beyond a tolerance; what is no number any more did."""
        return not self.factor <= 1 + tolerance


def ratios(run: Run) -> dict[Key, float]:
    """Give every engine figure of a run divided by each baseline figure of its group."""
    found: dict[Key, float] = {}
    for (part, case, offers), rows in run.groups().items():
        for ours in rows:
            for other in rows:
                if ours.role == "engine" and other.role == "baseline" and other.main > 0 and ours.main > 0:
                    found[part, case, offers, ours.implementation, other.implementation] = ours.main / other.main
    return found


def compare(old: Run, new: Run) -> tuple[list[Change], list[Key]]:
    """Compare two runs.

    Returns
    -------
    the ratios that both have, the worst first; and those that only the old one has, of parts that the new one ran

    Raises
    ------
    InputError
        where one run is quick and the other is not, or where they have no ratio in common
    """
    if bool(old.about.get("quick")) != bool(new.about.get("quick")):
        raise InputError("one of the runs is a quick one and the other is not: they did not do the same work")
    before, after = ratios(old), ratios(new)
    changes = [Change(*key, before[key], after[key]) for key in before if key in after]
    if not changes:
        raise InputError("the runs have no ratio in common")
    parts = {row.part for row in new.rows} | {each.part for each in new.failures}
    lost = [key for key in before if key not in after and key[0] in parts]
    return sorted(changes, key=lambda change: -change.factor), lost


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the runs that the arguments name and print what worsened; 0, 1 or 2."""
    parser = argparse.ArgumentParser(
        prog="python -m tenantrank.bench.compare", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"default {TOLERANCE}")
    parser.add_argument("--all", action="store_true", help="print every ratio, not only those that worsened")
    given = parser.parse_args(arguments)
    try:
        changes, lost = compare(read_run(given.old), read_run(given.new))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    worse = [change for change in changes if change.worse(given.tolerance)]
    shown = changes if given.all else worse
    if shown:
        header = ["part", "case", "offers", "engine", "against", "old ratio", "new ratio", "new/old"]
        print(table(header, [_cells(change) for change in shown], texts=2))
    for part, case, offers, ours, baseline in lost:
        print(f"no longer measured: {part}, {case}, {offers} offers: {ours} against {baseline}")
    print(f"{len(changes)} ratios compared, {len(worse)} worse by more than {given.tolerance:.0%}")
    return 1 if worse else 0


def _cells(change: Change) -> list[str]:
    offers = "" if change.offers is None else f"{change.offers:,}"
    figures = (figure(change.old), figure(change.new), figure(change.factor))
    return [change.part, change.case, offers, change.ours, change.baseline, *figures]


if __name__ == "__main__":
    sys.exit(main())
