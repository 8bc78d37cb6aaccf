"""Who is let in to work: so many requests at once, so many waiting, none longer than its deadline; the rest get 503.

A turn is taken when the key is known and the body is there: whoever has no key, or sends its body slowly, holds none.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domains.spec import Unavailable
from service.monitoring.metrics import Load
from service.settings import Settings

_HEADER = b"x-request-timeout"


class Turns:
    """Turns to compute; `load` is told how many are taken and waited for. Used on one event loop."""

    def __init__(self, settings: Settings, load: Load) -> None:
        self._settings, self._load = settings, load
        self._free = asyncio.Semaphore(settings.work_at_once)

    def look(self) -> None:
        """See whether there is room to wait; none is taken.

        Raises:
            Unavailable: too many wait.
        """
        if self._free.locked() and self._load.waiting >= self._settings.work_waiting:
            raise Unavailable("There is more to do than can be done.", "Try again later.", self._settings.retry_after)

    @asynccontextmanager
    async def taken(self, deadline: float) -> AsyncIterator[None]:
        """Hold a turn while the block runs; `deadline` is of `time.monotonic()`.

        Raises:
            Unavailable: too many wait, or the turn did not come in time.
        """
        self.look()
        self._load.waiting += 1
        try:
            await asyncio.wait_for(self._free.acquire(), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise Unavailable("Its turn did not come in time.", "Try again.", self._settings.retry_after) from None
        finally:
            self._load.waiting -= 1
        self._load.working += 1
        try:
            yield
        finally:
            self._load.working -= 1
            self._free.release()


class Deadlines:
    """ASGI middleware: gives each request its deadline (`request.state.deadline`), and stops waiting for its body."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline = time.monotonic() + self._allowed(scope)
        scope.setdefault("state", {})["deadline"] = deadline
        complete = False

        async def hurried() -> Message:
            nonlocal complete
            if complete:  # what comes now is that the client went away; nobody waits for that in vain
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise HTTPException(408, "The request did not arrive in time. Send it faster, or allow more.") from None
            complete = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        await self._app(scope, hurried, send)

    def _allowed(self, scope: Scope) -> float:
        """Seconds that a request may take: the setting's, or fewer if it says so."""
        told = dict(scope["headers"]).get(_HEADER, b"")
        most = self._settings.request_seconds
        return min(most, float(told)) if re.fullmatch(rb"\d{1,4}(\.\d{1,3})?", told) else most
