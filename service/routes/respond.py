"""Tickets: respond, in a batch or alone, triage, search."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from domains.spec import FormfactError
from service.dependencies import Deadline, Parts, Reader, Responder
from service.keys import Caller
from service.pipeline import Pipeline
from service.problems import status_of
from service.reply import Reply, RespondRequest, SearchReply, SearchRequest, TriageReply, TriageRequest

router = APIRouter(prefix="/v1", tags=["tickets"])


@router.post("/respond")
def respond(body: RespondRequest, parts: Parts, caller: Responder, deadline: Deadline) -> Reply:
    """Answer a ticket: labels, a cited reply, or an honest hand-off."""
    return parts.pipeline.respond(body, caller, deadline)


@router.post("/triage")
def triage(body: TriageRequest, parts: Parts, caller: Responder) -> TriageReply:
    """Label a ticket; nothing is searched."""
    return parts.pipeline.triage(body, caller)


@router.post("/search")
def search(body: SearchRequest, parts: Parts, caller: Reader) -> SearchReply:
    """Find passages that this key may read."""
    return parts.pipeline.search(body, caller)


@router.post("/respond/batch", response_class=StreamingResponse)
async def respond_batch(request: Request, parts: Parts, caller: Responder) -> StreamingResponse:
    """Answer many tickets: NDJSON in and out, in order; one bad line spoils only itself."""
    body = await request.body()

    async def answers() -> AsyncIterator[str]:
        for number, line in enumerate(body.splitlines(), start=1):
            if line.strip():
                yield await run_in_threadpool(_answer_line, parts.pipeline, caller, line, number) + "\n"

    return StreamingResponse(answers(), media_type="application/x-ndjson")


def _answer_line(pipeline: Pipeline, caller: Caller, line: bytes, number: int) -> str:
    try:
        return pipeline.respond(RespondRequest.model_validate_json(line), caller).model_dump_json()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "line"
        return _refusal(422, f"line {number}: {where}: {first['msg']}.")
    except FormfactError as error:
        return _refusal(status_of(error), f"line {number}: {error}")


def _refusal(status: int, detail: str) -> str:
    return json.dumps({"status": status, "detail": detail})
