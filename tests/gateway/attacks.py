"""A fleet to attack the gateway with: many providers that record every byte, and a ledger to hold against its traces.

Offers are ``<provider>|<family>`` of the providers ``p0`` to ``p5`` and the families ``m`` and ``n``, each with a
price and a ``no_log`` flag; every prompt has a mark, by which what each provider was sent is found.
``TENANTRANK_LONG=1`` makes the tests that use it look further.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from tenantrank.gateway.logs import Log
from tenantrank.gateway.records import DecisionRecord
from tenantrank.gateway.server import loop_factory, serving
from tenantrank.gateway.settings import load_settings
from tenantrank.testing import MockProvider, Recorded, Reply
from tests.gateway.worlds import World, offer, write_catalog

LONG = os.environ.get("TENANTRANK_LONG") == "1"
NAMES = tuple(f"p{at}" for at in range(6))
FAMILIES = ("m", "n")
KEYS = {name: f"sk-{name}-4c0ffee5{at}" for at, name in enumerate(NAMES)}
ENVIRON = {f"KEY_{name.upper()}": key for name, key in KEYS.items()} | {"OPERATOR_KEY": "operator-4c0ffee99"}
MARK = re.compile(rb"mark-[0-9a-f]{12}")
RULES = """
version: 1
key: tenant_id
fields:
  approved: {type: list, optional: true}
  strict: {type: boolean}
defaults: {preference: {lowest: price_out}}
rules:
  - {id: base, require: [[is, priced], [meets_req]]}
  - {id: chosen, when: {approved: {absent: false}}, require: [[provider_in, {tenant: approved}]]}
  - {id: strict, when: {strict: true}, require: [[is, no_log]]}
"""
OFFERS: list[dict[str, Any]] = [
    offer(
        f"{name}|{family}",
        # The cheapest is p0's; a rule that is not kept is seen by who is called.
        1.0 + at + 0.5 * kind,
        provider_id=name,
        model_family=family,
        wire_model_id=f"{name}-{family}",
        no_log=(at + kind) % 2 == 0,
    )
    for at, name in enumerate(NAMES)
    for kind, family in enumerate(FAMILIES)
]
BY_WIRE = {each["wire_model_id"]: each["id"] for each in OFFERS}


@dataclass
class Fleet(World):
    """A world whose calls carry marks; those whose label says nothing are found by what is noted here."""

    marks: dict[str, str] = field(default_factory=dict)


def scaled(quick: int, long: int) -> int:
    """Give how many cases there are."""
    return long if LONG else quick


def mark(rng: Random) -> str:
    """Make the mark of one prompt."""
    return f"mark-{rng.getrandbits(48):012x}"


def body_of(marked: str, **members: Any) -> dict[str, Any]:
    """Give the body of a call with this mark in its prompt and in its label, by which its trace is found."""
    return {"model": f"label-{marked}", "messages": [{"role": "user", "content": f"say {marked}"}], **members}


def provider_settings(mocks: Mapping[str, MockProvider], names: Sequence[str] = NAMES) -> dict[str, Any]:
    """Give the section ``providers`` with these of them."""
    return {
        name: {"kind": "openai-compatible", "base_url": mocks[name].url, "key": f"os.environ/KEY_{name.upper()}"}
        for name in names
    }


@asynccontextmanager
async def fleet(folder: Path, offers: list[dict[str, Any]] = OFFERS, **sections: Any) -> AsyncIterator[Fleet]:
    """Serve while the block lasts."""
    write_catalog(folder, offers)
    (folder / "rules.yaml").write_text(RULES)
    mocks = {name: MockProvider(key=KEYS[name]) for name in NAMES}
    lines, path = io.StringIO(), folder / "gateway.json"
    try:
        for mock in mocks.values():
            await mock.start()
        server = {"listen": "127.0.0.1:0", "operator_listen": "127.0.0.1:0", **sections.pop("server", {})}
        if "keys" not in sections:
            server["without_keys"] = True
        file: dict[str, Any] = {
            "server": server,
            "catalog": {"file": "catalog.json", "keep": 0},
            "rulebook": "rules.yaml",
            "providers": provider_settings(mocks),
            "breakers": {"threshold": 1000},
            "traces": 100_000,
            "watch_s": 0,
            **sections,
        }
        path.write_text(json.dumps(file))
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            serving(load_settings(path), folder, environ=ENVIRON, path=path, log=Log(lines)) as running,
            aiohttp.ClientSession(connector=connector) as http,
        ):
            yield Fleet(running, mocks, lines, http, path, file)
    finally:
        for mock in mocks.values():
            await mock.stop()


def attack(
    folder: Path,
    test: Callable[[Fleet], Awaitable[None]],
    seconds: float = 60.0,
    *,
    lossy: bool = False,
    **sections: Any,
) -> None:
    """Run a test in a fleet of its own, then hold what the providers were sent against the traces."""

    async def whole() -> None:
        async with asyncio.timeout(seconds * (20 if LONG else 1)), fleet(folder, **sections) as world:
            await test(world)
            await settled(world)
            reconcile(world, lossy=lossy)

    run(whole())


def run(whole: Coroutine[Any, Any, None]) -> None:
    """Run on the event loop that serving has."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(whole)


