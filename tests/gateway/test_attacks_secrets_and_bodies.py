"""Neither a key nor a word of a prompt or an answer is found in anything that can be looked at, in whatever form.

Every body has canaries of its own; all that the gateway shows, keeps or raises is searched for them.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import gc
import io
import json
import logging
import pickle
import traceback
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tenantrank.errors import TenantrankError
from tenantrank.gateway.settings import settings_of
from tenantrank.gateway.traced import TracedSpans
from tenantrank.testing import ERRORS, Recorded, Reply, ToolCall, faults
from tests.gateway.attacks import ENVIRON, KEYS, Fleet, Script, attack, body_of, mark, scaled
from tests.gateway.worlds import key_entry

CLIENT = {"one": "trk_one_8d41f0a97b3c", "bound": "trk_bound_2e77c1d05a94"}
WRONG = "trk_wrong_77aa10fe42bd"
NEXT = ["always", {"action": "next_candidate"}]
POLICY = ["policy", ["meets_req"], ["neg", ["field", "price_out"]], ["argmax"], ["id"], NEXT]
WINDOW = 10


def canary(rng: Random, where: str) -> str:
    """Make a text that is nowhere else, of one kind."""
    return f"{where}Zq{rng.getrandbits(64):016x}"


def forms(secret: str) -> set[str]:
    """Give what a secret looks like, parts of it included."""
    raw = secret.encode()
    core = secret[-16:]
    found = {core[at : at + WINDOW] for at in range(len(core) - WINDOW + 1)}
    found |= {json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe=""), raw.hex(), raw.hex().upper()}
    found |= {base64.b64encode(b"x" * phase + raw).decode()[4:-4] for phase in range(3)}
    found |= {base64.urlsafe_b64encode(b"x" * phase + raw).decode()[4:-4] for phase in range(3)}
    found |= {"".join(f"\\u{ord(letter):04x}" for letter in core), core[::-1]}
    return {form for form in found if len(form) >= WINDOW}


class Sinks:
    """Texts that somebody could look at, by where they are from."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def add(self, where: str, what: Any) -> None:
        """Take a text, or bytes also as UTF-16."""
        if isinstance(what, bytes):
            self.texts += [(where, what.decode("latin-1")), (where, what.decode("utf-16-le", "replace"))]
        else:
            self.texts.append((where, what if isinstance(what, str) else repr(what)))

    def search(self, secrets: dict[str, str]) -> list[str]:
        """Give where which secret is found."""
        begin: dict[str, list[tuple[str, str]]] = {}
        for name, secret in secrets.items():
            for form in forms(secret):
                begin.setdefault(form[:WINDOW], []).append((name, form))
        found = []
        for where, text in dict.fromkeys(self.texts):
            for at in range(len(text) - WINDOW + 1):
                for name, form in begin.get(text[at : at + WINDOW], ()):
                    if text.startswith(form, at):
                        found.append(f"{name} in {where}: …{text[max(0, at - 60) : at + 60]}…")
        return found


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Take down what any library logs, at the lowest level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)r"))
    root, level = logging.getLogger(), logging.getLogger().level
    loggers = [root, *(logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "aiohttp", "asyncio"))]
    before = [each.level for each in loggers]
    root.addHandler(handler)
    for each in loggers:
        each.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        for each, was in zip(loggers, before, strict=True):
            each.setLevel(was)
        root.setLevel(level)


