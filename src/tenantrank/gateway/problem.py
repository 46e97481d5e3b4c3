"""What the gateway answers where it does not succeed: OpenAI's error shape, with codes that do not change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tenantrank.errors import TenantrankError

_NONE: Mapping[str, Any] = MappingProxyType({})
_TYPES = MappingProxyType(
    {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
)


class Problem(TenantrankError):
    """An answer that is no success.

    Messages never hold a key, and nothing of a prompt or an answer.

    Attributes
    ----------
    status : of HTTP
    code : stable, for programs
    param : the member of the body at fault, ``None`` where it is not one
    headers : further ones of the answer, as ``retry-after``
    details : further members of the error record, as the clauses that left nothing
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] = _NONE,
        details: Mapping[str, Any] = _NONE,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = dict(headers)
        self.details = dict(details)

    @property
    def type(self) -> str:
        """The coarse kind of error that OpenAI's clients know."""
        return _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")

    def to_json(self) -> dict[str, Any]:
        """Give the body of the answer."""
        shown = {"message": str(self), "type": self.type, "param": self.param, "code": self.code}
        return {"error": {**shown, **self.details}}
