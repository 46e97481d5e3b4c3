"""Members of a call's body that have a meaning here: the gateway's own, and those that are refused.

Everything else passes to the provider as it came.
"""

from __future__ import annotations

import unicodedata
from collections.abc import KeysView
from functools import lru_cache

from tenantrank.gateway.problem import Problem

GATEWAY_MEMBERS = frozenset({"policy_ir", "tenant", "provider", "x_router", "requirements", "scope", "routing_seed"})
"""Members that the gateway reads and no provider is sent."""

REROUTING = frozenset(
    {
        "api_base",
        "api_key",
        "api_version",
        "aws_access_key_id",
        "aws_bedrock_runtime_endpoint",
        "aws_profile_name",
        "aws_region_name",
        "aws_role_name",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_sts_endpoint",
        "aws_web_identity_token",
        "azure_ad_token",
        "azure_endpoint",
        "azure_scope",
        "base_url",
        "content_policy_fallbacks",
        "context_window_fallbacks",
        "custom_llm_provider",
        "default_fallbacks",
        "deployment_id",
        "extra_body",
        "extra_headers",
        "extra_query",
        "fallbacks",
        "headers",
        "litellm_credential_name",
        "litellm_params",
        "mock_response",
        "mock_timeout",
        "mock_tool_calls",
        "model_list",
        "models",
        "plugins",
        "preset",
        "provider_options",
        "providerOptions",
        "region_name",
        "route",
        "router_settings",
        "sagemaker_base_url",
        "user_config",
        "vertex_ai_credentials",
        "vertex_ai_location",
        "vertex_ai_project",
        "vertex_credentials",
        "vertex_location",
        "vertex_project",
    }
)
"""Members by which an upstream that is a router itself would choose another model, host or key than was decided.

No provider that serves models knows them. ``extra_body`` is an argument of a client, which puts what it holds beside
``messages``: one that arrives here may hide a policy.
"""

_ORDINARY = GATEWAY_MEMBERS | {
    "audio",
    "dimensions",
    "encoding_format",
    "frequency_penalty",
    "function_call",
    "functions",
    "input",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
}
"""What needs no look: the gateway's own members, and those of OpenAI's calls."""

_MEANT = {
    "policyir": "policy_ir",
    "policy": "policy_ir",
    "sigmapol": "policy_ir",
    "tenant": "tenant",
    "tenantid": "tenant",
    "tenantstate": "tenant",
    "provider": "provider",
    "providers": "provider",
    "requirements": "requirements",
    "requirement": "requirements",
    "scope": "scope",
    "routingseed": "routing_seed",
    "xrouter": "x_router",
}
_LONGEST_NAME = 32


def check_members(names: KeysView[str]) -> None:
    """Refuse members that would lead around the decision, and spellings of the gateway's own members.

    Raises
    ------
    Problem
        400 ``unsupported_member`` for one of `REROUTING`, 400 ``unknown_member`` for a name that differs from one of
        `GATEWAY_MEMBERS` in case, separators or Unicode form alone: a rule misspelt must not pass for no rule
    """
    for name in names - _ORDINARY:
        if name in REROUTING:
            raise Problem(
                400, "unsupported_member", f"{name!r} would choose models or hosts beside the rule", param=name
            )
        if len(name) <= _LONGEST_NAME:
            meant = _meant(name)
            if meant is not None:
                raise Problem(400, "unknown_member", f"no member has this spelling; did you mean {meant!r}?")


@lru_cache(maxsize=1024)
def _meant(name: str) -> str | None:
    plain = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))
    return _MEANT.get(plain)
