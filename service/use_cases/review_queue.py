"""Reviews as callers see them: one set of functions behind the HTTP API, the console and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from retrieval.timestamps import show_instant
from service.use_cases.review_cases import case_of

if TYPE_CHECKING:
    from service.auth.keys import Caller
    from service.build import Services
    from service.records.reviews import Review


class FeedbackOut(BaseModel):
    """Feedback that was kept."""

    id: str
    request_id: str


class JudgedOut(BaseModel):
    """A judgement; `reviewer` is the id of a key."""

    reviewer: str
    at: str
    labels: dict[str, str]
    answer_right: bool | None
    comment: str


class ReviewOut(BaseModel):
    """A request in the queue: the scrubbed ticket, the reply, why somebody should look, what was said so far."""

    id: str
    request_id: str
    at: str
    reasons: list[str]
    priority: int
    wanted: int
    done: bool
    ticket: dict[str, Any]
    reply: dict[str, Any]
    shadow: dict[str, str]
    judged: list[JudgedOut]


class GivenOut(BaseModel):
    """A judgement that was kept. It quotes nothing: an answer kept for repeats must not outlive a purge."""

    id: str
    done: bool
    judged: list[JudgedOut]


class AgreementOut(BaseModel):
    """Two reviewers of one field: tickets that both judged, share of equal labels, Cohen's kappa (-1..1)."""

    rows: int
    equal: float
    kappa: float


class JudgedTickets(BaseModel):
    """Judged tickets with their labels, the same as eval cases, and agreement by field."""

    rows: list[dict[str, Any]]
    cases: list[dict[str, Any]]
    agreement: dict[str, AgreementOut]


def shown(services: Services, review: Review) -> ReviewOut:
    """A review as reviewers see it."""
    record, zone = review.record, services.domain.zone
    names = ("subject", "body", "channel", "thread", "customer")
    return ReviewOut(
        id=review.id,
        request_id=record.request_id,
        at=show_instant(review.at, zone) or "",
        reasons=list(review.reasons),
        priority=review.priority,
        wanted=review.wanted,
        done=review.done,
        ticket={name: record.request.get(name) for name in names},
        reply=record.reply,
        shadow=services.shadow.differences(record.request_id),
        judged=_judged(services, review),
    )


def given(services: Services, review: Review) -> GivenOut:
    """What is answered to who judged."""
    return GivenOut(id=review.id, done=review.done, judged=_judged(services, review))


def _judged(services: Services, review: Review) -> list[JudgedOut]:
    zone = services.domain.zone
    return [
        JudgedOut(
            reviewer=one.reviewer,
            at=show_instant(one.at, zone) or "",
            labels=dict(one.judgement.labels),
            answer_right=one.judgement.answer_right,
            comment=one.judgement.comment,
        )
        for one in review.judged
    ]


def judged(services: Services, caller: Caller) -> JudgedTickets:
    """What reviewers said: rows for `formfact data build`, cases for `formfact evals`, how far two of them agree."""
    found = services.reviews.judged(caller)
    agreed = services.reviews.agreement(found)
    told = {name: AgreementOut.model_validate(asdict(one)) for name, one in agreed.items()}
    cases = [case_of(review) for review in found]
    return JudgedTickets(rows=list(services.reviews.rows(found)), cases=cases, agreement=told)
