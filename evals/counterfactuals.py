"""Counterfactual cases: the same ticket under changed circumstances, its right answers computed from a table of facts.

A variant fixes the date, who asks, what the customer's record says, and what was published meanwhile. A ticket passes
when it is right in all its variants (pass^k): an answer that never changes cannot. There is no judge, and any
system can be asked that publishes, retracts and answers (`System`).

    domains/support/counterfactuals/facts.jsonl (shortened)
    {"id": "trial-length", "docs": ["trial-terms"], "audience": "public", "slots": [],
     "values": [{"from": "2025-01-01", "until": "2026-02-01", "when": {}, "value": "14 days"}, …]}

    domains/support/counterfactuals/tickets.jsonl
    {"id": "A-007", "fact": "trial-length", "says": {}, "subject": "", "body": "how long can i try it"}
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, Protocol

from pydantic import Field

from domains.spec import Domain, Frozen, InvalidInput
from evals.cases import records
from evals.score import Said, holds
from evals.synthetic_notices import Notice, Notices
from ingest.drafting import Submission
from service.cli.protocol import Desk
from service.reply import RespondRequest, TicketIn
from service.route import Mode

Kind = Literal["date", "record", "before", "audience", "conflict", "hidden", "retracted"]
TODAY = date(2026, 11, 20)  # of the shipped domain's story: the date at which notices are published
_MOST_RECORDS = 3  # customers a date
_EARLIER = timedelta(days=30)


class Value(Frozen):
    """What a fact is from a day on, until another (exclusive), in some circumstances."""

    since: date = Field(alias="from")
    until: date | None = None
    when: dict[str, str] = {}
    value: str

    def holds_on(self, day: date) -> bool:
        """Is the day among its days?"""
        return self.since <= day and (self.until is None or day < self.until)


class TimedFact(Frozen):
    """One thing that documents state, with all its values."""

    id: str
    docs: tuple[str, ...]
    audience: str
    slots: tuple[str, ...] = ()
    values: tuple[Value, ...]


class Asking(Frozen):
    """A ticket that asks for one fact; `says`: the slots that its own words name."""

    id: str
    fact: str
    says: dict[str, str] = {}
    subject: str = ""
    body: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A ticket somewhere: `right` is to be stated (None: nothing is), `wrong` is not."""

    ticket: Asking
    fact: TimedFact
    kind: Kind
    as_of: date
    audience: str
    customer: Mapping[str, str]
    right: str | None
    wrong: tuple[str, ...]
    notice: Notice | None = None

    def passes(self, said: Said) -> bool:
        """Is it right here?"""
        if self.kind == "conflict" and self.right and self.notice:
            both = holds(said.text, self.right) and holds(said.text, self.notice.value)
            return said.action == "handoff" or both
        if any(holds(said.text, value) for value in self.wrong):
            return False
        return self.right is None or (said.action == "answer" and holds(said.text, self.right))


class System(Protocol):
    """What is asked: four things that any system of answers from documents can do, over whatever wire."""

    def publish(self, submission: Submission) -> object: ...
    def retract(self, doc_id: str, at: str | None) -> object: ...
    def purge(self, doc_id: str, version: int | None) -> object: ...
    def ask(self, variant: Counterfactual) -> Said: ...


@dataclass(frozen=True, slots=True)
class AtDesk:
    """Formfact itself, in this process or over HTTP."""

    desk: Desk
    mode: Mode

    def publish(self, submission: Submission) -> object:
        return self.desk.publish(submission)

    def retract(self, doc_id: str, at: str | None) -> object:
        return self.desk.retract(doc_id, at)

    def purge(self, doc_id: str, version: int | None) -> object:
        return self.desk.purge(doc_id, version)

    def ask(self, variant: Counterfactual) -> Said:
        asked = variant.ticket
        ticket = TicketIn(subject=asked.subject, body=asked.body, channel=asked.channel)
        request = RespondRequest(
            ticket=ticket, customer=dict(variant.customer), mode=self.mode, as_of=variant.as_of.isoformat()
        )
        try:
            return Said.by_reply(self.desk.respond(request, [variant.audience]))
        except InvalidInput:  # the record names a plan that nobody has heard of on that day: nothing is said
            return Said("handoff", "", (), 0, {})


def load(domain: Domain) -> tuple[dict[str, TimedFact], tuple[Asking, ...]]:
    """Facts by their id, and tickets.

    Raises:
        InvalidInput: a file is missing, a line is wrong, or a ticket asks for no fact that is there.
    """
    folder = domain.folder / "counterfactuals"
    facts = {fact.id: fact for fact in records(folder / "facts.jsonl", TimedFact, "evals/counterfactuals.py")}
    tickets = tuple(records(folder / "tickets.jsonl", Asking, "evals/counterfactuals.py"))
    for ticket in tickets:
        if ticket.fact not in facts:
            raise InvalidInput(f"{ticket.id}: there is no fact `{ticket.fact}`.", "See facts.jsonl.")
    return facts, tickets


