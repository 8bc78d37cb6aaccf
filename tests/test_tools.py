"""Support tools: webhooks in, tags and private notes out, with the real pipeline and servers that stand in for the tools."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from domains.spec import NotConfigured
from retrieval.timestamps import now
from service.api.app import create_app
from service.auth.keys import Unauthorized, Wanted
from service.db.tables import deliveries
from service.integrations import note
from service.integrations.deliveries import Deliveries
from service.integrations.desk import ToolDesk
from service.integrations.signature import as_base64, as_hex
from service.integrations.tool import Webhook
from service.reply import RespondRequest
from service.settings import Settings
from tests.callers import PRICE
from tests.tool_servers import HANG_UP, Chatwoot, Zendesk

ROOT = Path(__file__).parents[1]
ZENDESK_SECRET, CHATWOOT_SECRET = "zendesk-signing-secret-0001", "chatwoot-signing-secret-0001"


@pytest.fixture
def zendesk():
    server = Zendesk()
    yield server
    server.close()


@pytest.fixture
def chatwoot(services):
    fields = services.domain.fields.items()
    server = Chatwoot({"vip"} | {f"ff_{name}_{label}".lower() for name, field in fields for label in field.names})
    yield server
    server.close()


def key_for(services, *audiences, scopes=("respond",)):
    with services.engine.begin() as tx:
        return services.keys.create(Wanted("tools", tuple(scopes), tuple(audiences or ("public",))), "test", tx)[0].id


@pytest.fixture
def settings(services, zendesk, chatwoot):
    """Both tools, and a key that reads what is public."""
    return services.settings.model_copy(
        update=Settings(
            zendesk_url=zendesk.url,
            zendesk_email=zendesk.EMAIL,
            zendesk_token=zendesk.TOKEN,
            zendesk_secret=ZENDESK_SECRET,
            chatwoot_url=chatwoot.url,
            chatwoot_token=chatwoot.TOKEN,
            chatwoot_secret=CHATWOOT_SECRET,
            tools_key=key_for(services),
        ).model_dump(exclude_unset=True)
    )


@pytest.fixture
def desk_of(services):
    """Makes desks, which are closed and whose deliveries are forgotten at the end of the test."""
    made = []

    def make(settings, **options):
        desk = ToolDesk(
            services.engine, services.domain, services.keys, services.pipeline, settings, **{"put_off": 0.05, **options}
        )
        made.append(desk)
        return desk

    yield make
    for desk in made:
        desk.close()
    with services.engine.begin() as tx:
        tx.execute(delete(deliveries))


@pytest.fixture
def serve(services, desk_of):
    """Makes a client of an application with tools; while it is open, what is taken in is answered."""
    opened = []

    def make(settings, **options):
        app = create_app(replace(services, settings=settings, tools=desk_of(settings, **options)))
        client = TestClient(app, raise_server_exceptions=False)
        opened.append(client)
        return client.__enter__()

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def event(ticket=35, comment=PRICE, **changes):
    told = {"ticket_id": str(ticket), "updated_at": "2026-11-21T09:30Z", "status": "Open", "title": "A question"}
    told |= {"comment": comment, "channel": "Web Form", "author_id": "7", "requester_id": "7"}
    return told | changes


def message(number, message_id, content=PRICE, **changes):
    """A webhook as Chatwoot sends it, shortened to what is documented and read."""
    told = {"event": "message_created", "id": message_id, "content": content, "message_type": "incoming"}
    told |= {"private": False, "content_type": "text", "account": {"id": 1, "name": "Larkspur"}}
    conversation = {"id": number, "status": "pending", "channel": "Channel::WebWidget", "custom_attributes": {}}
    sender = {"id": 3, "type": "contact", "custom_attributes": {"plan": "Team", "shoe_size": "44"}}
    return told | {"conversation": conversation, "sender": sender} | changes


def sent(client, tool, payload, stamp=None, secret=None, headers=None, raw=None):
    body = json.dumps(payload).encode() if raw is None else raw
    if tool == "zendesk":
        stamp = stamp or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signature = as_base64(secret or ZENDESK_SECRET, stamp.encode() + body)
        signed = {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}
    else:
        stamp = stamp or str(int(time.time()))
        signature = as_hex(secret or CHATWOOT_SECRET, f"{stamp}.".encode() + body)
        signed = {"X-Chatwoot-Signature": f"sha256={signature}", "X-Chatwoot-Timestamp": stamp}
    return client.post(f"/v1/tools/{tool}", content=body, headers=signed if headers is None else headers)


def states(services):
    with services.engine.connect() as connection:
        return [row.state for row in connection.execute(select(deliveries).order_by(deliveries.c.at))]


def until(condition, seconds=20):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.02)


def settled(services, *wanted):
    until(lambda: states(services) == list(wanted))


# There and back


def test_a_zendesk_ticket_gets_tags_and_a_private_note(serve, settings, services, zendesk):
    zendesk.ticket(35, (7, True, PRICE), tags=["vip"])
    client = serve(settings)
    answer = sent(client, "zendesk", event())
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    settled(services, "done")
    (written,) = zendesk.notes(35)
    assert "answer (answered)" in written["html_body"]
    assert re.search(r"\d+\.\d\d\b.* \[1\]</p>", written["html_body"]), "the draft with its mark"
    assert "<li>[1] Price list, version" in written["html_body"]
    assert "Plan: Team; Currency: EUR" in written["html_body"], "the quote"
    assert "vip" in zendesk.tickets[35]["tags"]
    assert "ff_queue_sales" in zendesk.tickets[35]["tags"]
    assert all(not c[2]["ticket"]["comment"]["public"] for c in zendesk.writes("/35.json"))


def test_a_chatwoot_message_gets_labels_and_a_private_note_and_a_person(serve, settings, services, chatwoot):
    asked = chatwoot.conversation(42, (0, PRICE), labels=["vip"])
    assert sent(serve(settings), "chatwoot", message(42, asked)).status_code == 202
    settled(services, "done")
    (written,) = chatwoot.said(42, private=True)
    assert "answer (answered)" in written.replace("\\", "")
    assert "Price list, version" in written
    assert chatwoot.said(42, private=False) == [], "private by default"
    assert {"vip", "ff_queue_sales"} <= set(chatwoot.conversations[42]["labels"])
    assert chatwoot.conversations[42]["status"] == "open", "a draft wants somebody to send it"


def test_what_the_model_abstained_on_is_no_tag(services):
    asked = RespondRequest.model_validate({"ticket": {"body": "Is the thing with the other one as it was before?"}})
    reply = services.pipeline.respond(asked, services.keys.check(services.local_key))
    given = {f"ff_{name}_{label.value}" for name, label in reply.labels.items() if not label.abstained}
    assert note.tags_of(reply) == given
    assert len(given) < len(reply.labels), "it abstains on some"


def test_a_later_message_takes_the_tags_of_an_earlier_one_away(serve, settings, services, zendesk, chatwoot):
    zendesk.ticket(35, (7, True, PRICE), tags=["ff_queue_technical", "ff_other", "vip"])
    asked = chatwoot.conversation(42, (0, PRICE), labels=["ff_queue_technical", "vip"])
    client = serve(settings)
    sent(client, "zendesk", event())
    sent(client, "chatwoot", message(42, asked))
    settled(services, "done", "done")
    for left in (zendesk.tickets[35]["tags"], chatwoot.conversations[42]["labels"]):
        assert "ff_queue_technical" not in left
        assert {"vip", "ff_queue_sales"} <= set(left)
    assert "ff_other" in zendesk.tickets[35]["tags"], "no tag of a field"


def test_tags_that_somebody_changes_meanwhile_are_not_lost(serve, settings, services, zendesk, monkeypatch):
    zendesk.ticket(35, (7, True, PRICE))
    tag, first = zendesk.tag, []

    def meddled(method, ticket, body):
        if not first:
            first.append(1)
            ticket["tags"].append("escalated")
            ticket["updated_at"] = zendesk.stamp()
        return tag(method, ticket, body)

    monkeypatch.setattr(zendesk, "tag", meddled)
    sent(serve(settings), "zendesk", event())
    settled(services, "done")
    assert {"escalated", "ff_queue_sales"} <= set(zendesk.tickets[35]["tags"])


def test_earlier_messages_and_the_customers_fields_are_context(serve, settings, services, zendesk, chatwoot):
    zendesk.ticket(
        35, (7, True, "We are on Team and pay in EUR."), (5, True, "Hello, how can I help?"), (5, False, "hush")
    )
    zendesk.comment(zendesk.tickets[35], 7, True, PRICE, PRICE)
    asked = chatwoot.conversation(42, (0, "Hi there"), (1, "hush", True), (1, "Hello!"), (0, PRICE))
    client = serve(settings)
    sent(client, "zendesk", event(customer={"currency": "EUR", "plan": ""}))
    settled(services, "done")
    last = services.pipeline.journal.latest(1)[0].request
    assert [(m["sender"], m["text"][:5]) for m in last["thread"]] == [("customer", "We ar"), ("agent", "Hello")]
    assert last["customer"] == {"currency": "EUR"}
    sent(client, "chatwoot", message(42, asked))
    settled(services, "done", "done")
    last = services.pipeline.journal.latest(1)[0].request
    assert [m["text"] for m in last["thread"]] == ["Hi there", "Hello!"]
    assert last["customer"] == {"plan": "Team"}


def test_a_closed_ticket_is_left_alone(serve, settings, services, zendesk):
    zendesk.ticket(35, (7, True, PRICE))
    zendesk.tickets[35]["status"] = "closed"  # since the webhook was sent
    sent(serve(settings), "zendesk", event())
    settled(services, "done")
    assert zendesk.writes() == []


# Public answers


def public(settings, **changes):
    return settings.model_copy(update={"chatwoot_public": True, **changes})


def test_set_to_public_an_answer_goes_to_the_customer_and_the_conversation_stays_the_bots(
    serve, settings, services, chatwoot
):
    asked = chatwoot.conversation(42, (0, PRICE))
    sent(serve(public(settings)), "chatwoot", message(42, asked))
    settled(services, "done")
    assert len(chatwoot.said(42, private=False)) == len(chatwoot.said(42, private=True)) == 1
    assert chatwoot.conversations[42]["status"] == "pending"


@pytest.mark.parametrize(
    ("content", "status"), [(PRICE, "open"), ("Wo finde ich meine Rechnung? Ich brauche sie heute noch.", "pending")]
)
def test_set_to_public_a_hand_off_or_a_conversation_that_a_person_has_is_still_a_note(
    serve, settings, services, chatwoot, content, status
):
    asked = chatwoot.conversation(42, (0, content), status=status)
    sent(serve(public(settings)), "chatwoot", message(42, asked, content))
    settled(services, "done")
    assert chatwoot.said(42, private=False) == []
    assert len(chatwoot.said(42, private=True)) == 1
    assert chatwoot.conversations[42]["status"] == "open"


def test_a_key_that_reads_more_than_everybody_may_not_answer_in_public(desk_of, settings, services):
    agents = key_for(services, "agents")
    with pytest.raises(NotConfigured, match="public"):
        desk_of(public(settings, tools_key=agents)).check()
    desk_of(settings.model_copy(update={"tools_key": agents})).check()


def test_a_message_without_text_goes_to_a_person(serve, settings, services, chatwoot):
    asked = chatwoot.conversation(42, (0, None))
    sent(serve(public(settings)), "chatwoot", message(42, asked, None, attachments=[{"id": 1, "file_type": "image"}]))
    settled(services, "done")
    assert chatwoot.said(42, private=False) == []
    assert chatwoot.conversations[42]["status"] == "open"


# Who sent it


@pytest.mark.parametrize("tool", ["zendesk", "chatwoot"])
def test_what_the_tool_did_not_sign_now_is_refused(serve, settings, services, zendesk, chatwoot, tool):
    client = serve(settings)
    payload = event() if tool == "zendesk" else message(42, 501)
    old, ahead = (datetime.now(UTC) + timedelta(minutes=m) for m in (-6, 6))
    shown = (lambda t: t.isoformat()) if tool == "zendesk" else (lambda t: str(int(t.timestamp())))
    refused = [
        sent(client, tool, payload, secret="another-secret-that-is-long"),
        sent(client, tool, payload, stamp=shown(old)),
        sent(client, tool, payload, stamp=shown(ahead)),
        sent(client, tool, payload, stamp="soon"),
        sent(client, tool, payload, headers={}),
        sent(client, tool, payload, headers={"X-Zendesk-Webhook-Signature": "é".encode("latin-1")}),
    ]
    assert [r.status_code for r in refused] == [401] * 6
    *signed, unsigned, _ = refused
    assert "is not signed." in unsigned.json()["detail"]
    assert len({r.json()["detail"] for r in signed if "timestamp" not in r.json()["detail"]}) == 1
    assert all(ZENDESK_SECRET not in r.text and CHATWOOT_SECRET not in r.text for r in refused)
    assert states(services) == zendesk.calls == chatwoot.calls == []


def test_a_signature_is_of_these_bytes(desk_of, settings):
    body, stamp = json.dumps(event()).encode(), datetime.now(UTC).isoformat()
    headers = {"x-zendesk-webhook-signature": as_base64(ZENDESK_SECRET, stamp.encode() + body)}
    headers["x-zendesk-webhook-signature-timestamp"] = stamp
    with pytest.raises(Unauthorized):
        desk_of(settings).take("zendesk", Webhook(headers, body + b" "))


def test_signatures_are_hmac_sha256():
    """RFC 4231, test case 2."""
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert as_hex("Jefe", b"what do ya want for nothing?") == digest
    assert base64.b64decode(as_base64("Jefe", b"what do ya want for nothing?")).hex() == digest


def test_a_chatwoot_that_does_not_sign_shows_the_secret_in_the_address(serve, settings, services, chatwoot):
    asked = chatwoot.conversation(42, (0, PRICE))
    client = serve(settings)
    payload = message(42, asked)
    assert client.post("/v1/tools/chatwoot?token=wrong", json=payload).status_code == 401
    assert client.post("/v1/tools/chatwoot", json=payload).status_code == 401
    assert client.post("/v1/tools/zendesk", params={"token": ZENDESK_SECRET}, json=event()).status_code == 401
    assert client.post("/v1/tools/chatwoot", params={"token": CHATWOOT_SECRET}, json=payload).status_code == 202
    settled(services, "done")


@pytest.mark.parametrize("tool", ["zendesk", "chatwoot"])
def test_the_same_webhook_writes_once(serve, settings, services, zendesk, chatwoot, tool):
    zendesk.ticket(35, (7, True, PRICE))
    asked = chatwoot.conversation(42, (0, PRICE))
    client, payload = serve(settings), event() if tool == "zendesk" else message(42, asked)
    first = sent(client, tool, payload)
    again = [sent(client, tool, payload) for _ in range(3)]  # by the tool, or by who recorded it
    assert [first.json()["status"], *(a.json()["status"] for a in again)] == ["accepted"] + ["duplicate"] * 3
    settled(services, "done")
    assert sent(client, tool, payload).json() == {"status": "duplicate"}, "also once it is answered"
    assert len(zendesk.notes(35)) + len(chatwoot.said(42, private=True)) == 1


@pytest.mark.parametrize(
    ("tool", "payload"),
    [
        ("zendesk", event(author_id="99")),  # an agent's comment, or our own
        ("zendesk", event(author_id="")),
        ("zendesk", event(status="Closed")),
        ("zendesk", event(comment=" ")),
        ("chatwoot", message(42, 501, message_type="outgoing")),
        ("chatwoot", message(42, 501, message_type="template")),
        ("chatwoot", message(42, 501, private=True)),
        ("chatwoot", message(42, 501, event="message_updated")),
        ("chatwoot", {"event": "conversation_opened", "id": 42}),
        ("chatwoot", message(42, 501, content=None)),
        ("chatwoot", message(42, 501, conversation={"id": 42, "status": "resolved"})),
    ],
)
def test_what_asks_for_no_reply_is_ignored(serve, settings, services, zendesk, chatwoot, tool, payload):
    assert sent(serve(settings), tool, payload).json() == {"status": "ignored"}
    assert states(services) == zendesk.calls == chatwoot.calls == []


@pytest.mark.parametrize(
    ("tool", "raw"),
    [
        ("zendesk", b"{no"),
        ("zendesk", b"\xff\xfe"),
        ("zendesk", b"[" * 100_000),
        ("zendesk", b"[]"),
        ("zendesk", b'{"ticket_id": "1/../../users", "requester_id": "7", "author_id": "7", "comment": "x"}'),
        ("chatwoot", json.dumps(message("42/../43", 501)).encode()),
        ("chatwoot", json.dumps(message(42, 501, account=None)).encode()),
    ],
)
def test_bodies_that_no_tool_sends_are_refused(serve, settings, services, tool, raw):
    answer = sent(serve(settings), tool, None, raw=raw)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert states(services) == []


# The tool is down, or we are


def test_a_tool_that_is_down_is_tried_until_it_is_up(serve, settings, services, zendesk):
    zendesk.ticket(35, (7, True, PRICE))
    zendesk.troubles = {"GET": [500] * 9, "PUT": [(429, {"Retry-After": "1"}), 503]}
    sent(serve(settings), "zendesk", event())
    until(lambda: states(services) == ["done"], 60)
    assert len(zendesk.notes(35)) == 1


def test_a_retry_after_is_waited_for(serve, settings, services, zendesk):
    zendesk.ticket(35, (7, True, PRICE))
    zendesk.troubles = {"PUT": [(429, {"Retry-After": "2"})]}
    begun = time.monotonic()
    sent(serve(settings), "zendesk", event())
    settled(services, "done")
    assert time.monotonic() - begun >= 2
    zendesk.ticket(36, (7, True, PRICE))
    zendesk.troubles = {"PUT": [(429, {"Retry-After": "600"})]}
    sent(serve(settings), "zendesk", event(36))
    until(lambda: not zendesk.troubles["PUT"])
    until(lambda: _rows(services)[-1].error != "")
    row = _rows(services)[-1]
    assert row.state == "waiting"
    assert row.due - now() > timedelta(minutes=9), "a long one puts the delivery off and keeps nobody else waiting"


@pytest.mark.parametrize("tool", ["zendesk", "chatwoot"])
def test_a_write_whose_answer_is_lost_is_not_made_twice(serve, settings, services, zendesk, chatwoot, tool):
    zendesk.ticket(35, (7, True, PRICE), tags=["ff_queue_sales"])
    asked = chatwoot.conversation(42, (0, PRICE))
    # Every write is carried out and its answer lost, once: tags, then the note, then what follows it.
    zendesk.troubles = {"PUT": [None, HANG_UP]}
    chatwoot.troubles = {"POST": [HANG_UP, None, HANG_UP, None, HANG_UP]}
    payload = event() if tool == "zendesk" else message(42, asked)
    sent(serve(public(settings)), tool, payload)
    settled(services, "done")
    if tool == "zendesk":
        assert len(zendesk.notes(35)) == 1
    else:
        assert len(chatwoot.said(42, private=False)) == len(chatwoot.said(42, private=True)) == 1


def test_what_the_tool_refuses_is_not_tried_again_before_somebody_looked(serve, desk_of, settings, services, zendesk):
    client = serve(settings)
    sent(client, "zendesk", event(404))
    settled(services, "failed")
    (row,) = _rows(services)
    assert (row.attempts, row.error) == (1, "ToolRefused: zendesk answers 404 to GET.")
    assert services.metrics.registry.get_sample_value("formfact_tool_messages_failed") == 1
    zendesk.ticket(404, (7, True, PRICE))
    assert sent(client, "zendesk", event(404)).json() == {"status": "duplicate"}
    desk_of(settings).start()  # the next start
    settled(services, "done")
    assert len(zendesk.notes(404)) == 1


KILLED = """
import os, signal, sys
from service.db.database import open_database
from service.ticket import Ticket
from service.integrations.deliveries import Deliveries
from service.integrations.tool import Incoming
kept = Deliveries(open_database(sys.argv[1]), 10)
for ticket in ("35", "36"):
    assert kept.take(Incoming("zendesk", ticket, "e", "7", Ticket(sys.argv[2])))
