"""The durable trace of a gateway: decisions on disk before a request leaves, what followed them afterwards.

Where the store cannot write, calls are refused: nothing that cannot be shown later is done.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tenantrank.engine import Decision
from tenantrank.errors import InputError, TraceError
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.records import DecisionRecord
from tenantrank.gateway.rules import Rule
from tenantrank.tenants import CompiledPolicy, Rulebook
from tenantrank.trace.checkpoints import append_checkpoint
from tenantrank.trace.log import TraceLog
from tenantrank.trace.signing import Signer

_WAITING = 4096
_HOUR_S = 3600.0


class TraceSettings(BaseModel):
    """Section ``trace`` of the gateway's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="the store's file; SQLite keeps further ones beside it")
    audited: Literal["all", "none"] | list[str] = Field(
        default="all",
        description="the keys, by name, whose requests leave only after their decision is on disk; those of others are "
        "recorded beside the call",
    )
    signing_key: str | None = Field(default=None, description="file of an Ed25519 key (PEM) that signs checkpoints")
    checkpoints: str | None = Field(
        default=None, description="file that each checkpoint is added to; keep it elsewhere than the store"
    )
    checkpoint_every: int = Field(default=1000, ge=1, description="records from one checkpoint to the next")
    keep_days: float | None = Field(default=None, gt=0, description="how long records are kept; for ever unless given")
    mask: list[str] = Field(default=[], description="tenant fields whose values are left out of records")


class Durable:
    """Records what a gateway decides and does.

    Parameters
    ----------
    log
        where records go
    settings
        of the section
    """

    def __init__(self, log: TraceLog, settings: TraceSettings) -> None:
        self.log = log
        self._audited = settings.audited
        self._keep = None if settings.keep_days is None else timedelta(days=settings.keep_days)

    @classmethod
    @contextmanager
    def open(
        cls,
        settings: TraceSettings,
        folder: Path,
        wall: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> Iterator[Durable]:
        """Open the store that a section names, and close it at the end of the block, with all that was handed over.

        Raises
        ------
        InputError
            where it cannot be opened or another process has it, and for a key that cannot be used
        """
        options: dict[str, Any] = {}
        try:
            if settings.signing_key is not None:
                options["signer"] = Signer.load(folder / settings.signing_key)
            if settings.checkpoints is not None:
                place = folder / settings.checkpoints
                options["on_checkpoint"] = lambda checkpoint: append_checkpoint(place, checkpoint, os.fsync)
            log = TraceLog.open(
                folder / settings.file,
                wall=wall,
                log_id_bits=random_bytes,
                mask=settings.mask,
                most=2 * _WAITING,
                checkpoint_every=settings.checkpoint_every,
                **options,
            )
        except TraceError as error:
            raise InputError(f"trace: {error}") from None
        try:
            yield cls(log, settings)
        finally:
            log.close()

    async def decided(
        self, trace_id: str, caller: str, label: str | None, rule: Rule, rulebook: Rulebook | None, decision: Decision
    ) -> None:
        """Record a decision; for an audited caller, wait until it is on disk.

        Raises
        ------
        Problem
            503 ``trace_unavailable`` where it cannot be recorded, or too much is waiting for the disk
        """
        compiled = rule.policy if isinstance(rule.policy, CompiledPolicy) else None
        given: dict[str, Any] = {
            "id": trace_id,
            "tenant": rule.tenant,
            "caller": caller,
            "label": label,
            "compiled": compiled,
            "rulebook": None if compiled is None else rulebook,
            "source": rule.source,
        }
        if self.log.waiting >= _WAITING:
            raise _unavailable("the trace is written more slowly than calls come", retry_s=1)
        try:
            if self._audited == "all" or caller in self._audited:
                # A client that leaves meanwhile does not take back what was handed over.
                await asyncio.shield(asyncio.wrap_future(self.log.submit(decision, **given)))
            else:
                self.log.record(decision, **given)
        except TraceError as error:
            raise _unavailable(f"the trace cannot be written ({error.why})", retry_s=30) from None

    def ended(self, record: DecisionRecord, cost_usd: float | None) -> str | None:
        """Record what followed a decision; gives why that was not possible, ``None`` where it was."""

        def moment(since_ms: float) -> str:
            return (record.began + timedelta(milliseconds=since_ms)).isoformat(timespec="milliseconds")

        attempts = []
        for attempt in record.attempts:
            answered = attempt.kind is None
            attempts.append(
                {
                    "offer": attempt.offer_id,
                    "provider": attempt.provider_id,
                    "number": attempt.number,
                    "started": moment(attempt.started_ms),
                    "ended": moment(attempt.ended_ms),
                    "outcome": attempt.kind,
                    "status": attempt.status,
                    "bytes_sent": attempt.bytes_sent,
                    "bytes_received": attempt.bytes_received,
                    "tokens_in": record.tokens_in if answered else None,
                    "tokens_out": record.tokens_out if answered else None,
                    "cost_usd": cost_usd if answered else None,
                }
            )
        try:
            self.log.attempts(
                record.trace_id,
                attempts,
                tenant=record.tenant,
                caller=record.caller,
                outcome=record.code or record.outcome,
                cost_usd=cost_usd,
            )
        except TraceError as error:
            return error.why
        return None

    async def retain(self, wall: Callable[[], datetime], ending: asyncio.Event) -> None:
        """Remove what is older than the section says, every hour, until the end."""
        while self._keep is not None and not ending.is_set():
            # What fails here fails the store, and the next call is told.
            with suppress(TraceError):
                await asyncio.to_thread(self.log.store.retain, wall() - self._keep)
            try:
                async with asyncio.timeout(_HOUR_S):
                    await ending.wait()
            except TimeoutError:
                continue


def _unavailable(why: str, retry_s: int) -> Problem:
    return Problem(503, "trace_unavailable", why, headers={"retry-after": str(retry_s)})
