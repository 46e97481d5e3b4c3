"""Known providers: where their OpenAI-compatible interface is, how it takes a key, and its quirks.

Sources: each provider's own documentation; for those under `_SAME` the addresses in the bundled catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tenantrank.gateway.quirks import Quirks

CHAT = frozenset({"chat"})
BOTH = frozenset({"chat", "embeddings"})
BEARER = ("authorization", "Bearer ")
PLAIN = Quirks()

# They know no newer name for the cap on the answer, and ignore or refuse the one they do not know.
_OLD_CAP: Mapping[str, str] = MappingProxyType({"max_completion_tokens": "max_tokens"})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one provider.

    Attributes
    ----------
    base_url : up to the version, without a slash at the end; ``None`` where each account has its own
    variable : the environment variable that usually holds the key; ``None`` where none is needed
    regional : a base URL with ``{region}`` for the endpoint of a region key, where the provider has such
    auth : the header for the key, and what stands before the key in it
    routes : which of ``chat`` and ``embeddings`` the interface has
    """

    base_url: str | None
    variable: str | None
    regional: str | None = None
    auth: tuple[str, str] = BEARER
    routes: frozenset[str] = BOTH
    quirks: Quirks = PLAIN


_OPENAI = Quirks(no_retention=MappingProxyType({"store": False}))
_OPENROUTER = Quirks(
    no_retention=MappingProxyType({"provider": MappingProxyType({"data_collection": "deny", "zdr": True})})
)
# Mistral refuses every member that it does not know, and always ends a stream with the usage.
_MISTRAL = Quirks(
    renamed=MappingProxyType({**_OLD_CAP, "seed": "random_seed"}),
    dropped=frozenset({"store"}),
    include_usage=False,
)
_CAPPED = Quirks(renamed=_OLD_CAP)

_SAME: Mapping[str, tuple[str, str]] = {
    "alibaba": ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "baseten": ("https://inference.baseten.co/v1", "BASETEN_API_KEY"),
    "cohere": ("https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    "fireworks-ai": ("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "huggingface": ("https://router.huggingface.co/v1", "HF_TOKEN"),
    "moonshotai": ("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "nebius": ("https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY"),
    "novita-ai": ("https://api.novita.ai/openai", "NOVITA_API_KEY"),
    "nvidia": ("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
    "ollama-cloud": ("https://ollama.com/v1", "OLLAMA_API_KEY"),
    "ovhcloud": ("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "OVHCLOUD_API_KEY"),
    "scaleway": ("https://api.scaleway.ai/v1", "SCALEWAY_API_KEY"),
    "siliconflow": ("https://api.siliconflow.com/v1", "SILICONFLOW_API_KEY"),
    "vercel": ("https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
    "zai": ("https://api.z.ai/api/paas/v4", "ZHIPU_API_KEY"),
}

GENERIC = "openai-compatible"
"""The kind of a provider that the table does not hold."""

KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "openai": Known("https://api.openai.com/v1", "OPENAI_API_KEY", quirks=_OPENAI),
        # The v1 interface of a resource, https://NAME.openai.azure.com/openai/v1: no api-version, models by deployment.
        "azure": Known(None, "AZURE_API_KEY", auth=("api-key", ""), quirks=_OPENAI),
        "anthropic": Known("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", routes=CHAT),
        "google": Known("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        "amazon-bedrock": Known(
            None,
            "AWS_BEARER_TOKEN_BEDROCK",
            regional="https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
            routes=CHAT,
        ),
        "groq": Known("https://api.groq.com/openai/v1", "GROQ_API_KEY", routes=CHAT),
        "mistral": Known("https://api.mistral.ai/v1", "MISTRAL_API_KEY", quirks=_MISTRAL),
        "togetherai": Known("https://api.together.xyz/v1", "TOGETHER_API_KEY", quirks=_CAPPED),
        "deepseek": Known("https://api.deepseek.com", "DEEPSEEK_API_KEY", routes=CHAT, quirks=_CAPPED),
        "openrouter": Known("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", quirks=_OPENROUTER),
        "vllm": Known("http://127.0.0.1:8000/v1", None),
        "ollama": Known("http://127.0.0.1:11434/v1", None, quirks=_CAPPED),
        **{name: Known(base_url, variable) for name, (base_url, variable) in _SAME.items()},
        GENERIC: Known(None, None),
    }
)
"""Providers by the catalog's ``provider_id``, and by the kinds that stand for servers of one's own."""
