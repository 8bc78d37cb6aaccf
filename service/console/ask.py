"""Ask: a ticket in, a cited reply out; what it was routed by, how long it took; feedback and replay."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from domains.spec import InvalidInput, first_fault
from retrieval.catalog_writer import writing
from retrieval.timestamps import show_instant
from service.auth.keys import Caller
from service.build import Services
from service.console.pages import go, page, places
from service.console.visitors import Administrator, OwnForm, Responder, SignedIn
from service.dependencies import Deadline, Parts, Room, Turn
from service.records.journal import Record, unknown
from service.reply import RespondRequest
from service.use_cases.replay import replay

router = APIRouter()


@router.get("/")
def empty(request: Request, parts: Parts, visitor: SignedIn) -> Response:
    """The form; whose key may not ask is sent to the first page that it may open."""
    if not visitor.may("respond"):
        allowed = places(visitor)
        return go(allowed[0][0]) if allowed else page(request, "nothing.html", title="Signed in")
    return _form(request, parts, visitor.caller, {}, None)


@router.post("/", dependencies=[Room, OwnForm])
def ask(
    request: Request,
    parts: Parts,
    caller: Responder,
    deadline: Deadline,
    turn: Turn,
    body: Annotated[str, Form()] = "",
    subject: Annotated[str, Form()] = "",
    mode: Annotated[str, Form()] = "hybrid",
    audience: Annotated[str, Form(max_length=40)] = "",
    as_of: Annotated[str, Form(max_length=40)] = "",
    slots: Annotated[list[str] | None, Form(alias="slot")] = None,
) -> Response:
    """Answer a ticket, then show the answer at an address of its own, so that a reload asks nothing again."""
    customer = dict(one.split("=", 1) for one in slots or () if "=" in one)
    sent = {"body": body, "subject": subject, "mode": mode, "audience": audience, "as_of": as_of, "customer": customer}
    try:
        reply = parts.pipeline.respond(_request(sent), caller, deadline)
    except InvalidInput as error:
        return _form(request, parts, caller, sent, None, wrong=str(error), status=422)
    return go(f"/answers/{reply.request_id}")


@router.get("/answers/{request_id}")
def answer(request: Request, parts: Parts, caller: Responder, request_id: str, rated: bool = False) -> Response:
    """A reply that this key asked for; an administrator sees those of others too."""
    record = _own(parts, caller, request_id)
    asked = record.request
    sent = {name: asked[name] for name in ("body", "subject", "mode", "customer")}
    sent |= {"as_of": asked["as_of"] or "", "audience": asked.get("audience", "")}
    return _form(request, parts, caller, sent, record, rated=rated)


@router.post("/answers/{request_id}/feedback", dependencies=[OwnForm])
def feedback(
    parts: Parts,
    caller: Responder,
    request_id: str,
    helpful: Annotated[bool, Form()],
    comment: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Keep a thumb up or down; one down comes into the review queue."""
    with writing(parts.engine) as tx:
        parts.reviews.rate(tx, caller, request_id, helpful, comment)
    return go(f"/answers/{request_id}", rated=True)


@router.get("/answers/{request_id}/replay")
def replayed(request: Request, parts: Parts, caller: Administrator, request_id: str) -> Response:
    """Answer it again as everything was known then, and compare."""
    return page(request, "replay.html", title="Replay", found=replay(parts, caller, request_id))


def _request(sent: dict[str, Any]) -> RespondRequest:
    ticket = {"body": sent["body"], "subject": sent["subject"]}
    same = {name: sent[name] for name in ("customer", "mode", "audience")}
    wanted = {"ticket": ticket, **same, "as_of": sent["as_of"] or None}
    try:
        return RespondRequest.model_validate(wanted)
    except ValidationError as error:
        path, said = first_fault(error)
        field = path.rsplit(".")[-1]
        if field == "body" and not sent["body"].strip():
            said = "write what the customer asks"
        raise InvalidInput(f"{field}: {said}.", field=field) from None


def _own(parts: Services, caller: Caller, request_id: str) -> Record:
    """A record, for whoever may rate it, see `Reviews.rate`, and could have read what it quotes."""
    record = parts.pipeline.journal.asked_by(caller, request_id)
    if not record.audiences <= caller.audiences:
        raise unknown(request_id)
    return record


def _form(
    request: Request,
    parts: Services,
    caller: Caller,
    sent: dict[str, Any],
    record: Record | None,
    wrong: str = "",
    status: int = 200,
    rated: bool = False,
) -> Response:
    modes = ["hybrid", "tuned", "rag", *(["prompt"] if parts.pipeline.chat else [])]
    blank: dict[str, Any] = {"body": "", "subject": "", "mode": "hybrid", "audience": "", "as_of": "", "customer": {}}
    return page(
        request,
        "ask.html",
        status,
        title="Ask",
        domain=parts.domain,
        modes=modes,
        audiences=[name for name in parts.domain.audiences if parts.domain.readable_by([name]) <= caller.audiences],
        sent=blank | sent,
        wrong=wrong,
        reply=record.reply if record else None,
        asked_at=show_instant(record.at, parts.domain.zone) if record else "",
        request_id=record.request_id if record else "",
        rated=rated,
    )
