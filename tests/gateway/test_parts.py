"""Parts of messages: what is found, and what is left out of a text's length."""

from __future__ import annotations

import pytest

from tenantrank.gateway.parts import attachments_of
from tenantrank.gateway.problem import Problem


def found(*parts: object) -> tuple[int, int, int]:
    return attachments_of({"messages": [{"role": "user", "content": list(parts)}]})


def test_attachments_of__texts_are_none() -> None:
    assert attachments_of({"messages": []}) == (0, 0, 0)
    assert attachments_of({"messages": [{"content": "x"}, {"content": None}, {"role": "assistant"}]}) == (0, 0, 0)
    assert found("plain", {"type": "text", "text": "x" * 99}, {"type": "refusal", "refusal": "no"}) == (0, 0, 0)


def test_attachments_of__counts_by_kind() -> None:
    url = {"type": "image_url", "image_url": {"url": "u" * 1000, "detail": "low"}}
    assert found(url) == (1, 1000 + len("image_url") + len("low"), 1600)
    assert found(url, url)[::2] == (2, 3200)
    assert found({"type": "input_audio", "input_audio": {"data": "A" * 1700}})[::2] == (0, 10)
    assert found({"type": "file", "file": {"file_data": "A" * 6400}})[::2] == (0, 1700)
    assert found({"type": "new", "video_url": {"url": "https://x"}})[::2] == (0, 1600)


def test_attachments_of__looks_into_parts_and_counts_nothing_twice() -> None:
    image = {"type": "image", "source": {"data": "A" * 100}}
    images, length, tokens = found({"type": "document", "title": "t", "content": [image, {"content": [image]}]})
    assert (images, tokens) == (2, 3 * 1600)
    assert length == len("document") + 1 + 2 * (len("image") + 100)


@pytest.mark.parametrize("parts", [[1], [None], [[]], [{"content": 1}], [{"content": {}}], [{"content": [[1]]}]])
def test_attachments_of__refuses_other_shapes(parts: list[object]) -> None:
    with pytest.raises(Problem) as caught:
        found(*parts)
    assert caught.value.param == "messages"
