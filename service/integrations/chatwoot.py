"""Chatwoot: a message's webhook comes in; labels, a private note and, where that is set, the answer go back.

Sources, at developers.chatwoot.com: "Webhooks" (events), "Messages", "Conversation Labels", "Toggle Status". Setting
labels replaces those that are there, so they are read first; Chatwoot keeps only labels that the account has defined.
`X-Chatwoot-Signature: sha256=…` over `timestamp.body` came in 2026 (chatwoot/chatwoot, pull request 13573 for webhooks,
13892 for agent bots).
"""

from __future__ import annotations

from typing import Any, Literal

from domains.spec import InvalidInput
from service.integrations import note
from service.integrations.client import Api
from service.integrations.signature import WALL, Clock, as_hex, check_age, from_seconds, same, wrong
from service.integrations.tool import NO_TEXT, Incoming, Webhook, customer_of, cut, fields_of, whole
from service.reply import Reply
from service.ticket import Message, Ticket

SIGNATURE, TIMESTAMP = "X-Chatwoot-Signature", "X-Chatwoot-Timestamp"

_INCOMING, _OUTGOING = 0, 1  # `message_type` in the API; webhooks spell it out


class Chatwoot:
    """Chatwoot, as an agent bot or an account's webhook.

    Args:
        api: its HTTP API, authenticated by the access token of an agent.
        secret: the webhook's secret.
        slots: names of the customer context, see `domains.spec.Domain.slots`.
        public: send answers to the customer where nobody has taken the conversation; else every reply is a note.
        clock: the time.
    """

    name = "chatwoot"

    def __init__(self, api: Api, secret: str, slots: frozenset[str], public: bool, clock: Clock = WALL) -> None:
        self._api, self._secret, self._slots, self._public, self._clock = api, secret, slots, public, clock

    def verify(self, webhook: Webhook) -> None:
        """See `Tool`. A Chatwoot that does not sign yet shows the secret as `?token=` of the address."""
        stamp, sent = (webhook.headers.get(name.lower(), "") for name in (TIMESTAMP, SIGNATURE))
        if not sent and webhook.token:
            if not same(self._secret, webhook.token):
                raise wrong(self.name)
            return
        if not same(f"sha256={as_hex(self._secret, stamp.encode() + b'.' + webhook.body)}", sent):
            raise wrong(self.name)
        check_age(from_seconds(stamp), self._clock)

    def incoming(self, payload: Any) -> Incoming | None:
        """See `Tool`. None for all but a customer's new message."""
        told = fields_of(payload)
        if told.get("event") != "message_created" or told.get("message_type") != "incoming" or told.get("private"):
            return None
        conversation, sender = fields_of(told.get("conversation")), fields_of(told.get("sender"))
        ids = (
            whole(fields_of(told.get("account")).get("id")),
            whole(conversation.get("id")),
            whole(told.get("id")),
        )
        if None in ids:
            raise InvalidInput(
                "account.id, conversation.id and id: the webhook lacks one.", "Send Chatwoot's own webhook here."
            )
        body = str(told.get("content") or "").strip() or (NO_TEXT if told.get("attachments") else "")
        if conversation.get("status") == "resolved" or not body:
            return None
        customer = customer_of(self._slots, conversation.get("custom_attributes"), sender.get("custom_attributes"))
        subject = str(fields_of(conversation.get("additional_attributes")).get("mail_subject") or "")
        channel = str(conversation.get("channel") or "").removeprefix("Channel::").lower()
        asked = Ticket(body=body, subject=subject, channel=channel, customer=customer)
        return Incoming(self.name, f"{ids[0]}/{ids[1]}", str(ids[2]), "", cut(asked))

    def thread(self, incoming: Incoming) -> tuple[Message, ...]:
        """See `Tool`: the twenty messages before, which is what Chatwoot lists."""
        before = [m for m in self._messages(incoming, "before") if _id(m) < int(incoming.event) and _said(m)]
        return tuple(
            Message("customer" if m["message_type"] == _INCOMING else "agent", str(m["content"])) for m in before
        )

    def deliver(self, incoming: Incoming, reply: Reply) -> None:
        """See `Tool`. The answer goes to the customer only while the conversation waits for a bot (`pending`)."""
        self._labelled(incoming, reply)
        messages = [m for m in self._messages(incoming, "after") if _id(m) > int(incoming.event)]
        pending = fields_of(self._api.read(_path(incoming))).get("status") == "pending"
        answers = self._public and pending and reply.action == "answer"
        # Whoever answered since, an agent or an earlier try of this delivery: nobody is answered twice.
        if answers and not any(_said(m) and m["message_type"] == _OUTGOING for m in messages):
            self._say(incoming, note.escaped(reply.answer.text), private=False)
        if not any(note.marker(incoming.key) in str(m.get("content")) for m in messages):
            self._say(incoming, note.as_markdown(note.note(reply, incoming.key)), private=True)
        if pending and not answers:
            self._api.write("POST", f"{_path(incoming)}/toggle_status", {"status": "open"})

    def close(self) -> None:
        """See `Tool`."""
        self._api.close()

    def _say(self, incoming: Incoming, content: str, private: bool) -> None:
        body = {"content": content, "message_type": "outgoing", "private": private, "content_type": "text"}
        self._api.write_once("POST", f"{_path(incoming)}/messages", body)

    def _messages(self, incoming: Incoming, side: Literal["before", "after"]) -> list[dict[str, Any]]:
        found = fields_of(self._api.read(f"{_path(incoming)}/messages", {side: incoming.event})).get("payload") or []
        return sorted((m for m in found if isinstance(m, dict)), key=_id)

    def _labelled(self, incoming: Incoming, reply: Reply) -> None:
        path = f"{_path(incoming)}/labels"
        present = frozenset(map(str, fields_of(self._api.read(path)).get("payload") or ()))
        wanted = (present - note.stale(present, reply)) | note.tags_of(reply)
        if wanted != present:
            self._api.write("POST", path, {"labels": sorted(wanted)})


def _id(message: dict[str, Any]) -> int:
    return int(whole(message.get("id")) or 0)


def _said(message: dict[str, Any]) -> bool:
    """Did the customer see it? Private notes and what Chatwoot tells of itself are not said."""
    spoken = message.get("message_type") in (_INCOMING, _OUTGOING)
    return spoken and not message.get("private") and bool(message.get("content"))


def _path(incoming: Incoming) -> str:
    account, conversation = incoming.conversation.split("/")
    return f"/api/v1/accounts/{account}/conversations/{conversation}"
