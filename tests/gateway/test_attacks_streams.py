"""Streams cut, broken and never ending: the real client gets what came, then an error, and never a false end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest

from tenantrank.testing import ERRORS, Reply, ToolCall, faults
from tenantrank.testing.answers import DONE
from tests.gateway.attacks import LONG, Fleet, Script, attack, body_of, mark, records, scaled

openai = pytest.importorskip("openai", reason="openai is not installed: pip install openai")

TEXT = "Grüße aus 東京 😀 sagt „der“ Anbieter."
ONE = ["policy", ["provider_eq", "p0"], ["zero"], ["argmax"], ["id"], ["always", {"action": "abort"}]]
How = Literal["close", "reset", "keep", "stall"]


class Seen:
    """What the client saw of one stream."""

    def __init__(self) -> None:
        self.text = ""
        self.arguments = ""
        self.finished: list[str] = []
        self.error: Exception | None = None
        self.chunks = 0

    @property
    def ended_well(self) -> bool:
        return self.error is None


async def watch(client: Any, marked: str, **more: Any) -> Seen:
    seen = Seen()
    body = body_of(marked)
    try:
        stream = await client.chat.completions.create(**body, stream=True, extra_body={"policy_ir": ONE}, **more)
        async for chunk in stream:
            seen.chunks += 1
            for choice in chunk.choices or ():
                seen.text += choice.delta.content or ""
                for call in choice.delta.tool_calls or ():
                    seen.arguments += call.function.arguments or ""
                if choice.finish_reason:
                    seen.finished.append(choice.finish_reason)
    except openai.APIError as error:
        seen.error = error
    return seen


def events_of(*pieces: str, finish: str | None = "stop") -> list[bytes]:
    """Give a stream's events, in UTF-8 as it is."""
    made = [_event({"role": "assistant", "content": ""})]
    made += [_event({"content": piece}) for piece in pieces]
    return [*made, _event({}, finish), DONE]


def _event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def sent(events: Iterable[bytes], **more: Any) -> Reply:
    """Answer with exactly these events; each in a packet of its own, so that nothing is passed over."""
    found = list(events)
    return Reply(edit=lambda pieces: found, **{"each_s": 0.0, **more})


def run_with_client(folder: Path, test: Any, **sections: Any) -> None:
    async def whole(world: Fleet) -> None:
        url = f"{world.running.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0, timeout=20) as client:
            await test(world, client)

    given = {"limits": {"first_byte_s": 2, "idle_s": 0.25, "answer_bytes": 2_000_000}, **sections}
    attack(folder, whole, **given)


@pytest.mark.parametrize("how", ["close", "reset", "keep"])
def test_cut_at_every_byte(tmp_path: Path, how: How) -> None:
    events = events_of(*(f"{word} " for word in TEXT.split()))
    whole = b"".join(events)
    finish_ends = len(whole) - len(DONE)
    offsets = list(range(len(whole))) if LONG else sorted(Random(1).sample(range(len(whole)), 45))
    # Every byte around the end, within a character and within the mark of the end.
    offsets += list(range(finish_ends - 8, len(whole)))

    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(2), Script(world)
        full = "".join(f"{word} " for word in TEXT.split())
        for offset in offsets:
            marked = mark(rng)
            script.set(marked, *[sent(events, cut_at=offset, end=how)] * 12)
            seen = await watch(client, marked)
            assert full.startswith(seen.text), offset
            if offset < finish_ends - 2:
                assert seen.error is not None, offset
                assert seen.finished == [], offset
            elif offset < len(whole) - 2:
                # The answer was complete, and its end is not there: [DONE] without its line may pass for it.
                assert seen.error is not None or (how == "keep" and offset >= finish_ends + 12), offset
        good = await watch(client, mark(rng))
        assert good.ended_well
        assert good.finished == ["stop"]
        broken = [record for record in records(world) if record.outcome == "broken"]
        assert all(record.broke for record in broken)
        assert len(broken) > 15

    run_with_client(tmp_path, test)


def test_calls_cut_in_their_arguments_are_no_calls(tmp_path: Path) -> None:
    call = ToolCall("transfer", '{"amount": 1000, "to": "me", "really": false}')

    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(3), Script(world)
        for after in range(1, 5):
            marked = mark(rng)
            script.set(marked, *[faults.cut(after).but(calls=(call,), each_s=0.0)] * 3)
            seen = await watch(client, marked)
            assert seen.error is not None, after
            assert seen.finished == []

    run_with_client(tmp_path, test)


