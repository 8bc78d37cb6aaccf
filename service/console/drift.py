"""Drift: whether what comes in, and what goes out, still is what the adapter was measured on."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.console.pages import page
from service.console.visitors import Administrator
from service.dependencies import Parts
from service.monitoring.drift.plots import drawn
from service.monitoring.drift.report import look

router = APIRouter(prefix="/drift")


@router.get("")
def drift(
    request: Request, parts: Parts, caller: Administrator, last: Annotated[int | None, Query(ge=1, le=1000)] = None
) -> Response:
    """The checks over the last so many requests, with their charts."""
    asked = last or parts.settings.drift_window
    found = look(parts, asked)
    charts = {name: _image(svg) for name, svg in drawn(found).items()}
    return page(request, "drift.html", title="Drift", report=found, charts=charts, last=asked)


def _image(svg: str) -> str:
    # As an image, not as part of the page: the page allows no styles but its own, and an image runs nothing.
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
