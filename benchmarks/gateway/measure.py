"""Rounds of load on each target in turn, and what they show."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gateway.load import Call, Load, load
from benchmarks.gateway.processes import KEY, MODEL, Target

_PROMPT = "Summarise the following ticket for the team that is on call. " * 12


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    connections : how many requests are under way at once
    requests : of one round, of a target that is quick enough
    round_s : how long a round may take about; a slower target has fewer requests
    rounds : of each target, in turn
    soak : requests of the look at memory, at 16 at once; 0 for none
    """

    connections: Sequence[int] = (1, 16, 64)
    requests: int = 3000
    rounds: int = 5
    round_s: float = 5.0
    soak: int = 0


@dataclass
class Round:
    """One round of one target."""

    target: str
    stream: bool
    connections: int
    p50_us: float
    p99_us: float
    first_p50_us: float
    first_p99_us: float
    per_s: float
    cpu_us: float


@dataclass
class Results:
    """All rounds, in the order in which they were made; memory by number of requests; what was left out and why."""

    rounds: list[Round] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)


def call_of(target: Target, stream: bool) -> Call:
    """Make the request that a target is measured with: about a kilobyte, the same for all but for the rule."""
    body = {
        "model": MODEL,
        "messages": [{"role": "system", "content": "Answer in one line."}, {"role": "user", "content": _PROMPT}],
        **({"stream": True} if stream else {}),
        **target.members,
    }
    headers = (("authorization", f"Bearer {KEY}"),)
    if stream:
        return Call(target.url, json.dumps(body).encode(), headers, b'"chat.completion.chunk"', b"data: [DONE]\n\n")
    return Call(target.url, json.dumps(body).encode(), headers, b'"finish_reason":"stop"', b"}")


def percentile(values: Sequence[int], part: float) -> float:
    """Give the value that so many parts of 1 are not above, in microseconds from nanoseconds."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] / 1000.0


async def measure(
    targets: Sequence[Target], plan: Plan, stream: bool, results: Results, told: Callable[[str], None]
) -> None:
    """Add the rounds of each number of connections: A, B, A, B; a first pass warms up and shows how quick each is."""
    for connections in plan.connections:
        requests = {}
        for target in targets:
            warm = await load(call_of(target, stream), connections=connections, requests=max(plan.requests // 20, 8))
            likely = int(len(warm.total_ns) / warm.wall_s * plan.round_s)
            requests[target.name] = min(plan.requests, max(likely, connections))
        for number in range(plan.rounds):
            for target in targets:
                told(f"{'stream' if stream else 'plain'}, {connections} at once, round {number + 1}: {target.name}")
                cpu_s = target.cpu_s()
                count = requests[target.name]
                found = await load(call_of(target, stream), connections=connections, requests=count)
                results.rounds.append(_round(target, stream, connections, found, target.cpu_s() - cpu_s))


async def soak(target: Target, plan: Plan, results: Results, told: Callable[[str], None]) -> None:
    """Look at a target's memory ten times in a long run."""
    done = 0
    for _ in range(11):
        results.memory.append({"target": target.name, "requests": done, "mib": round(target.memory_mib(), 1)})
        told(f"memory of {target.name} after {done:,} requests: {target.memory_mib():.1f} MiB")
        if done < plan.soak:
            await load(call_of(target, False), connections=16, requests=plan.soak // 10)
            done += plan.soak // 10


def _round(target: Target, stream: bool, connections: int, found: Load, cpu_s: float) -> Round:
    count = len(found.total_ns)
    return Round(
        target.name,
        stream,
        connections,
        percentile(found.total_ns, 0.5),
        percentile(found.total_ns, 0.99),
        percentile(found.first_ns, 0.5),
        percentile(found.first_ns, 0.99),
        count / found.wall_s,
        cpu_s / count * 1e6,
    )


def summary(results: Results) -> list[dict[str, Any]]:
    """Give a row for each target, kind and number of connections: medians over the rounds, and the best rate.

    ``added_p50_us`` and ``added_p99_us`` are medians of the differences to ``direct`` in the same round.
    """
    rows = []
    keys = dict.fromkeys((found.stream, found.connections, found.target) for found in results.rounds)
    by_key = {key: [r for r in results.rounds if (r.stream, r.connections, r.target) == key] for key in keys}
    for (stream, connections, target), rounds in by_key.items():
        direct = by_key.get((stream, connections, "direct"), [])
        row: dict[str, Any] = {"target": target, "stream": stream, "connections": connections}
        for name in ("p50_us", "p99_us", "first_p50_us", "first_p99_us", "cpu_us"):
            row[name] = round(statistics.median(getattr(found, name) for found in rounds), 1)
        row["per_s"] = round(max(found.per_s for found in rounds), 1)
        if target != "direct" and len(direct) == len(rounds):
            for name in ("p50_us", "p99_us", "first_p50_us"):
                differences = [getattr(a, name) - getattr(b, name) for a, b in zip(rounds, direct, strict=True)]
                row[f"added_{name}"] = round(statistics.median(differences), 1)
        rows.append(row)
    return rows


def run(coroutine: Any) -> None:
    """Run on uvloop where it is installed, or the client would be what is measured."""
    try:
        import uvloop

        factory = uvloop.new_event_loop
    except ImportError:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(coroutine)
