"""Requests and replies as they stand on the wire (see `/docs` of a running service for the schema)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from domains.spec import Domain
from retrieval.timestamps import show_instant
from service.route import Action, Force, Mode, Options, Reason, Route
from service.ticket import Message, Ticket, own_part

if TYPE_CHECKING:
    from adapters.classifier import Labels
    from retrieval.evidence import Finding
    from service.compose import Citation, Draft


# A date, or an instant with its offset; see `retrieval.timestamps.parse_instant`.
_INSTANT: dict[str, Any] = {"anyOf": [{"format": "date"}, {"format": "date-time"}], "pattern": r"^[1-8]\d{3}-"}
InstantIn = Annotated[str, Field(min_length=1, max_length=40, json_schema_extra=_INSTANT)]


def characters(value: Any) -> Any:
    """Refuse half characters (lone surrogates) anywhere in a request: no answer could say them back."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        if isinstance(name, str):
            _character(name)
        characters(part)
    if isinstance(value, str):
        _character(value)
    return value


def _character(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a character (a lone surrogate) stands in it") from None


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 3.0 is whole, and neither `true` nor "3" is a number."""
    if isinstance(value, bool | str):
        raise ValueError("a whole number is needed")
    return value


WHOLE = BeforeValidator(_whole)
RevisionIn = Annotated[int, Field(ge=0), WHOLE]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_characters(cls, value: Any) -> Any:
        return characters(value)


class MessageIn(_Request):
    """An earlier message of the thread."""

    sender: Annotated[Literal["customer", "agent"], Field(alias="from")]
    text: Annotated[str, Field(max_length=50_000)]
    at: str | None = None


class TicketIn(_Request):
    """A ticket; only `body` is required."""

    body: Annotated[str, Field(min_length=1, max_length=50_000, json_schema_extra={"pattern": r"\S"})]
    subject: Annotated[str, Field(max_length=1000)] = ""
    channel: Annotated[str, Field(max_length=40)] = ""
    id: Annotated[str, Field(max_length=200)] = ""
    thread: Annotated[tuple[MessageIn, ...], Field(max_length=50)] = ()

    @field_validator("body")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("there is no text in it")
        return value


class TriageRequest(_Request):
    """Labels alone."""

    ticket: TicketIn


class RespondRequest(_Request):
    """A ticket to answer, and how."""

    ticket: TicketIn
    customer: Annotated[dict[str, str | None], Field(description="slot -> value, as in /v1/domain")] = {}
    audience: Annotated[
        str, Field(max_length=40, description="who will read the text; default: whoever the key reads for")
    ] = ""
    mode: Mode = "hybrid"
    as_of: Annotated[InstantIn | None, Field(description="date in the domain's zone, or instant; default: now")] = None
    revision: Annotated[RevisionIn | None, Field(description="what was known then; needs scope ingest or admin")] = None
    labels: Force = "auto"
    facts: Force = "auto"

    def as_ticket(self) -> Ticket:
        """The ticket as the pipeline reads it."""
        given = {k: v for k, v in self.customer.items() if v}
        thread = tuple(Message(m.sender, own_part(m.text)) for m in self.ticket.thread)
        return Ticket(own_part(self.ticket.body), self.ticket.subject, self.ticket.channel, thread, given)

    def options(self) -> Options:
        """What the router is told."""
        return Options(self.mode, self.labels, self.facts)


class SearchRequest(_Request):
    """A search for passages."""

    query: Annotated[str, Field(min_length=1, max_length=2000)]
    as_of: InstantIn | None = None
    revision: RevisionIn | None = None
    limit: Annotated[int, Field(ge=1, le=50), WHOLE] = 8


class AlternativeOut(BaseModel):
    """A label that was not chosen."""

    value: str
    confidence: float


class LabelOut(BaseModel):
    """The value of a field with its calibrated confidence, 0..1."""

    value: str
    confidence: float
    abstained: bool
    alternatives: list[AlternativeOut]


class RouteOut(BaseModel):
    """What was asked, and why."""

    labels: bool
    facts: bool
    format: str
    questions: list[str]
    reason: str


class ClaimOut(BaseModel):
    """A statement and the citations that it rests on."""

    text: str
    citations: list[int]


class AnswerOut(BaseModel):
    """The customer-ready text, with `[n]` where it cites."""

    format: str
    text: str
    claims: list[ClaimOut]
    dates: Annotated[list[str], Field(description="that the text names because the ticket asks about them")] = []


class CitationOut(BaseModel):
    """A verbatim quote with its place; `effective_to`: the stated end, or the start of a later version."""

    n: int
    doc_id: str
    version: int
    title: str
    quote: str
    start: int
    end: int
    effective_from: str
    effective_to: str | None
    url: str


class Provenance(BaseModel):
    """Everything that determined the reply. `catalog_revision` is an opaque token for callers who may not ingest."""

    adapters: dict[str, str]
    base_model: str
    dataset: str
    domain: str
    catalog_revision: int | str
    as_of: str
    composer: str


class Reply(BaseModel):
    """The reply to a ticket; see `docs/api.md`."""

    request_id: str
    mode: Mode
    route: RouteOut
    labels: dict[str, LabelOut] | None
    action: Action
    reason_code: Reason
    answer: AnswerOut
    citations: list[CitationOut]
    flags: list[str]
    provenance: Provenance
    timings_ms: dict[str, float]


class TriageReply(BaseModel):
    """Labels alone."""

    request_id: str
    labels: dict[str, LabelOut]
    provenance: dict[str, str]


class PassageOut(BaseModel):
    """A passage that was found."""

    doc_id: str
    version: int
    title: str
    heading: str
    text: str
    start: int
    end: int
    score: float
    effective_from: str
    effective_to: str | None


class SearchReply(BaseModel):
    """Passages, best first."""

    request_id: str
    passages: list[PassageOut]
    catalog_revision: int | str


def labels_out(labels: Labels) -> dict[str, LabelOut]:
    """Labels as they stand on the wire."""
    return {
        name: LabelOut(
            value=label.value,
            confidence=label.confidence,
            abstained=label.abstained,
            alternatives=[AlternativeOut(value=a.value, confidence=a.confidence) for a in label.alternatives],
        )
        for name, label in labels.items()
    }


def route_out(route: Route, form: str) -> RouteOut:
    """The route as it stands on the wire."""
    asked = [q.text for q in route.questions]
    return RouteOut(labels=route.labels, facts=route.facts, format=form, questions=asked, reason=route.reason)


def answer_out(draft: Draft) -> AnswerOut:
    """The answer as it stands on the wire."""
    claims = [ClaimOut(text=c.text, citations=list(c.citations)) for c in draft.claims]
    return AnswerOut(format=draft.format, text=draft.text, claims=claims, dates=list(draft.dates))


def citation_out(citation: Citation, end: datetime | None, domain: Domain) -> CitationOut:
    """A citation as it stands on the wire; `end`: when its version ceases to hold, as far as the caller may know."""
    version = citation.version
    return CitationOut(
        n=citation.n,
        doc_id=version.doc_id,
        version=version.version,
        title=version.title,
        quote=citation.quote,
        start=citation.start,
        end=citation.end,
        effective_from=show_instant(version.effective_from, domain.zone) or "",
        effective_to=show_instant(end, domain.zone),
        url=f"/v1/documents/{version.doc_id}/versions/{version.version}",
    )


def finding_log(finding: Finding) -> dict[str, Any]:
    """What the journal keeps of a finding: identifiers and scores, no words of a document."""
    return {
        "question": finding.question.text,
        "score": finding.score,
        "hits": [[h.version.doc_id, h.version.version, h.passage.ordinal, round(h.score, 6)] for h in finding.hits],
    }
