"""What providers document about keeping requests: a table of the project's own, applied to every offer of a provider.

The table is CSV with a row a provider: ``provider_id``, ``no_log``, ``retention_days``, ``zdr``, ``trains_on_data``,
``policy_scope`` (what the row covers, in words), ``except_models`` (beginnings of model ids that it does not cover,
joined by ``;``), ``evidence`` (``primary``: the provider's own page says so; ``secondary``: another's summary),
``source_url``, ``as_of``. An empty cell is unknown. These are documented defaults; what a contract says instead is for
an overlay.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tenantrank.catalog.merge import Row
from tenantrank.catalog.schema import LABELS
from tenantrank.errors import CatalogError

NAME = "policy"
COLUMNS = (
    "provider_id",
    "no_log",
    "retention_days",
    "zdr",
    "trains_on_data",
    "policy_scope",
    "except_models",
    "evidence",
    "source_url",
    "as_of",
)
EVIDENCE = ("primary", "secondary")
_FLAGS = {"": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class DataPolicy:
    """One provider's documented default.

    Attributes
    ----------
    values : the columns it states
    except_models : beginnings of model ids, in lower case, that the policy does not cover
    evidence : ``primary`` or ``secondary``
    source_url, as_of : the page, and when it said so (year, month or day)
    """

    provider_id: str
    values: dict[str, Any] = field(default_factory=dict)
    except_models: tuple[str, ...] = ()
    evidence: str = ""
    source_url: str = ""
    as_of: str = ""

    @property
    def source(self) -> str:
        """The origin noted for each value."""
        return f"{NAME}:{self.evidence}:{self.source_url}"


def read_policies(content: bytes) -> dict[str, DataPolicy]:
    """Read the table.

    Raises
    ------
    CatalogError
        naming the line, for another header, an unknown value, a missing page or date, or a provider listed twice
    """
    reader = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise CatalogError(f"{NAME}: the header must be {','.join(COLUMNS)}")
    policies: dict[str, DataPolicy] = {}
    for cells in reader:
        policy = _policy(cells, f"{NAME}, line {reader.line_num}")
        if policy.provider_id in policies:
            raise CatalogError(f"{NAME}, line {reader.line_num}: provider {policy.provider_id!r} is listed twice")
        policies[policy.provider_id] = policy
    return policies


def _policy(cells: dict[str, Any], where: str) -> DataPolicy:
    if None in cells or None in cells.values():
        raise CatalogError(f"{where}: needs {len(COLUMNS)} cells")
    values: dict[str, Any] = {}
    if cells["no_log"] not in _FLAGS:
        raise CatalogError(f"{where}: no_log is true, false or empty, not {cells['no_log']!r}")
    if cells["no_log"]:
        values["no_log"] = _FLAGS[cells["no_log"]]
    if cells["retention_days"]:
        if not cells["retention_days"].isdigit():
            raise CatalogError(f"{where}: retention_days is a number of days, not {cells['retention_days']!r}")
        values["retention_days"] = int(cells["retention_days"])
    if values.get("no_log") and values.get("retention_days"):
        raise CatalogError(f"{where}: no_log is true, yet something is kept {values['retention_days']} days")
    for column in ("zdr", "trains_on_data"):
        if cells[column]:
            if cells[column] not in LABELS[column]:
                raise CatalogError(f"{where}: {column} is one of {', '.join(LABELS[column])}, not {cells[column]!r}")
            values[column] = cells[column]
    if cells["policy_scope"]:
        values["policy_scope"] = cells["policy_scope"]
    if not cells["provider_id"] or not cells["source_url"].startswith("https://") or not cells["as_of"]:
        raise CatalogError(f"{where}: needs a provider, an https page and a date")
    if cells["evidence"] not in EVIDENCE:
        raise CatalogError(f"{where}: evidence is primary or secondary, not {cells['evidence']!r}")
    excepted = tuple(start.lower() for start in cells["except_models"].split(";") if start)
    return DataPolicy(cells["provider_id"], values, excepted, cells["evidence"], cells["source_url"], cells["as_of"])


def apply_policies(rows: Iterable[Row], policies: dict[str, DataPolicy]) -> set[str]:
    """Set each provider's documented default on its rows, in place; give the providers that have no row."""
    unused = set(policies)
    for row in rows:
        policy = policies.get(row.provider_id)
        if policy is not None:
            unused.discard(row.provider_id)
            if row.wire_model_id.lower().startswith(policy.except_models or (" ",)):
                continue
            for column, value in policy.values.items():
                row.put(column, value, policy.source, policy.as_of)
    return unused
