"""Who is let in to work: so many requests at once, so many waiting, none longer than its deadline; the rest get 503.

A refusal comes before the body is read, so that a flood costs next to nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from domains.spec import Unavailable
from service.metrics import Load
from service.problems import from_error
from service.settings import Settings

_WORK = re.compile(r"/v1/(respond|respond/batch|triage|search|documents)|/(documents)?")  # what computes
_HEADER = b"x-request-timeout"


class Admission:
    """ASGI middleware; `load` is told how many work and wait."""

    def __init__(self, app: ASGIApp, settings: Settings, load: Load) -> None:
        self._app, self._settings, self._load = app, settings, load
        self._turns = asyncio.Semaphore(settings.work_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowed = self._allowed(scope)
        scope.setdefault("state", {})["deadline"] = time.monotonic() + allowed
        if scope["method"] != "POST" or not _WORK.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            async with self._turn(allowed):
                await self._app(scope, receive, send)
        except _Refused as refused:
            await from_error(refused)(scope, receive, send)

    @asynccontextmanager
    async def _turn(self, allowed: float) -> AsyncIterator[None]:
        if self._turns.locked() and self._load.waiting >= self._settings.work_waiting:
            raise _Refused("There is more to do than can be done.", "Try again later.", self._settings.retry_after)
        self._load.waiting += 1
        try:
            await asyncio.wait_for(self._turns.acquire(), allowed)
        except TimeoutError:
            raise _Refused("Its turn did not come in time.", "Try again.", self._settings.retry_after) from None
        finally:
            self._load.waiting -= 1
        self._load.working += 1
        try:
            yield
        finally:
            self._load.working -= 1
            self._turns.release()

    def _allowed(self, scope: Scope) -> float:
        """Seconds that a request may take: the setting's, or fewer if it says so."""
        told = dict(scope["headers"]).get(_HEADER, b"")
        most = self._settings.request_seconds
        return min(most, float(told)) if re.fullmatch(rb"\d{1,4}(\.\d{1,3})?", told) else most


class _Refused(Unavailable):
    """Not let in; kept apart from what the application raises."""
