"""The ticket as it travels through the service: frozen, and free of personal data once it is past the door."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapters.data.rows import model_text
from adapters.scrub import Known, Scrubber, knows_none
from retrieval.own_words import plain_text, without_quoted
from retrieval.questions import Span
from retrieval.sentences import sentence_spans


@dataclass(frozen=True, slots=True)
class Message:
    """An earlier message of the thread; `sender` is `customer` or `agent`."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a customer wrote. `body` is what is asked now, `thread` what went before it."""

    body: str
    subject: str = ""
    channel: str = ""
    thread: tuple[Message, ...] = ()
    customer: Mapping[str, str] = field(default_factory=dict)  # slot -> value, as the support tool knows it

    @property
    def model_text(self) -> str:
        """What the classifier reads."""
        return model_text(self.subject, self.body, [m.text for m in self.thread])

    @property
    def alone(self) -> str:
        """The same without what was written before: whether a message only thanks does not depend on that."""
        return model_text(self.subject, self.body, [])

    @property
    def earlier(self) -> tuple[str, ...]:
        """The customer's own earlier messages."""
        return tuple(m.text for m in self.thread if m.sender == "customer")

    @property
    def record(self) -> str:
        """What the support tool knows of the customer, in words: `Plan: Team. Billing period: yearly.`."""
        known = {slot: value for slot, value in self.customer.items() if slot != "language"}
        return " ".join(f"{slot.replace('_', ' ').capitalize()}: {value}." for slot, value in known.items())

    @property
    def everything(self) -> str:
        """All words of the customer: what a number in a question or a slot may come from."""
        return "\n".join((self.subject, self.body, *self.earlier))


def own_part(message: str) -> str:
    """A message as plain text, without the earlier mail that it quotes and with no sentence twice."""
    own, _ = without_quoted(plain_text(message))
    seen: set[str] = set()
    kept = []
    last = 0
    for start, end in sentence_spans(own):
        if (sentence := own[start:end]) not in seen:
            kept.append(own[last:end])
        seen.add(sentence)
        last = end
    return "".join(kept).strip() or message


@dataclass(frozen=True, slots=True)
class Received:
    """A ticket past the door, and where it asks something: pieces of subject, body, and each message of the thread."""

    ticket: Ticket
    asks: tuple[tuple[Span, ...], ...]

    def questions(self, message: str) -> tuple[Span, ...]:
        """The pieces of a message of this ticket that ask."""
        ticket = self.ticket
        return self.asks[(ticket.subject, ticket.body, *(m.text for m in ticket.thread)).index(message)]


def received(ticket: Ticket, scrub: Scrubber, is_known: Known = knows_none) -> Received:
    """A ticket without personal data and without characters that no reader sees; see `adapters.scrub.Scrubber`."""
    texts = [ticket.subject, ticket.body, *(m.text for m in ticket.thread), *ticket.customer.values()]
    found = scrub.redacted([_visible(text).strip() for text in texts], is_known)
    subject, body, *more = (one.text for one in found)
    thread = tuple(replace(m, text=text) for m, text in zip(ticket.thread, more, strict=False))
    customer = dict(zip(ticket.customer, more[len(thread) :], strict=True))
    clean = replace(ticket, subject=subject, body=body, thread=thread, customer=customer)
    return Received(clean, tuple(one.asks for one in found[: 2 + len(thread)]))


def _visible(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", text) if c in "\n\t" or unicodedata.category(c)[0] != "C")