assert kept.next() is not None
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_start_answers_what_a_killed_process_had_taken(desk_of, settings, services, zendesk):
    zendesk.ticket(35, (7, True, PRICE))
    zendesk.ticket(36, (7, True, PRICE))
    command = [sys.executable, "-c", KILLED, str(services.engine.url), PRICE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = Deliveries(services.engine, 10)
    assert kept.next() is not None
    assert kept.next() is None, "both are leased: while its lease lasts, nobody else tries a message"
    desk_of(settings).start()
    settled(services, "done", "done")
    assert len(zendesk.notes(35)) == len(zendesk.notes(36)) == 1


def test_a_shutdown_answers_first_what_was_taken(services, desk_of, settings, zendesk):
    app = create_app(replace(services, settings=settings, tools=desk_of(settings)))
    with TestClient(app) as client:
        for ticket in range(3):
            zendesk.ticket(ticket, (7, True, PRICE))
            assert sent(client, "zendesk", event(ticket)).json() == {"status": "accepted"}
    assert states(services) == ["done"] * 3
    assert all(len(zendesk.notes(ticket)) == 1 for ticket in range(3))


def test_a_full_queue_is_told_at_once_and_takes_nothing(desk_of, settings, services, zendesk):
    desk = desk_of(settings, room=2)
    client = TestClient(create_app(replace(services, settings=settings, tools=desk)))  # not entered: nobody answers
    answers = [sent(client, "zendesk", event(ticket)) for ticket in (1, 2, 3)]
    assert [a.status_code for a in answers] == [202, 202, 503]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert sent(client, "zendesk", event(2)).json() == {"status": "duplicate"}
    assert states(services) == ["waiting", "waiting"]


# What is kept, told, shown


def _rows(services):
    with services.engine.connect() as connection:
        return connection.execute(select(deliveries).order_by(deliveries.c.at)).all()


def test_what_waits_is_scrubbed_and_what_is_done_is_gone(desk_of, settings, services, zendesk):
    desk = desk_of(settings)
    client = TestClient(create_app(replace(services, settings=settings, tools=desk)))
    text = f"{PRICE} Write to kim@x.example, card 4111 1111 1111 1111."
    zendesk.ticket(35, (7, True, text))
    sent(client, "zendesk", event(35, text, title="Re: kim@x.example"))
    kept = json.dumps(_rows(services)[0].payload)
    assert "<EMAIL>" in kept
    assert not re.search("kim@x|4111", kept)
    desk.start()
    settled(services, "done")
    assert _rows(services)[0].payload == {}


def test_no_word_of_a_ticket_and_no_secret_is_logged(serve, settings, services, zendesk, chatwoot, caplog):
    caplog.set_level(logging.INFO)
    zendesk.ticket(35, (7, True, "zebracrossing"))
    zendesk.troubles = {"GET": [500]}
    with capture_logs() as logs:
        client = serve(settings)
        sent(client, "zendesk", event(35, f"zebracrossing {PRICE}"))
        sent(client, "zendesk", event(36, "zebracrossing"))  # 404
        sent(client, "zendesk", event(35, "zebracrossing"), secret="wrong-secret-of-zebracrossing")
        sent(client, "chatwoot", None, raw=b"zebracrossing {")
        until(lambda: sorted(states(services)) == ["done", "failed"])
    told = json.dumps(logs, default=str) + caplog.text + json.dumps([r.error for r in _rows(services)])
    assert "tool_delivered" in told
    for word in ("zebracrossing", ZENDESK_SECRET, CHATWOOT_SECRET, zendesk.TOKEN, chatwoot.TOKEN, "Team plan"):
        assert word not in told


MARKUP = (
    "<b>Team</b> <script>alert(1)</script> [click](http://evil.example) ![x](http://evil.example/p.png) **now** `x`"
)


def test_markup_of_a_ticket_is_shown_and_not_obeyed(services):
    asked = RespondRequest.model_validate({"ticket": {"body": PRICE}})
    reply = services.pipeline.respond(asked, services.keys.check(services.local_key))
    reply.answer.text = f"{MARKUP}\n# head\n- item\n\nTeam 13.50 [1]"
    reply.citations[0].title = MARKUP
    shown = note.note(reply, "k")
    html = note.as_html(shown)
    assert "<script>" not in html
    assert "<b>" not in html
    assert html.count("&lt;script&gt;") == 2
    assert "Team 13.50 [1]" in html
    from markdown_it import MarkdownIt

    markdown = note.as_markdown(shown)
    rendered = MarkdownIt("commonmark").enable("table").render(markdown)
    assert not re.search("<(a|img|script|b|h1|code)[ >]", rendered)
    assert rendered.count("**now**") == 2
    assert "Team 13.50 [1]" in markdown, "figures and marks need no escape"
    assert rendered.count("<strong>") == 1


def test_a_ticket_full_of_markup_reaches_the_note_escaped(serve, settings, services, zendesk, chatwoot):
    body = f"{MARKUP} What does the Team plan cost in EUR monthly? {MARKUP} How do I cancel {MARKUP}?"
    zendesk.ticket(35, (7, True, body))
    asked = chatwoot.conversation(42, (0, body))
    client = serve(settings)
    sent(client, "zendesk", event(35, body, title=MARKUP))
    sent(client, "chatwoot", message(42, asked, body))
    settled(services, "done", "done")
    assert not re.search("<(b|script|a|img)[ >]", zendesk.notes(35)[0]["html_body"])
    assert "](http" not in chatwoot.said(42, private=True)[0].replace("\\](", "")


def test_a_document_that_the_key_may_not_read_never_reaches_a_tool(serve, settings, services, zendesk, chatwoot):
    question = "Up to what discount may I as an agent go on my own?"
    for number in (35, 36):
        zendesk.ticket(number, (7, True, question))
    hidden = {v["title"] for v in _agents_only(services)}
    assert hidden
    sent(serve(settings), "zendesk", event(35, question))
    settled(services, "done")
    assert not any(title in zendesk.notes(35)[0]["html_body"] for title in hidden)
    agents = settings.model_copy(update={"tools_key": key_for(services, "agents", scopes=("respond", "admin"))})
    sent(serve(agents), "zendesk", event(36, question))
    settled(services, "done", "done")
    assert any(title in zendesk.notes(36)[0]["html_body"] for title in hidden), "the same ticket, by a key that may"


def _agents_only(services):
    admin, public = (
        TestClient(create_app(services), headers={"Authorization": f"Bearer {key}"}) for key in _keys(services)
    )
    seen = {d["doc_id"] for d in public.get("/v1/documents").json()}
    return [d for d in admin.get("/v1/documents").json() if d["doc_id"] not in seen]


def _keys(services):
    with services.engine.begin() as tx:
        return services.local_key, services.keys.create(Wanted("p", ("read",), ("public",)), "test", tx)[1]


def test_a_key_that_is_revoked_answers_nothing_more(serve, settings, services, zendesk):
    zendesk.ticket(35, (7, True, PRICE))
    client = serve(settings)
    services.keys.revoke(settings.tools_key, "test")
    sent(client, "zendesk", event())
    settled(services, "failed")
    assert zendesk.writes() == []


# Setting up


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"zendesk_email": ""}, "FORMFACT_ZENDESK_EMAIL"),
        ({"zendesk_secret": ""}, "FORMFACT_ZENDESK_SECRET"),
        ({"zendesk_secret": "short-secret"}, "FORMFACT_ZENDESK_SECRET"),
        ({"chatwoot_token": "short-token"}, "FORMFACT_CHATWOOT_TOKEN"),
        ({"chatwoot_url": ""}, "FORMFACT_CHATWOOT_URL"),
        ({"zendesk_url": "http://larkspur.zendesk.com"}, "FORMFACT_ZENDESK_URL"),
        ({"zendesk_url": "larkspur.zendesk.com"}, "FORMFACT_ZENDESK_URL"),
        ({"chatwoot_url": "https://u:p@chat.example"}, "FORMFACT_CHATWOOT_URL"),
        ({"tools_key": ""}, "FORMFACT_TOOLS_KEY"),
    ],
)
def test_half_a_tool_is_refused_at_the_start(desk_of, settings, change, named):
    given = Settings(**{**settings.model_dump(), **change})
    with pytest.raises(NotConfigured, match=named) as refused:
        desk_of(given)
    assert "short" not in str(refused.value).replace("shorter", "")
    assert refused.value.remedy