WHOLE = events_of("a ", "b ", "c")
MALFORMED: dict[str, bytes] = {
    "not JSON": b"data: {nonsense\n\n",
    "cut JSON": WHOLE[2][:-20] + b"\n\n",
    "no event": b"<html>502</html>\n\n",
    "a bare error": b'{"error": {"message": "x"}}\n\n',
    "a list": b"data: [1]\n\n",
    "a number": b"data: 5\n\n",
    "a text": b'data: "stop"\n\n',
    "null": b"data: null\n\n",
    "nothing": b"data: \n\n",
    "NaN": WHOLE[2].replace(b'"created": 1', b'"created": NaN'),
    "not UTF-8": WHOLE[2].replace(b'"b "', b'"\xff\xfe"'),
    "half a letter": WHOLE[2].replace(b'"b "', b'"\xf0\x9f\x98"'),
    "choices no list": b'data: {"choices": 1}\n\n',
    "a choice no record": b'data: {"choices": [1]}\n\n',
    "an error": b'data: {"error": {"message": "x", "code": 500}}\n\n',
    "an error as text": b'data: {"error": "overloaded"}\n\n',
    "an error beside choices": _event({}, "stop", error={"message": "x"}),
    "a named error": b'event: error\ndata: {"error": {"message": "x"}}\n\n',
    "finished by an error": _event({}, "error"),
    "DONE and more": b"data: [DONE] not yet\n\n",
    "DONE in two": b"data: [DONE]\ndata: x\n\n",
    "an end of HTTP": b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("provider", ["usual", "each provider's"])
def test_an_error_at_every_place_is_an_error(tmp_path: Path, provider: str) -> None:
    wrong = dict(MALFORMED)
    if provider != "usual":
        wrong = {
            f"{name} {kind}": b"data: " + json.dumps(json.loads(ERRORS[name][kind].body)).encode() + b"\n\n"
            for name in ERRORS
            for kind in ("server", "rate_limit", "context", "auth", "content_filter")
            if kind in ERRORS[name]
        }

    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(4), Script(world)
        for name, bad in wrong.items():
            for at in range(len(WHOLE) - 1) if provider == "usual" or LONG else (0, 2):
                marked = mark(rng)
                script.set(marked, *[sent([*WHOLE[:at], bad, *WHOLE[at:]])] * 12)
                seen = await watch(client, marked)
                assert seen.error is not None, (name, at, seen.text, seen.finished)
                assert seen.finished == [], (name, at)
                assert b"canary" not in str(seen.error).encode()

    run_with_client(tmp_path, test)


STRANGE: dict[str, list[bytes]] = {
    "lines of CR LF": [event.replace(b"\n", b"\r\n") for event in WHOLE],
    "lines of CR": [event.replace(b"\n", b"\r") for event in WHOLE],
    "comments": [part for event in WHOLE for part in (b": x\n\n", event)],
    "no space": [event.replace(b"data: ", b"data:") for event in WHOLE],
    "all fields": [b"id: 1\nretry: 5\n" + event for event in WHOLE[:-1]] + [DONE],
    "two lines of data": [event.replace(b'"choices"', b'\ndata: "choices"') for event in WHOLE[:-1]] + [DONE],
    "a mark before": [b"\xef\xbb\xbf" + WHOLE[0], *WHOLE[1:]],
    "blank lines": [event + b"\n\n" for event in WHOLE],
    "more after the end": [*WHOLE, b"data: {nonsense\n\n"],
    "an end twice": [*WHOLE, DONE],
    "events without choices": [b'data: {"type": "ping"}\n\n', *WHOLE],
    "line separators": events_of("a\u2028", "b ", "c"),
}


def test_strange_streams_are_answers(tmp_path: Path) -> None:
    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(5), Script(world)
        for name, events in STRANGE.items():
            for piece in (None, 1, 7):
                marked = mark(rng)
                script.set(marked, sent(events, piece=piece))
                seen = await watch(client, marked)
                assert seen.error is None, (name, piece, seen.error)
                assert seen.finished == ["stop"], (name, piece)
                assert seen.text.replace("\u2028", " ") == "a b c", (name, piece)

    run_with_client(tmp_path, test)


def test_an_end_without_the_mark_of_the_end_is_an_error(tmp_path: Path) -> None:
    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(6), Script(world)
        for events in (WHOLE[:-1], WHOLE[:-2], WHOLE[:2]):
            marked = mark(rng)
            script.set(marked, *[sent(events)] * 12)
            seen = await watch(client, marked)
            assert seen.error is not None
            if events != WHOLE[:-1]:
                assert seen.finished == []

    run_with_client(tmp_path, test)


def test_an_end_without_a_finish_reason_is_no_stop(tmp_path: Path) -> None:
    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(7), Script(world)
        marked = mark(rng)
        script.set(marked, *[sent([*WHOLE[:-2], DONE])] * 12)
        seen = await watch(client, marked)
        assert seen.finished == []
        assert seen.error is not None

    run_with_client(tmp_path, test)


def test_no_stream_goes_on_for_ever(tmp_path: Path) -> None:
    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(8), Script(world)
        endless = {
            "events": faults.endless().but(each_s=None),
            "comments": Reply(edit=lambda pieces: _ever(pieces[0], b": still there\n\n")),
            "one line": Reply(edit=lambda pieces: _ever(pieces[0], b"x" * 10_000)),
            "one line of data": Reply(edit=lambda pieces: _ever(pieces[0] + b"data: ", b"y" * 10_000)),
            "blank lines": Reply(edit=lambda pieces: _ever(pieces[0], b"\n" * 5000)),
            "a huge event": faults.huge_line(3_000_000),
            "silence": faults.cut(2, how="stall"),
            "silence within a letter": sent(WHOLE, cut_at=len(WHOLE[0]) + 30, end="stall"),
            "a bomb": Reply(edit=lambda pieces: [pieces[0], b": " + b"z" * 50_000_000], compress="gzip"),
        }
        for name, reply in endless.items():
            marked = mark(rng)
            script.set(marked, *[reply] * 12)
            began = time.monotonic()
            seen = await watch(client, marked)
            assert seen.error is not None, name
            # The huge event comes after the end of the answer itself.
            assert seen.finished == [] or name == "a huge event", name
            assert time.monotonic() - began < 20.0, name
            await world.p0.settled(5.0)
            assert world.p0.requests[-1].outcome in ("left", "answered", "cut"), name
        # None of the connections is used again for somebody else.
        for _ in range(5):
            seen = await watch(client, mark(rng))
            assert (seen.error, seen.finished) == (None, ["stop"])

    run_with_client(tmp_path, test)


def _ever(first: bytes, then: bytes) -> Iterable[bytes]:
    yield first
    while True:
        yield then


def test_a_stream_that_drips_before_its_first_word_is_given_up(tmp_path: Path) -> None:
    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(9), Script(world)
        for reply in (
            Reply(edit=lambda pieces: _ever(b": x\n\n", b": x\n\n"), each_s=0.05),
            faults.slow_head(0.05),
            Reply(head_after_s=10.0),
            Reply(first_s=10.0),
        ):
            marked = mark(rng)
            script.set(marked, *[reply] * 12)
            began = time.monotonic()
            seen = await watch(client, marked)
            assert seen.error is not None
            assert time.monotonic() - began < 20.0

    run_with_client(tmp_path, test, limits={"first_byte_s": 0.5, "idle_s": 0.25, "connect_s": 0.5})


def test_whole_answers_cut_at_every_byte(tmp_path: Path) -> None:
    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(10), Script(world)
        script.set(marked := mark(rng), Reply(text=TEXT))
        size = len((await world.chat(body_of(marked, policy_ir=ONE))).raw)
        for offset in range(0, size - 1, 1 if LONG else 29):
            for how in ("close", "reset", "keep"):
                marked = mark(rng)
                script.set(marked, *[Reply(text=TEXT, cut_at=offset, end=how)] * 12)
                got = await world.chat(body_of(marked, policy_ir=ONE))
                assert got.status == 502, (offset, how, got.raw)
                assert "Grü" not in got.raw.decode()

    run_with_client(tmp_path, test)


def test_never_two_answers_in_one(tmp_path: Path) -> None:
    # After the first word nobody else is asked, whatever the plan says.
    many = [
        "policy",
        ["meets_req"],
        ["neg", ["field", "price_out"]],
        ["argmax"],
        ["id"],
        ["always", {"action": "retry_same", "attempts": 3, "backoff_ms": 0, "then_action": "next_candidate"}],
    ]

    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(11), Script(world)
        for after in range(2, 6):
            for how in ("close", "reset", "keep"):
                marked = mark(rng)
                before = sum(world.sent.values())
                script.set(marked, sent(events_of("a ", "b ", "c "), cut_after=after, end=how, each_s=0.01))
                got = await world.chat(body_of(marked, policy_ir=many, stream=True))
                assert sum(world.sent.values()) == before + 1
                assert b"[DONE]" not in got.raw or after == 6
                assert got.raw.count(b'"role"') == 1
                assert b'"error"' in got.raw.split(b"\n\n")[-2]

    run_with_client(tmp_path, test)


def test_clients_that_leave_end_the_providers_work(tmp_path: Path) -> None:
    async def test(world: Fleet, client: Any) -> None:
        rng, script = Random(12), Script(world)
        for chunk in range(scaled(6, 30)):
            marked = mark(rng)
            script.set(marked, faults.endless(0.01))
            stream = await client.chat.completions.create(**body_of(marked), stream=True, extra_body={"policy_ir": ONE})
            count = 0
            async for _ in stream:
                count += 1
                if count > chunk:
                    break
            left = time.monotonic()
            await stream.close()
            await world.p0.settled(1.0)
            assert time.monotonic() - left < 10.0
        await asyncio.sleep(0.05)
        assert {record.outcome for record in records(world)} == {"left"}

    run_with_client(tmp_path, test)
