"""Retention: records before a moment are removed from the beginning of the log, and one signed stub stands for them.

Records are removed in steps, each a transaction that leaves a whole log: fewer records, and a stub that says how many
are gone and from which hash the chain goes on. Between the steps other records are written.
"""

from __future__ import annotations

from typing import Any

from tenantrank.errors import TraceError
from tenantrank.trace.chain import beginning
from tenantrank.trace.checkpoints import Stub
from tenantrank.trace.layout import Connection
from tenantrank.trace.ledger import Entry, Ledger
from tenantrank.trace.rows import Reference
from tenantrank.trace.snapshots import snapshot_note

STEP = 1000


def last_before(connection: Connection, moment: str) -> int:
    """Give the last record of the longest beginning of the log that is all older than a moment; 0 if there is none.

    The clock may have gone back: a record counts as kept when any record before it is.
    """
    kept = connection.execute("SELECT min(seq) FROM records WHERE time >= ?", (moment,)).fetchone()[0]
    if kept is not None:
        return int(kept) - 1
    last = connection.execute("SELECT max(seq) FROM records").fetchone()[0]
    return 0 if last is None else int(last)


def remove_step(ledger: Ledger, last: int, older_than: str) -> Stub | None:
    """Remove the oldest records, `STEP` at most, none after `last`; runs on the writer's thread.

    Returns
    -------
    Stub or None
        what stands for all that is removed by now; ``None`` where there was nothing left to remove

    Raises
    ------
    TraceError
        ``refused``: there is no key to sign the stub with
    """
    signer = ledger.signer
    if signer is None:
        raise TraceError("retention needs a signing key: an unsigned stub could stand for anything")
    done = 0 if ledger.stub is None else ledger.stub.last
    upto = min(last, done + STEP, ledger.seq)
    if upto <= done:
        return None
    connection = ledger.connection
    end = connection.execute("SELECT hash FROM records WHERE seq = ?", (upto,)).fetchone()
    if end is None:
        raise TraceError(f"record {upto} is missing: verify the trace", "unreadable")
    digest = bytes(end[0])
    # From here on only the database can fail, and then the store does.
    connection.execute("BEGIN IMMEDIATE")
    sets = _used(connection, "rule_set", upto) + _used(connection, "offer_set", upto)
    tenants = _used(connection, "tenant", upto)
    stub = Stub.sign(signer, ledger.log_id, upto, beginning(ledger.log_id), digest, older_than, ledger.now())
    connection.execute("DELETE FROM records WHERE seq <= ?", (upto,))
    ledger.index.sweep(tenants, sets)
    connection.execute("DELETE FROM checkpoints WHERE seq <= ?", (upto,))
    connection.execute("DELETE FROM stubs")
    connection.execute(
        "INSERT INTO stubs(last, body, signature) VALUES(?, ?, ?)", (stub.last, stub.body, stub.signature)
    )
    ledger.forget(_remove_snapshots(ledger, upto, last))
    if upto == min(last, ledger.seq):
        removed: dict[str, Any] = {"last": upto, "now": upto - done, "before": older_than}
        ledger.insert([Entry([{"kind": "note", "what": "retention", "removed": removed}])])
    connection.execute("COMMIT")
    ledger.stub = stub
    ledger.tidy(whole=True)
    return stub


def _used(connection: Connection, column: str, upto: int) -> list[int]:
    sql = f"SELECT DISTINCT {column} FROM records WHERE seq <= ? AND {column} IS NOT NULL"
    return [row[0] for row in connection.execute(sql, (upto,)).fetchall()]


def _remove_snapshots(ledger: Ledger, upto: int, last: int) -> list[Reference]:
    """Of snapshots whose notes were removed, note those anew that records after `last` use, and remove the others.

    Where a step after this one fails, records up to `last` are left without them, as they would be with it.
    """
    connection = ledger.connection
    sql = "SELECT ref, kind, id, sha256, size, used FROM snapshots WHERE note <= ?"
    removed: list[Reference] = []
    for ref, kind, id, sha256, size, used in connection.execute(sql, (upto,)).fetchall():
        if used <= last:
            connection.execute("DELETE FROM snapshots WHERE ref = ?", (ref,))
            connection.execute("DELETE FROM contents WHERE ref = ?", (ref,))
            removed.append((kind, id))
        else:
            ledger.insert([Entry([snapshot_note(kind, id, sha256, size)])])
            connection.execute("UPDATE snapshots SET note = ? WHERE ref = ?", (ledger.seq, ref))
    return removed
