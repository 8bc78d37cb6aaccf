"""Problems as pages: what the API would answer as JSON, a browser gets in words."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.console.pages import go, page
from service.middleware.problems import problem

_PAGES = frozenset(
    {"", "answers", "documents", "reviews", "adapters", "evals", "drift", "operations", "sign-in", "sign-out", "static"}
)
log = structlog.get_logger()


class ErrorPages:
    """ASGI middleware that puts a page in the place of a problem document, under the paths of the console."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and hold back an answer that is a problem."""
        if scope["type"] != "http" or scope["path"].lstrip("/").partition("/")[0] not in _PAGES:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        held: list[Message] = []
        begun = False

        async def sifted(message: Message) -> None:
            nonlocal begun
            if held or _is_problem(message):
                held.append(message)
            else:
                begun = True
                await send(message)

        try:
            await self._app(scope, receive, sifted)
        except Exception as error:  # the last to see it: without a page it would be a blob
            if begun:
                raise
            log.error("fault", kind=type(error).__name__)
            fault = "Something failed on this side. Try again; if it stays, tell us the request id."
            await problem(500, fault)(scope, receive, sifted)
        if held:
            await _page(scope, receive, held)(scope, receive, send)


def _is_problem(message: Message) -> bool:
    if message["type"] != "http.response.start":
        return False
    kind: bytes = dict(message["headers"]).get(b"content-type", b"")
    return kind.startswith(b"application/problem+json")


def _page(scope: Scope, receive: Receive, held: list[Message]) -> Response:
    told: dict[str, Any] = json.loads(b"".join(m.get("body", b"") for m in held))
    status, request = int(told["status"]), Request(scope, receive)
    if status == 401:
        wanted = f"{request.url.path}?{request.url.query}".rstrip("?")
        return go("/sign-in", next=wanted if request.method == "GET" and wanted != "/" else None)
    phrase = HTTPStatus(status).phrase
    made = page(request, "error.html", status, title=phrase, detail=told["detail"], request_id=told["request_id"])
    if wait := dict(held[0]["headers"]).get(b"retry-after"):
        made.headers["Retry-After"] = wait.decode()
    return made
