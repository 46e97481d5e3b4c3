"""Who comes first, and what made it so: ties, catalog order, a price of 0, an offer about to go."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tenantrank.catalog.schema import EXPECTED_COST
from tenantrank.lint.finding import Finding
from tenantrank.lint.subject import Subject, walk
from tenantrank.policy.normal_form import Node


def nobody_ranked(subject: Subject) -> Iterator[Finding]:
    """Say that nothing is ranked, and whether the filter or the selector left it so."""
    if not subject.passing:
        size = subject.around.size
        words = f"none of the {size:,} offers passes the filter" if size else "the catalog has no offers"
        yield Finding("TR401", words, data={"offers": size})
    elif subject.first is None:
        words = f"the selector keeps none of the {subject.passing:,} offers that pass"
        yield Finding("TR402", words, "selector", data={"survivors": subject.passing})


def zero_priced_winner(subject: Subject) -> Iterator[Finding]:
    """Say that an offer whose prices are both listed as 0 comes first where prices are scored."""
    row = subject.first
    if row is None or subject.order.op not in ("argmax", "sample") or not _reads_prices(subject.policy.scorer):
        return
    if subject.around.is_flagged(row, "price_zero_listed"):
        name = subject.around.catalog.offer_ids[row]
        words = (
            f"{name!r} comes first, and both its prices are listed as 0: a free tier, a subscription or a local "
            "runner, not a known cost of nothing"
        )
        yield Finding("TR303", words, "scorer", None, "price_zero_listed", name)


def deprecated_winner(subject: Subject) -> Iterator[Finding]:
    """Say that the offer that comes first is deprecated."""
    row = subject.first
    if row is not None and subject.around.is_flagged(row, "deprecated"):
        name = subject.around.catalog.offer_ids[row]
        words = f"{name!r} comes first, and is deprecated"
        yield Finding("TR304", words, None, None, "deprecated", name)


def undecided_winner(subject: Subject) -> Iterator[Finding]:
    """Say that catalog order, and no score, decides which of several offers comes first."""
    if subject.passing < 2:
        return
    if subject.order.op == "ordered":
        words = f"the selector is `ordered`: of the {subject.passing:,} offers that pass, catalog order decides"
        words += "" if _is_constant(subject.policy.scorer) else ", and the score decides nothing"
        yield Finding("TR306", words, "selector", data={"survivors": subject.passing})
    elif subject.order.op == "argmax":
        tied = _tied(subject)
        if tied > 1:
            of = f"all {tied:,}" if tied == subject.passing else f"the best {tied:,} of the {subject.passing:,}"
            words = f"{of} offers that pass have the same score; catalog order decides who is first"
            yield Finding("TR305", words, "scorer", data={"tied": tied, "survivors": subject.passing})


def _tied(subject: Subject) -> int:
    """Count the offers whose score is that of the first; all scores that are no numbers are one."""
    around = subject.around
    for places in (2, subject.passing):
        ranked = around.ranked(subject.by_score, places)
        scores = ranked.scores[0, : int(ranked.ranked[0])]
        same = np.isnan(scores) if np.isnan(scores[0]) else scores == scores[0]
        if same.sum() < 2:
            return 1
    return int(same.sum())


def _reads_prices(scorer: Node) -> bool:
    def is_price(node: Node) -> bool:
        if node.op == "field":
            field = str(node.parameters[0])
            return field.startswith("price_") or field == EXPECTED_COST
        return node.op == "cost"

    return any(map(is_price, walk(scorer)))


def _is_constant(scorer: Node) -> bool:
    return all(node.op in ("zero", "lit", "add", "scale", "neg", "clamp", "normalize") for node in walk(scorer))
