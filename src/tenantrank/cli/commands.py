"""The commands by name, each imported when it is called: none waits for what only others need."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import typer

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "rank": "Rank the catalog under one policy: what it picks, what it rejects and why, and what to look at before "
        "use.",
        "tenants": "Rank the catalog for every tenant of a table, with the rules behind each choice.",
        "explain": "Explain one tenant's ranking: its clauses, whose rules they are, what each rejects, what scores "
        "are made of.",
        "clauses": "Say what each clause costs a tenant: what would win without it, and for how much less; or what "
        "rules cost all.",
        "diff": "Say what a change does to every tenant: whose first offer, order or choice changes, who is left with "
        "none, at what cost.",
        "report": "Write one page on a fleet: who wins, price against quality, what rules cost, which tenants are at "
        "risk.",
        "lint": "Warn of what a policy may not do as its author expects; of a rulebook, by rule, with how many "
        "tenants.",
        "conform": "Replay conformance vectors; exit 1 on any failure.",
        "serve": "Serve the gateway: one OpenAI-compatible call, the tenant's rule applied, over your own provider "
        "keys.",
        "key": "Make a key for a caller of the gateway, and the lines of the configuration that let it in.",
        "bench": "Time the engine against other ways to rank, on seeded work; nothing is timed that was not checked.",
        "catalog": "Build, show, compare and describe catalogs.",
        "trace": "Look up, check and replay what was decided.",
    }
)
"""The first lines of what each command says of itself, in the order in which they are listed."""

_MODULE_OF = {"key": "serve"}  # where it is not of the command's own name

_NO = {
    "tenants": "with --strict, a tenant was refused or has no offer",
    "diff": "a change exceeds a limit",
    "lint": "with --strict, there is a warning",
    "conform": "a case failed",
    "bench": "an implementation gave a wrong answer, or a part failed",
    "trace verify": "the trace does not verify",
    "trace replay": "a decision was replayed differently",
}
"""What exit code 1 says of commands whose answer may be a no."""


def load(name: str) -> Any:
    """Import a command, or a group of them, whose help says what exit codes mean."""
    module = import_module(f"tenantrank.cli.{_MODULE_OF.get(name, name)}")
    holder = typer.Typer(add_completion=False, rich_markup_mode=None)
    if hasattr(module, "app"):
        holder.add_typer(module.app, name=name)
    else:
        holder.command(name)(getattr(module, name))
    command: Any = typer.main.get_group(holder).commands[name]
    for path, each in {name: command, **_below(name, command)}.items():
        each.epilog = exit_codes(_NO.get(path))
    return command


def exit_codes(no: str | None = None) -> str:
    """Say what the exit codes mean; ``no`` is what the code 1 says, where there is one."""
    said = "" if no is None else f"1: {no}; "
    return f"Exit code 0: done; {said}2: bad input, or an output that cannot be written; 130: interrupted."


def _below(name: str, command: Any) -> dict[str, Any]:
    return {f"{name} {each}": below for each, below in getattr(command, "commands", {}).items()}
