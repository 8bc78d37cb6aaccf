"""Evals: the latest comparison report, in a frame that may run nothing."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from domains.spec import NotFound
from service.console.pages import page, policy_of
from service.console.visitors import Administrator
from service.dependencies import Parts

router = APIRouter(prefix="/evals")
_POLICY = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "img-src": "data:",
    "frame-ancestors": "'self'",
    "sandbox": "",
}


@router.get("")
def evals(request: Request, parts: Parts, caller: Administrator) -> Response:
    """The page around the report."""
    made = parts.settings.report
    return page(request, "evals.html", frames="'self'", title="Evals", report=made, there=made.is_file())


@router.get("/report")
def report(parts: Parts, caller: Administrator) -> Response:
    """The report itself; `formfact evals compare` writes it."""
    made = parts.settings.report
    if not made.is_file():
        raise NotFound("There is no report yet.", "`formfact evals compare` makes one.")
    headers = {"Content-Security-Policy": policy_of(_POLICY), "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(made.read_text(encoding="utf-8"), headers=headers)
