"""Recomputing recorded decisions in bulk: those of one catalog, health and envelope are ranked together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tenantrank.engine import Engine, Request
from tenantrank.errors import TenantrankError, TraceError
from tenantrank.policy.policy import Policy
from tenantrank.trace.restore import Restored, world_of
from tenantrank.trace.store import Stored

_BLOCK = 8192  # records held at a time
_FEW = 64  # places up to which decisions are ranked together whatever each of them wants
_PLACES = 4_000_000  # places of all decisions that are ranked together, which bounds the memory they take


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded decision: its number in the chain and what the record says."""

    seq: int
    record: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The record's id."""
        return str(self.record.get("id"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recorded decision comes to now, with what it was made of; best first, of the places asked for."""

    offer_ids: tuple[str, ...]
    scores: tuple[float, ...]
    survivors: int
    engine: Engine
    policy: Policy
    request: Request


@dataclass(frozen=True, slots=True)
class _Task:
    at: int
    policy: Policy
    request: Request
    seed: int | None
    places: int


def decisions_of(stored: Iterable[Stored]) -> Iterator[Recorded]:
    """Give the decisions among stored records, in order."""
    for each in stored:
        record = each.record
        if record.get("kind") == "decision":
            yield Recorded(each.seq, record)


PolicyFor = Callable[[Recorded, Engine], Policy]


def recomputed(
    decisions: Iterable[Recorded], restored: Restored, places: int | None = None, policy: PolicyFor | None = None
) -> Iterator[tuple[Recorded, Answer | TraceError]]:
    """Recompute decisions, in order, a block at a time.

    Parameters
    ----------
    decisions
        as recorded
    restored
        gives what they were made of
    places
        how many places are wanted of each; ``None`` for as many as the decision was asked for
    policy
        gives a policy in the place of the recorded one, or raises TraceError; ``None`` for the recorded ones

    Yields
    ------
    each decision with its answer, or with the error that keeps it from being recomputed
    """
    remaining = iter(decisions)
    while block := list(islice(remaining, _BLOCK)):
        answers: list[Answer | TraceError] = [TraceError("not recomputed")] * len(block)
        worlds: dict[Any, list[int]] = {}
        for at, decision in enumerate(block):
            try:
                worlds.setdefault(world_of(decision.record), []).append(at)
            except (KeyError, TypeError) as error:
                answers[at] = _unreadable(error)
        for world, positions in worlds.items():
            try:
                engine = restored.engine(world)
            except TraceError as error:
                for at in positions:
                    answers[at] = error
                continue
            for tasks in _together(_tasks(block, positions, engine, restored, places, policy, answers)):
                _rank(engine, tasks, answers)
        yield from zip(block, answers, strict=True)


def _tasks(
    block: Sequence[Recorded],
    positions: Sequence[int],
    engine: Engine,
    restored: Restored,
    places: int | None,
    policy_for: PolicyFor | None,
    answers: list[Answer | TraceError],
) -> list[_Task]:
    size, fields = len(engine.catalog), engine.catalog.fields
    tasks = []
    for at in positions:
        record = block[at].record
        try:
            wanted = record["k"] if places is None else places
            policy = restored.policy(record, fields) if policy_for is None else policy_for(block[at], engine)
            request = restored.request(record)
            tasks.append(_Task(at, policy, request, record["seed"], size if wanted is None else min(wanted, size)))
        except TraceError as error:
            answers[at] = error
        except (KeyError, TypeError) as error:
            answers[at] = _unreadable(error)
    return tasks


def _together(tasks: Sequence[_Task]) -> Iterator[list[_Task]]:
    """Part tasks so that none takes memory for many more places than it wants, and all together not too much."""
    few = [task for task in tasks if task.places <= _FEW]
    if few:
        yield few
    many = sorted((task for task in tasks if task.places > _FEW), key=lambda task: task.places)
    while many:
        part = max(1, _PLACES // many[-1].places)
        yield many[-part:]
        del many[-part:]


def _rank(engine: Engine, tasks: Sequence[_Task], answers: list[Answer | TraceError]) -> None:
    policies = [task.policy for task in tasks]
    asked: list[Request] | None = [task.request for task in tasks]
    if not any(task.request != Request() for task in tasks):
        asked = None
    most = max(1, *(task.places for task in tasks))
    try:
        ranked = engine.rank_rows(policies, asked, most, [task.seed for task in tasks])
    except TenantrankError as error:
        if len(tasks) > 1:
            for task in tasks:
                _rank(engine, [task], answers)
        else:
            answers[tasks[0].at] = TraceError(f"it cannot be ranked: {error}")
        return
    ids = engine.catalog.offer_ids
    counts, survived = ranked.ranked.tolist(), ranked.survived.tolist()
    for place, task in enumerate(tasks):
        filled = min(counts[place], task.places)
        rows, scores = ranked.rows[place, :filled].tolist(), ranked.scores[place, :filled].tolist()
        names = tuple([ids[row] for row in rows])
        answers[task.at] = Answer(names, tuple(scores), survived[place], engine, task.policy, task.request)


def _unreadable(error: Exception) -> TraceError:
    what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    return TraceError(f"the record is not that of a decision: {what}", "unreadable")
