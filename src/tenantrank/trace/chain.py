"""The chain: each record's hash covers its own text and the hash before it, and by that everything before it."""

from __future__ import annotations

import hashlib

VERSION = "tenantrank-trace/1"
LOG_ID_BYTES = 16

_RECORD = VERSION.encode() + b"\0record\0"
_LINK = _RECORD + (32).to_bytes(8, "big")


def beginning(log_id: bytes) -> bytes:
    """Give what stands in the place of a previous hash for the first record: 32 zero bytes, then the log's id."""
    return bytes(32) + log_id


def record_hash(before: bytes, body: bytes) -> bytes:
    """Give ``sha256(domain ‖ u64be(len(before)) ‖ before ‖ u64be(len(body)) ‖ body)``.

    Parameters
    ----------
    before
        the hash of the record before, or `beginning` for the first
    body
        the record's canonical text
    """
    size = len(before)
    link = _LINK if size == 32 else _RECORD + size.to_bytes(8, "big")
    return hashlib.sha256(b"".join((link, before, len(body).to_bytes(8, "big"), body))).digest()


def statement_message(kind: str, body: bytes) -> bytes:
    """Give the bytes that are signed for a checkpoint or a stub: ``domain ‖ u64be(len(body)) ‖ body``.

    A signature for one kind of statement is none for another, and no record's hash is either.
    """
    return f"{VERSION}\0{kind}\0".encode() + len(body).to_bytes(8, "big") + body
