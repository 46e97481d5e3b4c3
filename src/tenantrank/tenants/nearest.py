"""The spelling that somebody who wrote an unknown name probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name closest to this one, letter case aside, or ``None`` where none is close."""
    by_folded = {candidate.casefold(): candidate for candidate in sorted(known, reverse=True)}
    found = get_close_matches(name.casefold(), sorted(by_folded), n=5, cutoff=0.7)
    # Two letters swapped are the likeliest slip, and the measure above does not single it out.
    found.sort(key=lambda candidate: sorted(candidate) != sorted(name.casefold()))
    return by_folded[found[0]] if found else None


def hint(name: str, known: Iterable[str]) -> str:
    """Give `nearest` as the end of an error message: ``", did you mean 'plan'?"``, or nothing."""
    found = nearest(name, known)
    return "" if found is None else f", did you mean {found!r}?"
