"""Verification of what lies beside the chain: what records are found by, snapshots, and the file's structure.

None of it is hashed into the chain. It is compared with what the records say, which is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from tenantrank.trace.index import set_digest
from tenantrank.trace.layout import Connection
from tenantrank.trace.report import Report
from tenantrank.trace.rows import Reference, Term, key_of, marks_of, offer_terms, rule_terms
from tenantrank.trace.snapshots import noted, unpacked

_NO_TERM = ("", "")
_PAGE = 500
_KEPT = 100_000
_FINDINGS = 20  # of SQLite's own check that are told


class Beside:
    """Compares the tables beside the chain with the records, as these are gone through in order.

    Parameters
    ----------
    connection, report
        where to read, and to write what is wrong
    """

    def __init__(self, connection: Connection, report: Report) -> None:
        self._connection, self._report = connection, report
        self._structure()
        # Texts are read as bytes: what is no longer UTF-8 is to be told, and not to end everything.
        names = {
            row[0]: (_text(row[1]), _text(row[2]))
            for row in connection.execute("SELECT ref, CAST(field AS BLOB), CAST(value AS BLOB) FROM names")
        }
        members: dict[int, set[Term]] = {}
        for name, in_set in connection.execute("SELECT name, in_set FROM members"):
            members.setdefault(in_set, set()).add(names.get(name, _NO_TERM))
        self._names, self._sets = names, members
        self._ahead: dict[int, Any] = {}
        self._compared: dict[tuple[Any, Any], bool] = {}
        for ref, digest in connection.execute("SELECT ref, digest FROM sets"):
            if set_digest(members.get(ref, ())) != digest:
                report.add("index", None, f"the set {ref} does not have the members it is known by")
        self._notes: dict[Reference, tuple[int, str]] = {}

    def record(self, seq: int, record: Mapping[str, Any]) -> bool:
        """Compare what a record is found by with what it says; say whether it is the same."""
        texts, (tenant, rules, offers) = self._row(seq)
        marks = marks_of(record)
        good = (
            texts == (record.get("kind"), key_of(record), record.get("time"))
            and (None if tenant is None else self._names.get(tenant)) == _tenant(marks.tenant)
            and self._is(rules, marks.rule, rule_terms)
            and self._is(offers, marks.offers, offer_terms)
        )
        if not good:
            self._report.add("index", seq, f"record {seq} is found by something else than what it says")
        note = noted(record)
        if note is not None:
            self._notes[note[0]] = (seq, note[1])
        return good

    def finish(self) -> None:
        """Check snapshots against their notes, after the last record."""
        sql = "SELECT CAST(kind AS BLOB), CAST(id AS BLOB), sha256, size, note, data FROM snapshots"
        for *names, sha256, size, note, data in self._connection.execute(f"{sql} LEFT JOIN contents USING(ref)"):
            kind, id = map(_text, names)
            found = self._notes.pop((kind, id), None)
            raw = unpacked(data, size)
            digest = None if raw is None else hashlib.sha256(raw).digest()
            if found is None or found[0] != note or not isinstance(sha256, bytes) or found[1] != sha256.hex():
                detail = f"the {kind} snapshot {id} is not what any record says it is"
                self._report.add("snapshot", note if isinstance(note, int) else None, detail)
            elif digest != sha256:
                self._report.add("snapshot", note, f"the bytes of the {kind} snapshot {id} were altered")
        for (kind, id), (seq, _) in self._notes.items():
            self._report.add("snapshot", seq, f"the {kind} snapshot {id} is missing")

    def _row(self, seq: int) -> tuple[tuple[str | None, ...], tuple[Any, ...]]:
        """Give what lies beside a record: texts, and places; rows are read some hundreds at a time."""
        if seq not in self._ahead:
            sql = "SELECT seq, CAST(kind AS BLOB), CAST(id AS BLOB), CAST(time AS BLOB), tenant, rule_set, offer_set"
            sql += " FROM records WHERE seq >= ? ORDER BY seq LIMIT ?"
            try:
                rows = self._connection.execute(sql, (seq, _PAGE)).fetchall()
            except Exception:
                rows = self._connection.execute(sql, (seq, 1)).fetchall()
            self._ahead = {row[0]: row[1:] for row in rows}
        row = self._ahead[seq]
        return tuple(None if text is None else _text(text) for text in row[:3]), row[3:]

    def _is(self, ref: Any, key: Any, terms: Callable[[Any], set[Term]]) -> bool:
        """Say whether a set has just these members; what was found out is kept for records that have it in common."""
        known = self._compared.get((ref, key))
        if known is None:
            known = (set() if ref is None else self._sets.get(ref, {_NO_TERM})) == terms(key)
            if len(self._compared) >= _KEPT:
                self._compared.clear()
            self._compared[ref, key] = known
        return known

    def _structure(self) -> None:
        try:
            findings = [row[0] for row in self._connection.execute(f"PRAGMA integrity_check({_FINDINGS})").fetchall()]
        except Exception as error:
            findings = [str(error)]
        for finding in findings:
            if finding != "ok":
                self._report.add("unreadable", None, f"SQLite says of the file: {finding}")


def _tenant(tenant: str | None) -> Term | None:
    return None if tenant is None else ("tenant", tenant)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
