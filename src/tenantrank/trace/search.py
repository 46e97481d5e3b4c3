"""Finding records by what they say: the statement for some terms, a time and a kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tenantrank.trace.canonical import moment

_NAME = "(SELECT ref FROM names WHERE field = ? AND value = ?)"
_SETS = f"(SELECT in_set FROM members WHERE name = {_NAME})"
_WHERE = {
    "tenant": f"r.tenant = {_NAME}",
    "fingerprint": f"r.rule_set IN {_SETS}",
    "identity": f"r.rule_set IN {_SETS}",
    "rule": f"r.rule_set IN {_SETS}",
    "offer": f"r.offer_set IN {_SETS}",
}


def query(
    terms: Mapping[str, str | None], since: datetime | None, until: datetime | None, kind: str | None
) -> tuple[str, list[Any]]:
    """Give a statement, up to and with its conditions, and its values.

    Parameters
    ----------
    terms
        by field, what records must name; ``None`` asks for nothing
    since, until, kind
        as of `Reader.search`
    """
    sql, values = "SELECT r.seq, r.hash, r.body FROM records r WHERE 1", list[Any]()
    for field, value in terms.items():
        if value is not None:
            sql += f" AND {_WHERE[field]}"
            values += (field, value)
    for condition, given in (
        (" AND r.time >= ?", None if since is None else moment(since)),
        (" AND r.time < ?", None if until is None else moment(until)),
        (" AND r.kind = ?", kind),
    ):
        if given is not None:
            sql += condition
            values.append(given)
    return sql, values
