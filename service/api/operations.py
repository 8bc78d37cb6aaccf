"""What whoever is on call asks for: replay of a reply, the audit log, health, metrics."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from service.dependencies import Administrator, Parts
from service.use_cases.audit_log import AuditOut, audited
from service.use_cases.readiness import readiness
from service.use_cases.replay import replay
from service.use_cases.replay_report import ReplayOut

router = APIRouter()
log = structlog.get_logger()


class ReadyOut(BaseModel):
    """`ready`, or the parts that are not."""

    status: str
    problems: dict[str, str]


@router.post("/v1/replay/{request_id}", tags=["operations"])
def replay_request(request_id: str, parts: Parts, caller: Administrator) -> ReplayOut:
    """Answer a journalled request again, as everything was known then, and compare."""
    return replay(parts, caller, request_id)


@router.get("/v1/audit", tags=["operations"])
def audit_log(
    parts: Parts,
    caller: Administrator,
    limit: Annotated[int, Query(ge=0, le=1000)] = 50,
    expect: Annotated[str | None, Query(max_length=64, description="a hash that was noted before")] = None,
) -> AuditOut:
    """Who published, promoted, purged, made keys; and whether anybody changed the log."""
    return audited(parts, limit, expect)


@router.get("/healthz", tags=["health"])
def healthz() -> dict[str, str]:
    """Is the process alive?"""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], responses={503: {"model": ReadyOut, "description": "not ready"}})
def readyz(parts: Parts) -> ReadyOut:
    """Does it answer? Names the parts that are not ready; why stands in the log, since anybody may ask here."""
    problems = readiness(parts)
    for part, why in problems.items():
        log.warning("not_ready", part=part, why=why)
    told = ReadyOut(status="not ready" if problems else "ready", problems=dict.fromkeys(problems, "not ready"))
    if problems:
        return JSONResponse(told.model_dump(), 503, {"Retry-After": "5"})  # type: ignore[return-value]
    return told


@router.get("/metrics", tags=["health"], response_class=Response)
def metrics(parts: Parts, caller: Administrator) -> Response:
    """Prometheus metrics. They hold no text of a ticket or document."""
    return Response(generate_latest(parts.metrics.registry), media_type=CONTENT_TYPE_LATEST)
