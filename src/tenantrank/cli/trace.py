"""`tenantrank trace …`: what was decided, for whom and by which rule; looked up, shown and handed on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantrank.cli import trace_keep, trace_replay
from tenantrank.cli.inputs import JsonOption, blaming
from tenantrank.cli.output import console, note, print_json, table
from tenantrank.cli.trace_inputs import SinceOption, StoreOption, UntilOption, moment, reading
from tenantrank.trace.page import page, printable
from tenantrank.trace.rows import Stored
from tenantrank.trace.words import Failed, Told, failures_of, tell

_FOLLOW_S = 0.5

app = typer.Typer(help="Look up, check and replay what was decided.", no_args_is_help=True, rich_markup_mode=None)
app.command("verify")(trace_keep.verify)
app.command("replay")(trace_replay.replay)
app.command("checkpoint")(trace_keep.checkpoint)
app.command("retain")(trace_keep.retain)
app.command("key")(trace_keep.key)


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(help="The decision's id.")],
    store: StoreOption,
    offer: Annotated[str | None, typer.Option(help="Say why this offer was not chosen, or that it passed.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as a page as well.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the records as they are stored, a line each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one decision: which of the tenant's rules applied, in words, and where every number comes from."""
    with reading(store) as reader:
        stored = reader.find(id)
        if raw:
            for each in stored:
                print(json.dumps(each.record, sort_keys=True))
            return
        with blaming(id):
            told = tell(reader, stored)
            failures = [] if offer is None else failures_of(reader, stored, offer)
    if html is not None:
        html.write_text(page(told, offer, failures), encoding="utf-8")
    if as_json:
        asked = {} if offer is None else {"offer": {"offer_id": offer, "failed": [f._asdict() for f in failures]}}
        print_json({**told.to_json(), **asked})
        return
    _print(told, offer, failures)


@app.command("tail")
def tail(
    store: StoreOption,
    count: Annotated[int, typer.Option("-n", "--count", help="How many decisions.", min=1)] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with those to come, until interrupted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the last decisions, oldest of them first."""
    with reading(store) as reader:
        last, _ = reader.head()
        found = reader.search(kind="decision", limit=count)[::-1]
        _list(found, as_json, "the last decisions")
        if found:
            last = max(last, found[-1].seq)  # One may have come between the two looks.
        while follow:
            sys.stdout.flush()  # To whoever reads a pipe, too.
            time.sleep(_FOLLOW_S)
            later = list(reader.records(since_seq=last, kind="decision"))
            for each in later:
                _line(each, as_json)
            last = later[-1].seq if later else last


@app.command("search")
def search(
    store: StoreOption,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    fingerprint: Annotated[str | None, typer.Option(help="By the policy of this fingerprint.")] = None,
    identity: Annotated[str | None, typer.Option(help="By the policy of this identity.")] = None,
    rule: Annotated[str | None, typer.Option(help="To which this rule applied.")] = None,
    offer: Annotated[str | None, typer.Option(help="Which ranked this offer among the first, or called it.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(help="How many at most, the latest first.", min=1)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Find decisions by tenant, policy, rule, offer and time, the latest first."""
    with reading(store) as reader:
        found = reader.search(
            tenant=tenant,
            fingerprint=fingerprint,
            identity=identity,
            rule=rule,
            offer=offer,
            kind="decision",
            since=moment("--since", since),
            until=moment("--until", until),
            limit=limit,
        )
    _list(found, as_json, f"{len(found)} decisions")


@app.command("export")
def export(
    path: Annotated[Path, typer.Argument(help="The Parquet file to write.")],
    store: StoreOption,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write records to a Parquet file, for whoever asks questions of many at once."""
    with reading(store) as reader:
        count = reader.export(path, since=moment("--since", since), until=moment("--until", until))
    if as_json:
        print_json({"records": count, "path": str(path)})
    else:
        note(f"{count:,} records written to {path}")


def _list(found: Sequence[Stored], as_json: bool, title: str) -> None:
    if as_json:
        for each in found:
            _line(each, as_json)
        return
    _table(title, ("seq", "time", "id", "tenant", "policy", "passed", "first"), map(_row, found))


def _line(each: Stored, as_json: bool) -> None:
    if as_json:
        # On one line each, so that what follows can be read as it comes.
        print_json(each.record)
    else:
        _say("  ".join(map(str, _row(each))))


def _row(each: Stored) -> tuple[Any, ...]:
    record = each.record
    first = record["ranked"][0][0] if record["ranked"] else None
    policy = record["policy"]["fingerprint"]
    return each.seq, record["time"], record["id"], record["tenant"], policy, record["survivors"], first


def _print(told: Told, offer: str | None, failures: Sequence[Failed]) -> None:
    _say(f"decision {told.id}, record {told.seq}, {told.time}")
    who = {"tenant": told.tenant, "caller": told.caller, "label": told.label}
    _say("  ".join(f"{name} {value}" for name, value in who.items() if value is not None))
    _say(told.summary)
    _say(told.replayed)
    if told.applied:
        _say(f"rules that applied: {', '.join(told.applied)}")
    _table(
        "conditions, in the order tried",
        ("condition", "whose it is", "turned away"),
        (rule[:3] for rule in told.clauses),
    )
    _table("what follows", ("line", "whose it is"), ((rule.words, rule.whose) for rule in told.then))
    for need in told.needs:
        _say(f"request: {need}")
    if offer is not None:
        columns = ("condition", "whose it is", "reason", "bound", "observed", "where that comes from")
        if failures:
            _table(f"why not {offer}", columns, failures)
        else:
            _say(f"{offer} passed every condition")
    _table("ranked", ("place", "offer", "score"), ((at, *entry) for at, entry in enumerate(told.ranked, 1)))
    for attempt in told.attempts:
        _say(f"attempt {attempt['number']} at {attempt['offer']}: {attempt['outcome'] or 'answered'}")
    _table("where every number comes from", ("number", "what it is", "where it comes from"), told.numbers)
    _table("what went into it", ("what", "id"), told.ids.items())
    if told.masked:
        _say(f"left out of the record: {', '.join(told.masked)}")


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    shown = (tuple(printable(cell) if isinstance(cell, str) else cell for cell in row) for row in rows)
    numbers = ("seq", "passed", "turned away", "place", "score")
    console().print(table(printable(title), columns, shown, numbers))


def _say(text: str) -> None:
    if text:
        console().print(printable(text), markup=False, highlight=False, soft_wrap=True)
