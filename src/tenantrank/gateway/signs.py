"""The signs by which providers' errors are told apart, in the order they are looked at; the first that fits decides.

Sources: the providers' documented error codes, and error bodies in public bug reports where a wording is documented
nowhere. A code is compared whole and in lower case; words are searched in the error's message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

_NONE: frozenset[str] = frozenset()


class Sign(NamedTuple):
    """One row: ``failure`` and ``scope`` where the status and the kind fit, and a code or the words are found.

    A row with neither codes nor words needs only status and kind. ``statuses`` and ``kinds`` that are empty fit all.
    """

    failure: str
    scope: str
    codes: frozenset[str] = _NONE
    words: re.Pattern[str] | None = None
    statuses: frozenset[int] = frozenset()
    kinds: frozenset[str] = _NONE

    def matches(self, kind: str, status: int, codes: frozenset[str], text: str) -> bool:
        """Whether an error shows this sign."""
        if (self.statuses and status not in self.statuses) or (self.kinds and kind not in self.kinds):
            return False
        if self.codes and not self.codes.isdisjoint(codes):
            return True
        if self.words is not None:
            return self.words.search(text) is not None
        return not self.codes


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words count only where the request may be at fault, or where there is no telling status.
_REQUEST = frozenset({200, 400, 402, 403, 404, 409, 413, 422, 424, 429})

SIGNS: tuple[Sign, ...] = (
    # A single request above the account's tokens per minute never fits, however long one waits. It is the request's
    # length that fails, and must not count against the key: one caller could close it for all others.
    Sign(
        "context_overflow",
        "offer",
        words=re.compile(r"^request too large for"),
        statuses=frozenset({413, 429}),
    ),
    Sign("rate_limit", "credential", codes=_set("rate_limit_exceeded"), statuses=frozenset({413})),
    # Documented: the tokens of the input and max_tokens together are above the model's context.
    Sign(
        "context_overflow",
        "offer",
        words=re.compile(r"\btokens?\b"),
        statuses=frozenset({403}),
        kinds=_set("togetherai"),
    ),
    Sign(
        "context_overflow",
        "offer",
        codes=_set(
            "context_length_exceeded context_window_exceeded exceed_context_size_error string_above_max_length"
            " request_too_large prompt_too_long max_tokens_exceeded 1261 3051"
        ),
    ),
    Sign(
        "content_filter",
        "offer",
        codes=_set(
            "content_filter content_policy_violation responsibleaipolicyviolation content_filtered moderation"
            " moderation_blocked invalid_prompt prohibited_content guardrail_intervened data_inspection_failed"
            " datainspectionfailed content_filter_error 1301"
        ),
    ),
    Sign(
        "rate_limit",
        "credential",
        codes=_set(
            "insufficient_quota billing_hard_limit_reached billing_not_active insufficient_balance billing_error"
            " credit_balance_exhausted enforced_spend_limit_reached insufficient_credits payment_required"
            " exceeded_current_quota_error insufficient_credit"
        ),
    ),
    Sign(
        "context_overflow",
        "offer",
        words=re.compile(
            r"maximum context length|max(?:imum)? (?:model|sequence|prompt|input) len(?:gth)?\b|max_(?:model|seq)_len"
            r"|context (?:window|length|size|limit)[^.]{0,40}\bexceed|exceed[^.]{0,60}\bcontext\b"
            r"|context (?:window|length) exceeds|(?:longer|greater) than the (?:model'?s )?context"
            r"|prompt (?:is )?too long|input is too long|prompt exceeds max|too many (?:input )?tokens"
            r"|input token count[^.]{0,40}exceeds|prompt token count[^.]{0,40}exceeds"
            r"|exceed(?:s|ed)?[^.]{0,20}(?:model )?(?:maximum allowed input length|token limit)"
            r"|reduce the length of (?:the|your) (?:messages|prompt|input)|tokens \+ max_new_tokens|prompt contains"
            r" \d+ tokens|too large for model with \d+ maximum"
        ),
        statuses=_REQUEST - {429},
    ),
    Sign(
        "content_filter",
        "offer",
        words=re.compile(
            r"content management policy|content exists risk|(?:flagged|blocked)[^.]{0,60}"
            r"(?:polic|moderation|safety|violat|guardrail)|violat[^.]{0,40}(?:usage|content) polic"
            r"|requires moderation|content filter(?:ing)? polic"
        ),
        statuses=_REQUEST,
    ),
    Sign(
        "rate_limit",
        "credential",
        words=re.compile(r"credit balance|insufficient (?:balance|credits?|funds|quota)|spend(?:ing)? limit"),
        statuses=_REQUEST,
    ),
    Sign(
        "unknown",
        "offer",
        codes=_set(
            "model_not_found deploymentnotfound model_decommissioned model_not_available invalid_model"
            " unsupported_model model_deprecated resourcenotfoundexception operationnotsupported unknown_model"
            " deployment_not_found model_terminated"
        ),
    ),
    Sign(
        "auth_error",
        "offer",
        words=re.compile(r"(?:access|permission|allowed|authorized|enabled)[^.]{0,60}\b(?:model|deployment)\b"),
        statuses=frozenset({401, 403}),
    ),
    Sign(
        "auth_error",
        "credential",
        codes=_set(
            "invalid_api_key api_key_invalid incorrect_api_key authentication_error unauthenticated"
            " unrecognizedclientexception expiredtokenexception account_deactivated invalid_authentication_error"
            " accessdeniedexception permission_denied permission_error unauthorized"
        ),
    ),
    # The model wrote what is no valid call or JSON: another try or another model may do better.
    Sign(
        "bad_response",
        "offer",
        codes=_set("json_validate_failed tool_use_failed output_parse_failed"),
    ),
    Sign("rate_limit", "offer", codes=_set("capacity_exceeded model_rate_limit service_tier_capacity_exceeded")),
    Sign(
        "rate_limit",
        "offer",
        words=re.compile(r"capacity exceeded|rate-limited upstream|overloaded"),
        statuses=frozenset({429}),
    ),
    Sign(
        "timeout",
        "provider",
        codes=_set("timeout request_timeout deadline_exceeded modeltimeoutexception model_timeout"),
    ),
    Sign("server_error", "offer", codes=_set("overloaded_error modelnotreadyexception modelerrorexception")),
    Sign(
        "server_error",
        "offer",
        words=re.compile(r"(?:model|engine|deployment)[^.]{0,40}\b(?:overloaded|busy|unavailable|not ready)"),
        statuses=frozenset({500, 502, 503, 529}),
    ),
    # An error inside a success, or one with a status that says little.
    Sign(
        "rate_limit",
        "credential",
        codes=_set(
            "rate_limit_exceeded rate_limit_error rate_limited too_many_requests resource_exhausted"
            " throttlingexception throttling_error"
        ),
        statuses=frozenset({200, 400, 403, 503}),
    ),
    Sign(
        "server_error",
        "provider",
        codes=_set("server_error internal_server_error api_error internal_error unavailable internalserverexception"),
        statuses=frozenset({200}),
    ),
    Sign(
        "bad_request",
        "provider",
        codes=_set("invalid_request_error invalid_argument bad_request validationexception validation_error"),
        statuses=frozenset({200}),
    ),
)

BY_STATUS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        401: ("auth_error", "credential"),
        402: ("rate_limit", "credential"),
        403: ("auth_error", "credential"),
        404: ("unknown", "offer"),
        405: ("unknown", "provider"),
        408: ("timeout", "provider"),
        409: ("server_error", "provider"),
        410: ("unknown", "offer"),
        413: ("context_overflow", "offer"),
        424: ("server_error", "offer"),
        425: ("server_error", "provider"),
        429: ("rate_limit", "credential"),
        498: ("rate_limit", "offer"),
        499: ("server_error", "provider"),
        504: ("timeout", "provider"),
        522: ("timeout", "provider"),
        524: ("timeout", "provider"),
        529: ("server_error", "offer"),
    }
)
"""What a status means where no sign says more: the kind of failure and its scope.

404 is a model that is not there as a rule, which is no fault of the request's: another offer may well have it.
"""

_KNOWN_CODES = frozenset().union(*(sign.codes for sign in SIGNS))


def is_known(code: str) -> bool:
    """Whether a code stands in the table."""
    return code in _KNOWN_CODES
