"""Zendesk: a trigger's webhook comes in; tags and a private comment go back.

Sources, at developer.zendesk.com: "Verifying webhook authenticity" (signature), "Ticketing: Tickets", "Ticket
Comments", "Tags", and "Adding tags to tickets without overwriting existing tags". The last says that `tags` of Update
Ticket replace what is there, and that `additional_tags` work in bulk updates alone, whose outcome is a job to ask for;
so tags are added and removed by `/tags`, in a safe update that a change by somebody else stops (409).

The body of the webhook is the trigger's own JSON, see `docs/support-tools.md`:

    {"ticket_id": "{{ticket.id}}", "updated_at": "{{ticket.updated_at_with_timestamp}}", "status": "{{ticket.status}}",
     "title": "{{ticket.title}}", "comment": "{{ticket.latest_public_comment}}", "channel": "{{ticket.via}}",
     "author_id": "{{current_user.id}}", "requester_id": "{{ticket.requester.id}}"}
"""

from __future__ import annotations

import hashlib
from typing import Any

from domains.spec import InvalidInput, Unavailable
from service.integrations import note
from service.integrations.client import Api
from service.integrations.signature import WALL, Clock, as_base64, check_age, from_iso, same, wrong
from service.integrations.tool import Incoming, Webhook, customer_of, cut, fields_of, whole
from service.reply import Reply
from service.ticket import Message, Ticket

SIGNATURE, TIMESTAMP = "X-Zendesk-Webhook-Signature", "X-Zendesk-Webhook-Signature-Timestamp"

_ROUNDS = 5  # of reading tags and changing them, while somebody else changes the ticket too


class Zendesk:
    """Zendesk Support.

    Args:
        api: its HTTP API, authenticated by an API token.
        secret: the webhook's signing secret.
        slots: names of the customer context, see `domains.spec.Domain.slots`.
        clock: the time.
    """

    name = "zendesk"

    def __init__(self, api: Api, secret: str, slots: frozenset[str], clock: Clock = WALL) -> None:
        self._api, self._secret, self._slots, self._clock = api, secret, slots, clock

    def verify(self, webhook: Webhook) -> None:
        """See `Tool`: base64(HMAC-SHA256(secret, timestamp + body))."""
        stamp = webhook.headers.get(TIMESTAMP.lower(), "")
        expected = as_base64(self._secret, stamp.encode() + webhook.body)
        if not same(expected, webhook.headers.get(SIGNATURE.lower(), "")):
            raise wrong(self.name)
        check_age(from_iso(stamp), self._clock)

    def incoming(self, payload: Any) -> Incoming | None:
        """See `Tool`. None unless the ticket's requester wrote: what agents and this service write answers nobody."""
        told = fields_of(payload)
        ticket, requester = whole(told.get("ticket_id")), whole(told.get("requester_id"))
        if ticket is None or requester is None:
            raise InvalidInput(
                "ticket_id and requester_id: the webhook holds none.", "Use the body in docs/support-tools.md."
            )
        comment, status = str(told.get("comment") or "").strip(), str(told.get("status") or "").lower()
        if whole(told.get("author_id")) != requester or status == "closed" or not comment:
            return None
        # Zendesk has no placeholder for a comment's id; the minute alone would join two comments of one minute.
        event = hashlib.sha256(f"{told.get('updated_at')}\0{comment}".encode()).hexdigest()[:32]
        customer = customer_of(self._slots, told.get("customer"))
        subject, channel = str(told.get("title") or ""), str(told.get("channel") or "").lower()
        asked = Ticket(body=comment, subject=subject, channel=channel, customer=customer)
        return Incoming(self.name, ticket, event, requester, cut(asked))

    def thread(self, incoming: Incoming) -> tuple[Message, ...]:
        """See `Tool`: the public comments before the customer's last one."""
        public = [c for c in self._comments(incoming) if c.get("public") and c.get("plain_body")]
        authors = [whole(c.get("author_id")) == incoming.asker for c in public]
        last = len(authors) - 1 - authors[::-1].index(True) if True in authors else 0
        return tuple(
            Message("customer" if asked else "agent", str(c["plain_body"]))
            for c, asked in zip(public[:last], authors[:last], strict=True)
        )

    def deliver(self, incoming: Incoming, reply: Reply) -> None:
        """See `Tool`. A ticket that was closed meanwhile cannot be changed any more, and is left alone."""
        if not self._tagged(incoming, reply):
            return
        told = note.marker(incoming.key)
        if any(told in f"{c.get('body')} {c.get('html_body')}" for c in self._comments(incoming)):
            return  # an earlier try wrote it, and did not live to see the answer
        comment = {"html_body": note.as_html(note.note(reply, incoming.key)), "public": False}
        self._api.write_once("PUT", f"{_path(incoming)}.json", {"ticket": {"comment": comment}})

    def close(self) -> None:
        """See `Tool`."""
        self._api.close()

    def _comments(self, incoming: Incoming) -> list[dict[str, Any]]:
        """The newest hundred comments, oldest first."""
        asked = {"sort": "-created_at", "page[size]": "100"}
        found = fields_of(self._api.read(f"{_path(incoming)}/comments.json", asked)).get("comments") or []
        return [c for c in reversed(found) if isinstance(c, dict)]

    def _tagged(self, incoming: Incoming, reply: Reply) -> bool:
        """Bring the ticket's tags in line with the labels. False where the ticket is closed."""
        for _ in range(_ROUNDS):
            ticket = fields_of(fields_of(self._api.read(f"{_path(incoming)}.json")).get("ticket"))
            if ticket.get("status") == "closed":
                return False
            present = frozenset(map(str, ticket.get("tags") or ()))
            old, new = note.stale(present, reply), note.tags_of(reply) - present
            if not old and not new:
                return True
            method, tags = ("DELETE", old) if old else ("PUT", new)
            body = {"tags": sorted(tags), "updated_stamp": ticket.get("updated_at"), "safe_update": "true"}
            self._api.write(method, f"{_path(incoming)}/tags.json", body, allow=409)
        raise Unavailable("zendesk: somebody else keeps changing the ticket.", "It is tried again.")


def _path(incoming: Incoming) -> str:
    return f"/api/v2/tickets/{incoming.conversation}"
