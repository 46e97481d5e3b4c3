"""What verification found: whether a log is whole, segment by segment, and by name what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

What = Literal[
    "edited",
    "hash",
    "missing",
    "moved",
    "rewritten",
    "truncated",
    "other log",
    "checkpoint",
    "stub",
    "index",
    "snapshot",
    "unreadable",
]
"""What is wrong.

- ``edited``: a record's text does not give its hash, or does not follow from the record before it
- ``hash``: the hash beside a record was altered; its text was not
- ``missing``: records were taken out
- ``moved``: a record lies under another number than its own
- ``rewritten``: a segment follows from itself, but does not lead to what was signed
- ``truncated``: the log ends before what was signed
- ``other log``: a checkpoint is about another log
- ``checkpoint``, ``stub``: one is not signed by the key, or cannot be read
- ``index``: what a record is found by is not what it says
- ``snapshot``: one was altered, is missing, or is not bound into the chain
- ``unreadable``: SQLite cannot read it, or it is not of the form it should have
"""

MOST = 1000
"""Problems that a report lists; further ones are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    what : its sort
    seq : the record it is about, the first of several, or ``None``
    detail : in words
    """

    what: What
    seq: int | None
    detail: str

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value."""
        return {"what": self.what, "seq": self.seq, "detail": self.detail}


@dataclass(slots=True)
class Segment:
    """Records from one checkpoint to the next, which are judged apart from all others.

    Attributes
    ----------
    first, last : numbers of its records
    signed : whether a valid checkpoint is at its end; without one nothing keeps it from being cut or rewritten
    ok : whether all its records are what they were
    """

    first: int
    last: int
    signed: bool
    ok: bool = True

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value."""
        return {"first": self.first, "last": self.last, "signed": self.signed, "ok": self.ok}


@dataclass(slots=True)
class Report:
    """What verification found.

    Attributes
    ----------
    log : the log's id in hex; records : how many there are; last : the number of the last one
    key : the public key in hex that signatures were checked with, or ``None`` where nothing is signed
    pinned : whether that key came from elsewhere; one that only the store itself names is no proof against whoever can
        write the store
    segments : in order; problems : the first `MOST`, in the order they were found; count : of all problems
    removed : records that retention removed, which the stub stands for
    outside : checkpoints given that were kept elsewhere; unchecked : those of them about records removed since
    """

    log: str = ""
    records: int = 0
    last: int = 0
    key: str | None = None
    pinned: bool = False
    segments: list[Segment] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    removed: int = 0
    outside: int = 0
    unchecked: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.count

    def add(self, what: What, seq: int | None, detail: str) -> None:
        """Note a problem."""
        self.count += 1
        if len(self.problems) < MOST:
            self.problems.append(Problem(what, seq, detail))

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value."""
        names = ("ok", "log", "records", "last", "removed", "key", "pinned", "outside", "unchecked")
        return {
            **{name: getattr(self, name) for name in names},
            "segments": [segment.to_json() for segment in self.segments],
            "problems": [problem.to_json() for problem in self.problems],
            "problem_count": self.count,
        }
