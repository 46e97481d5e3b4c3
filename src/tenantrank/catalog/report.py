"""What a build did: counts by source, refused values, conflicts, fillings, coverage before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.merge import Conflicts
from tenantrank.catalog.sources.offers import Refusal, SourceInfo


@dataclass(frozen=True, slots=True)
class SourceCount:
    """One source: what it is, how many offers it described, and what was left out, by reason."""

    info: SourceInfo
    offers: int
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The account of one build.

    Attributes
    ----------
    sources : in the order read; of ``genai-prices``, the offers that its rules priced
    refused : absurd values, each left unknown
    conflicts : columns on which sources differ
    filled : values taken from offers of the same model, by ``kind:column``
    coverage, coverage_before : column to share of offers that have a value; before is empty without an old snapshot
    unused_policies : providers of the policy table that no offer names
    """

    built: str
    offers: int
    providers: int
    sources: list[SourceCount]
    refused: list[Refusal]
    conflicts: Conflicts
    filled: dict[str, int]
    coverage: dict[str, float]
    coverage_before: dict[str, float]
    offers_before: int | None
    unused_policies: list[str]

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain JSON values."""
        return {
            "built": self.built,
            "offers": self.offers,
            "offers_before": self.offers_before,
            "providers": self.providers,
            "sources": [
                {
                    "name": count.info.name,
                    "origin": count.info.origin,
                    "as_of": count.info.as_of,
                    "dated_by": count.info.dated_by,
                    "licence": count.info.licence,
                    "offers": count.offers,
                    "left_out": dict(sorted(count.left_out.items())),
                }
                for count in self.sources
            ],
            "refused": [
                {"offer": r.offer, "column": r.column, "value": str(r.value), "source": r.source, "why": r.why}
                for r in self.refused
            ],
            "conflicts": {
                column: {
                    "stated_by_several": stated,
                    "differing": self.conflicts.differing[column],
                    "examples": [
                        {"offer": offer, "stated": {name: str(value) for name, value in values.items()}}
                        for offer, values in self.conflicts.examples.get(column, ())
                    ],
                }
                for column, stated in sorted(self.conflicts.stated_twice.items())
            },
            "filled": self.filled,
            "coverage": self.coverage,
            "coverage_before": self.coverage_before,
            "unused_policies": self.unused_policies,
        }


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A built catalog and the account of how it came about."""

    catalog: Catalog
    report: BuildReport


def coverage(catalog: Catalog) -> dict[str, float]:
    """Give, for each column in table order, the share of offers that have a value, to four decimals."""
    table = catalog.table
    rows = table.num_rows or 1
    return {name: round(1 - table[name].null_count / rows, 4) for name in table.column_names}
