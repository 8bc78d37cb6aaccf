"""The review queue: requests that a person should look at, why, and how urgently; and what people said of them.

What was judged flows back: `formfact reviews export` writes rows that `formfact data build` takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, desc, func, select, update
from sqlalchemy.exc import IntegrityError
from ulid import ULID

from adapters.data.quality import Agreement, agreement
from adapters.data.rows import share_of
from adapters.scrub import Scrubber
from domains.spec import Conflict, Domain, InvalidInput, NotFound
from retrieval.catalog_writer import writing
from retrieval.timestamps import now
from service.auth.keys import Caller
from service.db.tables import feedback, judgements, reviews
from service.records.idempotency import Keep
from service.records.journal import Journal, Record

# Reason -> priority: what reached a customer wrongly before what merely could have been better.
PRIORITIES = {
    "thumbs_down": 90,
    "unverified_claim": 80,
    "evidence_conflict": 70,
    "out_of_scope": 50,
    "low_confidence": 50,
    "no_evidence": 45,
    "unsure_label": 40,
    "shadow_disagrees": 30,
    "sample": 10,
}
_JUDGED = ("You have judged this one.", "Where two judge, the second is another person.")
_BY_REASON = ("unverified_claim", "evidence_conflict", "out_of_scope", "low_confidence", "no_evidence")


@dataclass(frozen=True, slots=True)
class Rules:
    """When a request comes into the queue beyond what its reply says; shares and confidences are 0..1."""

    sample: float
    unsure: float  # a label that was relied on, under this confidence
    twice: float  # share of reviews that two people judge


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reviewer says: right labels by field, whether the answer was right (None: not said), a comment."""

    labels: Mapping[str, str]
    answer_right: bool | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ReviewerJudgement:
    """A judgement, whose and when."""

    reviewer: str
    at: datetime
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Review:
    """A request in the queue with its record and what was said of it so far."""

    id: str
    at: datetime
    reasons: tuple[str, ...]
    priority: int
    wanted: int
    done: bool
    record: Record
    judged: tuple[ReviewerJudgement, ...]


