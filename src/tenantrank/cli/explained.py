"""What `tenantrank explain` shows of an explanation: clauses, scores and their parts, one offer, one clause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from tenantrank.cli.output import table
from tenantrank.engine import Accepted, Atom, Clause, Explanation, Failure, Met, Observed, ScorePart
from tenantrank.engine.observed import value_words
from tenantrank.errors import InputError
from tenantrank.tenants.nearest import hint

_PARTS = ["part", "reads", "from", "value", "weight", "adds"]
_NUMBERS = ["value", "weight", "adds"]


def clauses_table(clauses: Sequence[Clause]) -> Table:
    """Tabulate clauses: how many offers fail each, how many nothing else, and how many for want of knowledge."""
    rows = [
        (bit, clause.words, "; ".join(map(str, clause.origins)), clause.failed, clause.alone, clause.unknown)
        for bit, clause in enumerate(clauses)
    ]
    counts = ["reject", "alone", "unknown"]
    return table("clauses", ["bit", "clause", "rule", *counts], rows, ["bit", *counts])


def ranked_tables(explanation: Explanation, ranked: Sequence[Accepted]) -> Iterator[Table]:
    """Tabulate ranked offers with their margins, and what their scores are made of."""
    selection = explanation.selection
    rows = [(one.place, one.offer_id, one.score, one.margin, one.tied or None) for one in ranked]
    kept = "" if selection.kept == selection.passed else f", {selection.kept} of them kept"
    title = f"{selection.passed} offers pass{kept}; {selection.words}"
    numbers = ["place", "score", "ahead by", "ties"]
    yield table(title, ["place", "offer", "score", "ahead by", "ties"], rows, numbers)
    if any(part.parts for one in ranked for part in one.parts):
        made = [
            (one.offer_id if first else "", *row)
            for one in ranked
            for first, row in zip(_first(), _part_rows(one.parts, with_source=False), strict=False)
        ]
        columns = [name for name in _PARTS if name != "from"]
        yield table("what the scores are made of", ["offer", *columns], made, _NUMBERS)


def offer_tables(explanation: Explanation, offer: str) -> tuple[str, list[Table]]:
    """Say what one offer fails, or what it passes and what its score is made of, on what values from which sources."""
    accepted = explanation.accepted(offer)
    if accepted is not None:
        rows = [row for met in explanation.met(offer) for row in _met_rows(met)]
        found = [table(f"{offer} passes", ["clause", "rule", "observed", "from"], rows)]
        if accepted.parts:
            columns = _part_rows(accepted.parts)
            found.append(table(f"what the score of {offer} is made of", _PARTS, columns, _NUMBERS))
        return f"{offer} passes: {accepted.why}", found
    failures = explanation.of(offer)
    rows = [row for failure in failures for row in _failure_rows(failure)]
    said = f"{offer} fails {len(failures)} thing{'s' if len(failures) > 1 else ''}"
    return said, [table(f"{offer} fails", ["clause", "rule", "reason", "bound", "observed", "from"], rows)]


def clause_table(explanation: Explanation, at: int, most: int) -> Table | str:
    """Tabulate offers that fail one clause, those that fail nothing else first; a line where none does."""
    clause = explanation.clauses[at]
    if not clause.failed:
        return f"no offer fails: {clause.words}"
    rows = [
        (one["offer_id"], "yes" if one["alone"] else "", "; ".join(map(_told, one["atoms"])))
        for one in failing_clause(explanation, at, most)
    ]
    title = f"{clause.failed} offers fail: {clause.words}"
    return table(title, ["offer", "fails nothing else", "observed"], rows)


def failing_clause(explanation: Explanation, at: int, most: int) -> list[dict[str, Any]]:
    """Give offers that fail one clause, those that fail nothing else first, then in catalog order."""
    failing = explanation.failing
    alone = failing[at] & (failing.sum(axis=0) == 1)
    rows = [*np.flatnonzero(alone).tolist(), *np.flatnonzero(failing[at] & ~alone).tolist()][:most]
    clause = explanation.clauses[at]
    found = []
    for row in rows:
        name = explanation.offer_ids[row]
        atoms = [atom for failure in explanation.of(name) if failure.clause is clause for atom in failure.atoms]
        found.append({"offer_id": name, "alone": bool(alone[row]), "atoms": atoms})
    return found


def clauses_named(explanation: Explanation, name: str) -> list[int]:
    """Find clauses by bit number, canonical text, words, or the id of a rule that asked for them.

    Raises
    ------
    InputError
        with the nearest name, where there is none
    """
    names: dict[str, list[int]] = {}
    for at, clause in enumerate(explanation.clauses):
        for known in {str(at), clause.encoding, clause.words, *(origin.rule for origin in clause.origins)}:
            names.setdefault(known, []).append(at)
    if name not in names:
        raise InputError(f"no clause {name!r} in this policy{hint(name, names)}")
    return names[name]


def _failure_rows(failure: Failure) -> Iterator[tuple[str, ...]]:
    """Give a line for a clause of one condition; for one of several a line for the clause and one for each of them."""
    whose = "; ".join(map(str, failure.clause.origins))
    told = [_seen(atom) for atom in failure.atoms]
    words = failure.clause.words
    yield words, whose, failure.reason, *(told[0] if len(told) == 1 else ("", "", ""))
    if len(told) > 1:
        for atom, seen in zip(failure.atoms, told, strict=True):
            yield f"· {atom.words}", "", "holds" if atom.holds else "fails", *seen


def _met_rows(met: Met) -> Iterator[tuple[str, ...]]:
    """Give a line for each condition of a clause that has a part in its being passed."""
    whose, words = "; ".join(map(str, met.clause.origins)), met.clause.words
    holding = [atom for atom in met.atoms if atom.holds] or list(met.atoms)
    for at, atom in enumerate(holding):
        yield ("" if at else words), ("" if at else whose), *_seen(atom)[1:]


def _part_rows(parts: Sequence[ScorePart], with_source: bool = True) -> Iterator[tuple[Any, ...]]:
    for part in parts:
        seen = part.observations
        read = "; ".join(f"{each.name} {_value(each)}" for each in seen)
        sources = ["; ".join(each.whence for each in seen)] if with_source else []
        yield part.words, read, *sources, part.weighed, part.weight, part.value


def _value(observed: Observed) -> str:
    if observed.value is None and observed.read is not None:
        return f"unknown, read as {value_words(observed.read)}"
    return value_words(observed.value)


def _seen(atom: Atom) -> tuple[str, str, str]:
    bound = "" if atom.bound is None or isinstance(atom.bound, list) else value_words(atom.bound)
    if atom.observed is None:
        return bound, "", ""
    return bound, f"{atom.observed.name} {value_words(atom.observed.value)}", atom.observed.whence


def _told(atom: Atom) -> str:
    return atom.words if atom.observed is None else str(atom.observed)


def _first() -> Iterator[bool]:
    yield True
    while True:
        yield False
