"""Labels that an operator writes by hand, held to the ones that mean something."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from tenantrank.catalog.schema import LABELS
from tenantrank.errors import CatalogError
from tenantrank.policy.admission import shown


def check_label(name: str, value: Any, tier_order: Sequence[str]) -> None:
    """Refuse text that a column of labels does not know; null, and a tier of no letters, are no label.

    Parameters
    ----------
    name, value
        a string column, and text for it
    tier_order
        the names that ``tier`` knows

    Raises
    ------
    CatalogError
        with the known labels, and the one that was probably meant
    """
    known = tier_order if name == "tier" else LABELS.get(name)
    if known is None or value is None or value in known or (name == "tier" and value == ""):
        return
    folded = {label.casefold(): label for label in known}
    meant = get_close_matches(value.casefold(), folded, n=1, cutoff=0.7)
    hint = f", did you mean {folded[meant[0]]!r}?" if meant else ""
    raise CatalogError(f"expected one of {', '.join(known)}, got {shown(value)}{hint}")
