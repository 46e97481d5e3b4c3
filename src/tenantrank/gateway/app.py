"""The ASGI applications: one for clients, one for operators."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tenantrank.errors import TenantrankError
from tenantrank.gateway import dryruns, listings
from tenantrank.gateway.answers import problem_answer
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import Body
from tenantrank.gateway.calls import Calls
from tenantrank.gateway.metrics import CONTENT_TYPE
from tenantrank.gateway.near import check_near
from tenantrank.gateway.plain import json_bytes
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.reading import ClientLeftError, Receive, Scope, Send, read_body
from tenantrank.gateway.secret import Secret
from tenantrank.gateway.state import State
from tenantrank.gateway.trace_pages import trace_answer

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Response]]
_LEFT = Response(status_code=499)


class _Application:
    """An ASGI application as an endpoint: Starlette calls an object as it is, and wraps a function."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)


def client_app(calls: Calls) -> Application:
    """Make the application for clients."""
    others = _others(calls)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # The two calls that are in a hurry are told by their path alone; they answer their own problems.
        if scope["type"] == "http" and scope["method"] == "POST":
            path = scope["path"]
            if path == "/v1/chat/completions":
                return await calls.chat(scope, receive, send)
            if path == "/v1/embeddings":
                return await calls.embeddings(scope, receive, send)
        return await others(scope, receive, send)

    return application


