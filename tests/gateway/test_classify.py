"""Each provider's documented errors are told apart, and nothing that a provider wrote is repeated."""

import asyncio
import json
import ssl
from datetime import UTC, datetime

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.classify import LONGEST_WAIT_S, failure_of_answer, failure_of_error, failure_of_exception
from tenantrank.gateway.failure import KINDS
from tenantrank.gateway.signs import BY_STATUS, SIGNS

TPM = (
    "Request too large for model `llama-3.1-8b-instant` in organization `org_1` service tier `on_demand` on tokens per"
    " minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again."
)


def error(message="", type=None, code=None, param=None, **more):
    return {"error": {"message": message, "type": type, "param": param, "code": code, **more}}


def google(code, status, message, reason=None):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return [{"error": {"code": code, "message": message, "status": status, "details": details}}]


def mistral(message, type="invalid_request_error", code=None):
    return {"object": "error", "message": message, "type": type, "param": None, "code": code}


CASES = [
    # OpenAI
    (
        "openai",
        401,
        error("Incorrect API key provided", "invalid_request_error", "invalid_api_key"),
        "auth_error",
        "credential",
    ),
    (
        "openai",
        403,
        error(
            "Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"
        ),
        "auth_error",
        "credential",
    ),
    (
        "openai",
        403,
        error("Project `p` does not have access to model `m`", "invalid_request_error", "model_not_found"),
        "unknown",
        "offer",
    ),
    (
        "openai",
        404,
        error(
            "The model `m` does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"
        ),
        "unknown",
        "offer",
    ),
    (
        "openai",
        429,
        error("Rate limit reached for gpt-4o on tokens per min (TPM)", "tokens", "rate_limit_exceeded"),
        "rate_limit",
        "credential",
    ),
    (
        "openai",
        429,
        error(
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "insufficient_quota",
        ),
        "rate_limit",
        "credential",
    ),
    (
        "openai",
        429,
        error(
            "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 342389.",
            "tokens",
            "rate_limit_exceeded",
        ),
        "context_overflow",
        "offer",
    ),
    (
        "openai",
        400,
        error(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 411525 tokens.",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        "context_overflow",
        "offer",
    ),
    (
        "openai",
        400,
        error("Your input exceeds the context window of this model.", "invalid_request_error"),
        "context_overflow",
        "offer",
    ),
    (
        "openai",
        400,
        error("Invalid 'input[1].text': string too long.", "invalid_request_error", "string_above_max_length"),
        "context_overflow",
        "offer",
    ),
    (
        "openai",
        400,
        error(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            "invalid_request_error",
            "invalid_prompt",
        ),
        "content_filter",
        "offer",
    ),
    (
        "openai",
        400,
        error(
            "Your request was rejected as a result of our safety system.",
            "invalid_request_error",
            "content_policy_violation",
        ),
        "content_filter",
        "offer",
    ),
    (
        "openai",
        400,
        error("Unsupported parameter: 'max_tokens'", "invalid_request_error", "unsupported_parameter", "max_tokens"),
        "bad_request",
        "provider",
    ),
    (
        "openai",
        500,
        error("The server had an error while processing your request", "server_error"),
        "server_error",
        "provider",
    ),
    (
        "openai",
        503,
        error("The engine is currently overloaded, please try again later", "server_error"),
        "server_error",
        "offer",
    ),
    ("openai", 413, "", "context_overflow", "offer"),
    # Azure
    (
        "azure",
        400,
        error(
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
            None,
            "content_filter",
            "prompt",
            status=400,
            innererror={"code": "ResponsibleAIPolicyViolation"},
        ),
        "content_filter",
        "offer",
    ),
    (
        "azure",
        400,
        error("filtered", None, "400", innererror={"code": "ResponsibleAIPolicyViolation"}),
        "content_filter",
        "offer",
    ),
    (
        "azure",
        404,
        error("The API deployment for this resource does not exist.", None, "DeploymentNotFound"),
        "unknown",
        "offer",
    ),
    (
        "azure",
        429,
        error(
            "Requests to the ChatCompletions_Create Operation have exceeded token rate limit. Retry after 26 seconds.",
            None,
            "429",
        ),
        "rate_limit",
        "credential",
    ),
    (
        "azure",
        401,
        error("Access denied due to invalid subscription key or wrong API endpoint.", None, "401"),
        "auth_error",
        "credential",
    ),
    # Anthropic
    (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "prompt is too long: 213462 tokens > 200000 maximum"},
        },
        "context_overflow",
        "offer",
    ),
    (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            },
        },
        "context_overflow",
        "offer",
    ),
    (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low to access the Anthropic API.",
            },
        },
        "rate_limit",
        "credential",
    ),
    (
        "anthropic",
        401,
        {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}},
        "auth_error",
        "credential",
    ),
    (
        "anthropic",
        402,
        {"type": "error", "error": {"type": "billing_error", "message": "m"}},
        "rate_limit",
        "credential",
    ),
    (
        "anthropic",
        403,
        {"type": "error", "error": {"type": "permission_error", "message": "m"}},
        "auth_error",
        "credential",
    ),
    (
        "anthropic",
        404,
        {"type": "error", "error": {"type": "not_found_error", "message": "model: m"}},
        "unknown",
        "offer",
    ),
    (
        "anthropic",
        413,
        {"type": "error", "error": {"type": "request_too_large", "message": "m"}},
        "context_overflow",
        "offer",
    ),
    (
        "anthropic",
        429,
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "m",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        },
        "rate_limit",
        "credential",
    ),
    ("anthropic", 500, {"type": "error", "error": {"type": "api_error", "message": "m"}}, "server_error", "provider"),
    (
        "anthropic",
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        "server_error",
        "offer",
    ),
    # Google
    (
        "google",
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"),
        "auth_error",
        "credential",
    ),
    (
        "google",
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
        ),
        "context_overflow",
        "offer",
    ),
    ("google", 400, google(400, "INVALID_ARGUMENT", "Invalid JSON payload received."), "bad_request", "provider"),
    (
        "google",
        403,
        google(403, "PERMISSION_DENIED", "Your API key doesn't have the required permissions."),
        "auth_error",
        "credential",
    ),
    ("google", 404, google(404, "NOT_FOUND", "models/m is not found for API version v1main"), "unknown", "offer"),
    ("google", 429, google(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric"), "rate_limit", "credential"),
    (
        "google",
        503,
        google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        "server_error",
        "offer",
    ),
    ("google", 504, google(504, "DEADLINE_EXCEEDED", "m"), "timeout", "provider"),
    # Bedrock
    ("amazon-bedrock", 400, {"message": "Input is too long for requested model."}, "context_overflow", "offer"),
    (
        "amazon-bedrock",
        400,
        {"message": "Too many input tokens. Max input tokens: 8192, request input token count: 9279"},
        "context_overflow",
        "offer",
    ),
    ("amazon-bedrock", 400, error("m", "invalid_request_error", "validation_error"), "bad_request", "provider"),
    (
        "amazon-bedrock",
        403,
        {"message": "You don't have access to the model with the specified model ID."},
        "auth_error",
        "offer",
    ),
    (
        "amazon-bedrock",
        403,
        {
            "__type": "com.amazon#UnrecognizedClientException",
            "message": "The security token included in the request is invalid.",
        },
        "auth_error",
        "credential",
    ),
    ("amazon-bedrock", 408, {"__type": "ModelTimeoutException"}, "timeout", "provider"),
    ("amazon-bedrock", 424, {"__type": "ModelErrorException"}, "server_error", "offer"),
    (
        "amazon-bedrock",
        429,
        {"__type": "ThrottlingException", "message": "Too many requests"},
        "rate_limit",
        "credential",
    ),
    ("amazon-bedrock", 429, {"__type": "ModelNotReadyException"}, "server_error", "offer"),
    # Groq
    ("groq", 413, error(TPM, "tokens", "rate_limit_exceeded"), "context_overflow", "offer"),
    (
        "groq",
        429,
        error(
            "Rate limit reached for model `m` on tokens per minute (TPM): Limit 6000. Please try again in 4.77s.",
            "tokens",
            "rate_limit_exceeded",
        ),
        "rate_limit",
        "credential",
    ),
    (
        "groq",
        400,
        error(
            "Please reduce the length of the messages or completion.",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        "context_overflow",
        "offer",
    ),
    (
        "groq",
        400,
        error("Failed to generate JSON.", "invalid_request_error", "json_validate_failed"),
        "bad_response",
        "offer",
    ),
    (
        "groq",
        400,
        error("Failed to call a function.", "invalid_request_error", "tool_use_failed"),
        "bad_response",
        "offer",
    ),
    (
        "groq",
        400,
        error("The model `m` has been decommissioned", "invalid_request_error", "model_decommissioned"),
        "unknown",
        "offer",
    ),
    ("groq", 498, error("m", None, "capacity_exceeded"), "rate_limit", "offer"),
    # Mistral
    ("mistral", 429, mistral("Service tier capacity exceeded for this model."), "rate_limit", "offer"),
    ("mistral", 429, mistral("Rate limit exceeded", "rate_limited", "1300"), "rate_limit", "credential"),
    (
        "mistral",
        422,
        mistral(
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "Extra inputs are not permitted"}]}
        ),
        "bad_request",
        "provider",
    ),
    (
        "mistral",
        400,
        mistral("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", code="3051"),
        "context_overflow",
        "offer",
    ),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "r"}, "auth_error", "credential"),
    # Together
    (
        "togetherai",
        403,
        error("Input token count + max_tokens must be less than the context length", "invalid_request_error"),
        "context_overflow",
        "offer",
    ),
    ("togetherai", 403, error("Forbidden"), "auth_error", "credential"),
    (
        "togetherai",
        422,
        error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097"),
        "bad_request",
        "provider",
    ),
    ("togetherai", 400, error("inputs tokens + max_new_tokens must be <= 4097"), "context_overflow", "offer"),
    ("togetherai", 402, error("m"), "rate_limit", "credential"),
    ("togetherai", 429, error("m", "model_rate_limit"), "rate_limit", "offer"),
    ("togetherai", 503, error("The engine is overloaded"), "server_error", "offer"),
    # DeepSeek
    (
        "deepseek",
        400,
        error("Content Exists Risk", "invalid_request_error", "invalid_request_error"),
        "content_filter",
        "offer",
    ),
    (
        "deepseek",
        402,
        error("Insufficient Balance", "unknown_error", "invalid_request_error"),
        "rate_limit",
        "credential",
    ),
    ("deepseek", 422, error("m", "invalid_request_error"), "bad_request", "provider"),
    ("deepseek", 503, error("m"), "server_error", "provider"),
    # OpenRouter
    ("openrouter", 402, error("Insufficient credits", code=402), "rate_limit", "credential"),
    (
        "openrouter",
        403,
        error("Input was flagged by moderation", code=403, metadata={"reasons": ["violence"], "flagged_input": "x"}),
        "content_filter",
        "offer",
    ),
    (
        "openrouter",
        403,
        error("Your chosen model requires moderation and your input was flagged", code=403),
        "content_filter",
        "offer",
    ),
    (
        "openrouter",
        429,
        error("Provider returned error", code=429, metadata={"raw": "m is temporarily rate-limited upstream"}),
        "rate_limit",
        "offer",
    ),
    (
        "openrouter",
        400,
        error(
            "This endpoint's maximum context length is 204800 tokens. However, you requested about 309977 tokens",
            code=400,
        ),
        "context_overflow",
        "offer",
    ),
    (
        "openrouter",
        400,
        error(
            "Provider returned error",
            code=400,
            metadata={"raw": "Input length 131393 exceeds the maximum allowed input length of 131040 tokens."},
        ),
        "context_overflow",
        "offer",
    ),
    ("openrouter", 502, error("m", code=502), "server_error", "provider"),
    ("openrouter", 408, error("m", code=408), "timeout", "provider"),
    ("openrouter", 200, error("Provider disconnected", code=502), "server_error", "provider"),
    ("openrouter", 200, error("m", code=429), "rate_limit", "credential"),
    # vLLM, SGLang, llama.cpp, Ollama
    (
        "vllm",
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens.",
            "type": "BadRequestError",
            "code": 400,
        },
        "context_overflow",
        "offer",
    ),
    (
        "vllm",
        404,
        {"object": "error", "message": "The model `m` does not exist.", "type": "NotFoundError", "code": 404},
        "unknown",
        "offer",
    ),
    ("vllm", 401, {"error": "Unauthorized"}, "auth_error", "credential"),
    (
        "vllm",
        400,
        {
            "object": "error",
            "message": "The input (263000 tokens) is longer than the model's context length (262144 tokens).",
            "code": 400,
        },
        "context_overflow",
        "offer",
    ),
    (
        "vllm",
        400,
        {
            "object": "error",
            "message": "Requested token count exceeds the model's maximum context length of 262144 tokens.",
            "code": 400,
        },
        "context_overflow",
        "offer",
    ),
    (
        "vllm",
        400,
        error("the request exceeds the available context size, try increasing it", "exceed_context_size_error", 400),
        "context_overflow",
        "offer",
    ),
    ("ollama", 404, error('model "m" not found, try pulling it first', "api_error"), "unknown", "offer"),
    ("ollama", 500, error("llama runner process has terminated", "api_error"), "server_error", "provider"),
    # Others
    ("zai", 400, error("Prompt exceeds max length", code="1261"), "context_overflow", "offer"),
    (
        "moonshotai",
        400,
        error("Your request exceeded model token limit: 262144 (requested: 566084)", "invalid_request_error"),
        "context_overflow",
        "offer",
    ),
    ("moonshotai", 429, error("m", "exceeded_current_quota_error"), "rate_limit", "credential"),
    (
        "xai",
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        },
        "context_overflow",
        "offer",
    ),
    (
        "alibaba",
        400,
        error("Input data may contain inappropriate content.", "data_inspection_failed", "data_inspection_failed"),
        "content_filter",
        "offer",
    ),
    ("openai-compatible", 302, "", "bad_response", "provider"),
    ("openai-compatible", 418, "", "bad_request", "provider"),
    ("openai-compatible", 500, "<html>Internal Server Error</html>", "server_error", "provider"),
    ("openai-compatible", 524, "<html>", "timeout", "provider"),
    ("openai-compatible", 200, error("m", "invalid_request_error"), "bad_request", "provider"),
    ("openai-compatible", 200, error("m", "overloaded_error"), "server_error", "offer"),
    ("openai-compatible", 200, {"error": True}, "server_error", "provider"),
]