def counterfactuals(domain: Domain, limit: int | None = None) -> list[Counterfactual]:
    """All variants of a domain, or of so many of its tickets, spread over the facts.

    Raises:
        InvalidInput: see `load`.
    """
    facts, tickets = load(domain)
    notices = Notices(domain, TODAY)

    def notice_of(fact: TimedFact, value: Value) -> Notice | None:
        return notices.against(fact.id, fact.docs, value.value, value.when, fact.audience)

    chosen = tickets if limit is None else tickets[:: max(1, len(tickets) // limit)][:limit]
    return [w for t in chosen for w in variants_of(t, facts[t.fact], _outsider(domain, facts[t.fact]), notice_of)]


def variants_of(
    ticket: Asking, fact: TimedFact, outsider: str | None, notice_of: Callable[[TimedFact, Value], Notice | None]
) -> Iterator[Counterfactual]:
    """All variants of a ticket.

    Args:
        ticket: what is asked.
        fact: what it asks for.
        outsider: an audience that may not read the fact; None: everybody may.
        notice_of: a notice that states another value in place of one, or None where none can be made.
    """
    fitting = [v for v in fact.values if ticket.says.items() <= v.when.items()]
    starts = sorted({v.since for v in fitting})
    for day in (_within(start, fact) for start in starts):
        for value in _drawn([v for v in fitting if v.holds_on(day)], ticket.id):
            kind: Kind = "date" if len(starts) > 1 else "record"
            yield _known(ticket, fact, kind, day, value)
    now = [v for v in fitting if v.holds_on(TODAY)]
    said = tuple({v.value for v in fitting})
    if starts:
        yield Counterfactual(ticket, fact, "before", starts[0] - _EARLIER, fact.audience, ticket.says, None, said)
    for value in _drawn(now, ticket.id)[:1]:
        here = _known(ticket, fact, "record", TODAY, value)
        if outsider:
            yield Counterfactual(ticket, fact, "audience", TODAY, outsider, here.customer, None, (value.value,))
        yield Counterfactual(ticket, fact, "retracted", TODAY, fact.audience, here.customer, None, (value.value,))
        if notice := notice_of(fact, value):
            yield Counterfactual(ticket, fact, "conflict", TODAY, fact.audience, here.customer, value.value, (), notice)
            if fact.audience == "public":
                wrong = (*here.wrong, notice.value)
                yield Counterfactual(
                    ticket, fact, "hidden", TODAY, fact.audience, here.customer, value.value, wrong, notice
                )


def asked_of(
    system: System,
    variants: Sequence[Counterfactual],
    track: Callable[[Sequence[Counterfactual]], Iterator[Counterfactual]],
) -> Iterator[tuple[Counterfactual, Said]]:
    """Ask a system in all variants: as things stand, with notices published and taken back, last with retractions."""
    order: list[Kind] = ["date", "record", "before", "audience", "conflict", "hidden", "retracted"]
    ranked = sorted(
        variants, key=lambda w: (order.index(w.kind), w.fact.docs if w.kind == "retracted" else (), w.fact.id)
    )
    current: Notice | None = None
    gone: set[str] = set()
    for variant in track(ranked):
        notice = variant.notice.to(variant.kind) if variant.notice else None
        if notice != current:
            if current:
                system.purge(current.doc_id, None)
            if notice:
                system.publish(notice.submission())
            current = notice
        if variant.kind == "retracted":
            for doc in set(variant.fact.docs) - gone:
                system.retract(doc, TODAY.isoformat())
            gone |= set(variant.fact.docs)
        yield variant, system.ask(variant)


def _outsider(domain: Domain, fact: TimedFact) -> str | None:
    """An audience that may not read a fact, if there is one."""
    return next((name for name in domain.audiences if fact.audience not in domain.readable_by([name])), None)


def _known(ticket: Asking, fact: TimedFact, kind: Kind, day: date, value: Value) -> Counterfactual:
    """A variant in which the fact is known: wrong is what it was or will be for the same customer."""
    customer = {**value.when, **ticket.says}
    other = {v.value for v in fact.values if v.when == value.when and not v.holds_on(day)}
    return Counterfactual(
        ticket, fact, kind, day, fact.audience, customer, value.value, tuple(sorted(other - {value.value}))
    )


def _within(start: date, fact: TimedFact) -> date:
    """A day inside the time that begins then: its middle, or a month on where it has no end."""
    ends = sorted(d for v in fact.values for d in (v.since, v.until) if d and d > start)
    return start + ((ends[0] - start) / 2 if ends else _EARLIER)


def _drawn(values: Sequence[Value], seed: str) -> list[Value]:
    """At most three, always the same ones for the same ticket."""
    draw = random.Random(seed)  # noqa: S311 -- no secret depends on it
    return draw.sample(list(values), min(_MOST_RECORDS, len(values)))
