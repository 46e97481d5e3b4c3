"""How a page looks, as far as numbers tell: contrast, fills that differ without colour, one style sheet allowed."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise

import pytest

from tenantrank.report.style import CONTENT_SECURITY_POLICY, DARK, FILLS, LIGHT, SHEET, patterns


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours__text_and_marks_stand_out(colours: dict[str, str]) -> None:
    for ink in ("ink", "soft", "alarm", "accent"):
        for ground in ("paper", "panel"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for mark in ("edge", "accent", "dot"):
        assert contrast(colours[mark], colours["paper"]) >= 3, mark


def test_fills__lines_stand_out_and_neighbours_differ_without_colour() -> None:
    for name, (ground, lines) in FILLS.items():
        assert contrast(ground, lines) >= 3, name
    letters = [FILLS[letter][0] for letter in "ABCDEFGH"]
    for one, other in pairwise(letters):
        assert contrast(one, other) >= 2


def test_patterns__each_is_its_own() -> None:
    drawn = dict(re.findall(r'<pattern id="k(\w+)".*?/>(.*?)</pattern>', patterns()))

    assert set(drawn) == set(FILLS)
    assert len({re.sub(r'class="\w+"', "", lines) for lines in drawn.values()}) == len(FILLS)


def test_policy__allows_this_sheet_alone() -> None:
    digest = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()

    assert CONTENT_SECURITY_POLICY.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert not re.search(r"unsafe|https?:|\*", CONTENT_SECURITY_POLICY)
    assert "<" not in SHEET
    assert not re.search(r"url\(|@import|@font-face|https?:", SHEET)
