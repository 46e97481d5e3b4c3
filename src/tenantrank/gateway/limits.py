"""The operator's limits on one call: what a failure plan may ask for at most, and how long and how large things get.

Source: the language's specification, section 7: a server in front of many tenants is safer than the language's plain
semantics by its own configuration. A caller can narrow none of them and widen none; their values belong in the trace,
and a plan that one of them cut short says which.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_MIB = 1024 * 1024


class LimitSettings(BaseModel):
    """The section ``limits`` of the gateway's file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    attempts: int = Field(
        default=6, ge=1, le=100, description="most requests to providers for one call, retries included"
    )
    ranked: int = Field(
        default=16, ge=1, le=1000, description="most offers of a decision that a call considers, best first"
    )
    total_s: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        description="longest time from the decision to the beginning of an answer, in seconds",
    )
    backoff_ms: float = Field(
        default=2000.0, ge=0, le=60_000, description="longest wait that a plan may ask for before a try"
    )
    retry_after_s: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="longest wait that a provider may ask for before it is tried again; one that asks for more is not "
        "tried again, and the plan goes on as if its tries there were used up",
    )
    retry_ratio: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="retries of an offer, as a share of the attempts at its provider in ten seconds",
    )
    retry_floor: float = Field(
        default=10.0, ge=0, le=10_000, description="retries a second at a provider that are allowed beyond that share"
    )
    connect_s: float = Field(default=5.0, gt=0, le=300, description="longest time to a connection, in seconds")
    first_byte_s: float = Field(default=60.0, gt=0, le=3600, description="longest time to the first byte of an answer")
    idle_s: float = Field(default=60.0, gt=0, le=3600, description="longest silence within an answer, in seconds")
    body_bytes: int = Field(default=32 * _MIB, ge=1024, le=1024 * _MIB, description="largest body of a request")
    answer_bytes: int = Field(default=64 * _MIB, ge=1024, le=1024 * _MIB, description="largest answer of a provider")

    def limits(self) -> Limits:
        """Give the limits that these settings stand for."""
        return Limits(**self.model_dump())


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in force, by the names and in the units of `LimitSettings`.

    Attributes
    ----------
    attempts, total_s, backoff_ms : infinite for none
    ranked : ``sys.maxsize`` for none
    retry_after_s : ``None`` where what providers say of waiting is not looked at
    retry_ratio : infinite for no budget
    """

    attempts: float
    ranked: int
    total_s: float
    backoff_ms: float
    retry_after_s: float | None
    retry_ratio: float
    retry_floor: float
    connect_s: float
    first_byte_s: float
    idle_s: float
    body_bytes: int
    answer_bytes: int

    @classmethod
    def off(cls) -> Limits:
        """Give the plain semantics of the language: a plan is followed to its end, whatever it asks for.

        For replaying what the language itself says; never for serving. Times and sizes of one request to a provider
        stay at their defaults.
        """
        kept = LimitSettings().model_dump()
        none = {"attempts": math.inf, "ranked": sys.maxsize, "total_s": math.inf, "backoff_ms": math.inf}
        return cls(**{**kept, **none, "retry_after_s": None, "retry_ratio": math.inf})

    def to_json(self) -> dict[str, Any]:
        """Give names and values for the trace; ``None`` for no limit."""
        return {name: None if value in (math.inf, sys.maxsize) else value for name, value in asdict(self).items()}


DEFAULT = LimitSettings().limits()
"""The limits where the operator's file states none."""
