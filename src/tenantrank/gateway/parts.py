"""What messages hold beside text: images, sound, files, and about how many tokens each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tenantrank.gateway.problem import Problem

_IMAGES = frozenset({"image_url", "image", "input_image", "image_file"})
_OTHERS = frozenset({"input_audio", "audio_url", "file", "input_file", "document", "video_url", "input_video"})
_TOKENS = 1600
"""Of an image at full detail, or of a page of a file."""
_BYTES_A_TOKEN = {"input_audio": 170, "audio_url": 170}
"""Of sound in base64, at 32 kbit/s and 32 tokens a second."""
_BYTES_A_TOKEN_OF_FILES = 64


def attachments_of(members: Mapping[str, Any]) -> tuple[int, int, int]:
    """Find what the messages of a call hold beside text.

    An image is a part of one of the types ``image_url``, ``image``, ``input_image`` and ``image_file``, and any part
    that has a member of such a name, whatever type it claims; also within the content of another part, as of a tool's
    result. An image counts as 1,600 tokens, sound as one a 170 bytes, a file or film as 1,600 and one a 64 bytes.

    Returns
    -------
    how many images; the length in bytes of all attachments; about how many tokens they are

    Raises
    ------
    Problem
        400 ``invalid_request`` where ``messages`` is no list of objects, or a content is no string and no list of parts
    """
    messages = members.get("messages")
    if type(messages) is not list:
        raise _mistyped("'messages' must be a list")
    images = length = tokens = 0
    for message in messages:
        if type(message) is not dict:
            raise _mistyped("each of 'messages' must be an object")
        content = message.get("content")
        if content is None or type(content) is str:
            continue
        waiting = [content]
        while waiting:
            parts = waiting.pop()
            if type(parts) is not list:
                raise _mistyped("the content of a message must be a string or a list of parts")
            for part in parts:
                if type(part) is str:
                    continue
                if type(part) is not dict:
                    raise _mistyped("a part of a message must be an object or a string")
                kind = part.get("type")
                if kind == "text" and len(part) == 2:
                    continue
                inner = part.get("content")
                if inner is not None and type(inner) is not str:
                    waiting.append(inner)
                if _has(part, kind, _IMAGES):
                    images += 1
                    tokens += _TOKENS
                    length += _length(part)
                elif _has(part, kind, _OTHERS):
                    size = _length(part)
                    length += size
                    each = _BYTES_A_TOKEN.get(kind) if type(kind) is str else None
                    tokens += _TOKENS + size // _BYTES_A_TOKEN_OF_FILES if each is None else size // each
    return images, length, tokens


def _has(part: Mapping[str, Any], kind: Any, names: frozenset[str]) -> bool:
    return (type(kind) is str and kind in names) or not names.isdisjoint(part)


def _length(part: Mapping[str, Any]) -> int:
    """Give how long the strings of a part are, without those of parts within it."""
    length, waiting = 0, [value for name, value in part.items() if name != "content"]
    while waiting:
        value = waiting.pop()
        if type(value) is str:
            length += len(value)
        elif type(value) is dict or type(value) is list:
            values: Iterable[Any] = value.values() if type(value) is dict else value
            waiting += values
    return length


def _mistyped(message: str) -> Problem:
    return Problem(400, "invalid_request", message, param="messages")
