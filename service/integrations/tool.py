"""What a support tool is to the rest of the service.

Knows nothing of HTTP frameworks, of the database or of any one tool.

Errors, beside those of `domains.spec`:

    FormfactError
    ├── Unauthorized (service.auth.keys)   the webhook is not signed, or not by the tool, or too long ago
    ├── Unavailable                   the tool does not take the reply now; the desk tries again later
    │   └── ToolBusy                  … and said for how long
    └── ToolRefused                   the tool refuses the reply for good
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from domains.spec import FormfactError, Unavailable
from service.reply import Reply
from service.ticket import Message, Ticket

# What `POST /v1/respond` takes of a ticket, see `service.reply.TicketIn`: a tool may send more.
_BODY, _SUBJECT, _CHANNEL, _THREAD = 50_000, 1000, 40, 50
_SLOT = 100  # characters of a slot's value

NO_TEXT = "(an attachment without text)"  # the body of a message that holds none: a person gets it


class ToolRefused(FormfactError):
    """The tool refuses what is sent to it; sending it again changes nothing."""


class ToolBusy(Unavailable):
    """The tool asked not to be called for `seconds`."""

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail, "It is called again by then.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request as it came in: `headers` by lower-case name, `token` of the address, if it holds one."""

    headers: Mapping[str, str]
    body: bytes
    token: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A customer's message that wants a reply.

    Attributes:
        tool: name of the tool.
        conversation: where the reply goes, in the tool's own terms: `35436`, or `1/42` for account and conversation.
        event: what makes this message one of its own in the conversation; a webhook sent twice has the same.
        asker: the tool's id of the customer, where it tells the customer's earlier messages from those of agents.
        ticket: the message, with subject, channel, and the customer context as far as the tool knows it.
    """

    tool: str
    conversation: str
    event: str
    asker: str
    ticket: Ticket

    @property
    def key(self) -> str:
        """Names this message in the table of deliveries, and in the note that answers it."""
        told = "\0".join((self.tool, self.conversation, self.event))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def stored(self) -> dict[str, Any]:
        """As JSON, for the table of deliveries."""
        return asdict(self) | {"ticket": asdict(self.ticket)}

    @classmethod
    def restored(cls, row: Mapping[str, Any]) -> Incoming:
        """The inverse of `stored`."""
        told = dict(row["ticket"])
        told["thread"] = tuple(Message(**m) for m in told["thread"])
        return cls(**{**row, "ticket": Ticket(**told)})


class Tool(Protocol):
    """A support tool: its webhooks come in, replies go back."""

    @property
    def name(self) -> str:
        """As in the address of its webhook, `/v1/tools/<name>`."""
        ...

    def verify(self, webhook: Webhook) -> None:
        """See that the tool sent this, and now.

        Raises:
            Unauthorized: the signature is missing or wrong, or older than five minutes.
        """
        ...

    def incoming(self, payload: Any) -> Incoming | None:
        """Read a webhook's JSON. None where it asks for no reply: messages of agents and bots, closed tickets.

        Raises:
            InvalidInput: it is not the JSON that the tool sends, or that `docs/support-tools.md` asks for.
        """
        ...

    def thread(self, incoming: Incoming) -> tuple[Message, ...]:
        """What customer and agents wrote before, oldest first; private notes are none of it.

        Raises:
            Unavailable: the tool does not answer now.
            ToolRefused: it never will.
        """
        ...

    def deliver(self, incoming: Incoming, reply: Reply) -> None:
        """Write labels and reply into the tool; a message that has its reply gets no second one.

        Raises:
            Unavailable: the tool does not take it now.
            ToolRefused: it never will.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def cut(ticket: Ticket) -> Ticket:
    """A ticket that `POST /v1/respond` would take: what a tool sends beyond its limits is left out."""
    return replace(
        ticket,
        body=ticket.body[:_BODY],
        subject=ticket.subject[:_SUBJECT],
        channel=ticket.channel[:_CHANNEL],
        thread=tuple(replace(m, text=m.text[:_BODY]) for m in ticket.thread[-_THREAD:]),
    )


def customer_of(slots: frozenset[str], *sources: Any) -> dict[str, str]:
    """The slots among a tool's custom fields, by their names; the first source that has one counts."""
    found: dict[str, str] = {}
    for source in sources:
        if isinstance(source, Mapping):
            told = {k: v.strip()[:_SLOT] for k, v in source.items() if k in slots and isinstance(v, str) and v.strip()}
            found = told | found
    return found


def whole(value: object) -> str | None:
    """An id that a tool sent, as text; None where it is no whole number and so may stand in no address."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if re.fullmatch(r"[0-9]{1,20}", text) else None


def fields_of(payload: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one in the place of anything else."""
    return payload if isinstance(payload, dict) else {}