def shown_of(found: Any, depth: int = 3) -> Iterator[tuple[str, str]]:
    """Give the text forms of an object and of what it holds."""
    name = type(found).__name__
    yield name, f"{found!r} {found!s} {found:}" if not isinstance(found, dict | list | tuple) else repr(found)
    if depth == 0:
        return
    parts: Any = ()
    if isinstance(found, dict):
        parts = list(found.values())[:50]
    elif isinstance(found, list | tuple | set | frozenset):
        parts = list(found)[:50]
    elif hasattr(found, "__dict__") or hasattr(type(found), "__slots__"):
        slots = [slot for kind in type(found).__mro__ for slot in getattr(kind, "__slots__", ())]
        names = [*getattr(found, "__dict__", ()), *(slot for slot in slots if isinstance(slot, str))]
        # What only the class itself gets at is not what a dump shows.
        parts = [getattr(found, part, None) for part in names if part != "_environ"]
    for part in parts:
        if type(part).__module__.partition(".")[0] in ("tenantrank", "builtins", "types", "mappingproxy", "pydantic"):
            yield from shown_of(dict(part) if type(part).__name__ == "mappingproxy" else part, depth - 1)


async def look_at_all(world: Fleet, sinks: Sinks, traces: dict[str, str | None]) -> None:
    """Collect what the gateway shows to operators and clients."""
    for path in ("/metrics", "/x/live", "/health", "/ready"):
        sinks.add(f"operator {path}", (await world.call(path, operator=True)).raw)
    for path in ("/v1/models", "/x/catalog", "/x/fields", "/openapi.json", "/health", "/ready"):
        sinks.add(path, (await world.call(path, key=CLIENT["one"])).raw)
    for trace, key in traces.items():
        sinks.add("operator's trace", (await world.call(f"/x/traces/{trace}", operator=True)).raw)
        if key is not None:
            sinks.add("client's trace", (await world.call(f"/x/traces/{trace}", key=key)).raw)
    running = world.running
    for found in (running, running.state, running.calls, running.state.settings, running.state.now):
        for where, text in shown_of(found):
            sinks.add(f"text of {where}", text)
    for reaches in running.state.now.reaches.values():
        for reach in reaches.values():
            for where, text in shown_of(reach, 4):
                sinks.add(f"text of {where}", text)
            with suppress(TypeError):  # what cannot be copied is not shown either
                sinks.add("endpoint as a record", repr(asdict(reach)))
            sinks.add("endpoint copied", repr(copy.deepcopy(reach.endpoint.key)))
            with pytest.raises(TypeError):
                pickle.dumps(reach.endpoint)
    sinks.add("settings dumped", repr(running.state.settings.model_dump()))
    sinks.add("settings as JSON", running.state.settings.model_dump_json())
    for each in gc.get_objects():
        if issubclass(type(each), BaseException):
            sinks.add("exception", f"{each!r} {each!s}")
            with suppress(Exception):
                sinks.add("exception's args", repr(each.args) + repr(getattr(each, "__notes__", "")))
            sinks.add("traceback", "".join(traceback.format_exception(each)))


def echo(recorded: Recorded) -> Reply:
    """Fail with the whole request, the key included, in every place that an error has."""
    key, prompt = recorded.header("authorization") or "", recorded.body.decode()
    said = {
        "message": f"{key} {prompt}",
        "type": prompt[:60],
        "code": key[7:60],
        "param": prompt,
        "innererror": {"code": prompt[-60:]},
    }
    status = 400 + int.from_bytes(recorded.body[-40:-30], "big") % 200
    status = status if status not in range(505, 600) else 500
    headers = (
        ("www-authenticate", f"Bearer {key}"),
        ("retry-after", prompt[:30].replace("\n", "")),
        ("set-cookie", f"k={key}"),
    )
    return Reply(status=status, body=json.dumps({"error": said, "detail": prompt}).encode(), headers=headers)


def echo_within(recorded: Recorded) -> Reply:
    """Break a stream off with an error that repeats the whole request."""
    said = json.dumps({"error": {"message": recorded.raw.decode("latin-1"), "code": "x"}}).encode()
    return Reply(edit=lambda pieces: [*pieces[:3], b"data: " + said + b"\n\n"], each_s=0.01)