def test_a_key_that_cannot_answer_is_refused_at_the_start(desk_of, settings, services):
    for key in ("ff_a_secret_in_its_place", key_for(services, scopes=("read",))):
        with pytest.raises(NotConfigured, match="FORMFACT_TOOLS_KEY") as refused:
            desk_of(settings.model_copy(update={"tools_key": key})).check()
        assert key not in str(refused.value)


def test_a_tool_that_nobody_set_up_says_what_to_set(services):
    client = TestClient(create_app(services))
    for tool in ("zendesk", "chatwoot"):
        headers = {"X-Zendesk-Webhook-Signature": "x", "X-Chatwoot-Signature": "x"}
        answer = client.post(f"/v1/tools/{tool}", json={}, headers=headers)
        assert answer.status_code == 409
        assert f"FORMFACT_{tool.upper()}_SECRET" in answer.json()["detail"]


def test_the_schema_tells_how_webhooks_are_signed(services):
    schema = create_app(services).openapi()
    named = {tool: schema["paths"][f"/v1/tools/{tool}"]["post"]["security"] for tool in ("zendesk", "chatwoot")}
    assert named == {
        "zendesk": [{"ZendeskSignature": []}],
        "chatwoot": [{"ChatwootSignature": []}, {"ChatwootToken": []}],
    }