async def settled(world: Fleet) -> None:
    """Wait until no request is under way."""
    for _ in range(400):
        if not any(task.get_name().startswith("request") for task in asyncio.all_tasks()) and not in_flight(world):
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("requests are still under way")


def in_flight(world: Fleet) -> bool:
    """Whether the gateway's own metrics say that something is under way."""
    text = world.running.state.metrics.render().decode()
    return any(
        line.startswith("tenantrank_requests_in_flight") and not line.endswith(" 0.0") for line in text.splitlines()
    )


def records(world: Fleet) -> list[DecisionRecord]:
    """Give every trace that is kept, the operator's view."""
    return list(world.running.calls.traces._records.values())


def ledger(world: Fleet) -> dict[str, list[tuple[str, Recorded]]]:
    """Give by mark what providers were sent, each with the offer that it is, in the order of arrival."""
    found: dict[str, list[tuple[str, Recorded]]] = defaultdict(list)
    for name, mock in world.mocks.items():
        for recorded in mock.requests:
            marked = MARK.search(recorded.raw)
            assert marked is not None, f"{name} was sent what is no call: {recorded.raw[:200]!r}"
            wire = json.loads(recorded.body)["model"] if recorded.complete else f"{name}-?"
            assert not recorded.complete or wire.startswith(name), f"{name} was asked for {wire}"
            found[marked[0].decode()].append((BY_WIRE.get(wire, wire), recorded))
    for sent in found.values():
        sent.sort(key=lambda pair: pair[1].begun_s)
    return found


def reconcile(world: Fleet, *, down: Sequence[str] = (), lossy: bool = False) -> None:
    """Check that every request that was sent is an attempt in a trace, and every attempt in a trace was sent.

    Attempts at a provider that is ``down`` have nobody to be received by; those that were broken off on this side may
    have been broken off before the first byte. Where it is ``lossy``, providers close connections that are kept, and
    what was sent into one of them is lost.
    """
    sent, seen = ledger(world), set()
    for record in records(world):
        marked = world.marks.get(record.trace_id) or (record.label or "").removeprefix("label-")
        if not MARK.fullmatch(marked.encode()):
            assert not record.attempts, "an attempt of a call without a mark"
            continue
        if not record.attempts:
            continue
        assert marked not in seen, "two traces of one request"
        seen.add(marked)
        got = [name for name, _ in sent.get(marked, [])]
        at = 0
        for tried in record.attempts:
            if at < len(got) and got[at] == tried.offer_id:
                at += 1
            else:
                lost = lossy and tried.kind == "network_error"
                assert tried.kind in ("cancelled", "timeout") or tried.provider_id in down or lost, (
                    f"{marked}: {[each.offer_id for each in record.attempts]} in the trace, {got} received"
                )
        assert at == len(got), f"{marked}: {[each.offer_id for each in record.attempts]} in the trace, {got} received"
    unseen = set(sent) - seen
    assert not unseen, f"sent without a trace: {sorted(unseen)[:5]}"


def check_wire(world: Fleet, *secrets: str) -> None:
    """Check each request that a provider got: its own key, nobody else's, and nothing that is the gateway's."""
    for name, mock in world.mocks.items():
        others = [key for other, key in KEYS.items() if other != name] + list(secrets)
        for recorded in mock.requests:
            if not recorded.complete:
                continue
            assert recorded.method == "POST"
            names = sorted(header for header, _ in recorded.headers)
            assert names == sorted(
                ["accept", "accept-encoding", "authorization", "content-length", "content-type", "host", "user-agent"]
            )
            assert recorded.header("authorization") == f"Bearer {KEYS[name]}"
            assert not any(secret.encode() in recorded.raw for secret in others)
            assert not {"policy_ir", "tenant", "provider", "x_router", "requirements", "scope", "routing_seed"} & set(
                recorded.json
            )


class Script:
    """Says how the attempts of each call go: by its mark, one reply after the other, and then the usual answer."""

    def __init__(self, world: Fleet) -> None:
        self._left: dict[bytes, list[Reply]] = {}
        for mock in world.mocks.values():
            mock.respond = self._respond

    def set(self, marked: str, *replies: Reply) -> None:
        """Answer the first attempts of a call so, wherever they go."""
        self._left[marked.encode()] = list(replies)

    def _respond(self, recorded: Recorded) -> Reply | None:
        marked = MARK.search(recorded.raw)
        left = self._left.get(marked[0]) if marked else None
        return left.pop(0) if left else None
