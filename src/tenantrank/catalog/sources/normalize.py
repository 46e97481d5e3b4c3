"""One name for one model, however a provider spells it on the wire.

`model_names` turns ``us.anthropic.claude-sonnet-4-5-20250929-v1:0``, ``claude-4.5-sonnet`` and
``anthropic/claude-sonnet-4.5`` into keys that can be joined. The rules look at the spelling alone, so the same id
always gives the same names; what they cannot see (two models sold under one name) they do not guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

QUANTIZATIONS = ("nvfp4", "mxfp8", "mxfp4", "mxfp", "fp16", "bf16", "fp8", "fp4", "int8", "int4", "awq", "gptq", "gguf")
"""Number formats that a wire id may end with, longest first where one begins another."""

_VENDORS = frozenset(
    {
        "ai21",
        "amazon",
        "anthropic",
        "cohere",
        "deepseek",
        "google",
        "meta",
        "minimax",
        "mistral",
        "moonshot",
        "moonshotai",
        "nvidia",
        "openai",
        "qwen",
        "twelvelabs",
        "writer",
        "xai",
        "zai",
    }
)
_GEO_PREFIX = re.compile(r"^(us-gov|us|eu|apac|global|jp|au|ca|in|sa)\.(?=[a-z0-9-]+\.)")
_VENDOR_DOT = re.compile(r"^([a-z0-9-]+)\.(?=[a-z])")
_VENDOR_DASH = re.compile(
    r"^(?:anthropic--?(?=claude)|openai--?(?=gpt|o\d)|zai-org-(?=glm)|databricks-(?!dbrx)|google--?(?=gem)|"
    r"mistralai--|meta--|fw-|alibaba-(?=qwen)|amazon--(?=nova)|meta-(?=llama)|xai-(?=grok))"
)
_BEDROCK_REVISION = re.compile(r"(?<!claude)-(?:v\d+|1):\d+(?::\w+)?$")
_SERVED_AS = re.compile(r"-(?:maas|tee|tput)$")
_QUANTIZED = re.compile(rf"[-_](?P<how>{'|'.join(QUANTIZATIONS)})(?=$|[-_](?:fast|turbo|dynamic|mtp|gguf)$)")
_P_FOR_POINT = re.compile(r"(?<=\d)p(?=\d)")
# 4-5 and 4-20 are versions; 06-05 and 10-15 are days.
_SPLIT_VERSION = re.compile(r"(?<![\d.])(?:([1-9]\d?|0)-(\d)|(\d)-([1-9]\d))(?=-|$)")
# One model, several customs of writing its line: each pair is tried once, in this order.
_SPELLINGS = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        (r"^(?:meta-)?llama-?v?(?=\d)", "llama-"),
        (r"^qwen-(?=\d)", "qwen"),
        (r"^deepseek-chat-(?=v\d)", "deepseek-"),
        (r"^claude-v(?=\d)", "claude-"),
        (r"^gpt-([3-9])([1-9])(?=-|$)", r"gpt-\1.\2"),
        (r"^claude-(opus|sonnet|haiku|fable)-([3-9])([1-9])(?=-|$)", r"claude-\1-\2.\3"),
        (r"^claude-(\d+(?:\.\d+)?)-(opus|sonnet|haiku)(?=-|$)", r"claude-\2-\1"),
        (r"^claude-(opus|sonnet)-4\.0(?=-|$)", r"claude-\1-4"),
    )
)
_DATE_TAIL = re.compile(r"-(?:20\d{6}|20\d\d-\d\d-\d\d|\d\d-20\d\d|\d\d-\d\d|\d{4}|\d{6})$")
_WORD_TAIL = re.compile(r"-(?:preview|latest|exp|experimental|beta|instruct|it|hf)$")
_VARIANT = re.compile(r":(?P<variant>[a-z0-9.-]+)$")
_DROPPED_VARIANTS = frozenset({"beta", "cloud", "discounted", "exacto", "extended", "floor", "free", "latest", "nitro"})


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The names of one model.

    Attributes
    ----------
    key : for exact joins: lower case, digits split by ``-``, dates and variants kept (``claude-sonnet-4-5-20250929``)
    family : the model without its date and release words, versions with a point (``claude-sonnet-4.5``); what
        ``family_eq`` compares with
    quantization : the number format the id names, or ``None``
    tee : the id says that it is served from a trusted execution environment
    """

    key: str
    family: str
    quantization: str | None = None
    tee: bool = False


def model_names(wire_model_id: str) -> ModelNames:
    """Derive a model's names from the id a provider serves it under.

    In order: lower case; the last path segment; region and vendor prefixes, region and revision suffixes off; the
    number format off; variants after ``:`` that only choose a price or route off; ``2p5`` and ``4-5`` read as versions;
    a few lines of models brought to one spelling (a Claude name with its version in front is turned round). The family
    then loses dates and words such as ``preview``, ``latest`` and ``instruct`` from its end, never its whole name.
    """
    name = wire_model_id.strip().lower()
    tee = "-tee" in name or name.startswith("tee/")
    segments = [part for part in name.split("/") if part]
    if segments[-1:] in (["community"], ["query"]):
        segments.pop()
    name = segments[-1] if segments else name
    name, _, pinned = name.partition("@")
    stamp = re.match(r"\d{8}(?!\d)|\d{4}(?!\d)", pinned)
    if stamp:
        name = f"{name}-{stamp[0]}"
    name = _GEO_PREFIX.sub("", name)
    dotted = _VENDOR_DOT.match(name)
    if dotted and dotted[1] in _VENDORS:
        name = name[dotted.end() :]
        # Elsewhere the maker's name is part of the model's: deepseek-r1, deepseek-v3.2.
        if dotted[1] == "deepseek":
            name = f"deepseek-{name.removeprefix('deepseek-')}"
    name = _BEDROCK_REVISION.sub("", name)
    variant = _VARIANT.search(name)
    if variant:
        name = name[: variant.start()]
        # A number is a budget of reasoning tokens, except in a name such as claude-v2:1.
        if name == "claude-v2":
            name = "claude-2.1"
        elif variant["variant"] not in _DROPPED_VARIANTS and not variant["variant"].isdigit():
            name = f"{name}-{variant['variant']}"
    name = _VENDOR_DASH.sub("", name.replace("_", "-"))
    name = _SERVED_AS.sub("", name)
    quantized = _QUANTIZED.search(name)
    if quantized:
        name = name[: quantized.start()] + name[quantized.end() :]
    name = _P_FOR_POINT.sub(".", name)
    name = re.sub(r"[^a-z0-9.+-]+", "-", name).strip("-.")
    name = _spelled(name)
    key = re.sub(r"\.+", "-", name) or wire_model_id.casefold()
    return ModelNames(key, _family(name) or key, quantized["how"] if quantized else None, tee)


def _spelled(name: str) -> str:
    """Read split version numbers and settle spellings, leaving a date at the end as it is."""
    tail = ""
    date = _DATE_TAIL.search(name)
    if date and len(date[0]) > 6:
        name, tail = name[: date.start()], date[0]
    name = _SPLIT_VERSION.sub(lambda m: f"{m[1] or m[3]}.{m[2] or m[4]}", name)
    for pattern, written in _SPELLINGS:
        name = pattern.sub(written, name)
    return name + tail


def _family(name: str) -> str:
    while True:
        shorter = _WORD_TAIL.sub("", _DATE_TAIL.sub("", name))
        if shorter == name or not re.search(r"[a-z]", shorter):
            return name
        name = shorter
