"""What pages ask for, as aliases: who looks, with which scope, and that a form came from one of our pages."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Form, Request

from service.auth.keys import Caller, Forbidden
from service.auth.sessions import Visitor
from service.dependencies import Parts

COOKIE = "formfact_session"
_ELSEWHERE = "This form was not sent from a page of this service."


def _visitor(parts: Parts, request: Request) -> Iterator[Visitor]:
    visitor = parts.sessions.read(request.cookies.get(COOKIE, ""))
    request.state.visitor = visitor  # for the navigation, of an error's page too
    with parts.quotas.held(visitor.caller):
        yield visitor


SignedIn = Annotated[Visitor, Depends(_visitor)]


def from_here(request: Request) -> None:
    """Refuse a form that another site's page sent; browsers say which page it was.

    Raises:
        Forbidden: another site, or a browser that says nothing.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # A proxy may speak https outside and http inside, so that hosts are compared and schemes are not.
    same_host = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    if site != "same-origin" if site is not None else not same_host:
        raise Forbidden(_ELSEWHERE, "Open the page anew and send it again.")
    if origin is not None and not same_host:
        raise Forbidden(_ELSEWHERE, "Open the page anew and send it again.")


def _own_form(request: Request, visitor: SignedIn, csrf: Annotated[str, Form(max_length=100)] = "") -> None:
    from_here(request)
    if not hmac.compare_digest(csrf.encode(), visitor.csrf.encode()):
        raise Forbidden("This form does not belong to your session.", "Open the page anew and send it again.")


OwnForm = Depends(_own_form)  # every form but those that sign in depends on it


def _scoped(scope: str) -> Callable[[Visitor], Caller]:
    def check(visitor: SignedIn) -> Caller:
        if not visitor.may(scope):
            raise Forbidden(
                f"This page needs a key with the scope `{scope}`.", "Sign in with another key, or ask for one."
            )
        return visitor.caller

    return check


Responder = Annotated[Caller, Depends(_scoped("respond"))]
Reader = Annotated[Caller, Depends(_scoped("read"))]
Ingester = Annotated[Caller, Depends(_scoped("ingest"))]
Reviewer = Annotated[Caller, Depends(_scoped("review"))]
Administrator = Annotated[Caller, Depends(_scoped("admin"))]