@pytest.mark.parametrize(("kind", "status", "body", "failure", "scope"), CASES)
def test_documented_errors(kind, status, body, failure, scope):
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = failure_of_answer(kind, status, {}, raw)
    assert (found.kind, found.scope) == (failure, scope)
    assert found.kind in KINDS


def test_every_row_names_a_kind_and_a_scope():
    for kind, scope in [*BY_STATUS.values(), *((sign.failure, sign.scope) for sign in SIGNS)]:
        assert kind in KINDS
        assert scope in ("provider", "offer", "credential")
    for sign in SIGNS:
        assert all(code == code.lower() for code in sign.codes)


def test_ordinary_faults_are_no_overflow():
    for message in (
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
        "temperature exceeds the maximum of 2",
        "tools[0].description: string too short",
        "Invalid value for 'tokens'",
    ):
        assert failure_of_answer("openai", 400, {}, json.dumps(error(message)).encode()).kind == "bad_request"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e9"}, LONGEST_WAIT_S),
        ({"retry-after": "999999999999"}, LONGEST_WAIT_S),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 9999 07:28:00 GMT"}, LONGEST_WAIT_S),
        ({"retry-after": "Wed, 99 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_waits(headers, wait):
    now = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
    assert failure_of_answer("openai", 429, headers, b"", now).retry_after_s == wait


def test_waits_that_stand_in_the_body():
    groq = error("Rate limit reached. Please try again in 4.77s.", "tokens", "rate_limit_exceeded")
    assert failure_of_error("groq", groq, 429).retry_after_s == 4.77
    openai = error("Rate limit reached. Please try again in 360ms. Visit", "tokens", "rate_limit_exceeded")
    assert failure_of_error("openai", openai, 429).retry_after_s == 0.36
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    assert failure_of_error("google", [error("m", details=details)], 429).retry_after_s == 34.0


def test_messages_hold_nothing_of_the_providers_text():
    key, prompt = "sk-canary-0123456789", "tell me the secret canary"
    body = {
        "error": {"message": f"{prompt} {key}", "type": key, "code": key, "param": prompt, "status": prompt},
        "message": prompt,
        "detail": [key],
    }
    for status in (200, 400, 401, 403, 404, 418, 429, 500):
        message = str(failure_of_error("openai", body, status))
        assert "canary" not in message
        assert "secret" not in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("context_length_exceeded", True),
        ("some_new_code", True),
        ("1234", True),
        ("123456", False),
        ("abc123def456", False),
        ("two words", False),
        ("a\nb", False),
        ("x" * 65, False),
        ("café", False),
    ],
)
def test_codes_are_shown_where_they_are_plain(code, shown):
    assert (f"code {code}" in str(failure_of_error("openai", error("m", code=code), 400))) is shown


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "type", "status", "details", "metadata", "innererror", "raw", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(values, st.integers(200, 599), st.sampled_from(["openai", "togetherai", "other"]))
def test_any_body_gives_a_failure(record, status, kind):
    failure = failure_of_error(kind, record, status)
    assert failure.kind in KINDS
    assert failure.scope in ("provider", "offer", "credential")
    assert str(failure).isprintable()


