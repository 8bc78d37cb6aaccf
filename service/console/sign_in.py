"""Signing in: with an API key, or with a link that somebody at the machine made; and signing out."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.auth.keys import Unauthorized
from service.auth.sessions import SESSION
from service.console.pages import go, page
from service.console.visitors import COOKIE, OwnForm, SignedIn, from_here
from service.dependencies import Parts, address_of

router = APIRouter()
_OWN_PATH = re.compile(r"/(?![/\\])[\w/.?=&%@:+~-]{0,500}")  # nowhere else is anybody sent


@router.get("/sign-in")
def ask_for_a_key(request: Request, parts: Parts, next: str = "/") -> Response:
    """The form for a key."""
    return page(request, "sign_in.html", title=parts.domain.title, next=next, wrong="")


@router.post("/sign-in")
def sign_in(
    request: Request,
    parts: Parts,
    key: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Begin a session as the holder of a key."""
    from_here(request)
    try:
        caller = parts.keys.check(key.strip())
    except Unauthorized:
        parts.quotas.guessed(address_of(request))
        wrong = "This key is not known, or no longer. Paste the whole of it, from ff_ on."
        return page(request, "sign_in.html", 401, title=parts.domain.title, next=next, wrong=wrong)
    return _let_in(request, parts.sessions.begin(caller.key_id), next if _OWN_PATH.fullmatch(next) else "/")


@router.get("/sign-in/{token}")
def show_link(request: Request, token: str) -> Response:
    """The page of a link. It asks for a click: programs that look at links in messages must not use it up."""
    return page(request, "follow.html", title="Sign in", wrong="", token=token)


@router.post("/sign-in/{token}")
def follow(request: Request, parts: Parts, token: str) -> Response:
    """Use a link up."""
    from_here(request)
    try:
        return _let_in(request, parts.sessions.follow(token), "/")
    except Unauthorized as error:
        parts.quotas.guessed(address_of(request))
        return page(request, "follow.html", 401, title="Sign in", wrong=str(error), token="")


@router.post("/sign-out", dependencies=[OwnForm])
def sign_out(request: Request, parts: Parts, visitor: SignedIn) -> Response:
    """End the session."""
    parts.sessions.end(request.cookies[COOKIE])
    answer = go("/sign-in")
    answer.delete_cookie(COOKIE, path="/")
    return answer


def _let_in(request: Request, secret: str, path: str) -> Response:
    answer, seconds = go(path), int(SESSION.total_seconds())
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, secret, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict")
    return answer
