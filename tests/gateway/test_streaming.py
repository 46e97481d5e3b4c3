"""Streams go out byte for byte; a break, wherever it is, is an error and never an end."""

import asyncio
import json
import time

import pytest

from tenantrank.gateway.failure import KINDS, Failure
from tenantrank.gateway.incoming import Timeouts
from tenantrank.gateway.quirks import Quirks
from tenantrank.gateway.streaming import error_event, first_event
from tenantrank.gateway.upstream import Upstream
from tests.gateway.rawserver import KEY, STREAM_HEAD, RawServer, chunk

PLAIN_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
SHORT = Timeouts(connect_s=2, first_byte_s=0.4, idle_s=0.3, total_s=None)
DONE = b"data: [DONE]\n\n"


def event(content="x", *, reason=None, index=0, **more):
    record = {"id": "c", "choices": [{"index": index, "delta": {"content": content}, "finish_reason": reason}], **more}
    return b"data: " + json.dumps(record, ensure_ascii=False).encode() + b"\n\n"


def said(**record):
    return b"data: " + json.dumps(record).encode() + b"\n\n"


RECORDED = [
    event("", usage=None),
    event("Grüße "),
    b": keep-alive\n\n",
    event('say \\"error\\" and [DONE] 😀'),
    event("", reason="stop"),
    said(id="c", choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2}),
    DONE,
]
WHOLE = b"".join(RECORDED)


class Fed:
    """Bytes as they would come from a provider, without a socket."""

    def __init__(self, pieces, error=None):
        self.pieces = list(pieces)
        self.error = error
        self.closed = 0
        self.finished = False
        self.deadline = asyncio.get_running_loop().time() + 5

    async def read(self):
        if self.pieces:
            return self.pieces.pop(0)
        if self.error is not None:
            raise self.error
        return b""

    def begun(self):
        pass

    async def finish(self, wait_s=0.25):
        self.finished = True

    def close(self):
        self.closed += 1


def relayed(pieces, *, quirks=None, error=None, trailer=None, **caps):
    """Give what the client gets, and the relay; a failure before the first byte is given in the client's place."""

    async def relay():
        fed = Fed(pieces, error)
        try:
            stream = await first_event(fed, "openai", quirks or Quirks(), **caps)
        except Failure as failure:
            assert fed.closed
            return failure, None
        stream.trailer = trailer
        out = [block async for block in stream]
        assert fed.closed
        return b"".join(out), stream

    return asyncio.run(relay())


def from_server(say, *, timeouts=SHORT, then_close=True, quirks=None):
    async def relay():
        async with RawServer(say, then_close=then_close) as server, Upstream("1") as upstream:
            found = await upstream.post(server.endpoint(), "chat", b"{}", stream=True, timeouts=timeouts)
            stream = await first_event(found.stream, "openai", quirks or Quirks())
            out = [block async for block in stream]
            return b"".join(out), stream

    return asyncio.run(relay())


def assert_broken(out, stream, whole=WHOLE):
    """The client has a part of what was said, ended between events, and one error after it."""
    assert isinstance(stream.outcome, Failure)
    last = error_event(stream.outcome)
    assert out.endswith(last)
    part = out[: -len(last)]
    assert whole.startswith(part)
    assert part.endswith(b"\n\n")
    assert DONE not in part
    assert DONE not in last


def test_a_complete_stream_is_unchanged():
    whole = b"".join(RECORDED)
    for pieces in ([whole], RECORDED, [whole[at : at + 1] for at in range(len(whole))]):
        out, stream = relayed(pieces)
        assert out == whole
        assert stream.outcome == "complete"
        assert stream.usage == {"prompt_tokens": 3, "completion_tokens": 2}
        assert stream.finish_reasons == {0: "stop"}
        assert stream.events == 5
        assert stream.bytes == len(whole) - len(DONE)


@pytest.mark.parametrize("error", [None, Failure("network_error", "the connection broke", accepted=True)])
def test_a_stream_cut_at_any_byte_never_ends_falsely(error):
    whole = b"".join(RECORDED)
    first = len(RECORDED[0])
    for cut in range(len(whole)):
        out, stream = relayed([whole[:cut]], error=error)
        if error is None and cut >= len(whole) - 2:
            assert stream.outcome == "complete"  # all but the line ends after [DONE]
            assert out == whole
        elif stream is None:
            # Nothing went out, so that the plan can go on; a cut within the first piece counts so as well.
            assert out.kind in ("network_error", "bad_response")
        else:
            assert cut >= first
            assert_broken(out, stream)


