"""Errors at the edge: every one becomes problem details (RFC 9457) that say what to do."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from ulid import ULID

from domains import spec
from service.auth.keys import Forbidden, Unauthorized
from service.records.idempotency import Repeated

log = structlog.get_logger()

# The first that fits counts: subclasses stand before their base.
STATUS: tuple[tuple[type[spec.FormfactError], int], ...] = (
    (Unauthorized, 401),
    (Forbidden, 403),
    (spec.NotFound, 404),
    (spec.Conflict, 409),
    (spec.NotConfigured, 409),
    (spec.TooLarge, 413),
    (spec.UnsupportedMedia, 415),
    (spec.InvalidInput, 422),
    (spec.TooMany, 429),
    (spec.Unavailable, 503),
)


def problem(
    status: int, detail: str, errors: list[dict[str, str]] | None = None, retry_after: float = 1.0
) -> JSONResponse:
    """A problem document. `detail` says what is wrong and what to do."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": str(ULID()),
    }
    if errors:
        body["errors"] = errors
    wait = {"Retry-After": str(math.ceil(retry_after))}
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: wait, 503: wait}.get(status)
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def status_of(error: spec.FormfactError) -> int:
    """The HTTP status of an error; 500 where the fault is on this side."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def from_error(error: spec.FormfactError) -> JSONResponse:
    """The problem of one of our errors."""
    field = getattr(error, "field", "")
    errors = [{"field": field, "detail": error.detail}] if field else None
    return problem(status_of(error), str(error), errors, getattr(error, "retry_after", 1.0))


def storage_fault(error: OperationalError) -> spec.Unavailable:
    """What a database says that cannot write: full, locked, gone. Nothing of what was asked was done."""
    said = str(error.orig).lower()
    if "full" in said or "no space" in said:
        return spec.Unavailable(
            "The disk of the service is full.", "Whoever runs it must make room; then try again.", 30
        )
    if "locked" in said or "busy" in said:
        return spec.Unavailable("The database is locked by another process.", "Try again.", 2)
    return spec.Unavailable("The database does not answer.", "Try again; if it stays, tell whoever runs it.", 5)


def from_validation(error: RequestValidationError) -> JSONResponse:
    """The problem of a request whose fields are wrong. What was sent is not said back: it may be a ticket."""
    errors = [
        {"field": ".".join(str(p) for p in e["loc"][1:]) or str(e["loc"][0]), "detail": str(e["msg"])}
        for e in error.errors()[:20]
    ]
    said = "; ".join(f"{e['field']}: {e['detail']}" for e in errors[:3])
    return problem(422, f"{said}. See /docs for the fields of this request.", errors)


def install(app: FastAPI) -> None:
    """Have every error of `app` answered by a problem."""
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)


async def _ours(_: Request, error: spec.FormfactError) -> JSONResponse:
    if status_of(error) == 500:
        log.error("fault", kind=type(error).__name__)
    return from_error(error)


async def _again(_: Request, answer: Repeated) -> JSONResponse:
    return JSONResponse(answer.body, answer.status, {"Idempotency-Replayed": "true"})


def fault_of(error: Exception) -> spec.FormfactError:
    """What went wrong on this side, as callers are told it; the kind of it goes into the log."""
    if isinstance(error, OperationalError):
        log.error("storage", kind=type(error.orig).__name__, said=str(error.orig)[:100])
        return storage_fault(error)
    if isinstance(error, PoolTimeout):
        log.error("storage", kind=type(error).__name__)
        return spec.Unavailable("The database has no connection free.", "Try again.", 2)
    log.error("fault", kind=type(error).__name__)
    return spec.FormfactError("Something failed on this side.", "Try again; if it stays, tell us the request_id.")


async def _storage(_: Request, error: OperationalError | PoolTimeout) -> JSONResponse:
    return from_error(fault_of(error))


async def _unstorable(_: Request, error: DataError) -> JSONResponse:
    return problem(422, "The database cannot hold what was sent. Leave out characters that are none, such as NUL.")


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    return from_validation(error)


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    if error.status_code == 400:  # what FastAPI says of a body that it cannot decode
        return problem(422, "The body could not be read. Send JSON in UTF-8, or a multipart form as /docs tells.")
    known = {
        404: "There is nothing at this path. /docs lists what there is.",
        405: "This path takes other methods.",
    }
    answer = problem(error.status_code, known.get(error.status_code, str(error.detail)))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:  # the router names the methods of the first endpoint at this path alone
        answer.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    path = request.scope["path"]
    found = (c.original_route for c in iter_route_contexts(request.app.routes))
    routes = (route for route in found if isinstance(route, APIRoute) and route.path_regex.match(path))
    return {method for route in routes for method in route.methods or ()}


async def _fault(_: Request, error: Exception) -> JSONResponse:
    return from_error(fault_of(error))


_ANSWERS: dict[type[Exception], Callable[[Request, Any], Awaitable[JSONResponse]]] = {
    spec.FormfactError: _ours,
    Repeated: _again,
    OperationalError: _storage,
    PoolTimeout: _storage,
    DataError: _unstorable,
    RequestValidationError: _invalid,
    HTTPException: _http,
    Exception: _fault,
}
