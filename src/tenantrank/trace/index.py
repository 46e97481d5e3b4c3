"""What records are found by: the tenant, and sets of rules and of offers, which many records share.

A record has a row of its own in three indexes at most, however many rules and offers it names: those sets are stored
once, under a digest, with their members.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from tenantrank.trace.layout import Connection
from tenantrank.trace.rows import Term, offer_terms, rule_terms

_KEPT = 100_000  # names, and sets, whose places are remembered


class Index:
    """The tables of names and sets, as the one writer fills them; on the writer's thread, in its transactions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names: dict[Term, int] = {}
        self._sets: dict[tuple[Any, ...], int] = {}
        self._free: dict[str, int] = {}

    def name(self, field: str, value: str | None) -> int | None:
        """Give the place of a name, which is made where it is new."""
        if value is None:
            return None
        term = (field, value)
        ref = self._names.get(term)
        if ref is None:
            ref = self._place("names", ("field", "value"), term)
            _remember(self._names, term, ref)
        return ref

    def rules(self, rule: tuple[tuple[str, ...], tuple[str, ...]]) -> int | None:
        """Give the place of a record's rules and policy, which is made where they are new."""
        return self._sets.get(rule) or self._set(rule, rule_terms(rule))

    def offers(self, offers: tuple[str, ...]) -> int | None:
        """Give the place of a record's offers, which is made where they are new."""
        return self._sets.get(offers) or self._set(offers, offer_terms(offers))

    def _set(self, key: tuple[Any, ...], terms: set[Term]) -> int | None:
        if not terms:
            return None
        members = sorted(terms)
        digest = set_digest(members)
        known = self._connection.execute("SELECT ref FROM sets WHERE digest = ?", (digest,)).fetchone()
        if known is not None:
            ref = int(known[0])
        else:
            ref = self._place("sets", ("digest",), (digest,))
            self._connection.executemany(
                "INSERT INTO members(name, in_set) VALUES(?, ?)", [(self.name(*term), ref) for term in members]
            )
        _remember(self._sets, key, ref)
        return ref

    def sweep(self, tenants: Iterable[int], sets: Iterable[int]) -> None:
        """Remove what no record is found by any more, of some that were in use."""
        run = self._connection.execute
        self._names.clear()
        self._sets.clear()
        names = set(tenants)
        for ref in sets:
            used = (
                "SELECT 1 FROM records WHERE rule_set = ? UNION ALL SELECT 1 FROM records WHERE offer_set = ? LIMIT 1"
            )
            if run(used, (ref, ref)).fetchone() is None:
                names.update(row[0] for row in run("SELECT name FROM members WHERE in_set = ?", (ref,)).fetchall())
                run("DELETE FROM members WHERE in_set = ?", (ref,))
                run("DELETE FROM sets WHERE ref = ?", (ref,))
        for ref in names:
            used = "SELECT 1 FROM records WHERE tenant = ? UNION ALL SELECT 1 FROM members WHERE name = ? LIMIT 1"
            if run(used, (ref, ref)).fetchone() is None:
                run("DELETE FROM names WHERE ref = ?", (ref,))

    def _place(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> int:
        run = self._connection.execute
        where = " AND ".join(f"{column} = ?" for column in columns)
        row = run(f"SELECT ref FROM {table} WHERE {where}", values).fetchone()
        if row is not None:
            return int(row[0])
        # The one writer gives places itself: nobody else could have given this one meanwhile.
        ref = self._free.get(table) or 1 + run(f"SELECT coalesce(max(ref), 0) FROM {table}").fetchone()[0]
        marks = ", ".join("?" * len(columns))
        run(f"INSERT INTO {table}(ref, {', '.join(columns)}) VALUES(?, {marks})", (ref, *values))
        self._free[table] = ref + 1
        return int(ref)


def set_digest(members: Iterable[Term]) -> bytes:
    """Give what a set is known by: the sha256 of its members in ascending order, as JSON."""
    return hashlib.sha256(json.dumps(sorted(members)).encode()).digest()


def _remember(places: dict[Any, int], key: Any, ref: int) -> None:
    if len(places) >= _KEPT:
        places.clear()
    places[key] = ref
