"""The names that random catalogs and terms are made of, and the extension fields that they declare."""

from __future__ import annotations

from typing import Any

PROVIDERS = ("openai", "azure", "anthropic", "bedrock", "vertex", "mistral", "groq", "together", "deepseek", "本地")
FAMILIES = ("gpt-5.5", "gpt-5.5-mini", "claude-opus-4-8", "llama-5-70b", "glm-5.1", "qwen-4-coder", 'odd "name"\\\n\t')
PEERS = ("peer-a", "peer-b", "openai")
SCOPES = ("agent:1", "tenant:acme")
CAPABILITIES = ("supports_tools", "supports_vision", "supports_json_mode", "supports_seed", "supports_reasoning", "off")
TIERS = ("fallback", "marketplace", "partner", "gold")
KINDS = ("auth_error", "rate_limit", "server_error", "timeout", "bad_request", "content_filter", "unknown", "quota")

# A name that no catalog holds.
ABSENT = "ghost"

# Declared as the vectors declare them; two have a default that is not the usual one.
FIELDS: dict[str, dict[str, Any]] = {
    "bench_intelligence": {"sort": "Num", "default": 0.0},
    "bench_coding": {"sort": "Num", "default": 0.0},
    "bench_handicap": {"sort": "Num", "default": 0.5},
    "max_output": {"sort": "Num", "default": 0.0},
    "region_eu": {"sort": "Bool", "default": False},
    "region_us": {"sort": "Bool", "default": False},
    "zdr": {"sort": "Bool", "default": False},
    "trained_on": {"sort": "Bool", "default": True},
}
