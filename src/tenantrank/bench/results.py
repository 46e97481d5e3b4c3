"""Results: rows of figures, what failed and what was left out, as they go into the JSON file and come out of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tenantrank.bench.ready import Role
from tenantrank.errors import InputError

FORMAT = "tenantrank-bench/1"

_MAIN = ("min", "p50", "value")


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes
    ----------
    part, case : what was measured; rows of one part, case and number of offers are comparable
    implementation, role : who did it
    unit : of ``values``; less is always better
    values : ``min`` and ``median``, or percentiles, or a single ``value``, with whatever else was counted
    offers : in the catalog, where there is one
    count : policies or tenants of one pass
    checked : of how many the answers were compared; 0 where there is nothing to compare
    repeats : measurements that the values sum up
    note : one line for people
    """

    part: str
    case: str
    implementation: str
    role: Role
    unit: str
    values: Mapping[str, float]
    offers: int | None = None
    count: int = 1
    checked: int = 0
    repeats: int = 1
    note: str = ""

    @property
    def main(self) -> float:
        """The figure that ratios are made of: the minimum, else the median of calls, else the only value."""
        return next(self.values[name] for name in _MAIN if name in self.values)

    @property
    def group(self) -> tuple[str, str, int | None]:
        """What a row may be compared within."""
        return self.part, self.case, self.offers


@dataclass(frozen=True)
class Omission:
    """Something that has no figures: a failure (it gave a wrong answer, or none) or a thing that is not here."""

    part: str
    what: str
    why: str


@dataclass
class Log:
    """What the parts of one run write to."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Omission] = field(default_factory=list)
    skipped: list[Omission] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Add a measurement."""
        self.rows.append(row)

    def fail(self, part: str, what: str, why: str) -> None:
        """Add a failure."""
        self.failures.append(Omission(part, what, why))

    def skip(self, part: str, what: str, why: str) -> None:
        """Add what is left out; once is enough."""
        omission = Omission(part, what, why)
        if omission not in self.skipped:
            self.skipped.append(omission)


@dataclass(frozen=True)
class Run:
    """One run of the suite.

    ``about`` says where, when, with what and on what work: machine, versions, commit, command, date, seeds, digests.
    """

    about: Mapping[str, Any]
    rows: Sequence[Row]
    failures: Sequence[Omission] = ()
    skipped: Sequence[Omission] = ()

    def groups(self) -> dict[tuple[str, str, int | None], list[Row]]:
        """Give the rows that may be compared with one another."""
        groups: dict[tuple[str, str, int | None], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.group, []).append(row)
        return groups

    def to_json(self) -> dict[str, Any]:
        """Give the run as a JSON value; a figure that is not finite is null."""
        rows = [
            {**asdict(row), "values": {n: v if math.isfinite(v) else None for n, v in row.values.items()}}
            for row in self.rows
        ]
        return {
            "format": FORMAT,
            "about": dict(self.about),
            "rows": rows,
            "failures": [asdict(each) for each in self.failures],
            "skipped": [asdict(each) for each in self.skipped],
        }

    @classmethod
    def from_json(cls, value: Any) -> Run:
        """Read what `to_json` gave.

        Raises
        ------
        InputError
            for a value of another form
        """
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise InputError(f"expected results of the form {FORMAT}")
        try:
            rows = [
                Row(**{**row, "values": {n: math.nan if v is None else float(v) for n, v in row["values"].items()}})
                for row in value["rows"]
            ]
            omissions = ([Omission(**each) for each in value[key]] for key in ("failures", "skipped"))
            return cls(value["about"], rows, *omissions)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"results that cannot be read: {type(error).__name__}: {error}") from None


def read_run(path: Path) -> Run:
    """Read a file of results.

    Raises
    ------
    InputError
        one line with the path
    """
    try:
        return Run.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
