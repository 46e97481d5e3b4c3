"""Packed answers are unpacked up to a cap, and nothing above it is ever held."""

import gzip
import tracemalloc
import zlib

import pytest

from tenantrank.gateway.failure import Failure
from tenantrank.gateway.inflate import Inflater

TEXT = b'{"choices":[]}' * 100


@pytest.mark.parametrize(
    ("name", "pack"), [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_pieces_of_any_size_add_up(name, pack):
    packed = pack(TEXT)
    for size in (1, 7, len(packed)):
        inflater = Inflater.of(name, len(TEXT))
        given = b"".join(inflater.feed(packed[at : at + size]) for at in range(0, len(packed), size))
        inflater.finish()
        assert given == TEXT


def test_what_is_not_packed_needs_none():
    assert Inflater.of("identity", 10) is None
    assert Inflater.of(" ", 10) is None


@pytest.mark.parametrize("name", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_ways_of_packing_are_refused(name):
    with pytest.raises(Failure, match="not asked for"):
        Inflater.of(name, 10)


def test_one_byte_above_the_cap_is_too_much():
    with pytest.raises(Failure, match="more than is allowed"):
        Inflater.of("gzip", len(TEXT) - 1).feed(gzip.compress(TEXT))


def test_a_bomb_costs_no_more_than_the_cap():
    bomb = gzip.compress(bytes(20_000_000))
    inflater = Inflater.of("gzip", 100_000)
    tracemalloc.start()
    with pytest.raises(Failure):
        inflater.feed(bomb)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000


def test_an_incomplete_end_is_noticed():
    inflater = Inflater.of("gzip", 100_000)
    inflater.feed(gzip.compress(TEXT)[:-1])
    with pytest.raises(Failure, match="broken"):
        inflater.finish()
