"""Feedback and the review queue over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from retrieval.catalog_writer import writing
from service.dependencies import Once, Parts, Responder, Reviewer
from service.records.reviews import Judgement
from service.use_cases import review_queue
from service.use_cases.review_queue import FeedbackOut, GivenOut, JudgedTickets, ReviewOut, given, shown

router = APIRouter(prefix="/v1", tags=["reviews"])


class FeedbackRequest(BaseModel):
    """What a support tool's user thought of a reply."""

    model_config = ConfigDict(extra="forbid")

    request_id: Annotated[str, Field(min_length=1, max_length=32)]
    helpful: bool
    comment: Annotated[str, Field(max_length=2000)] = ""


class JudgementRequest(BaseModel):
    """What is right: labels by field (those that were right may be left out), and whether the answer was."""

    model_config = ConfigDict(extra="forbid")

    labels: Annotated[dict[str, str], Field(max_length=50)] = {}
    answer_right: bool | None = None
    comment: Annotated[str, Field(max_length=2000)] = ""


@router.post("/feedback", status_code=201)
def give_feedback(body: FeedbackRequest, parts: Parts, caller: Responder, once: Once) -> FeedbackOut:
    """Say whether a reply was helpful; one that was not comes into the review queue."""
    attempt = once.attempt(body.model_dump())
    with writing(parts.engine) as tx:
        made = parts.reviews.rate(tx, caller, body.request_id, body.helpful, body.comment)
        done = FeedbackOut(id=made, request_id=body.request_id)
        attempt.keep(tx, 201, done.model_dump())
    return done


@router.get("/reviews")
def list_reviews(
    parts: Parts,
    caller: Reviewer,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    reason: Annotated[str | None, Query(max_length=40)] = None,
) -> list[ReviewOut]:
    """What waits for a person, most urgent first."""
    return [shown(parts, review) for review in parts.reviews.open(caller, limit, reason)]


@router.get("/judged")
def judged_tickets(parts: Parts, caller: Reviewer) -> JudgedTickets:
    """What reviewers said, as rows that `formfact data build` takes, and how far two of them agree."""
    return review_queue.judged(parts, caller)


@router.get("/reviews/{review_id}")
def read_review(review_id: str, parts: Parts, caller: Reviewer) -> ReviewOut:
    """One review."""
    return shown(parts, parts.reviews.read(review_id, caller))


@router.post("/reviews/{review_id}")
def judge(review_id: str, body: JudgementRequest, parts: Parts, caller: Reviewer, once: Once) -> GivenOut:
    """Accept or correct; labels that are left out are taken as the reply gave them."""
    attempt = once.attempt(body.model_dump())
    review = parts.reviews.judge(
        review_id,
        caller,
        Judgement(body.labels, body.answer_right, body.comment),
        keep=lambda tx, done: attempt.keep(tx, 200, given(parts, done).model_dump()),
    )
    return given(parts, review)
