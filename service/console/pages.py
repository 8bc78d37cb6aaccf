"""How pages are made: templates that escape, headers that let a browser do nothing but show them."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from service.auth.sessions import Visitor

HERE = Path(__file__).parent
_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
# Page -> the scope that it needs, in the order of the navigation.
PLACES = (
    ("/", "Ask", "respond"),
    ("/documents", "Documents", "read"),
    ("/reviews", "Reviews", "review"),
    ("/adapters", "Adapters", "admin"),
    ("/evals", "Evals", "admin"),
    ("/drift", "Drift", "admin"),
    ("/operations", "Operations", "admin"),
)


def page(request: Request | None, template: str, status: int = 200, frames: str = "", **shown: Any) -> HTMLResponse:
    """A page from a template. `frames`: what its frames may show, nothing by default."""
    visitor: Visitor | None = getattr(request.state, "visitor", None) if request else None
    path = request.url.path if request else ""
    words = _templates().get_template(template).render(visitor=visitor, here=path, places=places(visitor), **shown)
    policy = _POLICY | ({"frame-src": frames} if frames else {})
    # Browsers send `Origin: null` with forms of a page without a referrer: the check of origins needs it.
    headers = {"Content-Security-Policy": policy_of(policy), "Referrer-Policy": "same-origin"}
    return HTMLResponse(words, status, headers)


def policy_of(directives: dict[str, str]) -> str:
    """A content security policy as it stands in its header."""
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def places(visitor: Visitor | None) -> list[tuple[str, str]]:
    """The pages that a visitor may open."""
    return [(path, name) for path, name, scope in PLACES if visitor and visitor.may(scope)]


def go(path: str, **query: object) -> RedirectResponse:
    """Send the browser to a page by GET, as after a form."""
    told = {name: value for name, value in query.items() if value is not None}
    return RedirectResponse(f"{path}?{urlencode(told)}" if told else path, 303)


def asset(name: str) -> str:
    """The address of a static file; it changes with the file, so that browsers may keep it."""
    return f"/static/{name}?v={_digest(name)}"


@cache
def _digest(name: str) -> str:
    return sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "cited": cited,
        "shown": shown,
        "words": words,
        "segment": segment,
        "day": day,
        "quote_url": quote_url,
    }
    made.globals["asset"] = asset
    return made


def cited(text: str, citations: list[dict[str, Any]]) -> Markup:
    """An answer whose `[1]` lead to the quotes beside it; everything else in it is text."""
    known = {str(c["n"]): c for c in citations}

    def linked(found: re.Match[str]) -> str:
        mark = Markup('<a class="cite" href="{}">{}</a>')
        return str(mark.format(quote_url(known[found[1]]), found[0])) if found[1] in known else found[0]

    return Markup(re.sub(r"\[(\d+)\]", linked, str(escape(text))))  # noqa: S704 -- escaped before links are put in


def quote_url(citation: dict[str, Any]) -> str:
    """The page of a document's version, at a quote."""
    place = f"/documents/{segment(citation['doc_id'])}/versions/{citation['version']}"
    return f"{place}?start={citation['start']}&end={citation['end']}#quote"


def segment(name: object) -> str:
    """A name as one part of a path."""
    return quote(str(name), safe="")


def words(name: str) -> str:
    """`no_evidence` as a person writes it."""
    return name.replace("_", " ")


def day(instant: str | None) -> str:
    """An instant as pages show it, to the minute; a date stays one."""
    return (instant or "").replace("T", " ")[:16]


def shown(value: float, digits: int = 2) -> str:
    """A figure that columns line up by."""
    return f"{value:.{digits}f}"
