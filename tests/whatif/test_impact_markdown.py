"""The summary for a pull request: what it says, that it stays short, and that no name gets out of its cell."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

import tenantrank as tr
from tenantrank.whatif.impact import Impact, impact
from tenantrank.whatif.impact_limits import Limit
from tenantrank.whatif.impact_markdown import code, markdown
from tenantrank.whatif.impact_words import headline, rules_words
from tests.whatif.worlds import BASE, BEST, CAP, EU, engine_of, offer, rulebook_of, table_of

RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
RULES = rulebook_of(BASE, CAP, EU, BEST)
HOSTILE = [
    "a|b",
    "a\\|b",
    "back`tick",
    "``",
    "line\nbreak",
    "carriage\r\nreturn",
    "<script>alert(1)</script>",
    "<!-- comment",
    "</code><b>out",
    "[link](http://example.org)",
    "![image](http://example.org/x.png)",
    "@someone",
    "#1",
    "http://example.org",
    "*bold* _it_ ~~gone~~",
    "&lt;&amp;&#124;",
    "trailing\\",
    "trailing `",
    " both ends ",
    " ",
    "\t",
    "\u202eright to left",
    "\x1b[31mred",
    "| --- |",
    "\\`|`\\",
]


def shown_in(text: str) -> tuple[list[str], list[str]]:
    """Render, and give the texts of code with the kinds of all other tokens."""
    kinds: list[str] = []
    codes: list[str] = []

    def walk(tokens: list[Token]) -> None:
        inside = False
        for token in tokens:
            if token.type == "code_inline":
                codes.append(token.content)
            elif token.type == "html_inline" and token.content in ("<code>", "</code>"):
                inside = token.content == "<code>"
                if inside:
                    codes.append("")
            elif inside and token.type in ("text", "text_special"):
                codes[-1] += token.content
            elif token.type != "inline":
                kinds.append(token.type)
            walk(token.children or [])

    walk(RENDERER.parse(text))
    return codes, kinds


def visible(text: str) -> str:
    return "".join(mark if mark.isprintable() else f"\\u{{{ord(mark):x}}}" for mark in text)


@given(st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=30)))
def test_code__is_the_text_and_nothing_else_in_a_cell(text: str) -> None:
    codes, kinds = shown_in(f"| a | b |\n|---|---|\n| {code(text)} | {code('end')} |\n")
    assert codes == [visible(text), "end"]
    assert set(kinds) <= {
        f"{tag}_{end}" for tag in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")
    } | {"text"}
    assert kinds.count("td_open") == 2


def test_code__of_usual_names_reads_well_unrendered() -> None:
    assert code("azure|gpt-5.4|eu") == "`azure\\|gpt-5.4\\|eu`"
    assert code("no_log holds (sensitive-data <- data_class='sensitive')").startswith("`no_log holds (")


def test_code__leaves_no_backslash_before_a_mark_where_renderers_differ() -> None:
    assert code("a\\|b") == "<code>a&#92;&#124;b</code>"
    assert code("end\\") == "<code>end&#92;</code>"


def test_code__of_much_text_is_cut_and_of_none_is_there() -> None:
    assert len(code("x" * 5000)) < 250
    assert code("x" * 5000).endswith("…`")
    assert code("") == "<code>&nbsp;</code>"


def evil_rules(*plans: str) -> tr.Rulebook:
    return tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": {"plan": {"type": "enum", "values": list(plans)}, "named": {"type": "list", "optional": True}},
            "rules": [
                {"id": "base", "require": [["top"]]},
                {
                    "id": "named",
                    "when": {"named": {"absent": False}},
                    "require": [["provider_in", {"tenant": "named"}]],
                },
            ],
        }
    )


@pytest.fixture(scope="module")
def hostile() -> Impact:
    """A comparison in which every name that a user can choose is hostile, and everything that can go wrong does."""
    before = engine_of(*[{**offer(f"old {name}", 1.0 + at), "provider_id": name} for at, name in enumerate(HOSTILE)])
    rows = [{"tenant_id": f"one {name}", "plan": "x", "named": [name]} for name in HOSTILE]
    rows += [{"tenant_id": f"two {name}", "plan": "x", "named": None} for name in HOSTILE[:3]]
    rows += [{"tenant_id": f"three {name}", "plan": name, "named": None} for name in HOSTILE if name.strip()]
    table = pa.Table.from_pylist(rows)
    after = engine_of({**offer(f"new {HOSTILE[2]}", 2.0), "provider_id": "p"})
    plans = [name for name in HOSTILE if name.strip()]
    return impact((before, evil_rules("x", *plans)), (after, evil_rules("x", plans[0])), table)


def test_markdown__of_hostile_names_has_nothing_but_headings_and_tables(hostile: Impact) -> None:
    counts = hostile.counts
    assert min(counts.stranded, counts.refused, counts.one_left, counts.winner) > 0
    text = markdown(hostile, [("catalog", "o|l`d\n", "<b>new</b>")], [Limit.parse("stranded", "0").check(hostile)])
    codes, kinds = shown_in(text)
    blocks = ("table", "thead", "tbody", "tr", "th", "td", "heading", "paragraph", "strong", "bullet_list", "list_item")
    assert set(kinds) <= {f"{tag}_{end}" for tag in blocks for end in ("open", "close")} | {"text", "softbreak"}
    assert {"o|l`d\\u{a}", "<b>new</b>"} <= set(codes)
    assert any("back`tick" in shown for shown in codes)
    tables = re.findall(r"^\|.*\n\|[-:|]+\n(?:\|.*\n?)+", text, re.MULTILINE)
    assert len(tables) == 5
    for table in tables:
        rows = RENDERER.render(table).split("<tr>")[1:]
        assert len({row.count("<th") + row.count("<td") for row in rows}) == 1
        assert len(rows) == table.count("\n") - 1


def test_markdown__is_short(hostile: Impact) -> None:
    checks = [Limit.parse(name, "0%").check(hostile) for name in ("winner-changes", "order-changes", "stranded")]
    text = markdown(hostile, [("catalog", "old", "new"), ("rulebook", "old", "new")], checks)
    assert text.count("\n") <= 62
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_markdown__says_what_happens() -> None:
    before = engine_of(offer("a|1", 1.0, region_eu=True), offer("b|1", 2.0, region_eu=True), offer("c|1", 3.0))
    after = engine_of(offer("b|1", 2.0), offer("c|1", 3.0, region_eu=True))
    table = table_of(
        ("t1", "free", "any", None), ("t2", "free", "eu", None), ("t3", "free", "eu", 2.5), ("t4", "gold", "eu", None)
    )
    found = impact((before, RULES), (after, RULES), table)
    text = markdown(found, [("catalog", "old.parquet", "new.parquet")], [Limit.parse("stranded", "0").check(found)])
    assert text.startswith("### Of 4 tenants, 3 have another winner or none and 1 is newly left with no offer\n")
    for line in (
        "**1 of 1 limits exceeded**",
        "- 1 tenant newly left with no offer, 0 allowed (`--max-stranded`)",
        "Compared: catalog `old.parquet` → `new.parquet`.",
        "| another winner, or none on one side | 3 | 75.0% | – | – |",
        "| newly left with no offer | 1 | 25.0% | 0 | 1 |",
        "| newly refused | 0 | 0.0% | 1 | 1 |",
        "| 1 | `a\\|1` | `b\\|1` | 1 → 2 |",
        "| 1 | `a\\|1` | no offer | 1 → – |",
        "| 3 | no longer in the catalog | – | `t1` |",
        "| 1 | one offer left | `c\\|1` | `t2` |",
    ):
        assert f"\n{line}\n" in text, line
    assert re.search(r"\| 1 \| no offer left \| `.*<- .*` \| `t3` \|", text)
    assert (
        "Cost of one call of each of 2 tenants (3,000 tokens in, 1,000 out): 0.008 USD before, 0.02 after (+150.00%)"
        in text
    )


def test_markdown__of_no_change_says_so() -> None:
    side = engine_of(offer("a|1", 1.0)), RULES
    found = impact(side, side, table_of(("t1", "free", "any", None)))
    text = markdown(found, [], [Limit.parse("stranded", "0").check(found)])
    assert text.startswith("### Nothing changes for 1 tenant\n\nAll limits are kept.\n")
    assert "####" not in text


def test_headline__says_the_worst_first_and_never_that_nothing_changes_where_something_does() -> None:
    one = table_of(("t1", "free", "any", None))
    two = engine_of(offer("a|1", 1.0), offer("b|1", 2.0))
    nobody = impact((two, RULES), (two, RULES), table_of())
    assert headline(nobody) == "there are no tenants to compare"
    dearer = impact((two, RULES), (engine_of(offer("a|1", 1.5), offer("b|1", 2.0)), RULES), one)
    assert headline(dearer) == "no winner and no order changes for 1 tenant"
    longer = impact((two, RULES), (engine_of(offer("a|1", 1.0), offer("b|1", 2.0), offer("c|1", 3.0)), RULES), one)
    assert headline(longer) == "of 1 tenant, 1 has another order, none another winner"
    worse = impact((two, RULES), (engine_of(), RULES), table_of(*[(f"t{at}", "free", "any", None) for at in range(2)]))
    assert headline(worse) == "of 2 tenants, 2 have another winner or none and 2 are newly left with no offer"


def test_rules__of_both_sides_show_what_comes_and_goes() -> None:
    side = engine_of(offer("a|1", 1.0, region_eu=True))
    renamed = {**EU, "id": "europe"}
    found = impact((side, RULES), (side, rulebook_of(BASE, renamed, BEST)), table_of(("t1", "paid", "eu", None)))
    assert [rules_words(group) for group in found.rule_sets] == ["base, best, -eu, +europe"]