def test_nothing_of_keys_prompts_and_answers_is_found_anywhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    sinks, rng = Sinks(), Random(42)
    secrets = {**{f"key of {name}": key for name, key in KEYS.items()}, **CLIENT, "wrong": WRONG}
    secrets["operator's key"] = ENVIRON["OPERATOR_KEY"]

    async def test(world: Fleet) -> None:
        exporter = InMemorySpanExporter()
        tracing = TracerProvider()
        tracing.add_span_processor(SimpleSpanProcessor(exporter))
        world.running.calls.spans = TracedSpans(tracing.get_tracer("t"))
        script = Script(world)
        traces: dict[str, str | None] = {}
        replies: list[Reply | str] = [
            *faults.BROKEN.values(),
            *(faults.error(kind, name) for name, kinds in ERRORS.items() for kind in kinds),
            *(faults.cut(count) for count in range(4)),
            faults.error_event(2),
            faults.malformed_event(2),
            faults.without_done(),
            "echo",
            "echo",
            "echo within",
            "echo within",
            "good",
            "good",
        ]
        for number, reply in enumerate(replies * scaled(1, 20)):
            stream, name = number % 2 == 0, "bound" if number % 3 == 0 else "one"
            words = {
                where: canary(rng, where) for where in ("prompt", "system", "args", "schema", "user", "answer", "call")
            }
            secrets.update({f"{number} {where}": word for where, word in words.items()})
            marked = mark(rng)
            if reply in ("echo", "echo within"):
                for mock in world.mocks.values():
                    mock.respond = echo if reply == "echo" else echo_within
            elif isinstance(reply, Reply):
                script.set(marked, *[reply] * 12)
            else:
                call = ToolCall("weather", json.dumps({"city": words["call"]}))
                script.set(marked, Reply(text=words["answer"]) if number % 4 < 2 else Reply(calls=(call,)))
            body = body_of(marked, stream=stream, user=words["user"])
            body["messages"] += [
                {"role": "system", "content": words["system"]},
                {"role": "user", "content": [{"type": "text", "text": words["prompt"]}]},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "f", "arguments": words["args"]}}
                    ],
                },
            ]
            body["tools"] = [{"type": "function", "function": {"name": "f", "description": words["schema"]}}]
            if name == "one":
                body["policy_ir"] = POLICY
            got = await world.chat(body, key=CLIENT[name])
            for mock in world.mocks.values():
                mock.respond = script._respond
            traces[got.headers["x-tenantrank-trace-id"]] = CLIENT[name]
            if got.status != 200:
                sinks.add(f"error of {number}", got.raw)
            else:
                # What a provider answers is the client's; what the gateway adds to it is not.
                sinks.add(f"end of {number}", got.raw[got.raw.rfind(b'{"error"') :] if b'"error"' in got.raw else b"")
            sinks.add(f"headers of {number}", repr(dict(got.headers)))
        # What is refused before it is sent.
        word = secrets["a refused body"] = canary(rng, "refused")
        inside = {"messages": [{"role": "user", "content": word}], "model": "m"}
        good = json.dumps({**inside, "policy_ir": POLICY})
        for raw in (
            good[:-1],
            good[:-20],
            good.replace('"model"', '"messages": 1, "model"'),
            good.replace('"m"', f'"m", "{word}": 1, "{word}": 2'),
            good.replace('"m"', "NaN"),
            good.replace('"m"', f'"\\ud800{word}"'),
            good.replace('"m"', f'"m", "api_base": "{word}"'),
            good.replace('"m"', f'"m", "Policy_IR": "{word}"'),
            good.replace('"m"', f'"m", "tenant": "{word}"'),
            good.replace('"m"', f'"m", "temperature": {"[" * 200}'),
            json.dumps({**inside, "policy_ir": ["policy", word]}),
            json.dumps({**inside, "stream": word, "policy_ir": POLICY}),
            json.dumps({**inside, "max_tokens": word, "policy_ir": POLICY}),
            json.dumps({**inside, "requirements": {word: word}, "policy_ir": POLICY})[:-1],
            json.dumps({**inside, "messages": word, "policy_ir": POLICY}),
            json.dumps({**inside, "tools": word, "policy_ir": POLICY}),
            json.dumps({**inside, "response_format": {"type": [word]}, "policy_ir": POLICY}),
            f'"{word}"',
            word,
        ):
            got = await world.call("/v1/chat/completions", raw.encode(), key=CLIENT["one"])
            assert 400 <= got.status < 500, raw
            traces[got.headers["x-tenantrank-trace-id"]] = None
            sinks.add("refused", got.raw)
            sinks.add("headers of it", repr(dict(got.headers)))
        for headers in (
            {"authorization": f"Bearer {WRONG}"},
            {"authorization": f"Basic {WRONG}"},
            {"authorization": f"Bearer  x {WRONG}"},
            {"x-api-key": WRONG, "authorization": f"Bearer {CLIENT['one']}"},
            {"authorization": f"Bearer {WRONG}ö"},
            {"cookie": WRONG},
        ):
            got = await world.call("/v1/chat/completions", good.encode(), headers=headers)
            assert got.status == 401
            sinks.add("refused key", got.raw + repr(got.headers).encode())
        for path in (f"/v1/models/{WRONG}", f"/x/traces/{WRONG}?key={WRONG}", f"/{WRONG}", f"/metrics?k={WRONG}"):
            for operator in (False, True):
                sinks.add("unknown path", (await world.call(path, operator=operator, key=CLIENT["one"])).raw)
        # A client that leaves.
        for _ in range(3):
            word = secrets[f"left {_}"] = canary(rng, "left")
            marked = mark(rng)
            script.set(marked, faults.silence())
            body = body_of(marked, policy_ir=POLICY, user=word)
            call_task = asyncio.create_task(world.chat(body, key=CLIENT["one"]))
            await asyncio.sleep(0.05)
            call_task.cancel()
            with suppress(asyncio.CancelledError):
                await call_task
        await asyncio.sleep(0.2)
        await look_at_all(world, sinks, traces)
        sinks.add("log", world.lines.getvalue())
        for span in exporter.get_finished_spans():
            sinks.add("span", span.to_json())
        assert len(exporter.get_finished_spans()) > 100
        # A tenant's name is in no metric and in no span.
        secrets["tenant"] = "tenantZq0123456789abcdef"
        places = [(where, text) for where, text in sinks.texts if where in ("span", "operator /metrics")]
        found = [where for where, text in places if "tenantZq" in text]
        assert not found
        del secrets["tenant"]

    state = {"tenant_id": "tenantZq0123456789abcdef", "strict": False}
    with everything_logged() as logged:
        attack(
            tmp_path,
            test,
            keys=[key_entry("one", CLIENT["one"]), key_entry("bound", CLIENT["bound"], tenant=state)],
            server={"operator_listen": "127.0.0.1:0"},
            traces=10_000,
        )
        sinks.add("what libraries log", logged.getvalue())
    out, err = capfd.readouterr()
    sinks.add("stdout", out)
    sinks.add("stderr", err)
    assert sinks.search(secrets) == []
    # The search would find them.
    probe = Sinks()
    for form in (
        f"x{CLIENT['one']}",
        base64.b64encode(b"ab" + KEYS["p0"].encode()).decode(),
        KEYS["p1"].encode().hex(),
    ):
        probe.add("probe", form)
    assert len({line.split(" in ")[0] for line in probe.search(secrets)}) == 3