def test_the_trigger_in_the_docs_is_what_is_read(desk_of, settings, services):
    text = (ROOT / "docs" / "support-tools.md").read_text("utf-8")
    template = re.search(r"```json\s+(\{\s*\"ticket_id\".*?)```", text, re.DOTALL)[1]
    filled = re.sub(r"\{\{[\w.]+\}\}", lambda m: "7" if m[0].endswith("id}}") else f"told by {m[0][2:-2]}", template)
    body, stamp = filled.encode(), datetime.now(UTC).isoformat()
    headers = {"x-zendesk-webhook-signature": as_base64(ZENDESK_SECRET, stamp.encode() + body)}
    headers["x-zendesk-webhook-signature-timestamp"] = stamp
    assert desk_of(settings).take("zendesk", Webhook(headers, body)) == "accepted"
    kept = _rows(services)[0].payload
    assert kept["conversation"] == "7"
    assert "ticket.latest_public_comment" in kept["ticket"]["body"]
    assert "ticket.title" in kept["ticket"]["subject"]


@pytest.fixture
def live(services):
    """A service on loopback, and a key of it that reads what is public."""
    with services.engine.begin() as tx:
        _, key = services.keys.create(Wanted("client", ("respond",), ("public",)), "test", tx)
    server = uvicorn.Server(uvicorn.Config(create_app(services), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", key
    server.should_exit = True
    thread.join()


def test_the_client_of_the_docs_runs(live):
    url, key = live
    command = [sys.executable, "docs/client_example.py", PRICE]
    env = {**os.environ, "FORMFACT_URL": url, "FORMFACT_KEY": key}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("answer answered\n")
    assert "[1] Price list, version" in done.stdout
    assert (ROOT / "docs/client_example.py").read_text("utf-8") in (ROOT / "docs/support-tools.md").read_text("utf-8")
