"""Drift over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from service.dependencies import Administrator, Parts
from service.monitoring.drift.report import look
from service.monitoring.outcome import DriftReport

router = APIRouter(prefix="/v1/drift", tags=["drift"])

Last = Annotated[int | None, Query(ge=1, le=1000, description="requests; default: the setting drift_window")]


@router.get("")
def drift(parts: Parts, caller: Administrator, last: Last = None) -> DriftReport:
    """The last requests against the reference: tests with verdicts, advice, and whether to train anew."""
    return look(parts, last)
