"""Events are told apart however the stream is cut, and no byte is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.events import Events, data_of
from tenantrank.gateway.failure import Failure

LINES = st.sampled_from(
    [b"data: {}", b"data:{}", b": c", b"event: e", b"id: 1", b"retry: 1", b"data: a", b"data", b"data: \xe2\x82\xac"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.data())
def test_any_way_of_cutting_gives_the_same_events(data):
    end = data.draw(ENDS)
    events = data.draw(st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5))
    wanted = [end.join(lines) + end + end for lines in events]
    whole = b"".join(wanted)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    split = Events()
    found = []
    for begin, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found.extend(split.feed(whole[begin:stop]))
    assert b"".join(found) + bytes(split.rest) == whole
    assert [data_of(one) for one in found if one.strip()] == [data_of(one) for one in wanted[: len(found)]]
    assert found == wanted


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_no_byte_is_lost(pieces):
    split = Events()
    found = [one for piece in pieces for one in split.feed(piece)]
    assert b"".join(found) + bytes(split.rest) == b"".join(pieces)


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a\n\n", b" a"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\r\ndata: b\r\n\r\n", b"a\nb"),
        (b"event: x\nid: 1\ndata: a\nretry: 5\n\n", b"a"),
        (b": comment\n\n", None),
        (b"\n\n", None),
        (b"event: ping\n\n", None),
        (b"data\n\n", b""),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
    ],
)
def test_data_of_events(raw, data):
    assert data_of(raw) == data


def test_small_pieces_add_up_to_the_cap():
    split = Events(cap=1000)
    for _ in range(1000):
        assert split.feed(b"x") == []
    with pytest.raises(Failure):
        split.feed(b"x")
