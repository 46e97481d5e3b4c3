"""Results as Markdown: figures by implementation, what is lost, what failed, and where and how all was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tenantrank.bench.goals import outcomes
from tenantrank.bench.results import Row, Run
from tenantrank.bench.yardstick import YARDSTICK
from tenantrank.errors import InputError

_BROAD = ("rank", "all-tenants", "scaling")
_IN_UNIT = ("min", "median", "p50", "p99", "p99.9", "max", "value")
_CURVES = ("by tenants: ", "tables of tenants: ")


def markdown(run: Run) -> str:
    """Write a run as Markdown: machine, tables part by part, losses, failures, how to run it again."""
    pieces = [_heading(run)]
    for part in dict.fromkeys(row.part for row in run.rows):
        rows = [row for row in run.rows if row.part == part]
        pieces.append(f"### {part}")
        pieces += _broad(rows) if part in _BROAD else [_narrow(rows)]
    pieces.append(_losses(run))
    pieces.append(_omissions(run))
    pieces.append(_implementations(run))
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


def summary(run: Run) -> str:
    """Write a run's main table as Markdown: a policy of the six shapes, by every implementation.

    Raises
    ------
    InputError
        where that part was not run
    """
    rows = [row for row in run.rows if (row.part, row.case) == ("rank", "six shapes")]
    if not rows:
        raise InputError("the results hold no rankings of the six shapes, which the summary is of")
    about, lost = run.about, len(losses(run))
    where = f"{about.get('machine', {}).get('cpu', 'unknown CPU')}. {_origin(run)}."
    told = f"Losses and goals missed in the whole run: {lost}." if lost else "Nothing in the whole run is lost."
    return f"{_broad(rows)[0]}\n\n{where} {told}\n"


def figure(value: float) -> str:
    """Write a figure with three significant digits, larger ones whole."""
    if value != value:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Write a Markdown table, all but the first columns, as many as hold texts, set to the right."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * texts}{'---:|' * (len(header) - texts)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _heading(run: Run) -> str:
    about = run.about
    machine, versions = about.get("machine", {}), about.get("versions", {})
    libraries = ", ".join(f"{name} {text}" for name, text in versions.items())
    lines = [
        f"{machine.get('cpu', 'unknown CPU')}, {machine.get('cores_usable', machine.get('cores', '?'))} cores; "
        f"load {machine.get('load_average', '?')} at the start; {libraries}.",
        f"{_origin(run)}.",
        "Times are minima of interleaved repeats in one process, percentiles where those are named. "
        "Rankings were compared before they were timed, every offer and every bit of every score.",
    ]
    if about.get("quick"):
        lines.append("**A quick run: its figures are rough.**")
    return "\n".join(lines)


def _origin(run: Run) -> str:
    about = run.about
    commit = str(about.get("commit", "none known"))[:12] + (" with changes" if about.get("changed") else "")
    return f"Commit {commit}; {about.get('date', 'no date')}; `{about.get('command', '')}`"


def _broad(rows: Sequence[Row]) -> list[str]:
    """Tabulate implementations against sizes, a table a case; curves over tenants in one table each."""
    pieces = []
    for prefix in _CURVES:
        curve = [row for row in rows if row.case.startswith(prefix)]
        if curve:
            pieces.append(_across(curve, prefix.rstrip(": "), [row.case.removeprefix(prefix) for row in curve]))
    flat = [row for row in rows if not row.case.startswith(_CURVES)]
    for case in dict.fromkeys(row.case for row in flat):
        own = [row for row in flat if row.case == case]
        if "p50" in own[0].values:
            pieces.append(_narrow(own))
        else:
            pieces.append(_across(own, case, [f"{row.offers:,} offers" for row in own]))
    return pieces


def _across(rows: Sequence[Row], case: str, labels: Sequence[str]) -> str:
    columns = list(dict.fromkeys(labels))
    at = {(row.implementation, label): row for row, label in zip(rows, labels, strict=True)}
    names = dict.fromkeys(row.implementation for row in rows)
    body = []
    for name in names:
        cells = []
        for label in columns:
            row = at.get((name, label))
            cells.append("" if row is None else figure(row.main))
        body.append([name, *cells])
    return table([f"{case}, {rows[0].unit}", *columns], body)


def _narrow(rows: Sequence[Row]) -> str:
    """Tabulate a row a measurement, with its figures by name; yardsticks, which are nobody's rivals, are left out."""
    body = []
    for row in rows:
        if row.implementation == YARDSTICK:
            continue
        shown = "" if row.offers is None else f"{row.offers:,}"
        named = [(name, figure(value)) for name, value in row.values.items()]
        own = ", ".join(text if name == "value" else f"{name} {text}" for name, text in named if name in _IN_UNIT)
        rest = ", ".join(f"{name} {text}" for name, text in named if name not in _IN_UNIT)
        body.append([row.case, row.implementation, shown, row.unit, own + (f"; {rest}" if rest else "")])
    return table(["case", "implementation", "offers", "unit", "figures"], body, texts=2)


def losses(run: Run) -> list[tuple[str, str]]:
    """Say where another implementation is faster than the engine at its best, and which goals are missed."""
    found = []
    for (part, case, offers), rows in run.groups().items():
        ours = [row for row in rows if row.role == "engine"]
        if not ours:
            continue
        best = min(ours, key=lambda row: row.main)
        where = f"{part}, {case}" + (f", {offers:,} offers" if offers else "")
        for row in rows:
            if row.role != "engine" and _is_peer(row) and row.main < best.main:
                ratio = best.main / row.main
                found.append((where, f"{row.implementation} is {ratio:.2g} times as fast as {best.implementation}"))
    for outcome in outcomes(run):
        if not outcome.met:
            goal = outcome.goal
            where = f"{goal.part}, {goal.what}" + (f", {outcome.offers:,} offers" if outcome.offers else "")
            found.append((where, f"goal {figure(goal.least)} times, reached {figure(outcome.ratio)}"))
    return found


def _is_peer(row: Row) -> bool:
    """Whether a row does the same work as the engine's; yardsticks and bare imports do not."""
    return not row.implementation.startswith(("yardstick", "import ", "json.loads"))


def _losses(run: Run) -> str:
    found = losses(run)
    if not found:
        return "### Losses\n\nNone: the engine is the fastest in every group, and every goal measured is reached."
    return "### Losses\n\n" + table(["where", "what"], found, texts=2)


def _omissions(run: Run) -> str:
    lines = [f"- **failed**: {each.part}, {each.what}: {each.why}" for each in run.failures]
    lines += [f"- left out: {each.part}, {each.what}: {each.why}" for each in run.skipped]
    return "### Failures and omissions\n\n" + "\n".join(lines) if lines else ""


def _implementations(run: Run) -> str:
    notes = {row.implementation: row.note for row in run.rows if row.part in ("rank", "all-tenants") and row.note}
    if not notes:
        return ""
    return "### How each is used\n\n" + "\n".join(f"- {name}: {note}" for name, note in notes.items())