def _others(calls: Calls) -> Starlette:
    state = calls.state
    served = _Served(calls)
    return _routed(
        [
            Route("/v1/chat/completions", _Application(calls.chat), methods=["POST"]),
            Route("/v1/embeddings", _Application(calls.embeddings), methods=["POST"]),
            Route("/v1/models", served.asked("models", "models", _models), methods=["GET"]),
            Route("/v1/models/{id:path}", served.asked("models", "models", _model), methods=["GET"]),
            Route("/x/rank", served.told("rank", dryruns.rank), methods=["POST"]),
            Route("/x/rank/batch", served.told("rank_batch", dryruns.rank_batch), methods=["POST"]),
            Route("/x/policy/normalize", served.told("normalize", dryruns.normalize), methods=["POST"]),
            Route("/x/policy/compile", served.told("compile", dryruns.compile_tenant), methods=["POST"]),
            Route("/x/fields", served.asked("fields", "rank", _fields), methods=["GET"]),
            Route("/x/catalog", served.asked("catalog", "rank", _catalog), methods=["GET"]),
            Route("/x/traces/{id}", served.asked("trace", "rank", _trace), methods=["GET"]),
            Route("/openapi.json", _openapi(state), methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
            Route("/ready", _ready(state), methods=["GET"]),
        ]
    )


def operator_app(calls: Calls, key: Secret | None = None) -> Starlette:
    """Make the application for operators; with a key every route but ``/health`` and ``/ready`` asks for it."""
    state = calls.state

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                _check_operator(request, key)
                return await handler(request)
            except Problem as problem:
                return _problem(problem)

        return answer

    async def metrics(_: Request) -> Response:
        now_ms = state.now_ms()
        states = [(part, name, found) for (_, part, name), found in state.guards.shared.states(now_ms)]
        state.metrics.breakers(states)
        return Response(state.metrics.render(), media_type=CONTENT_TYPE)

    async def reload(request: Request) -> Response:
        try:
            outcome = await state.reload(force=request.query_params.get("force") == "true")
        except TenantrankError as error:
            raise Problem(409, "reload_refused", str(error)) from None
        now = state.now
        return _json(
            {
                "outcome": outcome,
                "generation": now.number,
                "catalog_id": now.catalog.catalog_id,
                "offers": {route: len(reaches) for route, reaches in now.reaches.items()},
                "warnings": [*now.warnings, *now.left_out],
            }
        )

    async def live(_: Request) -> Response:
        now_ms, health = state.now_ms(), state.health()
        return _json(
            {
                "generation": state.now.number,
                "catalog_id": state.now.catalog.catalog_id,
                "health": {
                    "ema": {pair: dict(found) for pair, found in health.ema.items()},
                    "breakers": dict(health.breakers),
                    "credits": dict(health.credits),
                },
                "offers": state.live.per_offer(now_ms),
                "breakers": [
                    {"part": part, "name": name, "state": found}
                    for (_, part, name), found in state.guards.shared.states(now_ms)
                ],
            }
        )

    async def trace(request: Request) -> Response:
        return await trace_answer(calls, request, None)

    return _routed(
        [
            Route("/metrics", guarded(metrics), methods=["GET"]),
            Route("/x/reload", guarded(reload), methods=["POST"]),
            Route("/x/live", guarded(live), methods=["GET"]),
            Route("/x/traces/{id}", guarded(trace), methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
            Route("/ready", _ready(state), methods=["GET"]),
        ]
    )


def _routed(routes: list[Route]) -> Starlette:
    made = Starlette(routes=routes, exception_handlers=_HANDLERS)
    # A path with a slash too many is none: a redirect would lead to wherever the Host header says.
    made.router.redirect_slashes = False
    return made


class _Served:
    """Answers of routes that call nobody: authorised, counted, and with problems in OpenAI's shape."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._state = calls.state

    def told(self, route: str, answer: Callable[..., Any]) -> Handler:
        """Answer a body."""

        async def handle(request: Request, caller: Caller) -> Any:
            limits, server = self._state.now.limits, self._state.settings.server
            admitted_by = self._state.now
            raw = await read_body(request.scope, request.receive, limits.body_bytes, server.body_s)
            if self._state.now is not admitted_by:
                caller = self._calls.identified(request.scope, "rank")
            found = answer(Body.read(raw, limits.body_bytes), caller, self._state.now)
            return await found if isinstance(found, Awaitable) else found

        return self._handler(route, "rank", handle)

    def asked(self, route: str, access: str, answer: Callable[[Calls, Caller, Request], Any]) -> Handler:
        """Answer a question without a body."""

        async def handle(request: Request, caller: Caller) -> Any:
            found = answer(self._calls, caller, request)
            return await found if isinstance(found, Awaitable) else found

        return self._handler(route, access, handle)

    def _handler(self, route: str, access: str, handle: Callable[[Request, Caller], Awaitable[Any]]) -> Handler:
        state = self._state

        async def answer(request: Request) -> Response:
            began_ms = state.now_ms()
            code: str | None = None
            headers: dict[str, str] = {}
            try:
                caller, headers = self._calls.admitted(request.scope, access)
                found = await handle(request, caller)
                if isinstance(found, Response):
                    response = found
                    response.headers.update(headers)
                else:
                    response = _json(found, headers)
            except Problem as problem:
                code = problem.code
                response = _problem(problem, headers)
            except ClientLeftError:
                response = _LEFT
            except Exception as error:
                state.log.event("fault", route=route, error=type(error).__name__)
                code = "internal_error"
                response = _problem(Problem(500, code, "the gateway failed"), headers)
            seconds = (state.now_ms() - began_ms) / 1000.0
            state.metrics.answered(route, response.status_code, code, seconds)
            return response

        return answer


def _models(calls: Calls, caller: Caller, _: Request) -> Any:
    return listings.models(caller, calls.state.now)


def _model(calls: Calls, caller: Caller, request: Request) -> Any:
    wanted = request.path_params["id"]
    for model in listings.models(caller, calls.state.now)["data"]:
        if model["id"] == wanted:
            return model
    raise Problem(404, "model_not_found", "this key can have no model of this name")


def _fields(calls: Calls, _: Caller, __: Request) -> Any:
    return listings.fields(calls.state.now.fields)


def _catalog(calls: Calls, caller: Caller, _: Request) -> Any:
    return listings.catalog(caller, calls.state.now)


def _trace(calls: Calls, caller: Caller, request: Request) -> Any:
    return trace_answer(calls, request, caller.name)


def _openapi(state: State) -> Handler:
    async def answer(_: Request) -> Response:
        return Response(state.now.openapi, media_type="application/json")

    return answer


async def _health(_: Request) -> Response:
    return _json({"status": "alive"})


def _ready(state: State) -> Handler:
    async def answer(_: Request) -> Response:
        lapsed = state.lapsed(state.wall())
        if state.ready and not lapsed:
            return _json({"status": "ready", "catalog_id": state.now.catalog.catalog_id})
        return _json({"status": "catalog lapsed" if lapsed else "not ready"}, status=503)

    return answer


def _check_operator(request: Request, key: Secret | None) -> None:
    if key is None:
        check_near(request.scope)
        return
    given = [value for name, value in request.headers.raw if name == b"authorization"]
    wanted = b"Bearer " + key.reveal().encode()
    if len(given) != 1 or not hmac.compare_digest(given[0], wanted):
        raise Problem(401, "invalid_api_key", "the operator's key is needed", headers={"www-authenticate": "Bearer"})


def _json(value: Any, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    return Response(json_bytes(value), status, headers, "application/json")


def _problem(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    status, shown, body = problem_answer(problem, headers or {})
    return Response(body, status, shown)


async def _not_routed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = dict(error.headers or {})
        return _problem(Problem(405, "method_not_allowed", "this path has no such method", headers=allowed))
    return _problem(Problem(error.status_code, "unknown_route", "there is no such path"))


async def _failed(_: Request, error: Exception) -> Response:
    return _problem(Problem(500, "internal_error", "the gateway failed"))


_HANDLERS: Any = {HTTPException: _not_routed, Exception: _failed}
