"""``python -m benchmarks.gateway``: measure, print a page, and write JSON where asked."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.gateway.measure import Plan, Results, measure, run, soak
from benchmarks.gateway.processes import StartError, Target, gateway, litellm, mock_provider
from benchmarks.gateway.report import to_json, to_markdown

_QUICK = Plan(connections=(1, 4), requests=40, rounds=2)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few requests, for a look; the figures are rough")
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--requests", type=int, default=Plan.requests, help="of one round")
    parser.add_argument("--connections", type=int, nargs="+", default=Plan.connections)
    parser.add_argument("--soak", type=int, default=0, metavar="REQUESTS", help="look at the gateway's memory as well")
    parser.add_argument("--only-mock", action="store_true", help="measure the mock provider alone")
    parser.add_argument("--litellm", default=shutil.which("litellm"), metavar="COMMAND", help="LiteLLM's proxy")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--report", type=Path, metavar="FILE", help="the page; standard output unless given")
    given = parser.parse_args(arguments)
    plan = _QUICK if given.quick else Plan(tuple(given.connections), given.requests, given.rounds, soak=given.soak)

    def told(text: str) -> None:
        if sys.stderr.isatty():
            print(text, file=sys.stderr)

    results = Results()
    with tempfile.TemporaryDirectory() as name:
        try:
            for stream in (False, True):
                # Events of a stream come in packets of their own, as from a provider.
                with ExitStack() as stack:
                    mock = stack.enter_context(mock_provider(0.0 if stream else None))
                    targets = [mock]
                    if not given.only_mock:
                        targets.append(stack.enter_context(gateway(mock, Path(name))))
                        targets += _peers(stack, mock, Path(name), given.litellm, results)
                    run(measure(targets, plan, stream, results, told))
                    if plan.soak and not stream and not given.only_mock:
                        run(soak(targets[1], plan, results, told))
        except StartError as error:
            print(error, file=sys.stderr)
            return 1
    value = to_json(results, plan)
    if given.json:
        given.json.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    page = to_markdown(value)
    if given.report:
        given.report.write_text(page, encoding="utf-8")
    else:
        print(page, end="")
    return 0


def _peers(stack: ExitStack, mock: Target, folder: Path, command: str | None, results: Results) -> list[Target]:
    if command is None:
        results.absent["litellm"] = "no command `litellm` is installed (`pip install 'litellm[proxy]'`)"
        return []
    try:
        return [stack.enter_context(litellm(mock, folder, command))]
    except (StartError, OSError) as error:
        results.absent["litellm"] = str(error)
        return []


if __name__ == "__main__":
    sys.exit(main())
