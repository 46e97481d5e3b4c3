"""Names that callers use for models and providers, and the catalog's own names for them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tenantrank.catalog import Catalog
from tenantrank.catalog.sources.identity import PROVIDERS, provider_of
from tenantrank.catalog.sources.normalize import model_names
from tenantrank.tenants.nearest import nearest

_SAME = (
    "ai21", "aion-labs", "alibaba", "amazon-bedrock", "anthropic", "atlas-cloud", "atoma", "avian", "azure",
    "baseten", "cerebras", "chutes", "cohere", "crusoe", "deepinfra", "deepseek", "enfer", "featherless",
    "friendli", "gmicloud", "google-vertex", "groq", "hyperbolic", "inception", "infermatic", "inflection",
    "klusterai", "lambda", "liquid", "mancer", "meta", "minimax", "mistral", "moonshotai", "morph", "ncompass",
    "nebius", "nextbit", "nineteen", "nvidia", "openai", "parasail", "perplexity", "phala", "relace", "sambanova",
    "siliconflow", "stealth", "switchpoint", "targon", "ubicloud", "venice", "wandb", "xai",
)  # fmt: skip
_SLUGS: Mapping[str, str] = MappingProxyType(
    {
        **dict(zip(_SAME, _SAME, strict=True)),
        "crofai": "crof",
        "google-ai-studio": "google",
        "inference-net": "inference",
        "open-inference": "openinfer",
        "z-ai": "zai",
    }
)
"""OpenRouter's slugs and the catalog's ids, beside those that importers know (`PROVIDERS`)."""

_MAKERS = frozenset({"inference-net", "meta-llama"})
"""Makers in OpenRouter's names that are called as some provider is."""
_SEPARATORS = re.compile(r"[ _./]+")
_NEIGHBOURS = 12
_LONGEST_NAME = 200


class Directory:
    """The providers and model families of one catalog. Immutable.

    Parameters
    ----------
    providers, families
        their names in the catalog
    hosts
        the providers that serve other makers' models and make none
    makers
        those who make models
    """

    def __init__(
        self,
        providers: Iterable[str],
        families: Iterable[str],
        hosts: Iterable[str] = (),
        makers: Iterable[str] = (),
    ) -> None:
        self.providers = frozenset(providers)
        self.families = frozenset(families)
        self.hosts = frozenset(hosts)
        self._makers = _MAKERS.union(makers)
        self._sorted_families = sorted(self.families)
        self._sorted_providers = sorted(self.providers)

    @classmethod
    def of(cls, catalog: Catalog) -> Directory:
        """Make the directory of a catalog."""
        codes, providers = catalog.strings("provider_id")
        labs_of, labs = catalog.strings("lab")
        serving = {providers[code] for code in set(codes[labs_of >= 0].tolist())}
        return cls(providers, catalog.strings("model_family")[1], serving.difference(labs), labs)

    def family(self, model: str) -> str | None:
        """Give the family that a model's name stands for, ``None`` where the catalog has none.

        A family's own name is itself. Of any other, as ``vendor/model``, a dated name or a name on some provider's
        wire, the family is worked out from the spelling as importers of catalogs do, letter case aside; names of
        variants after a colon, unless they are numbers, stay part of it.
        """
        if model in self.families:
            return model
        if len(model) > _LONGEST_NAME:
            return None
        name, colon, variant = model.partition(":")
        family = model_names(model if variant.isdigit() else name).family
        if colon and not variant.isdigit():
            family = f"{family}-{variant.lower()}"
        return family if family in self.families else None

    def nearest_family(self, model: str) -> str | None:
        """Give the family that somebody who wrote an unknown name probably meant, of those that begin like it."""
        return _nearest(model.rpartition("/")[2].lower()[:64], self._sorted_families)

    def provider(self, name: str) -> str | None:
        """Give the catalog's id of a provider, ``None`` for a name that nobody knows.

        An id of the catalog is itself. Other spellings (``OpenAI``, ``Amazon Bedrock``, ``Together``) and OpenRouter's
        slugs are translated; a provider known by such a slug may be one that the catalog has no offer of.
        """
        if name in self.providers:
            return name
        if len(name) > _LONGEST_NAME:
            return None
        slug = _SEPARATORS.sub("-", name.strip().lower()) if "/" not in name else name
        for known in (slug, _SLUGS.get(slug), provider_of(slug.replace("-", "_")), provider_of(slug)):
            if known is not None and known in self.providers:
                return known
        return _SLUGS.get(slug) or PROVIDERS.get(slug)

    def is_host(self, vendor: str) -> bool:
        """Say whether the first part of ``vendor/model`` is a provider that serves models and makes none.

        Elsewhere it says who is called, in OpenRouter's names who made the model: to read it so would call others.
        """
        return vendor.lower() not in self._makers and self.provider(vendor) in self.hosts

    def nearest_provider(self, name: str) -> str | None:
        """Give the provider that somebody who wrote an unknown name probably meant."""
        return nearest(name[:64], self._sorted_providers)

    def with_variants(self, provider: str) -> tuple[str, ...]:
        """Give a provider and what the catalog keeps apart from it by an ending, as ``minimax-cn`` of ``minimax``."""
        return provider, *(name for name in self._sorted_providers if name.startswith(f"{provider}-"))


def _nearest(name: str, names: list[str]) -> str | None:
    # Of the neighbours in order alone: to compare with all of them takes as long as many decisions.
    at = bisect_left(names, name)
    return nearest(name, names[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS])