KEY = "sk-live-9f8e7d6c5b4a39281706"


@pytest.mark.parametrize(
    "section",
    [
        {"providers": {"p0": {"key": KEY, "base_url": "http://127.0.0.1:9/v1"}}},
        {"providers": {"p0": {"key": f"os.environ/{KEY}", "base_url": "http://127.0.0.1:9/v1"}}},
        {"providers": {"p0": {"base_url": f"http://{KEY}@127.0.0.1:9/v1"}}},
        {"providers": {"p0": {"base_url": f"http://127.0.0.1:9/v1?key={KEY}"}}},
        {"providers": {"p0": {"base_url": f"http://127.0.0.1:9/{KEY} x"}}},
        {"providers": {"p0": {"base_url": "http://127.0.0.1:9/v1", "headers": {"authorization": KEY}}}},
        {"providers": {"p0": {"base_url": "http://127.0.0.1:9/v1", "headers": {"x-a": KEY + "\n"}}}},
        {"providers": {"p0": {"base_url": "http://127.0.0.1:9/v1", "first_byte_s": KEY}}},
        {"providers": {"p0": {"base_url": "http://127.0.0.1:9/v1", "models": KEY}}},
        {"providers": {"p0": {"base_url": "http://127.0.0.1:9/v1", "kind": ["x", KEY]}}},
        {"providers": KEY},
        {"keys": [{"name": "a", "sha256": KEY}]},
        {"keys": [{"name": KEY + " x", "sha256": "0" * 64}]},
        {"keys": [KEY]},
        {"server": {"operator_key": KEY}},
        {"server": {"operator_listen": "0.0.0.0:0", "operator_key": KEY}},
        {"server": {"body_s": KEY}},
        {"upstream": {"connections": KEY}},
        {"telemetry": {"log": KEY}},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_shown(tmp_path: Path, section: dict[str, Any]) -> None:
    sinks = Sinks()

    async def test(world: Fleet) -> None:
        got = await world.reload(**section)
        if got.status != 409:  # what only counts at the start is refused there, or never shown
            assert "server" in section
        sinks.add("answer", got.raw)
        sinks.add("log", world.lines.getvalue())
        sinks.add("settings", repr(world.running.state.settings))
        try:
            sinks.add("settings", repr(settings_of(world.file)))
        except TenantrankError as error:
            sinks.add("message", f"{error!r} {error}")
            sinks.add("message", "".join(traceback.format_exception(error)))
        world.path.write_text(world.path.read_text()[:-1] + f', "x": {KEY}' + "}")
        sinks.add("broken file", (await world.reload()).raw)
        sinks.add("log", world.lines.getvalue())

    attack(tmp_path, test)
    assert sinks.search({"key": KEY}) == []


@pytest.mark.parametrize("text", [f"http://user:{KEY}@127.0.0.1:9", f"http://127.0.0.1:9/?k={KEY}"])
def test_what_stands_in_addresses_of_proxies_and_collectors_is_not_shown(text: str) -> None:
    sinks = Sinks()
    for section in ({"upstream": {"proxy": text}}, {"telemetry": {"otlp": text}}):
        try:
            made = settings_of({"server": {"without_keys": True}, **section})
            sinks.add("settings", f"{made!r} {made}")
        except TenantrankError as error:
            sinks.add("message", str(error))
    assert sinks.search({"key": KEY}) == []


def test_a_provider_gets_nothing_of_the_clients_and_the_client_nothing_of_the_providers(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        rng = Random(8)
        given = {
            "cookie": "c=1",
            "x-forwarded-for": "1.2.3.4",
            "openai-organization": "org-1",
            "openai-project": "p",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "x-request-id": "mine",
            "user-agent": "somebody",
            "anthropic-beta": "x",
            "proxy-authorization": "Basic x",
            "te": "trailers",
            "forwarded": "for=1.2.3.4",
            "accept-language": "de",
            "idempotency-key": "1",
            "x-stainless-os": "x",
            "accept-encoding": "gzip, br",
        }
        theirs = (
            ("set-cookie", "session=1"),
            ("openai-organization", "org-of-the-operator"),
            ("x-ratelimit-remaining-tokens", "5"),
            ("server", "cloudflare"),
            ("x-tenantrank-offer", "forged"),
            ("x-tenantrank-trace-id", "forged"),
            ("access-control-allow-origin", "*"),
            ("location", "http://x"),
            ("refresh", "0; url=http://x"),
        )
        for stream in (False, True):
            marked = mark(rng)
            Script(world).set(marked, Reply(headers=theirs))
            got = await world.chat(body_of(marked, policy_ir=POLICY, stream=stream), key=CLIENT["one"], headers=given)
            assert got.status == 200
            assert set(got.headers) <= {
                "date",
                "content-type",
                "content-length",
                "transfer-encoding",
                "cache-control",
                "x-tenantrank-trace-id",
                "x-tenantrank-policy-fingerprint",
                "x-tenantrank-offer",
                "x-tenantrank-attempts",
            }
            assert "forged" not in repr(got.headers)
        for recorded in world.p0.requests:
            assert sorted(name for name, _ in recorded.headers) == [
                "accept",
                "accept-encoding",
                "authorization",
                "content-length",
                "content-type",
                "host",
                "user-agent",
            ]
            assert recorded.header("accept-encoding") == "identity"
            assert (recorded.header("user-agent") or "").startswith("tenantrank/")

    attack(tmp_path, test, keys=[key_entry("one", CLIENT["one"])])


def test_each_attempt_is_made_anew(tmp_path: Path) -> None:
    # B never sees A's key or parameters, however the attempts go.
    async def test(world: Fleet) -> None:
        rng, script = Random(9), Script(world)
        for _ in range(scaled(100, 3000)):
            marked = mark(rng)
            script.set(marked, *[faults.error("server")] * rng.randrange(8))
            await world.chat(body_of(marked, policy_ir=POLICY, temperature=0.5, stream=rng.random() < 0.5))
        for name, mock in world.mocks.items():
            for recorded in mock.requests:
                assert recorded.header("authorization") == f"Bearer {KEYS[name]}"
                assert recorded.json["model"].startswith(name)
                assert {"model", "messages", "temperature", "stream"} == set(recorded.json)
        assert all(mock.count for mock in list(world.mocks.values())[:3])

    attack(tmp_path, test)


def test_a_tenant_sees_its_own_traces_alone(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        rng = Random(10)
        got = await world.chat(body_of(mark(rng), policy_ir=POLICY), key=CLIENT["one"])
        trace = got.headers["x-tenantrank-trace-id"]
        assert (await world.call(f"/x/traces/{trace}", key=CLIENT["one"])).status == 200
        for key in (CLIENT["bound"], WRONG, None):
            other = await world.call(f"/x/traces/{trace}", key=key)
            assert other.status in (401, 404)
            assert trace.encode() not in other.raw
        own = (await world.call(f"/x/traces/{trace}", key=CLIENT["one"])).raw
        assert b"credential" not in own
        assert b"upstream_id" not in own

    state = {"tenant_id": "b", "strict": False}
    keys = [key_entry("one", CLIENT["one"]), key_entry("bound", CLIENT["bound"], tenant=state)]
    attack(tmp_path, test, keys=keys)


def test_the_operators_listener_has_a_key_of_its_own(tmp_path: Path) -> None:
    async def test(world: Fleet) -> None:
        key = ENVIRON["OPERATOR_KEY"]
        for path in ("/metrics", "/x/live", "/x/traces/tr_0", "/x/reload"):
            raw = b"" if path == "/x/reload" else None
            for given in (None, CLIENT["one"], key[:-1], f"{key}x", f"{key} "):
                got = await world.call(path, raw, operator=True, key=given)
                assert got.status == 401 or (given == f"{key} " and got.status != 500), (path, given)
            assert (await world.call(path, raw, operator=True, key=key)).status in (200, 404)
        # Nor does it open the clients' doors.
        assert (await world.call("/v1/models", key=key)).status == 401
        assert (await world.call("/metrics", key=CLIENT["one"])).status == 404

    keys = [key_entry("one", CLIENT["one"])]
    attack(tmp_path, test, keys=keys, server={"operator_key": "os.environ/OPERATOR_KEY"})
