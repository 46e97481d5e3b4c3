"""One name for one provider, and which model ids are text models at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "abliteration": "abliteration-ai",
        "amazon_nova": "nova",
        "aws": "amazon-bedrock",
        "azure-cognitive-services": "azure",
        "azure_ai": "azure",
        "azure_text": "azure",
        "bedrock": "amazon-bedrock",
        "bedrock_converse": "amazon-bedrock",
        "bedrock_mantle": "amazon-bedrock",
        "bigmodel": "zhipuai",
        "cloudflare": "cloudflare-workers-ai",
        "codestral": "mistral",
        "cohere_chat": "cohere",
        "dashscope": "alibaba",
        "featherless_ai": "featherless",
        "fireworks": "fireworks-ai",
        "fireworks_ai": "fireworks-ai",
        "friendliai": "friendli",
        "gemini": "google",
        "github_copilot": "github-copilot",
        "gmi": "gmicloud",
        "google-vertex-anthropic": "google-vertex",
        "gradient_ai": "gradient-ai",
        "lambda_ai": "lambda",
        "meta_llama": "llama",
        "moonshot": "moonshotai",
        "novita": "novita-ai",
        "opencode_go": "opencode-go",
        "scx-ai": "scx",
        "snowflake": "snowflake-cortex",
        "tencent": "tencent-tokenhub",
        "text-completion-codestral": "mistral",
        "text-completion-inception": "inception",
        "text-completion-openai": "openai",
        "together": "togetherai",
        "together_ai": "togetherai",
        "vercel_ai_gateway": "vercel",
        "x-ai": "xai",
        "xiaomi_mimo": "xiaomi",
    }
)
"""A source's own provider name to the catalog's; a name that is not here is kept, with ``_`` written as ``-``."""

_NOT_TEXT = re.compile(
    r"embed|rerank|whisper|(?<![a-z])tts(?![a-z])|text-to-speech|speech-to-text|transcri|(?<![a-z])bge-|gte-|"
    r"gpt-image|chatgpt-image|dall-e|stable-diffusion|sdxl|(?<![a-z])flux|imagen|(?<![a-z])veo-?\d|(?<![a-z])sora|"
    r"lyria|seedream|seedance|(?<![a-z])kling|hunyuan-(?:image|video)|qwen-image|(?<![a-z])wan-?\d|nano-banana|"
    r"ideogram|recraft|runway|elevenlabs|orpheus|-realtime|cosmos-(?:predict|transfer)|moderation"
)


def provider_of(name: str) -> str:
    """Give the catalog's provider id for a source's provider name."""
    name = name.lower()
    if name == "vertex_ai" or name.startswith("vertex_ai-"):
        return "google-vertex"
    return PROVIDERS.get(name, name.replace("_", "-"))


def is_text_model(wire_model_id: str) -> bool:
    """Say whether an id is not one of the known embedding, reranking, speech, image, video or moderation models."""
    return _NOT_TEXT.search(wire_model_id.lower()) is None
