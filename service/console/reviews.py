"""Reviews: what waits for a person, and the form in which the person says what is right."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from domains.spec import NotFound
from service.auth.keys import Caller
from service.console.pages import go, page
from service.console.visitors import OwnForm, Reviewer
from service.dependencies import Parts
from service.records.reviews import PRIORITIES, Judgement, Review
from service.use_cases.review_cases import case_of
from service.use_cases.review_queue import shown

router = APIRouter(prefix="/reviews")
_MOST = 100  # on the page
_RIGHT = {"yes": True, "no": False}


@router.get("")
def queue(request: Request, parts: Parts, caller: Reviewer, reason: str = "", done: bool = False) -> Response:
    """What waits, most urgent first."""
    found = [(shown(parts, one), _judged(one, caller)) for one in parts.reviews.open(caller, _MOST, reason or None)]
    told: dict[str, Any] = {"reviews": found, "reasons": list(PRIORITIES), "reason": reason, "done": done}
    return page(request, "reviews.html", title="Reviews", **told)


@router.get("/{review_id}")
def one(request: Request, parts: Parts, caller: Reviewer, review_id: str, done: bool = False) -> Response:
    """A request with its reply, and the form of the judgement. Other people's judgements show once it is done."""
    review = parts.reviews.read(review_id, caller)
    told: dict[str, Any] = {"review": shown(parts, review), "mine": _judged(review, caller), "done": done}
    return page(request, "review.html", title="Review", domain=parts.domain, **told)


@router.get("/{review_id}/case")
def case(parts: Parts, caller: Reviewer, review_id: str) -> Response:
    """The reviewed reply as a line of a file of eval cases.

    Raises:
        NotFound: there is no such review for this caller, or nobody has judged it.
    """
    review = parts.reviews.read(review_id, caller)
    if not review.judged:
        raise NotFound("Nobody has judged this one yet.", "Say what is right first.")
    line = json.dumps(case_of(review), ensure_ascii=False) + "\n"
    name = f'attachment; filename="{review.id}.jsonl"'
    return Response(line, media_type="application/x-ndjson", headers={"Content-Disposition": name})


@router.post("/{review_id}", dependencies=[OwnForm])
def judge(
    parts: Parts,
    caller: Reviewer,
    review_id: str,
    verdict: Annotated[str, Form()] = "",
    label: Annotated[list[str] | None, Form()] = None,
    right: Annotated[str, Form()] = "",
    comment: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Keep the judgement, and go on with what is next. `label` holds `field=value`, once a field."""
    chosen = dict(one.split("=", 1) for one in label or () if "=" in one)
    said = Judgement(chosen, _RIGHT.get(right), comment)
    if verdict == "accept":
        said = Judgement({}, True, comment)
    parts.reviews.judge(review_id, caller, said)
    following = next((r for r in parts.reviews.open(caller, _MOST) if not _judged(r, caller)), None)
    return go(f"/reviews/{following.id}" if following else "/reviews", done=True)


def _judged(review: Review, caller: Caller) -> bool:
    return any(said.reviewer == caller.key_id for said in review.judged)
