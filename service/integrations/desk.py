"""The desk of the tools: takes their messages in, answers them in the background, and writes the replies back.

A tool waits five to ten seconds for its webhook to be taken, and the tool's own API may be down for hours; so the
message is kept first (`deliveries.py`), and one thread answers what is kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import structlog
from pydantic import ValidationError
from sqlalchemy import Engine

from domains.spec import Domain, FormfactError, InvalidInput, NotConfigured, Unavailable
from service.auth.keys import Caller, Forbidden, Keys, Unauthorized
from service.integrations.configured import not_set_up, tools_of
from service.integrations.deliveries import Deliveries, Delivery
from service.integrations.tool import NO_TEXT, Incoming, Tool, ToolBusy, Webhook, cut
from service.pipeline import Pipeline
from service.reply import Reply, RespondRequest
from service.settings import Settings
from service.ticket import Ticket, received

ROOM = 100  # messages that may wait
_FIRST_PUT_OFF, _LONGEST_PUT_OFF = 5.0, 900.0  # seconds; doubled from try to try
_TRIES = 12  # in a little more than an hour
_LOOK = 0.5  # seconds between two looks at the table
_DRAIN = 5.0  # seconds that a shutdown goes on answering; what is left then is answered after the next start

Taken = Literal["accepted", "duplicate", "ignored"]

log = structlog.get_logger()


class ToolDesk:
    """Answers what the support tools send, as the API key that is set for them.

    Args:
        engine: the database.
        domain: says which audiences everybody may read.
        keys: know who the tools' key is.
        pipeline: answers.
        settings: the tools and the key, see `configured.py`.
        put_off: seconds after which a delivery that failed is tried again, the first time.
        room: messages that may wait.

    Raises:
        NotConfigured: a tool is half set up, or unsafely.
    """

    def __init__(
        self,
        engine: Engine,
        domain: Domain,
        keys: Keys,
        pipeline: Pipeline,
        settings: Settings,
        put_off: float = _FIRST_PUT_OFF,
        room: int = ROOM,
    ) -> None:
        self._domain, self._keys, self._pipeline, self._settings = domain, keys, pipeline, settings
        self._put_off = put_off
        self._deliveries = Deliveries(engine, room)
        self._closing, self._wake = threading.Event(), threading.Event()
        self._tools: Mapping[str, Tool] = tools_of(settings, domain, self._closing.wait)
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """See that the tools' key exists and may do what is set.

        Raises:
            NotConfigured: it does not, or answers to customers could hold what not every customer may read.
        """
        if not self._tools:
            return
        try:
            caller = self._caller()
        except Forbidden as error:
            raise NotConfigured(error.detail, error.remedy) from None
        everyone = {a for a in self._domain.audiences if self._read_by_all(a)}
        if self._settings.chatwoot_public and not caller.audiences <= everyone:
            raise NotConfigured(
                "FORMFACT_CHATWOOT_PUBLIC: the key of FORMFACT_TOOLS_KEY reads what not everybody may read.",
                f"Name a key for {', '.join(sorted(everyone)) or 'an audience of all'}, or leave answers private.",
            )

    def start(self) -> None:
        """Begin to answer, first what an earlier process left."""
        if self._tools and self._thread is None:
            self._closing.clear()
            self._deliveries.resume(alone=self._settings.embedded)
            self._thread = threading.Thread(target=self._work, name="tools", daemon=True)
            self._thread.start()

    def take(self, tool: str, webhook: Webhook) -> Taken:
        """Take a webhook in. What is accepted is on disk and will be answered, whatever happens to this process.

        Raises:
            NotConfigured: nobody has set up this tool.
            Unauthorized: the tool did not send it, or not now.
            InvalidInput: it is not what the tool sends.
            Unavailable: too many messages wait.
        """
        if tool not in self._tools:
            raise not_set_up(tool)
        self._tools[tool].verify(webhook)
        incoming = self._tools[tool].incoming(_json(webhook.body))
        if incoming is None:
            return "ignored"
        if not self._deliveries.take(replace(incoming, ticket=received(incoming.ticket, self._pipeline.scrub).ticket)):
            return "duplicate"
        self._wake.set()
        return "accepted"

    def waiting(self) -> int:
        """Messages that wait for their reply."""
        return self._deliveries.count("waiting")

    def failed(self) -> int:
        """Messages that got no reply, as long as they are kept."""
        return self._deliveries.count("failed")

    def stop(self) -> None:
        """Answer what is due, then stop; what is not answered by then stays for the next start."""
        if self._thread is not None:
            self._closing.set()
            self._wake.set()
            self._thread.join(timeout=_DRAIN + 3.0)
            self._thread = None

    def close(self) -> None:
        """Stop, and let go of connections."""
        self.stop()
        for tool in self._tools.values():
            tool.close()

    def _work(self) -> None:
        ending = float("inf")
        while time.monotonic() < ending:
            if self._closing.is_set():
                ending = min(ending, time.monotonic() + _DRAIN)
            if self._one():
                continue
            if self._closing.is_set():
                return
            self._wake.wait(_LOOK)
            self._wake.clear()

    def _one(self) -> bool:
        """Answer one message; False where none is due."""
        try:
            delivery = self._deliveries.next()
            if delivery is not None:
                self._settle(delivery)
        except Exception as error:  # noqa: BLE001 -- a thread that dies would leave every later message unanswered
            log.error("tools_fault", kind=type(error).__name__)
            return False
        return delivery is not None

    def _settle(self, delivery: Delivery) -> None:
        """Answer one message and keep what became of it."""
        try:
            reply = self._answer(delivery.incoming)
        except Unavailable as error:
            self._again(delivery, error)
        except FormfactError as error:
            self._fail(delivery, error)
        except Exception as error:  # noqa: BLE001 -- a fault in answering one message is no reason to lose it
            self._again(delivery, Unavailable(type(error).__name__))
        else:
            self._deliveries.finish(delivery, "done")
            log.info("tool_delivered", **_told(delivery), request_id=reply.request_id, action=reply.action)

    def _again(self, delivery: Delivery, error: Unavailable) -> None:
        if delivery.attempts >= _TRIES:
            self._fail(delivery, error)
            return
        seconds = min(_LONGEST_PUT_OFF, self._put_off * 2 ** (delivery.attempts - 1))
        asked = error.seconds if isinstance(error, ToolBusy) else 0.0
        self._deliveries.put_off(delivery, max(seconds, asked), error.detail)
        log.warning("tool_unavailable", **_told(delivery))

    def _fail(self, delivery: Delivery, error: FormfactError) -> None:
        self._deliveries.finish(delivery, "failed", f"{type(error).__name__}: {error.detail}")
        log.warning("tool_delivery_failed", **_told(delivery), error=type(error).__name__)

    def _answer(self, incoming: Incoming) -> Reply:
        tool = self._tools.get(incoming.tool)
        if tool is None:
            raise Unavailable(f"{incoming.tool} is not set up any more.")
        caller = self._caller()
        ticket = cut(replace(incoming.ticket, thread=tool.thread(incoming)))
        reply = self._pipeline.respond(_request(incoming.conversation, ticket), caller)
        tool.deliver(incoming, reply)
        return reply

    def _caller(self) -> Caller:
        """The key as which tools are answered, read anew for each message: a revocation bites at once.

        Raises:
            Forbidden: it is unknown, revoked, expired, or may not respond.
        """
        refusal = "Make one by POST /v1/keys and set its `id`; not the secret `ff_…`."
        try:
            caller = self._keys.caller(self._settings.tools_key)
        except Unauthorized:
            raise Forbidden("FORMFACT_TOOLS_KEY names no valid key.", refusal) from None
        if "respond" not in caller.scopes:
            raise Forbidden("FORMFACT_TOOLS_KEY names a key without the scope `respond`.", refusal)
        return replace(caller, scopes=frozenset({"respond"}))  # no reply in a tool tells revision numbers

    def _read_by_all(self, audience: str) -> bool:
        return all(audience in self._domain.readable_by([other]) for other in self._domain.audiences)


def _told(delivery: Delivery) -> dict[str, Any]:
    return {"tool": delivery.incoming.tool, "message": delivery.incoming.key, "attempt": delivery.attempts}


def _request(conversation: str, told: Ticket) -> RespondRequest:
    ticket: dict[str, Any] = {"body": told.body, "subject": told.subject, "channel": told.channel, "id": conversation}
    ticket["thread"] = [{"from": m.sender, "text": m.text} for m in told.thread]
    asked: dict[str, Any] = {"ticket": ticket, "customer": dict(told.customer)}
    if told.body == NO_TEXT:  # neither labels nor facts say anything of what nobody can read: a hand-off
        asked |= {"labels": "never", "facts": "never"}
    try:
        return RespondRequest.model_validate(asked)
    except ValidationError:
        raise InvalidInput("The message holds nothing that can be answered.") from None


def _json(body: bytes) -> Any:
    try:
        # Lenient about line breaks within strings: a placeholder in a trigger's body may leave them.
        return json.loads(body, strict=False)
    except (ValueError, RecursionError):
        raise InvalidInput("The webhook's body is no JSON.", "Use the body in docs/support-tools.md.") from None
