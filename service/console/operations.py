"""Operations: is it ready, who did what, which keys there are; keys are made and revoked here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from domains.spec import InvalidInput, NotFound, first_fault
from service.auth.keys import SCOPES, Caller
from service.build import Services
from service.console.pages import go, page
from service.console.visitors import Administrator, OwnForm
from service.dependencies import Parts
from service.use_cases import api_keys
from service.use_cases.api_keys import KeyRequest, MadeKey
from service.use_cases.audit_log import audited
from service.use_cases.readiness import readiness

router = APIRouter(prefix="/operations")
_ENTRIES = 100


@router.get("")
def overview(request: Request, parts: Parts, caller: Administrator, revoked: bool = False) -> Response:
    """Readiness, keys, audit log."""
    return _overview(request, parts, caller, revoked=revoked)


@router.post("/keys", dependencies=[OwnForm])
def make_key(
    request: Request,
    parts: Parts,
    caller: Administrator,
    name: Annotated[str, Form()] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    audiences: Annotated[list[str] | None, Form()] = None,
    days: Annotated[str, Form(max_length=4)] = "",
) -> Response:
    """Make a key; its secret stands in this answer and never again, so that nothing is redirected."""
    told = {"name": name.strip(), "scopes": scopes or [], "audiences": audiences or []}
    try:
        wanted = KeyRequest.model_validate(told | {"days": (_number(days) if days else None)})
    except ValidationError as error:
        raise InvalidInput("{}: {}.".format(*first_fault(error)), "Go back and fill it in.") from None
    return _overview(request, parts, caller, made=api_keys.make(parts, caller, wanted))


@router.get("/keys/{key_id}/revoke")
def confirm_revoke(request: Request, parts: Parts, caller: Administrator, key_id: str) -> Response:
    """What revoking would end, before it is done."""
    found = next((key for key in api_keys.listed(parts) if key.id == key_id), None)
    if found is None:
        raise NotFound(f"There is no key `{key_id[:40]}`.", "The page Operations lists them.")
    return page(request, "revoke.html", title="Revoke a key", key=found, own=key_id == caller.key_id)


@router.post("/keys/{key_id}/revoke", dependencies=[OwnForm])
def revoke_key(parts: Parts, caller: Administrator, key_id: str) -> Response:
    """Revoke a key; sessions that it began end with it."""
    api_keys.revoke(parts, caller, key_id)
    return go("/operations", revoked=True)


def _overview(
    request: Request, parts: Services, caller: Caller, made: MadeKey | None = None, revoked: bool = False
) -> Response:
    held = {name: told.description for name, told in parts.domain.audiences.items() if name in caller.audiences}
    return page(
        request,
        "operations.html",
        title="Operations",
        problems=readiness(parts),
        keys=api_keys.listed(parts),
        audit=audited(parts, _ENTRIES),
        scopes=[scope for scope in SCOPES if scope in caller.scopes],
        audiences=held,
        made=made,
        revoked=revoked,
    )


def _number(text: str) -> int | str:
    """A number that a form sent; what is none is left for the check, which says so."""
    return int(text) if text.isascii() and text.isdigit() else text