class Reviews:
    """Fills, shows and works off the queue."""

    def __init__(self, engine: Engine, domain: Domain, journal: Journal, rules: Rules, scrub: Scrubber) -> None:
        self._engine, self._domain, self._journal, self._rules = engine, domain, journal, rules
        self._scrub = scrub

    def consider(self, tx: Connection, record: Record) -> None:
        """Put a request into the queue, in the transaction of its record, if its reply or the sample asks for it."""
        for reason in self._reasons(record):
            self.ask(tx, record.request_id, reason)

    def ask(self, tx: Connection, request_id: str, reason: str) -> None:
        """Put a request into the queue for a reason; one that is there gets the reason too, and is open again."""
        row = tx.execute(select(reviews).where(reviews.c.request_id == request_id)).first()
        if row is None:
            wanted = 2 if share_of(f"twice {request_id}") < self._rules.twice else 1
            told = {"request_id": request_id, "at": now(), "reasons": [reason], "priority": PRIORITIES[reason]}
            tx.execute(reviews.insert(), told | {"id": str(ULID()), "wanted": wanted, "done": False})
        elif reason not in row.reasons:
            more = {"reasons": [*row.reasons, reason], "priority": max(row.priority, PRIORITIES[reason])}
            again = {"done": False, "wanted": max(row.wanted, _judgements(tx, row.id) + 1)}
            tx.execute(update(reviews).where(reviews.c.id == row.id).values(more | again))

    def rate(self, tx: Connection, caller: Caller, request_id: str, helpful: bool, comment: str) -> str:
        """Keep what a support tool's user thought of a reply; a thumb down asks for a review. Returns its id.

        Raises:
            NotFound: the key made no such request.
        """
        self._journal.asked_by(caller, request_id, tx)
        made = str(ULID())
        told = {"id": made, "request_id": request_id, "at": now(), "key_id": caller.key_id}
        tx.execute(feedback.insert(), told | {"helpful": helpful, "comment": self._scrub([comment])[0]})
        if not helpful:
            self.ask(tx, request_id, "thumbs_down")
        return made

    def open(self, caller: Caller, limit: int, reason: str | None = None) -> list[Review]:
        """What waits, most urgent first; requests of whoever could read more than the reviewer are left out."""
        order = (desc(reviews.c.priority), reviews.c.at, reviews.c.id)
        with self._engine.connect() as connection:
            rows = connection.execute(select(reviews).where(reviews.c.done.is_(False)).order_by(*order)).all()
            chosen = (row for row in rows if reason is None or reason in row.reasons)
            found = (self._review(connection, row) for row in chosen)
            return [review for review, _ in zip(_readable(found, caller), range(limit), strict=False)]

    def read(self, review_id: str, caller: Caller) -> Review:
        """One review.

        Raises:
            NotFound: there is none, or not for this caller.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(reviews).where(reviews.c.id == review_id)).first()
            for review in _readable([self._review(connection, row)] if row else [], caller):
                return review
        raise NotFound(f"There is no review `{review_id[:40]}`.", "GET /v1/reviews lists them.")

    def judge(self, review_id: str, caller: Caller, said: Judgement, keep: Keep[Review] | None = None) -> Review:
        """Keep a reviewer's judgement; with as many as are wanted the review is done.

        Labels that it leaves out are right as the reply gave them.

        Raises:
            NotFound: see `read`.
            InvalidInput: a field or label that the domain does not define.
            Conflict: this reviewer has judged it.
        """
        self._check(said)
        review = self.read(review_id, caller)
        if any(one.reviewer == caller.key_id for one in review.judged):
            raise Conflict(*_JUDGED)
        given = {name: label["value"] for name, label in (review.record.reply["labels"] or {}).items()}
        full = Judgement(given | dict(said.labels), said.answer_right, self._scrub([said.comment])[0])
        row = {"review_id": review_id, "reviewer": caller.key_id, "at": now(), "labels": full.labels}
        with writing(self._engine) as tx:
            try:
                tx.execute(judgements.insert(), row | {"answer_right": full.answer_right, "comment": full.comment})
            except IntegrityError:
                raise Conflict(*_JUDGED) from None  # by the same key, at the same time
            done = _judgements(tx, review_id) >= review.wanted  # others may have judged since it was read
            tx.execute(update(reviews).where(reviews.c.id == review_id).values(done=done))
            after = self._review(tx, tx.execute(select(reviews).where(reviews.c.id == review_id)).one())
            if keep:
                keep(tx, after)
        return after

    def waiting(self) -> int:
        """How many are open."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).where(reviews.c.done.is_(False))) or 0

    def judged(self, caller: Caller) -> list[Review]:
        """Those that somebody judged, oldest first, as far as the caller may see them."""
        some = reviews.c.id.in_(select(judgements.c.review_id))
        with self._engine.connect() as connection:
            rows = connection.execute(select(reviews).where(some).order_by(reviews.c.at)).all()
            return list(_readable((self._review(connection, row) for row in rows), caller))

    def agreement(self, judged: Iterable[Review]) -> dict[str, Agreement]:
        """How far the first two reviewers of the same tickets agree, by field."""
        pairs = [
            (review.judged[0].judgement.labels, review.judged[1].judgement.labels)
            for review in judged
            if len(review.judged) > 1
        ]
        return agreement(pairs, self._domain.label_names, self._domain.ordinal)

    def rows(self, judged: Iterable[Review]) -> Iterator[dict[str, Any]]:
        """Judged tickets as rows of a data set, see `adapters/data/rows.py`; the newest judgement's labels count."""
        for review in judged:
            if set(review.judged[-1].judgement.labels) == set(self._domain.fields):
                yield _row(review)

    def _reasons(self, record: Record) -> Iterator[str]:
        reply = record.reply
        if reply["reason_code"] in _BY_REASON:
            yield reply["reason_code"]
        elif "composer_fell_back" in reply["flags"]:
            yield "unverified_claim"
        relied = [label["confidence"] for label in (reply["labels"] or {}).values() if not label["abstained"]]
        if relied and min(relied) < self._rules.unsure:
            yield "unsure_label"
        if share_of(f"sample {record.request_id}") < self._rules.sample:
            yield "sample"

    def _review(self, connection: Connection, row: Row[Any]) -> Review:
        own = select(judgements).where(judgements.c.review_id == row.id).order_by(judgements.c.at)
        judged = tuple(
            ReviewerJudgement(one.reviewer, one.at, Judgement(one.labels, one.answer_right, one.comment))
            for one in connection.execute(own)
        )
        record = self._journal.read(row.request_id, connection)
        return Review(row.id, row.at, tuple(row.reasons), row.priority, row.wanted, row.done, record, judged)

    def _check(self, said: Judgement) -> None:
        for name, value in said.labels.items():
            if name not in self._domain.fields:
                raise InvalidInput(f"labels: there is no field `{name[:40]}`.", "GET /v1/domain lists them.", "labels")
            if value not in self._domain.fields[name].labels:
                raise InvalidInput(f"{name}: there is no label `{value[:40]}`.", "GET /v1/domain lists them.", name)


def _judgements(tx: Connection, review_id: str) -> int:
    return tx.scalar(select(func.count()).where(judgements.c.review_id == review_id)) or 0


def _readable(found: Iterable[Review], caller: Caller) -> Iterator[Review]:
    """A reply may quote what its asker could read: nobody reviews it who could not have asked it."""
    for review in found:
        if review.record.audiences <= caller.audiences:
            yield review


def _row(review: Review) -> dict[str, Any]:
    request = review.record.request
    told = {"id": review.record.request_id, "group": review.record.request_id, "written_by": "customer"}
    words = {name: request[name] for name in ("subject", "body", "channel")}
    labels = {one.reviewer: dict(one.judgement.labels) for one in review.judged}
    thread = [message["text"] for message in request["thread"]]
    last = dict(review.judged[-1].judgement.labels)
    return told | words | {"thread": thread, "labels": last, "annotations": labels}