@pytest.mark.parametrize("ending", ["closed", "chunked", "reset"])
def test_a_stream_cut_over_a_socket(ending):
    """Cut at every event and within each, once the first is out."""
    whole = b"".join(RECORDED)
    ends = [sum(map(len, RECORDED[: at + 1])) for at in range(len(RECORDED))]
    for cut in [ends[0], *(end - back for end in ends[1:] for back in (0, 1, 7))]:
        if ending == "chunked" and cut == len(whole):
            continue

        async def say(writer, more=whole[ends[0] : cut]):
            head = STREAM_HEAD if ending == "chunked" else PLAIN_HEAD
            pack = chunk if ending == "chunked" else bytes
            writer.write(head + pack(RECORDED[0]))
            await writer.drain()
            await asyncio.sleep(0.01)
            if more:
                writer.write(pack(more))
            await writer.drain()
            if ending == "reset":
                await asyncio.sleep(0.01)
                writer.transport.abort()

        out, stream = from_server(say)
        if cut >= len(whole) - 1 and stream.outcome == "complete":
            assert out == whole
        else:
            assert_broken(out, stream)
            assert stream.outcome.accepted


def test_the_connection_is_used_again_after_a_complete_stream():
    async def relay():
        say = STREAM_HEAD + b"".join(map(chunk, RECORDED)) + b"0\r\n\r\n"
        async with RawServer(say, then_close=False) as server, Upstream("1") as upstream:
            for _ in range(3):
                found = await upstream.post(server.endpoint(), "chat", b"{}", stream=True, timeouts=SHORT)
                stream = await first_event(found.stream, "openai", Quirks())
                assert [block async for block in stream][-1] == DONE
            return server.connections

    assert asyncio.run(relay()) == 1


def test_closing_leaves_the_provider_at_once():
    async def relay():
        async def endless(writer):
            writer.write(STREAM_HEAD)
            while True:
                writer.write(chunk(event()))
                await writer.drain()
                await asyncio.sleep(0.01)

        async with RawServer(endless) as server, Upstream("1") as upstream:
            found = await upstream.post(server.endpoint(), "chat", b"{}", stream=True, timeouts=SHORT)
            stream = await first_event(found.stream, "openai", Quirks())
            assert await anext(stream)
            stream.close()
            assert stream.outcome == "left"
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            await asyncio.wait_for(server.left.wait(), 1)

    asyncio.run(relay())


def test_cancelling_a_reader_leaves_the_provider_at_once():
    async def relay():
        async def stall(writer):
            writer.write(STREAM_HEAD + chunk(event()))
            await writer.drain()

        async with RawServer(stall, then_close=False) as server, Upstream("1") as upstream:
            found = await upstream.post(server.endpoint(), "chat", b"{}", stream=True, timeouts=Timeouts())
            stream = await first_event(found.stream, "openai", Quirks())

            async def read():
                async for _ in stream:
                    pass

            task = asyncio.create_task(read())
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(server.left.wait(), 1)

    asyncio.run(relay())


def test_silence_after_the_first_event_breaks_the_stream():
    async def stall(writer):
        writer.write(STREAM_HEAD + chunk(RECORDED[0]))
        await writer.drain()
        await asyncio.sleep(30)

    began = time.monotonic()
    out, stream = from_server(stall)
    assert_broken(out, stream)
    assert stream.outcome.kind == "timeout"
    assert time.monotonic() - began < 20


def test_comments_alone_are_no_first_event():
    async def comments(writer):
        writer.write(STREAM_HEAD)
        while True:
            writer.write(chunk(b": PROCESSING\n\n"))
            await writer.drain()
            await asyncio.sleep(0.02)

    with pytest.raises(Failure) as caught:
        from_server(comments)
    assert caught.value.kind == "timeout"


