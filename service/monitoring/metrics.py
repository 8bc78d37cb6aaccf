"""Prometheus metrics of one process; a registry of its own, so that two in a process do not meet.

Labels are names that this code or the domain defines: no text of a ticket, no identifier of a caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from service.reply import Reply

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30)


@dataclass(slots=True)
class Load:
    """How many requests compute at this instant, and how many wait for their turn; one event loop writes it."""

    working: int = 0
    waiting: int = 0


class Metrics:
    """What is counted: requests, replies by action and reason, stages, abstentions, what verification stopped."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter("formfact_requests", "HTTP requests", ("method", "route", "status"), registry=own)
        self.seconds = Histogram(
            "formfact_request_seconds", "Time to answer", ("route",), registry=own, buckets=_SECONDS
        )
        self._replies = Counter("formfact_replies", "Replies", ("mode", "action", "reason"), registry=own)
        self._stages = Histogram(
            "formfact_stage_seconds", "Time of a stage of a reply", ("stage",), registry=own, buckets=_SECONDS
        )
        self._labels = Counter("formfact_labels", "Labels given", ("field", "abstained"), registry=own)
        self._stopped = Counter("formfact_drafts_stopped", "Drafts that verification stopped", registry=own)
        self._adapters = Counter("formfact_replies_by_adapter", "Replies by adapter", ("adapter",), registry=own)

        self.load = Load()
        self.watch("work_working", "Requests that compute", lambda: self.load.working)
        self.watch("work_waiting", "Requests that wait for their turn", lambda: self.load.waiting)

    def replied(self, reply: Reply) -> None:
        """Count a reply."""
        self._replies.labels(reply.mode, reply.action, reply.reason_code).inc()
        self._adapters.labels(reply.provenance.adapters["labels"]).inc()
        for stage, milliseconds in reply.timings_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        for field, label in (reply.labels or {}).items():
            self._labels.labels(field, str(label.abstained).lower()).inc()
        if reply.reason_code == "unverified_claim" or "composer_fell_back" in reply.flags:
            self._stopped.inc()

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is read whenever metrics are asked for."""
        Gauge(f"formfact_{name}", text, registry=self.registry).set_function(value)


class Measured:
    """ASGI middleware that counts requests. Paths are counted by their pattern: no identifier becomes a label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begun)


_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
