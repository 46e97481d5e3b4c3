"""`tenantrank trace replay`: recorded decisions computed again, as they were or under another catalog or rulebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantrank.catalog import Catalog
from tenantrank.cli.inputs import AsOfOption, JsonOption, OverlayOption, load_catalog
from tenantrank.cli.output import console, print_json, progress, table, waiting
from tenantrank.cli.trace_inputs import SinceOption, StoreOption, UntilOption, moment, reading
from tenantrank.engine import is_warm, warm
from tenantrank.errors import InputError, TraceError
from tenantrank.tenants import Rulebook, read_tenants
from tenantrank.trace.backtest import Backtest, backtest, used_of
from tenantrank.trace.reader import Reader
from tenantrank.trace.recompute import decisions_of
from tenantrank.trace.replay import Replayed
from tenantrank.trace.replay import replay as replay_stored
from tenantrank.trace.rows import Stored

_SHOWN = 20


def replay(
    store: StoreOption,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Decisions to replay.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    every: Annotated[bool, typer.Option("--all", help="Replay all there are.")] = False,
    catalog: Annotated[
        Path | None, typer.Option("--catalog", help="Backtest: in the place of the recorded catalogs.")
    ] = None,
    overlay: OverlayOption = None,
    as_of: AsOfOption = None,
    rulebook: Annotated[
        Path | None, typer.Option("--rulebook", help="Backtest: makes the policies anew, with --tenants.")
    ] = None,
    tenants: Annotated[Path | None, typer.Option("--tenants", help="The table of tenants for --rulebook.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute recorded decisions again from the trace alone, and compare them to the bit.

    With --catalog or --rulebook, say what would have been decided under these instead, and what it would have cost.
    """
    if not ids and not every and since is None and until is None:
        raise InputError("replay: give ids, --since or --until, or --all")
    if ids and (every or since is not None or until is not None):
        raise InputError("replay: give ids, or a span of time, not both")
    if (rulebook is None) is not (tenants is None):
        raise InputError("replay: --rulebook and --tenants go together")
    if catalog is None and (overlay is not None or as_of is not None):
        raise InputError("replay: --overlay and --as-of go with --catalog")
    if not is_warm():
        with waiting("compiling kernels: some seconds, once for this version on this machine …"):
            warm()
    span = {"since": moment("--since", since), "until": moment("--until", until)}
    with reading(store) as reader:
        total = len(ids) if ids else reader.head()[0]
        if catalog is None and rulebook is None:
            with progress("replayed", total) as bar:
                found = replay_stored(reader, _chosen(reader, ids, span, "decision"), bar)
            _report(found, as_json)
            return
        other = None if catalog is None else load_catalog(catalog, overlay, as_of)
        tested = _backtested(reader, ids, span, total, other, rulebook, tenants)
    _tell(tested, as_json)


def _backtested(
    reader: Reader,
    ids: list[str] | None,
    span: Mapping[str, Any],
    total: int,
    catalog: Catalog | None,
    rulebook: Path | None,
    tenants: Path | None,
) -> Backtest:
    # What a call took is known only after it: past the end of the span as well.
    used = used_of(_chosen(reader, ids, {"since": span["since"]}, "attempts"))
    rules = None if rulebook is None else Rulebook.load(rulebook)
    table_ = None if tenants is None else read_tenants(tenants)
    decisions = decisions_of(_chosen(reader, ids, span, "decision"))
    with progress("replayed", total) as bar:
        return backtest(reader, decisions, used, catalog=catalog, rulebook=rules, tenants=table_, on_progress=bar)


def _chosen(reader: Reader, ids: list[str] | None, span: Mapping[str, Any], kind: str) -> Iterator[Stored]:
    if not ids:
        return reader.records(kind=kind, **span)
    return (each for each in chain.from_iterable(_found(reader, ids)) if each.record.get("kind") == kind)


def _found(reader: Reader, ids: Iterable[str]) -> Iterator[list[Stored]]:
    for id_ in ids:
        stored = reader.find(id_)
        if not stored:
            raise TraceError(f"nothing is recorded under {id_!r}", "missing")
        yield stored


def _report(found: Replayed, as_json: bool) -> None:
    if as_json:
        mismatches = [{"seq": m.seq, "id": m.id, "what": m.what, "replayed": m.replayed} for m in found.mismatches]
        print_json({"count": found.count, "same": found.same, "failed": found.failed, "mismatches": mismatches})
    else:
        for mismatch in found.mismatches[:_SHOWN]:
            _say(f"record {mismatch.seq}, {mismatch.id}: {mismatch.what}")
        _say(f"{found.count:,} decisions replayed, {found.same:,} the same to the bit, {found.failed:,} not")
    if found.failed:
        raise typer.Exit(1)


def _tell(tested: Backtest, as_json: bool) -> None:
    counts = {
        name: getattr(tested, name)
        for name in ("count", "compared", "first", "order", "none", "some", "priced", "cost_before", "cost_after")
    }
    moves = tested.moves.most_common()
    if as_json:
        document = {
            **counts,
            "moves": [{"before": one, "after": other, "decisions": count} for (one, other), count in moves],
            "changes": [{name: getattr(change, name) for name in change.__slots__} for change in tested.changes],
            "refused": [{"why": why, "decisions": count} for why, count in tested.refused.most_common()],
        }
        print_json(document)
        return
    _say(f"{tested.compared:,} of {tested.count:,} decisions computed again")
    _say(f"another offer would have come first in {tested.first:,}, and the order been another in {tested.order:,}")
    _say(f"no offer would have been left in {tested.none:,}; one found where there was none in {tested.some:,}")
    if tested.priced:
        change = tested.cost_after - tested.cost_before
        _say(
            f"the tokens of {tested.priced:,} calls would have cost {tested.cost_after:.6g} USD in the place of "
            f"{tested.cost_before:.6g}, by list prices: {change:+.6g}"
        )
    if moves:
        rows = [(one, other, count) for (one, other), count in moves[:_SHOWN]]
        console().print(table("who would have come first", ["before", "after", "decisions"], rows, ["decisions"]))
    for why, count in tested.refused.most_common(_SHOWN):
        _say(f"{count:,} not computed again: {why}")


def _say(text: str) -> None:
    console().print(text, markup=False, highlight=False, soft_wrap=True)