def test_comments_keep_a_slow_stream_alive():
    async def slow(writer):
        writer.write(STREAM_HEAD + chunk(RECORDED[0]))
        for _ in range(20):
            writer.write(chunk(b": PROCESSING\n\n"))
            await writer.drain()
            await asyncio.sleep(0.04)
        writer.write(chunk(event(reason="stop")) + chunk(DONE) + b"0\r\n\r\n")
        await writer.drain()

    out, stream = from_server(slow)
    assert stream.outcome == "complete"
    assert out.count(b": PROCESSING\n\n") == 20


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([], "network_error"),
        ([b": hello\n\n"], "network_error"),
        ([b"data: {"], "network_error"),
        ([DONE], "bad_response"),
        ([said(choices=[]), DONE], "bad_response"),
        ([b"data: nonsense\n\n"], "bad_response"),
        ([b"data: []\n\n"], "bad_response"),
        ([b"data: 3\n\n"], "bad_response"),
        ([b"data: \n\n"], "bad_response"),
        ([b"data: {\xff}\n\n"], "bad_response"),
        ([b"<html><body>\n\n"], "bad_response"),
        ([said(choices={"0": {}})], "bad_response"),
        ([said(choices=["x"])], "bad_response"),
        ([said(error={"message": "m", "code": "rate_limit_exceeded"})], "rate_limit"),
        ([said(error={"message": "m", "code": 502})], "server_error"),
        ([said(error="out of memory")], "server_error"),
        ([b"event: error\n" + said(type="error", error={"type": "overloaded_error"})], "server_error"),
        ([said(choices=[{"finish_reason": "error", "delta": {}}])], "server_error"),
        ([b'{"error":{"code":"insufficient_quota"}}'], "rate_limit"),
        ([b'{"error":{"code":"insufficient_quota"}}\n\n'], "rate_limit"),
        ([said(choices=[], prompt_filter_results=[]), said(error={"code": "content_filter"})], "content_filter"),
        ([event(), said(error={"code": "content_filter"})], None),
        ([event() + said(error={"code": "content_filter"})], "content_filter"),
        ([b"x" * 2_000_000], "bad_response"),
        ([b"data: " + b"x" * 2_000_000 + b"\n\n"], "bad_response"),
    ],
    ids=range(25),
)
def test_before_the_first_byte_a_fault_is_a_failure(pieces, kind):
    out, stream = relayed(pieces)
    if kind is None:
        assert_broken(out, stream, b"".join(pieces))
        assert stream.outcome.kind == "content_filter"
    else:
        assert stream is None
        assert out.kind == kind


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        (said(error={"message": f"canary {KEY}", "code": 502}), "server_error"),
        (said(error={"message": "m"}, choices=[{"index": 0, "delta": {}, "finish_reason": "error"}]), "server_error"),
        (b"data: {broken\n\n", "bad_response"),
        (b"<html>502</html>\n\n", "bad_response"),
        (b'{"error":{"code":"rate_limit_exceeded"}}\n\n', "rate_limit"),
        (b"data: {}\ngarbage\n\n", "bad_response"),
        (b"", "network_error"),
    ],
    ids=range(7),
)
def test_after_it_a_fault_is_one_error_event(piece, kind):
    out, stream = relayed([RECORDED[0], RECORDED[1] + piece, DONE] if piece else RECORDED[:2])
    assert_broken(out, stream)
    assert out.startswith(RECORDED[0] + RECORDED[1])
    assert stream.outcome.kind == kind
    shown = json.loads(out[len(RECORDED[0] + RECORDED[1]) :].removeprefix(b"data: "))
    assert set(shown) == {"error"}
    assert shown["error"]["code"] == kind in KINDS
    assert set(shown["error"]) == {"message", "type", "param", "code"}
    assert b"canary" not in out


def test_an_error_that_ends_the_stream_without_the_form_of_an_event_is_read():
    out, stream = relayed([RECORDED[0], b'{"error":{"code":"rate_limit_exceeded"}}'])
    assert_broken(out, stream)
    assert stream.outcome.kind == "rate_limit"


def test_an_event_above_the_cap_breaks_the_stream():
    out, stream = relayed([RECORDED[0], b"data: " + b"x" * 2_000_000])
    assert_broken(out, stream)
    assert stream.outcome.kind == "bad_response"


def test_a_null_error_is_none():
    _, stream = relayed([event(reason="stop", error=None), DONE])
    assert stream.outcome == "complete"


def test_an_end_without_done_is_an_end_only_where_the_provider_ends_so():
    whole = [event(), event("", reason="stop")]
    assert relayed(whole, quirks=Quirks(done=False))[1].outcome == "complete"
    assert relayed(whole, quirks=Quirks(done=False))[0] == b"".join(whole)
    assert_broken(*relayed(whole), b"".join(whole))
    assert_broken(*relayed(whole[:1], quirks=Quirks(done=False)), b"".join(whole))
    two = [event(index=0), event(index=1), event("", reason="stop", index=1)]
    assert_broken(*relayed(two, quirks=Quirks(done=False)), b"".join(two))


def test_what_comes_after_done_is_left_out():
    last = event(reason="stop")
    out, stream = relayed([last + DONE + event()])
    assert out == last + DONE
    assert stream.outcome == "complete"


def test_a_trailer_goes_out_before_done_and_only_where_the_stream_is_complete():
    last = event(reason="stop")
    assert relayed([last, DONE], trailer=lambda: b"data: {}\n\n")[0] == last + b"data: {}\n\n" + DONE
    assert b"data: {}" not in relayed([event()], trailer=lambda: b"data: {}\n\n")[0]
    assert relayed([last, DONE], trailer=lambda: b"")[0] == last + DONE


def test_done_in_the_middle_of_an_answer_is_no_end():
    assert_broken(*relayed([event(), DONE]), event())
    two = [event(index=0), event(index=1), event("", reason="stop", index=1)]
    assert_broken(*relayed([*two, DONE]), b"".join(two))


@pytest.mark.parametrize("bare", [{"object": "error", "message": "m"}, {"message": "m"}, {"detail": ["m"]}])
def test_errors_without_a_member_for_them_are_errors(bare):
    assert_broken(*relayed([event(), said(**bare), event(reason="stop"), DONE]), event())


def test_a_stream_that_never_ends_is_cut():
    out, stream = relayed([event()] * 1000, stream_bytes=10_000)
    assert_broken(out, stream, event() * 1000)
    assert len(out) < 11_000


def test_usage_is_found_where_groq_puts_it():
    _, stream = relayed([event(), event("", reason="stop", x_groq={"id": "r", "usage": {"total_tokens": 5}}), DONE])
    assert stream.usage == {"total_tokens": 5}


def test_times_are_the_clocks():
    ticks = iter(range(100))
    _, stream = relayed([event(), event(), DONE], clock=lambda: float(next(ticks)))
    assert (stream.first_s, stream.last_s) == (0.0, 1.0)