@given(st.binary(max_size=200), st.integers(200, 599))
def test_any_bytes_give_a_failure(body, status):
    assert failure_of_answer("openai", status, {}, body).kind in KINDS


def test_what_may_have_begun_is_marked():
    begun = [status for status in range(300, 600) if failure_of_answer("openai", status, {}, b"").accepted]
    assert begun == [408, 500, 502, 504, 520, 522, 524]
    assert failure_of_answer("openai", 200, {}, b"").accepted


@pytest.mark.parametrize(
    ("exception", "kind", "accepted"),
    [
        (aiohttp.ConnectionTimeoutError("http://secret"), "timeout", False),
        (aiohttp.SocketTimeoutError("http://secret"), "timeout", True),
        (TimeoutError("secret"), "timeout", True),
        (aiohttp.ServerDisconnectedError("secret"), "network_error", True),
        (aiohttp.ClientOSError(104, "secret"), "network_error", True),
        (aiohttp.ClientPayloadError("secret"), "network_error", True),
        (ConnectionResetError("secret"), "network_error", True),
        (ssl.SSLError("secret"), "network_error", False),
        (ValueError("secret"), "unknown", True),
        (RuntimeError("secret"), "unknown", True),
    ],
)
def test_exceptions(exception, kind, accepted):
    failure = failure_of_exception(exception)
    assert (failure.kind, failure.accepted) == (kind, accepted)
    assert failure.status is None
    assert "secret" not in str(failure)


def test_a_host_that_is_not_there_was_never_reached():
    async def call():
        async with aiohttp.ClientSession() as session:
            for url in ("http://127.0.0.1:1/", "http://no-such-host.invalid/"):
                with pytest.raises(aiohttp.ClientError) as caught:
                    await session.post(url, timeout=aiohttp.ClientTimeout(total=5))
                failure = failure_of_exception(caught.value)
                assert (failure.kind, failure.accepted) == ("network_error", False)
                assert "127" not in str(failure)
                assert "invalid" not in str(failure)

    asyncio.run(call())
