"""The runner: one call walks its failure plan over the ranked offers, within the operator's limits.

The plan decides where to go next, and only ever down the ranked list. Before each attempt, the first and every later
one, it is asked again whether the offer is permitted at that moment; nothing happens between that answer and the
attempt.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

from tenantrank.gateway.failure import Failure, Withheld
from tenantrank.gateway.guard import Guard
from tenantrank.gateway.limits import Limits
from tenantrank.gateway.outcome import BROKEN, CANCELLED, Answer, Outcome, Tried
from tenantrank.policy.failover import Attempt, End, Failover, Target, Wait
from tenantrank.policy.normal_form import Node

__all__ = ["BROKEN", "CANCELLED", "Outcome", "Tried", "walk"]


async def walk(
    targets: Sequence[Target],
    plan: Node,
    send: Callable[[Target, int], Awaitable[Answer]],
    *,
    guard: Guard,
    limits: Limits,
    now_ms: Callable[[], float],
    permitted: Callable[[Target], str | None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    note: Callable[[Tried], None] | None = None,
) -> Outcome[Answer]:
    """Try ranked offers as a plan says until one answers.

    Parameters
    ----------
    targets
        the decision's offers, best first; those beyond ``limits.ranked`` are not considered
    plan
        the policy's FailPlan in normal form
    send
        makes one attempt, the given try at the offer, counted from 1; returns the answer or raises `Failure`, or
        `Withheld` where it sent nothing because the offer is permitted no more: that is no attempt. It is cancelled
        when the call is, or when ``limits.total_s`` are over.
    guard
        of this call
    limits
        the operator's
    now_ms
        a monotonic clock, in ms
    permitted
        says why an attempt at an offer may not be made now, ``None`` where it may
    sleep
        waits for some seconds
    note
        is told of each attempt as it ends, those too that are cancelled

    Returns
    -------
    Outcome
        also where nobody answered

    Raises
    ------
    asyncio.CancelledError
        when the call is cancelled; the attempt then counts neither for nor against the provider
    """
    return await _Walk(targets, plan, send, guard, limits, now_ms, permitted, sleep, note).run()


class _Walk(Generic[Answer]):
    """One call under way."""

    __slots__ = (
        "_answer",
        "_began_ms",
        "_cut",
        "_deadline_ms",
        "_failure",
        "_guard",
        "_held_back",
        "_limited",
        "_limits",
        "_note",
        "_now_ms",
        "_permitted",
        "_plan",
        "_refused_retry",
        "_retries",
        "_send",
        "_shortened",
        "_sleep",
        "_tried",
        "_waits",
    )

    def __init__(
        self,
        targets: Sequence[Target],
        plan: Node,
        send: Callable[[Target, int], Awaitable[Answer]],
        guard: Guard,
        limits: Limits,
        now_ms: Callable[[], float],
        permitted: Callable[[Target], str | None],
        sleep: Callable[[float], Awaitable[None]],
        note: Callable[[Tried], None] | None,
    ) -> None:
        self._send, self._guard, self._limits = send, guard, limits
        self._now_ms, self._permitted, self._sleep, self._note = now_ms, permitted, sleep, note
        self._shortened = len(targets) > limits.ranked
        self._plan = Failover(plan, targets[: limits.ranked] if self._shortened else targets, guard)
        self._began_ms = now_ms()
        self._deadline_ms = self._began_ms + limits.total_s * 1000.0
        self._tried: list[Tried] = []
        self._waits: list[float] = []
        self._retries = 0
        self._held_back: list[Target] = []
        self._limited: dict[str, None] = {}
        self._cut: str | None = None
        self._refused_retry: str | None = None
        self._failure: Failure | None = None
        self._answer: Answer | None = None

    async def run(self) -> Outcome[Answer]:
        now_ms = self._began_ms
        while not isinstance(step := self._plan.step(now_ms), End):
            if isinstance(step, Wait):
                self._waits.append(step.ms)
                await self._sleep(step.ms / 1000.0)
            elif (reason := self._forbidden(step.target, now_ms)) is not None:
                self._plan.skip(reason)
            elif (limit := self._used_up(now_ms)) is not None:
                self._plan.cut(self._cut_by(limit))
            else:
                await self._attempt(step, now_ms)
            now_ms = self._now_ms()
        return self._outcome(step, now_ms)

    def _forbidden(self, target: Target, now_ms: float) -> str | None:
        reason = self._permitted(target)
        if reason is None:
            reason = self._guard.blocked(target, now_ms)
            if reason is not None:
                self._held_back.append(target)
        return reason

    def _used_up(self, now_ms: float) -> str | None:
        if len(self._tried) >= self._limits.attempts:
            return "attempts"
        return "total_s" if now_ms >= self._deadline_ms else None

    async def _attempt(self, step: Attempt, started_ms: float) -> None:
        self._guard.begin(step.target, started_ms)
        left_s = (self._deadline_ms - started_ms) / 1000.0
        timer = asyncio.timeout(None if left_s == math.inf else left_s)
        try:
            async with timer:
                self._answer = await self._send(step.target, step.number)
        except Failure as failure:
            self._failed(step, started_ms, failure)
        except Withheld as withheld:
            self._guard.dropped()
            self._plan.skip(str(withheld))
        except BaseException as error:
            if isinstance(error, TimeoutError) and timer.expired():
                self._overran(step, started_ms)
                return
            self._guard.dropped()
            kind = CANCELLED if isinstance(error, asyncio.CancelledError) else BROKEN
            self._add(step, started_ms, self._now_ms(), kind)
            raise
        else:
            ended_ms = self._now_ms()
            self._guard.answered(ended_ms)
            self._plan.succeeded()
            self._add(step, started_ms, ended_ms, None)

    def _failed(self, step: Attempt, started_ms: float, failure: Failure) -> None:
        ended_ms = self._now_ms()
        self._guard.refused(failure, ended_ms)
        # It outlives the attempt, and its traceback would hold on to all of it, the request's content too.
        failure.__traceback__ = failure.__context__ = failure.__cause__ = None
        self._failure, self._refused_retry = failure, None
        self._add(step, started_ms, ended_ms, failure.kind, failure.status, failure.accepted)
        self._plan.failed(failure.kind, ended_ms, self._pace)

    def _overran(self, step: Attempt, started_ms: float) -> None:
        ended_ms = self._now_ms()
        failure = Failure("timeout", "the time for the call was over before an answer began", accepted=True)
        # A provider that got less time than it is allowed has not shown that it is slow.
        allowed_s = min(self._limits.first_byte_s, self._limits.total_s)
        if ended_ms - started_ms >= allowed_s * 1000.0 - 1.0:
            self._guard.refused(failure, ended_ms)
        else:
            self._guard.dropped()
        self._failure = failure
        self._add(step, started_ms, ended_ms, failure.kind, None, failure.accepted)
        self._plan.cut(self._cut_by("total_s"), failure.kind)

    def _pace(self, target: Target, wait_ms: float) -> float | str:
        """Decide over another try at the same offer: how long to wait for it, or why there is none."""
        limits, now_ms = self._limits, self._now_ms()
        if wait_ms > limits.backoff_ms:
            wait_ms = limits.backoff_ms
            self._limited["backoff_ms"] = None
        asked_s = None if self._failure is None else self._failure.retry_after_s
        refused = None
        if asked_s is not None and limits.retry_after_s is not None and asked_s > 0.0:
            if asked_s > limits.retry_after_s:
                refused = "retry_after_s"
            wait_ms = max(wait_ms, asked_s * 1000.0)
        if len(self._tried) >= limits.attempts:
            refused = "attempts"
        elif refused is None and now_ms + wait_ms >= self._deadline_ms:
            refused = "total_s"
        elif refused is None and not self._guard.may_retry(target, now_ms):
            refused = "retry_ratio"
        if refused is None:
            return wait_ms
        self._limited[refused] = None
        self._refused_retry = refused
        return refused

    def _add(
        self,
        step: Attempt,
        started_ms: float,
        ended_ms: float,
        kind: str | None,
        status: int | None = None,
        accepted: bool = False,
    ) -> None:
        tried = Tried(step.target, step.number, kind, status, accepted, started_ms, ended_ms)
        self._tried.append(tried)
        self._retries += step.number > 1
        if self._note is not None:
            self._note(tried)

    def _cut_by(self, limit: str) -> str:
        self._cut = limit
        self._limited[limit] = None
        return limit

    def _outcome(self, end: End, ended_ms: float) -> Outcome[Answer]:
        tried = tuple(self._tried)
        retry_after_ms = None
        if end.error is not None:
            if self._held_back:
                retry_after_ms = self._guard.wait_ms(self._held_back, ended_ms)
            if self._cut is None:
                # Where the last failure would have been followed by another try, it is that which ended the call.
                self._cut = self._refused_retry
            if self._cut is None and self._shortened and end.error.startswith("exhausted"):
                self._cut_by("ranked")
        return Outcome(
            end.chosen,
            self._answer,
            end.error,
            tried,
            self._plan.events,
            self._waits,
            self._cut,
            tuple(self._limited),
            self._retries,
            max(0, len(tried) - self._retries - 1),
            self._failure if end.error is not None else None,
            retry_after_ms,
            self._began_ms,
            ended_ms,
        )
