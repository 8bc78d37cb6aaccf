"""Drift: whether what comes in, and what goes out, still is what the adapter was trained on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup

from service.console.pages import page
from service.console.visitors import Administrator
from service.dependencies import Parts

router = APIRouter(prefix="/drift")


@router.get("")
def drift(
    request: Request, parts: Parts, caller: Administrator, last: Annotated[int, Query(ge=1, le=100_000)] = 1000
) -> Response:
    """The checks over the last so many requests, with their plots."""
    from service.drift.plots import plots  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 -- scipy and matplotlib take a second
    from service.drift.report import look  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    found = look(parts, last)
    drawn = {name: Markup(svg) for name, svg in plots(found).items()}  # noqa: S704 -- drawn here, from numbers
    return page(request, "drift.html", title="Drift", checks=found.checks, plots=drawn, last=last)
