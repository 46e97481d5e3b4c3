"""From results to JSON and to a page of tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.gateway.measure import Plan, Results, summary
from tenantrank.bench.machine import about_machine, about_versions, commit, now

GOAL_ADDED_US, GOAL_PER_S = 1500.0, 1500.0
"""Goals of the gateway: most time added at the median with one request at a time, least requests a second."""


def to_json(results: Results, plan: Plan) -> dict[str, Any]:
    """Give everything that was measured, with the machine and the versions."""
    return {
        "made": now(),
        **commit(),
        "machine": about_machine(),
        "versions": about_versions(),
        "plan": asdict(plan),
        "summary": summary(results),
        "memory": results.memory,
        "absent": results.absent,
        "rounds": [asdict(found) for found in results.rounds],
    }


def to_markdown(value: dict[str, Any]) -> str:
    """Write the page for results as `to_json` gives them."""
    machine, plan = value["machine"], value["plan"]
    lines = [
        "# The gateway: added latency and throughput",
        "",
        f"{value['made']}, {machine.get('cpu', '?')}, {machine.get('cores_usable', machine.get('cores', '?'))} cores, "
        f"load average {machine.get('load_average', '?')} at the end. Client, mock provider and gateway share them. "
        f"{plan['rounds']} rounds of up to {plan['requests']:,} requests in turn; medians over the rounds, "
        "the best rate. *Added* is the median of the differences to calling the mock provider directly in the same "
        "round. *CPU* is what the process spent on one request.",
        "",
    ]
    for stream in (False, True):
        rows = [row for row in value["summary"] if row["stream"] == stream]
        if rows:
            lines += ["## Streaming" if stream else "## Plain", "", *_table(rows, stream), ""]
    if value["memory"]:
        lines += ["## Memory", "", "| target | requests | MiB |", "|---|---|---|"]
        lines += [f"| {row['target']} | {row['requests']:,} | {row['mib']} |" for row in value["memory"]]
        lines.append("")
    lines += [f"{name} is left out: {why}" for name, why in value["absent"].items()]
    lines += _goals(value["summary"])
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: list[dict[str, Any]], stream: bool) -> list[str]:
    first = ["first byte p50 ms", "added"] if stream else []
    header = ["at once", "target", "p50 ms", "added", "p99 ms", "added", *first, "requests/s", "CPU µs"]
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for row in rows:
        cells = [
            str(row["connections"]),
            row["target"],
            _ms(row["p50_us"]),
            _ms(row.get("added_p50_us")),
            _ms(row["p99_us"]),
            _ms(row.get("added_p99_us")),
            *([_ms(row["first_p50_us"]), _ms(row.get("added_first_p50_us"))] if stream else []),
            f"{row['per_s']:,.0f}",
            f"{row['cpu_us']:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _goals(rows: list[dict[str, Any]]) -> list[str]:
    """Say which goals were missed; a goal that was not measured is not spoken of."""
    ours = [row for row in rows if row["target"] == "tenantrank" and not row["stream"]]
    single = [row["added_p50_us"] for row in ours if row["connections"] == 1 and "added_p50_us" in row]
    missed = []
    if single and single[0] > GOAL_ADDED_US:
        missed.append(f"p50 added, one at a time: {_ms(single[0])} ms, goal {_ms(GOAL_ADDED_US)} ms")
    if ours and max(row["per_s"] for row in ours) < GOAL_PER_S:
        missed.append(f"requests a second: {max(row['per_s'] for row in ours):,.0f}, goal {GOAL_PER_S:,.0f}")
    return ["Goals missed: " + "; ".join(missed) + "."] if missed else []


def _ms(us: float | None) -> str:
    return "" if us is None else f"{us / 1000:.2f}"
