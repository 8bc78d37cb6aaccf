"""How large a request may be, by path; counted while it streams in, so that nothing larger is ever held."""

from __future__ import annotations

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.middleware.problems import problem
from service.settings import Settings


class BodyLimit:
    """ASGI middleware that refuses a body over its path's limit with 413."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body on its way in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, seen = self._limit(scope["path"]), 0
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await _refuse(limit, scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _OverLimit
            return message

        async def sent(message: Message) -> None:
            if seen <= limit:  # what the application says of a body that was cut off is not what happened
                await send(message)

        with suppress(_OverLimit):
            await self._app(scope, counted, sent)
        if seen > limit:
            await _refuse(limit, scope, receive, send)

    def _limit(self, path: str) -> int:
        if path in ("/v1/documents", "/documents"):
            return self._settings.max_upload_bytes + 100_000  # room for the form around the file
        return self._settings.max_batch_bytes if path.endswith("/batch") else self._settings.max_body_bytes


class _OverLimit(Exception):
    """The body grew over the limit while it was read."""


async def _refuse(limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem(413, f"The request is larger than {limit:,} bytes. Send less, or raise the limit by its setting.")
    await answer(scope, receive, send)
