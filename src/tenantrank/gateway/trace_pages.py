"""One trace, as JSON for machines or as a page for people: from memory, else from the durable trace."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tenantrank.errors import TraceError
from tenantrank.gateway.calls import Calls
from tenantrank.gateway.durable import Durable
from tenantrank.gateway.plain import json_bytes
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.traces import is_trace_id
from tenantrank.trace.page import CONTENT_SECURITY_POLICY, page
from tenantrank.trace.words import Failed, Told, failures_of, tell

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


async def trace_answer(calls: Calls, request: Request, caller: str | None) -> Response:
    """Answer a question for a trace; ``caller`` sees its own, ``None`` is the operator, who sees all.

    A browser gets a page where there is a durable trace; ``?offer=ID`` adds what that offer failed.

    Raises
    ------
    Problem
        404 ``trace_not_found``, also for the trace of another
    """
    trace_id = request.path_params["id"]
    wants_page = "text/html" in request.headers.get("accept", "")
    if not is_trace_id(trace_id):
        raise _not_found()
    if not wants_page or calls.durable is None:
        record = calls.traces.find(trace_id, caller)
        if record is not None:
            return _json(record.to_json(operator=caller is None))
    if calls.durable is None:
        raise _not_found()
    offer = request.query_params.get("offer") if wants_page else None
    try:
        told, failures = await asyncio.to_thread(_told, calls.durable, trace_id, caller, offer)
    except TraceError:
        raise Problem(503, "trace_unavailable", "the trace cannot be read") from None
    if wants_page:
        return HTMLResponse(page(told, offer, failures), headers=_HEADERS)
    return _json(told.to_json())


def _told(durable: Durable, trace_id: str, caller: str | None, offer: str | None) -> tuple[Told, list[Failed]]:
    store = durable.log.store
    stored = store.find(trace_id)
    if not stored:
        raise _not_found()
    told = tell(store, stored)
    if caller is not None and told.caller != caller:
        raise _not_found()
    return told, [] if offer is None else failures_of(store, stored, offer)


def _not_found() -> Problem:
    return Problem(404, "trace_not_found", "there is no such trace, or not any more")


def _json(value: Any) -> Response:
    return Response(json_bytes(value), media_type="application/json")
