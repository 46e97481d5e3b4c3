"""What a mock provider does with one request: what it says, how it is framed, when it comes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

End = Literal["keep", "close", "reset", "stall"]
Edit = Callable[[list[bytes]], Iterable[bytes]]


class ToolCall(NamedTuple):
    """A function that the answer calls, with its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer. ``Reply()`` is the usual one: what was asked for, at once, in full.

    An answer is made of *pieces*: the events of a stream, or the whole body as one piece. Bytes of the body are counted
    before chunk framing, and after compression.

    Attributes
    ----------
    status : of HTTP; other than 200 and without a `body`, an error record in OpenAI's style
    headers : further ones; ``content-type`` replaces the usual one
    text : what the assistant says, instead of the mock provider's text
    calls : functions that the assistant calls, instead of saying something
    finish : ``finish_reason``, instead of the one that fits
    body : the body, instead of all that
    edit : gets the pieces and gives those to be sent; may be endless
    raw : everything that is written, head and all; nothing of the above counts
    framing : ``"length"`` (usual for a body), ``"chunked"`` (usual for a stream), ``"close"`` (to the end of it)
    length_off : what ``content-length`` says too much (or, negative, too little)
    compress : ``"gzip"`` or ``"deflate"``, whether the client asked for it or not
    informational : how many ``103 Early Hints`` come before the head
    head_after_s : wait before the head, in seconds
    head_byte_s : wait before each byte of the head
    first_s : wait between the head and the first piece
    each_s : wait before each further piece; ``None``: all pieces at once; ``0.0``: each in a packet of its own
    piece : bytes of a piece, instead of one event or the whole body
    cut_head_at : bytes of the head after which nothing more is written
    cut_at : bytes of the body after which nothing more is written
    cut_after : pieces after which nothing more is written
    end : what follows the last byte: ``"keep"`` the connection, ``"close"`` it, ``"reset"`` it (RST instead of FIN), or
        ``"stall"``: say nothing more, until the client goes. A cut answer with ``"keep"`` is framed as if it were all.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    body: bytes | None = None
    edit: Edit | None = None
    raw: bytes | None = None
    framing: Literal["length", "chunked", "close"] | None = None
    length_off: int = 0
    compress: Literal["gzip", "deflate"] | None = None
    informational: int = 0
    head_after_s: float = 0.0
    head_byte_s: float = 0.0
    first_s: float = 0.0
    each_s: float | None = None
    piece: int | None = None
    cut_head_at: int | None = None
    cut_at: int | None = None
    cut_after: int | None = None
    end: End = "keep"

    def but(self, **changes: Any) -> Reply:
        """Give a reply that differs in these attributes: faults are combined so."""
        return replace(self, **changes)

    @property
    def is_cut(self) -> bool:
        """Whether something of the answer is kept back."""
        return self.cut_head_at is not None or self.cut_at is not None or self.cut_after is not None

    @property
    def is_timed(self) -> bool:
        """Whether it takes its time, so that it cannot be written in one go."""
        return bool(self.head_after_s or self.head_byte_s or self.first_s) or self.each_s is not None


USUAL = Reply()
"""What is asked for, at once, in full."""
