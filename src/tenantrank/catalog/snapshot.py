"""Putting a built catalog in place of the one before: whole, and only where no source looks cut short."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.report import BuildResult, coverage
from tenantrank.errors import CatalogError

MAX_DROP = 0.1
"""Share of offers, of providers, or of one source's offers whose loss is refused."""
MAX_COVERAGE_DROP = 0.05
"""Loss of a column's coverage, in share of all offers, that is refused."""
WATCHED = ("price_in", "price_out", "context", "max_output", "supports_tools", "supports_vision", "supports_reasoning")
"""Columns whose coverage is watched."""


def losses(old: Catalog, new: Catalog) -> list[str]:
    """Say what a new snapshot has too much less of than the old one, a line each; empty where nothing is wrong.

    Counted are all offers, providers, and the offers that each source describes: a source cut short hides behind the
    others in the total, but not in its own count.
    """
    counts = [("offers", len(old), len(new))]
    counts.append(("providers", len(old.strings("provider_id")[1]), len(new.strings("provider_id")[1])))
    before, after = _by_source(old), _by_source(new)
    counts += [(f"offers described by {name}", count, after[name]) for name, count in sorted(before.items())]
    found = [f"{what}: {had} before, {has} now" for what, had, has in counts if has < had * (1 - MAX_DROP)]
    shares, now = coverage(old), coverage(new)
    found += [
        f"coverage of {name}: {shares[name]:.1%} before, {now.get(name, 0.0):.1%} now"
        for name in WATCHED
        if now.get(name, 0.0) < shares.get(name, 0.0) - MAX_COVERAGE_DROP
    ]
    return found


def write_snapshot(
    result: BuildResult, path: str | Path, *, allow_losses: bool = False, as_of: date | None = None
) -> list[str]:
    """Write a built catalog where the old snapshot lies, atomically.

    Parameters
    ----------
    result
        what `build_catalog` gave
    path
        the snapshot, by whose suffix the form is chosen
    allow_losses
        replace the old snapshot whatever the new one lacks, or where the old one cannot be read
    as_of
        today, handed to the reading of the old snapshot

    Returns
    -------
    list of str
        the losses that were allowed

    Raises
    ------
    CatalogError
        where the new snapshot has lost too much (`losses`) or the old one cannot be read, and neither is allowed; the
        old file is then as it was. Also where the file cannot be written
    """
    path = Path(path)
    found: list[str] = []
    if path.exists():
        try:
            old = Catalog.load(path, as_of=as_of)
        except CatalogError as error:
            found = [f"the old snapshot cannot be read ({error})"]
        else:
            found = losses(old, result.catalog)
        if found and not allow_losses:
            raise CatalogError(f"{path} is kept: a source looks cut short: {'; '.join(found)}")
    result.catalog.save(path)
    return found


def _by_source(catalog: Catalog) -> Counter[str]:
    codes, names = catalog.strings("source_set")
    counts: Counter[str] = Counter()
    for code, number in Counter(int(code) for code in codes).items():
        if code >= 0:
            counts.update(dict.fromkeys(names[code].split("+"), number))
    return counts
