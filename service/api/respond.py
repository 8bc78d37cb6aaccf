"""Tickets: respond, in a batch or alone, triage, search."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from domains.spec import FormfactError, TooLarge, first_fault
from service.auth.keys import Caller
from service.build import Services
from service.dependencies import Deadline, Parts, Reader, Responder, Room, Turn, TurnsOfAll
from service.middleware.admission import Turns
from service.middleware.problems import fault_of, status_of
from service.reply import Reply, RespondRequest, SearchReply, SearchRequest, TriageReply, TriageRequest

router = APIRouter(prefix="/v1", tags=["tickets"])


@router.post("/respond", dependencies=[Room])
def respond(body: RespondRequest, parts: Parts, caller: Responder, deadline: Deadline, turn: Turn) -> Reply:
    """Answer a ticket: labels, a cited reply, or an honest hand-off."""
    return parts.pipeline.respond(body, caller, deadline)


@router.post("/triage", dependencies=[Room])
def triage(body: TriageRequest, parts: Parts, caller: Responder, turn: Turn) -> TriageReply:
    """Label a ticket; nothing is searched."""
    return parts.pipeline.triage(body, caller)


@router.post("/search", dependencies=[Room])
def search(body: SearchRequest, parts: Parts, caller: Reader, turn: Turn) -> SearchReply:
    """Find passages that this key may read."""
    return parts.pipeline.search(body, caller)


@router.post("/respond/batch", response_class=StreamingResponse)
async def respond_batch(request: Request, parts: Parts, caller: Responder, turns: TurnsOfAll) -> StreamingResponse:
    """Answer many tickets: NDJSON in and out, in order; one bad line spoils only itself.

    Each line counts as a request of its key, takes its own turn, and has its own time.
    """
    lines = [(n, line) for n, line in enumerate((await request.body()).splitlines(), start=1) if line.strip()]
    if len(lines) > parts.settings.max_batch_lines:
        raise TooLarge(f"There are more than {parts.settings.max_batch_lines:,} lines.", "Send them in parts.")

    async def answers() -> AsyncIterator[str]:
        for number, line in lines:
            yield await _answer_line(parts, turns, caller, line, number) + "\n"

    return StreamingResponse(answers(), media_type="application/x-ndjson")


async def _answer_line(parts: Services, turns: Turns, caller: Caller, line: bytes, number: int) -> str:
    deadline = time.monotonic() + parts.settings.request_seconds
    try:
        asked = RespondRequest.model_validate_json(line)
        parts.quotas.spend(caller)
        async with turns.taken(deadline):
            reply = await run_in_threadpool(parts.pipeline.respond, asked, caller, deadline)
        return reply.model_dump_json()
    except ValidationError as error:
        where, said = first_fault(error)
        return _refusal(422, f"line {number}: {where or 'line'}: {said}.")
    except FormfactError as error:
        return _refusal(status_of(error), f"line {number}: {error}")
    except Exception as error:  # noqa: BLE001 -- a locked database, say, is this line's alone: the stream goes on
        fault = fault_of(error)
        return _refusal(status_of(fault), f"line {number}: {fault}")


def _refusal(status: int, detail: str) -> str:
    return json.dumps({"status": status, "detail": detail})
