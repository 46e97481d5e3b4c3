"""Where each part of a compiled policy comes from, and what was settled when rules disagreed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

DEFAULTS = "defaults"
"""The rule id of what a rulebook's `defaults` give; no rule may take it."""
SCORERS = "scorers"
"""What stands for a rule id in faults of a rulebook's named scorers; no rule may take it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One reason why a tenant has a clause.

    Attributes
    ----------
    rule : id of the rule that added it
    field : the tenant field that filled the clause, or else one that the rule's condition tested; ``None`` for a rule
        that applies to every tenant
    value : what the tenant has there: a string, number, boolean or tuple of strings; ``None`` where it is absent
    """

    rule: str
    field: str | None = None
    value: object = None

    def __str__(self) -> str:
        if self.field is None:
            return self.rule
        if self.value is None:
            return f"{self.rule} <- {self.field} absent"
        shown = list(self.value) if isinstance(self.value, tuple) else self.value
        return f"{self.rule} <- {self.field}={shown!r}"


BoundKind = Literal["floor", "ceiling"]
"""What limits the value of an offer field: the stricter of two stands."""
Choice = Literal["preference", "selector", "failure_plan"]
"""What a policy has exactly one of: that of the most specific rule stands."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two rules asked for different things of which a policy holds one; this says which stood, and why.

    Attributes
    ----------
    kind : what they disagreed on
    field : the offer field of a floor or ceiling, else ``None``
    kept, dropped : origin of what stands, and of what gave way
    kept_value, dropped_value : the two numbers of a floor or ceiling, the two canonical encodings of anything else
    reason : the part of the conflict rule that decided
    """

    kind: BoundKind | Choice
    field: str | None
    kept: Origin
    dropped: Origin
    kept_value: float | str
    dropped_value: float | str
    reason: str

    def __str__(self) -> str:
        if self.field is None:
            return f"{self.kind}: kept {self.kept} over {self.dropped}: {self.reason}"
        return (
            f"{self.kind} {self.field}: kept {self.kept_value} ({self.kept}) over "
            f"{self.dropped_value} ({self.dropped}): {self.reason}"
        )


def attributed(words: str, origins: Sequence[Origin]) -> str:
    """Say something of a policy in a line: in words, and whose it is."""
    return f"{words} ({'; '.join(map(str, origins))})" if origins else words
