"""The ticket as it travels through the service: frozen, and free of personal data once it is past the door."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapters.data.rows import model_text
from adapters.scrub import scrub as scrub_text


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
    def earlier(self) -> tuple[str, ...]:
        """The customer's own earlier messages."""
        return tuple(m.text for m in self.thread if m.sender == "customer")

    @property
    def everything(self) -> str:
        """All words of the customer: what a number in a question or a slot may come from."""
        return "\n".join((self.subject, self.body, *self.earlier))


def scrub(ticket: Ticket) -> Ticket:
    """The ticket without personal data and without characters that no reader sees."""
    return replace(
        ticket,
        subject=_clean(ticket.subject),
        body=_clean(ticket.body),
        thread=tuple(replace(m, text=_clean(m.text)) for m in ticket.thread),
    )


def _clean(text: str) -> str:
    visible = "".join(c for c in unicodedata.normalize("NFC", text) if c in "\n\t" or unicodedata.category(c)[0] != "C")
    return scrub_text(visible).strip()
