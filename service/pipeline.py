"""The way of a ticket, from the door to the journal. Each step is a function that a reader can open."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial

import structlog
from opentelemetry import trace
from ulid import ULID

from adapters.active import Source
from adapters.classifier import Classifier, Labels
from adapters.message_tagger import MessageTagger
from adapters.scrub import PERSON, Scrubber
from adapters.shadow import Seen, Shadow
from domains.spec import Domain, InvalidInput, NotConfigured, Unavailable
from retrieval.catalog import Catalog
from retrieval.evidence import Evidence, Finding, Selector
from retrieval.injection import commands_in
from retrieval.question_dates import asked_about, leans_on_date
from retrieval.questions import Enquiry, Question, enquire
from retrieval.retriever import Hit, Retriever
from retrieval.slots import Slots, slots_in
from retrieval.timestamps import now, parse_instant, show_instant
from retrieval.versions import View
from service.auth.keys import Caller, Forbidden
from service.compose import Composer, Draft
from service.language import foreign
from service.monitoring.metrics import Metrics
from service.records.journal import Journal, Record
from service.records.reviews import Reviews
from service.reply import (
    CitationOut,
    PassageOut,
    Provenance,
    Reply,
    RespondRequest,
    SearchReply,
    SearchRequest,
    TriageReply,
    TriageRequest,
    answer_out,
    citation_out,
    finding_log,
    labels_out,
    route_out,
)
from service.route import Decision, Options, Route, decide, plan, wants_labels
from service.ticket import Received, Ticket, received
from service.verify import verify

_MOST_CHANGES = 8  # most recent version boundaries that are checked for another answer

Select = Callable[[View, Question], Finding]  # what answers a question in a view

log = structlog.get_logger()
tracer = trace.get_tracer("formfact")


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A request past the door: scrubbed, checked, and bound to an instant, a view and a classifier."""

    got: Received
    enquiry: Enquiry
    options: Options
    moment: datetime
    view: View
    sees_revisions: bool
    classifier: Classifier
    deadline: float = math.inf  # of time.monotonic()

    @property
    def ticket(self) -> Ticket:
        """The ticket, without personal data."""
        return self.got.ticket


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """A reply, and what it was made of."""

    asked: ParsedRequest
    reply: Reply
    labels: Labels | None
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Answers tickets. Holds no state of a request; safe to call from any thread."""

    domain: Domain
    catalog: Catalog
    retriever: Retriever
    selector: Selector
    tagger: MessageTagger
    labelling: Source
    shadow: Shadow
    extractive: Composer
    chat: Composer | None  # words the claims where a chat model is set
    prompted: Classifier | None  # labels in mode `prompt`, likewise
    journal: Journal
    reviews: Reviews
    metrics: Metrics

    @property
    def scrub(self) -> Scrubber:
        """Takes personal data out of texts."""
        return self.tagger.scrub

    def respond(self, request: RespondRequest, caller: Caller, deadline: float = math.inf) -> Reply:
        """One ticket to one verified reply, journalled.

        Args:
            request: the ticket and the options.
            caller: who asks.
            deadline: of `time.monotonic()`; no stage begins after it.

        Raises:
            InvalidInput: a date, a slot or a combination of options makes no sense.
            Forbidden: `revision` without the scope for it, or an audience for which the key does not read.
            NotConfigured: the mode needs a chat model and none is set.
            Unavailable: the deadline passed, or purges erased words of each of several tries.
        """
        caller = self._reading_for(request.audience, caller)
        asked = self._asked(request, caller, deadline)
        with tracer.start_as_current_span("respond"):
            answered = self.catalog.reading(
                lambda: self.catalog.view(caller.audiences, asked.moment, request.revision),
                lambda view: self.answer(replace(asked, view=view)),
                lambda made: self._record(request, made, caller),
            )
        self.metrics.replied(answered.reply)
        if answered.labels and asked.options.mode != "prompt":
            read = self.read_by(asked.ticket, asked.enquiry)
            self.shadow.see(Seen(read, asked.classifier.id, answered.labels, answered.reply.request_id))
        return answered.reply

    def answer(self, asked: ParsedRequest) -> PipelineResult:
        """The way from a scrubbed ticket to a verified reply; writes nothing."""
        ticket, options, clock = asked.ticket, asked.options, _Clock(asked.deadline)
        with clock("labels"):
            labels = self._labels(asked) if wants_labels(options) else None
        language = foreign(ticket.body, self.domain.languages)
        route = plan(ticket, asked.enquiry, labels, options, self.domain, language)
        with clock("retrieve"):
            evidence = self._search(asked, route) if route.facts else None
        made = self._composed(decide(route, labels, evidence, self.domain), evidence, ticket, clock)
        reply = self._reply(asked, route, labels, made, self._provenance(asked, made.composer), clock)
        return PipelineResult(asked, reply, labels, evidence)

    def triage(self, request: TriageRequest, caller: Caller) -> TriageReply:
        """Labels alone; nothing is searched and nothing is journalled."""
        got = received(RespondRequest(ticket=request.ticket).as_ticket(), self.scrub)
        ticket, read = got.ticket, self.read_by(got.ticket, self.enquiry(got))
        classifier = self.labelling.answering(caller.key_id, ticket.model_text)
        labels = classifier.label(read)
        self.shadow.see(Seen(read, classifier.id, labels))
        bound = {"adapter": classifier.id, "domain": self.domain.fingerprint}
        return TriageReply(request_id=str(ULID()), labels=labels_out(labels), provenance=bound)

    def search(self, request: SearchRequest, caller: Caller) -> SearchReply:
        """Passages alone, best first."""
        moment, _ = self.view(request.as_of, request.revision, caller)

        def read(view: View) -> tuple[View, tuple[Hit, ...]]:
            return view, self.retriever.search(view, request.query, limit=request.limit)

        view, hits = self.catalog.reading(lambda: self.catalog.view(caller.audiences, moment, request.revision), read)
        passages = [
            PassageOut(
                doc_id=h.version.doc_id,
                version=h.version.version,
                title=h.version.title,
                heading=h.passage.heading,
                text=h.passage.text,
                start=h.passage.start,
                end=h.passage.end,
                score=round(h.score, 4),
                effective_from=show_instant(h.version.effective_from, self.domain.zone) or "",
                effective_to=show_instant(h.version.effective_to, self.domain.zone),
            )
            for h in hits
        ]
        revision = view.revision if caller.sees_revisions else view.token
        return SearchReply(request_id=str(ULID()), passages=passages, catalog_revision=revision)

    def _checked(self, options: Options) -> Options:
        if options.mode == "prompt" and self.chat is None:
            raise NotConfigured(
                "mode: `prompt` needs a chat model and none is set.",
                "Set FORMFACT_LLM and start again, or use mode hybrid, tuned or rag.",
            )
        if options.mode in ("tuned", "prompt") and options.facts == "always":
            raise InvalidInput(
                f"facts: mode `{options.mode}` has none to ask.", "Use mode hybrid with facts: always.", "facts"
            )
        return options

    def _asked(self, request: RespondRequest, caller: Caller, deadline: float) -> ParsedRequest:
        """The request, checked, with everything that it fixes: instant, view, classifier."""
        options = self._checked(request.options())
        moment, view = self.view(request.as_of, request.revision, caller)
        got = received(request.as_ticket(), self.scrub, partial(self._knows, view))
        ticket = got.ticket
        self._check_customer(ticket, view)
        classifier = self._classifier(options, caller, ticket)
        enquiry = self.enquiry(got)
        return ParsedRequest(got, enquiry, options, moment, view, caller.sees_revisions, classifier, deadline)

    def _knows(self, view: View, kind: str, words: str) -> bool:
        """Whether what looks like personal data is a value of a slot, or a name that documents use.

        The words of a street and a town may all stand somewhere in the documents: that makes an address nobody's.
        """
        if words.casefold() in self.domain.slot_words:
            return True
        return kind == PERSON and self.retriever.lexical.knows(view, words)

    def enquiry(self, got: Received) -> Enquiry:
        """What a ticket asks."""
        ticket = got.ticket
        found = enquire(got.questions, ticket.subject, ticket.body, ticket.earlier, self.domain.closing)
        return replace(found, questions=tuple(replace(q, record=ticket.record) for q in found.questions))

    def _reading_for(self, audience: str, caller: Caller) -> Caller:
        """The caller with no more rights than whoever will read the text."""
        if not audience:
            return caller
        narrowed = self.domain.readable_by([audience])
        if audience not in self.domain.audiences or not narrowed <= caller.audiences:
            raise Forbidden(f"audience: this key does not read for `{audience}`.", "Name one of the key's, or none.")
        return replace(caller, audiences=narrowed)

    def _classifier(self, options: Options, caller: Caller, ticket: Ticket) -> Classifier:
        """What labels the ticket: in mode `prompt` the chat model, else what is live, or its canary."""
        if options.mode == "prompt" and self.prompted:
            return self.prompted
        return self.labelling.answering(caller.key_id, ticket.model_text)

    def _check_customer(self, ticket: Ticket, view: View) -> None:
        """Refuse unknown slots, and values that neither the domain nor a document names."""
        if unknown := sorted(set(ticket.customer) - {*self.domain.slots, "language"}):
            known = ", ".join([*self.domain.slots, "language"])
            raise InvalidInput(f"customer: {', '.join(unknown)[:100]} is not known.", f"Known: {known}.", "customer")
        for slot, value in ticket.customer.items():
            values = self.domain.slots[slot].values if slot in self.domain.slots else {}
            if values and not slots_in(value, self.domain) and not self.retriever.lexical.knows(view, value):
                known = ", ".join(values)
                raise InvalidInput(f"customer: {slot} `{value[:60]}` is not known.", f"Known: {known}.", "customer")

    def view(self, as_of: str | None, revision: int | None, caller: Caller) -> tuple[datetime, View]:
        """The instant that the request fixes, and what its caller may read then."""
        if revision is not None and not caller.sees_revisions:
            raise Forbidden("revision: this key may not ask by revision.", "Use a key with scope ingest or admin.")
        moment = parse_instant(as_of, self.domain.zone) if as_of else now()
        return moment, self.catalog.view(caller.audiences, moment, revision)

    def _labels(self, asked: ParsedRequest) -> Labels | None:
        """Labels of a ticket; None where a remote model does not answer, for that costs nobody a reply."""
        try:
            return asked.classifier.label(self.read_by(asked.ticket, asked.enquiry))
        except Unavailable as error:
            log.warning("labels_unavailable", classifier=asked.classifier.id, detail=error.detail)
            return None

    def read_by(self, ticket: Ticket, enquiry: Enquiry) -> str:
        """What a classifier reads of a ticket: of a message that only thanks no thread."""
        return ticket.alone if enquiry.closes else ticket.model_text

    def _search(self, asked: ParsedRequest, route: Route) -> Evidence:
        reader = self.selector.reader
        least = reader.sufficient_unlabelled if route.unlabelled else reader.sufficient
        select = partial(self.selector.select, given=self.given(asked.ticket), sufficient=least)
        return tuple(self._found(asked, question, select) for question in route.questions)

    def _found(self, asked: ParsedRequest, question: Question, select: Select) -> Finding:
        """What answers a question today, or at the time that it is about, where that is another answer."""
        period = asked_about(question, self.domain, asked.moment)
        if period is None:
            today = select(asked.view, question)
            leans = leans_on_date(question, self.domain)
            return self._at_unknown_time(asked, question, select, today) if leans else today
        whole, question = question, period.left_out_of(question)
        today = select(asked.view, question)
        found = [self._found_at(asked, question, select, moment) for moment in period.moments(self.domain.zone)]
        if all(then.said == today.said for then in found):
            return select(asked.view, whole)  # the words may have named no date
        if found[0].said != found[-1].said:
            return replace(found[0], units=(), conflict=(), period=period, unclear=True)
        return replace(found[0], period=period)

    def _found_at(self, asked: ParsedRequest, question: Question, select: Select, moment: datetime) -> Finding:
        view = self.catalog.view(asked.view.audiences, moment, asked.view.revision)
        found = select(view, question)
        self.catalog.confirm(view)
        return found

    def _at_unknown_time(self, asked: ParsedRequest, question: Question, select: Select, today: Finding) -> Finding:
        """Answer "What did it cost then?" when no date is understood: ask for the date if the answer ever changed."""
        timeline = self.catalog.timeline()
        changes = {b for unit in today.units for b in timeline.history(unit.version.doc_id).boundaries()}
        for moment in sorted(changes)[-_MOST_CHANGES:]:
            if self._found_at(asked, question, select, moment).said != today.said:
                return replace(today, units=(), unclear=True)
        return today

    def given(self, ticket: Ticket) -> Slots:
        """What ticket and customer context say of the slots; the ticket's own words come first."""
        known: dict[str, frozenset[str]] = {}
        for slot, value in ticket.customer.items():
            if slot in self.domain.slots:
                known |= slots_in(value, self.domain) or {slot: frozenset({value})}
        for said in (*ticket.earlier, f"{ticket.subject}\n{ticket.body}"):  # the newest value holds
            known |= slots_in(said, self.domain)
        return known

    def _composed(self, decision: Decision, evidence: Evidence | None, ticket: Ticket, clock: _Clock) -> _Composed:
        """The first draft that may leave, or a hand-off in its place."""
        composers = self._composers(decision)
        for composer in composers:
            try:
                with clock("compose"):
                    draft = composer.compose(decision, evidence)
            except Unavailable as error:
                log.warning("composer_unavailable", composer=composer.name, detail=error.detail)
                continue
            with clock("verify"):
                failures = verify(draft, self.catalog.text, "\n".join((ticket.everything, *draft.dates)))
            if not failures:
                return _Composed(decision, draft, composer.name, composer is not composers[0])
            log.warning("unverified_claim", composer=composer.name, failures=len(failures), format=draft.format)
        refused = Decision("handoff", "unverified_claim", "handoff")
        return _Composed(refused, self.extractive.compose(refused, None), self.extractive.name, len(composers) > 1)

    def _composers(self, decision: Decision) -> tuple[Composer, ...]:
        """In the order in which they are tried; a chat model words answers alone, and only where one is set."""
        if self.chat is None or decision.reason_code != "answered":
            return (self.extractive,)
        return (self.chat, self.extractive)

    def _reply(
        self,
        asked: ParsedRequest,
        route: Route,
        labels: Labels | None,
        made: _Composed,
        provenance: Provenance,
        clock: _Clock,
    ) -> Reply:
        flags = ["injection_suspected"] if commands_in(asked.ticket.everything) else []
        return Reply(
            request_id=str(ULID()),
            mode=asked.options.mode,
            route=route_out(route, made.decision.format),
            labels=None if labels is None else labels_out(labels),
            action=made.decision.action,
            reason_code=made.decision.reason_code,
            answer=answer_out(made.draft),
            citations=self._cited(made.draft, asked.view),
            flags=[*flags, "composer_fell_back"] if made.fell_back else flags,
            provenance=provenance,
            timings_ms=clock.told(),
        )

    def _cited(self, draft: Draft, view: View) -> list[CitationOut]:
        """The citations, each with the time at which its version ceases to hold, as far as the readers may know."""
        timeline = self.catalog.timeline()
        ends = (
            timeline.history(c.version.doc_id).end(c.version, view.revision, view.audiences) for c in draft.citations
        )
        return [citation_out(c, end, self.domain) for c, end in zip(draft.citations, ends, strict=True)]

    def _provenance(self, asked: ParsedRequest, composer: str) -> Provenance:
        view = asked.view
        return Provenance(
            adapters={
                "labels": asked.classifier.id,
                "evidence": self.selector.reader.fingerprint,
                "messages": self.tagger.name,
            },
            base_model=asked.classifier.base_model,
            dataset=asked.classifier.dataset,
            domain=self.domain.fingerprint,
            catalog_revision=view.revision if asked.sees_revisions else view.token,
            as_of=asked.moment.astimezone(self.domain.zone).isoformat(timespec="seconds"),
            composer=composer,
        )

    def _record(self, request: RespondRequest, answered: PipelineResult, caller: Caller) -> None:
        asked = answered.asked
        told = asdict(asked.ticket) | request.model_dump(
            include={"mode", "audience", "as_of", "revision", "labels", "facts"}
        )
        seen = None if answered.evidence is None else [finding_log(f) for f in answered.evidence]
        reply, labels = answered.reply, answered.labels
        record = Record(
            request_id=reply.request_id,
            at=now(),
            key_id=caller.key_id,
            request=told | {"evidence": seen, "asks": asked.got.asks},
            reply=reply.model_dump(mode="json"),
            outputs={
                "labels": None if labels is None else {name: asdict(label) for name, label in labels.items()},
                "moment": asked.moment.isoformat(),
                "revision": asked.view.revision,
                "audiences": sorted(caller.audiences),
                "sees_revisions": caller.sees_revisions,
            },
        )
        self.journal.record(record, within=lambda tx: self.reviews.consider(tx, record))


@dataclass(frozen=True, slots=True)
class _Composed:
    """What leaves: the decision, its draft, who composed it, and whether another was tried first."""

    decision: Decision
    draft: Draft
    composer: str
    fell_back: bool


@dataclass(slots=True)
class _Clock:
    """Times of the stages of one request, in milliseconds; a trace has a span for each."""

    deadline: float
    started: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        if time.monotonic() > self.deadline:
            raise Unavailable(f"The time for this request was over before `{stage}`.", "Try again, or allow more.")
        begun = time.perf_counter()
        try:
            with tracer.start_as_current_span(stage):
                yield
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + time.perf_counter() - begun

    def told(self) -> Mapping[str, float]:
        every = self.stages | {"total": time.perf_counter() - self.started}
        return {stage: round(seconds * 1000, 1) for stage, seconds in every.items()}
