"""What whoever is on call relies on: keys, quotas, admission, idempotency, audit, replay, reviews, retention."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
import yaml
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, delete, event, func, select, text, update
from sqlalchemy.exc import OperationalError

from domains.spec import NotConfigured, TooMany
from retrieval.instants import now
from service.acts.readiness import readiness
from service.api import create_app
from service.build import build
from service.door.keys import Caller
from service.door.problems import status_of, storage_fault
from service.door.quotas import Quotas
from service.door.safety import check
from service.records.audit import Audit
from service.records.housekeeping import forget
from service.settings import Settings
from service.storage.database import open_database
from service.storage.tables import audit, feedback, idempotency, journal, judgements, keys, reviews

PRICE = "What does the Team plan cost per user in EUR, billed monthly?"


@pytest.fixture(scope="module")
def client(services):
    with TestClient(create_app(services), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture(scope="module")
def admin(client, services):
    return As(client, services.local_key)


class As:
    """The client with a key."""

    def __init__(self, client, key):
        self.client, self.headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method, path, headers=None, **sent):
        return self.client.request(method, path, headers=self.headers | (headers or {}), **sent)

    def ask(self, body=PRICE, **options):
        answer = self("POST", "/v1/respond", json={"ticket": {"body": body}, **options})
        assert answer.status_code == 200, answer.text
        return answer.json()


def key(admin, **wanted):
    told = {"name": "k", "scopes": ["respond", "read"], "audiences": ["public"], **wanted}
    made = admin("POST", "/v1/keys", json=told)
    assert made.status_code == 201, made.text
    return made.json()


# keys


def test_a_key_that_expired_is_none(admin, client, services):
    made = key(admin, days=1)
    caller = As(client, made["key"])
    assert caller("GET", "/v1/domain").status_code == 200
    with services.engine.begin() as tx:
        tx.execute(update(keys).where(keys.c.id == made["id"]).values(expires_at=now()))
    assert caller("GET", "/v1/domain").status_code == 401


def test_the_last_use_of_a_key_is_known(admin, client):
    made = key(admin)
    assert made["last_used_at"] is None
    As(client, made["key"])("GET", "/v1/domain")
    (told,) = [one for one in admin("GET", "/v1/keys").json() if one["id"] == made["id"]]
    assert told["last_used_at"]
    assert "key" not in told


def test_nobody_gives_what_it_does_not_hold(admin, client):
    lesser = As(client, key(admin, scopes=["admin"], audiences=["public"])["key"])
    wider = {"name": "k", "scopes": ["admin"], "audiences": ["internal"]}
    assert lesser("POST", "/v1/keys", json=wider).status_code == 403
    assert lesser("POST", "/v1/keys", json=wider | {"audiences": ["public"], "scopes": ["ingest"]}).status_code == 403
    assert lesser("POST", "/v1/keys", json=wider | {"audiences": ["public"]}).status_code == 201


def test_nobody_sheds_its_own_limits(admin, client):
    lesser = As(client, key(admin, scopes=["admin", "read"], days=1, per_minute=50, at_once=2)["key"])
    made = key(lesser, scopes=["read"], per_minute=1000)
    assert (made["per_minute"], made["at_once"]) == (50, 2)
    assert made["expires_at"], "it ends with the key that made it"


def test_rates_and_what_is_asked_at_once_are_limited_by_key(admin, client):
    slow = As(client, key(admin, per_minute=3)["key"])
    answers = [slow("GET", "/v1/domain") for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert answers[-1].headers["content-type"] == "application/problem+json"
    quotas, caller = Quotas(Settings()), Caller("k", frozenset(), frozenset(), at_once=1)
    with quotas.held(caller), pytest.raises(TooMany, match="at once"), quotas.held(caller):
        pass
    with quotas.held(caller):
        pass


def test_whoever_guesses_keys_is_stopped_and_others_are_not(services, domain, encoder, tmp_path):
    made = build(Settings(home=tmp_path, wrong_keys_per_minute=5), domain, encoder)
    app = create_app(made)
    guesser, other = (TestClient(app, client=(address, 1)) for address in ("10.0.0.1", "10.0.0.2"))
    statuses = [guesser.get("/v1/domain", headers={"Authorization": f"Bearer ff_{n}"}).status_code for n in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    right = {"Authorization": f"Bearer {made.local_key}"}
    assert guesser.get("/v1/domain", headers=right).status_code == 200, "others may stand behind its address"
    assert guesser.get("/v1/domain").status_code == 401, "no key is no guess"
    assert other.get("/v1/domain", headers={"Authorization": "Bearer ff_x"}).status_code == 401
    made.close()


def test_a_password_that_everybody_knows_is_not_served_beyond_this_machine():
    known = "postgresql+psycopg://formfact:formfact@db/formfact"
    check(Settings(database_url=known, host="127.0.0.1"))
    check(Settings(host="0.0.0.0"))
    check(Settings(database_url=known.replace(":formfact@", ":kE3-9sdk2@"), host="0.0.0.0"))
    with pytest.raises(NotConfigured, match="password"):
        check(Settings(database_url=known, host="0.0.0.0"))


# what surrounds a request


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("desk.example", "http://desk.example:8000"),
    ],
)
def test_the_address_that_is_told_is_one_that_can_be_opened(host, url):
    assert Settings(host=host, port=8000).url == url


def test_answers_tell_browsers_to_trust_nothing_and_cors_is_off(client, services):
    answer = client.get("/healthz", headers={"Origin": "https://evil.example"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "access-control-allow-origin" not in answer.headers
    allowed = services.settings.model_copy(update={"cors_origins": ("https://desk.example",)})
    other = TestClient(create_app(replace(services, settings=allowed)))
    told = other.get("/healthz", headers={"Origin": "https://desk.example"}).headers
    assert told["access-control-allow-origin"] == "https://desk.example"


def test_a_wrong_method_is_told_all_right_ones(client):
    for path, allowed in (("/v1/keys", "GET, POST"), ("/v1/documents/x", "DELETE, GET")):
        answer = client.request("PATCH", path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_more_than_can_be_done_is_refused_with_a_time_to_wait(services, admin):
    narrow = services.settings.model_copy(update={"work_at_once": 1, "work_waiting": 1})
    app = create_app(replace(services, settings=narrow))

    def ask(client):
        return client.post("/v1/respond", json={"ticket": {"body": PRICE}}, headers=admin.headers)

    with TestClient(app) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(client), range(8)))
    statuses = sorted(a.status_code for a in answers)
    assert set(statuses) == {200, 503}
    assert all(int(a.headers["Retry-After"]) >= 1 for a in answers if a.status_code == 503)


def test_a_deadline_is_honoured(admin):
    late = admin("POST", "/v1/respond", headers={"X-Request-Timeout": "0"}, json={"ticket": {"body": PRICE}})
    assert late.status_code == 408
    assert (
        admin(
            "POST", "/v1/respond", headers={"X-Request-Timeout": "soon"}, json={"ticket": {"body": PRICE}}
        ).status_code
        == 200
    )


def test_a_locked_database_is_named(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    impatient = create_engine(f"sqlite:///{tmp_path / 'a.db'}", connect_args={"timeout": 0.05})
    with engine.begin() as tx:
        tx.execute(idempotency.delete())
        with pytest.raises(OperationalError) as caught, impatient.begin() as other:
            other.execute(idempotency.delete())
    fault = storage_fault(caught.value)
    assert (status_of(fault), "locked" in fault.detail) == (503, True)


def test_a_full_disk_is_named_and_loses_nothing(services, admin, domain, encoder, tmp_path):
    made = build(Settings(home=tmp_path), domain, encoder)
    made.registry.promote("baseline:zero-shot", "test")
    made.publisher.upkeep.start()
    with TestClient(create_app(made), raise_server_exceptions=False) as client:
        caller = As(client, made.local_key)
        first = caller.ask(mode="tuned")
        with made.engine.connect() as connection:  # of the pool's one connection for this thread's requests
            pages = connection.execute(text("PRAGMA page_count")).scalar()
        event.listen(made.engine, "checkout", lambda c, *_: c.execute(f"PRAGMA max_page_count={pages}"))
        statuses = [caller("POST", "/v1/respond", json=long_ticket(n)) for n in range(30)]
        full = [a for a in statuses if a.status_code != 200]
        assert full, "the database took everything"
        assert {(a.status_code, a.headers["Retry-After"], "full" in a.json()["detail"]) for a in full} == {
            (503, "30", True)
        }
        assert caller("POST", f"/v1/replay/{first['request_id']}").json()["same"]
    made.close()


def long_ticket(n):
    return {"ticket": {"body": f"ticket {n} " + "my invoice is wrong again and nobody answers " * 300}, "mode": "tuned"}


def test_readiness_tells_what_is_not_ready(services, client, domain, encoder, tmp_path):
    assert client.get("/readyz").json() == {"status": "ready", "problems": {}}
    bare = build(Settings(home=tmp_path), domain, encoder)
    assert set(readiness(bare)) == {"adapter", "index"}
    answer = TestClient(create_app(bare)).get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    bare.close()


def test_whoever_sends_slowly_keeps_nobody_waiting(services, admin):
    """Bodies that do not arrive hold no turn, and are given up at the deadline; a key is not needed to try."""
    hasty = services.settings.model_copy(update={"work_at_once": 2, "work_waiting": 0, "request_seconds": 3.0})
    server = uvicorn.Server(uvicorn.Config(create_app(replace(services, settings=hasty)), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        answered, given_up = _send_slowly(port, admin)
    finally:
        server.should_exit = True
        thread.join()
    assert answered == 200
    assert all(b" 408 " in one for one in given_up)
    assert len(given_up) == 6


def _send_slowly(port, admin):
    """Six bodies that never end, and a question beside them: its status, and how the six are answered."""
    slow = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(6)]
    for one in slow:
        one.sendall(b"POST /v1/respond HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    sent = {"ticket": {"body": PRICE}}
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/respond", headers=admin.headers, json=sent, timeout=10)
    given_up = [one.recv(100) for one in slow]
    for one in slow:
        one.close()
    return answer.status_code, given_up


def test_each_line_of_a_batch_counts_and_there_are_not_too_many(admin, client, services):
    few = As(client, key(admin, per_minute=4)["key"])
    lines = "\n".join(json.dumps({"ticket": {"body": f"{n}: please cancel"}, "mode": "tuned"}) for n in range(6))
    statuses = [
        json.loads(line).get("status") for line in few("POST", "/v1/respond/batch", content=lines).text.splitlines()
    ]
    assert statuses == [None] * 3 + [429] * 3, "the batch itself was one"
    assert admin("POST", "/v1/respond/batch", content="{}\n" * 1001).status_code == 413


def test_half_a_character_is_refused_wherever_it_stands(admin):
    for body in (
        b'{"ticket": {"body": "price of Team"}, "customer": {"plan": "\\ud800"}}',
        b'{"ticket": {"body": "x", "thread": [{"from": "customer", "text": "y", "at": "\\udfff"}]}}',
        b'{"ticket": {"body": "x"}, "customer": {"\\ud800": "y"}}',
    ):
        answer = admin("POST", "/v1/respond", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text


def test_dates_that_some_zone_cannot_show_are_refused(admin):
    for date in ("0001-01-02", "9999-12-31", "9999-12-31T23:30:00+00:00"):
        asked = admin("POST", "/v1/respond", json={"ticket": {"body": PRICE}, "as_of": date})
        sent = admin(
            "POST",
            "/v1/documents",
            files={"file": ("a.md", "# A\n\nb\n")},
            data={"doc_id": "ends", "audience": "public", "effective_to": date},
        )
        assert (asked.status_code, sent.status_code) == (422, 422), date
    assert admin("GET", "/v1/documents").status_code == 200


# idempotency


def test_a_repeated_write_is_answered_the_same_for_a_day(admin, services):
    body, headers = {"name": "i", "scopes": ["read"], "audiences": ["public"]}, {"Idempotency-Key": "day"}
    first, again = (admin("POST", "/v1/keys", headers=headers, json=body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == {k: v for k, v in first.json().items() if k != "key"}
    assert again.headers["Idempotency-Replayed"] == "true"
    assert admin("POST", "/v1/keys", headers=headers, json=body | {"name": "j"}).status_code == 409
    with services.engine.begin() as tx:
        tx.execute(update(idempotency).values(at=now() - timedelta(hours=25)))
    later = admin("POST", "/v1/keys", headers=headers, json=body)
    assert later.status_code == 201
    assert later.json()["id"] != first.json()["id"]


def test_a_write_that_is_sent_many_times_at_once_happens_once(admin):
    body = {"name": "at once", "scopes": ["read"], "audiences": ["public"]}
    with ThreadPoolExecutor(8) as pool:
        sent = [
            pool.submit(admin, "POST", "/v1/keys", headers={"Idempotency-Key": "race"}, json=body) for _ in range(8)
        ]
    assert {one.result().status_code for one in sent} <= {201, 409, 503}
    assert sum(one["name"] == "at once" for one in admin("GET", "/v1/keys").json()) == 1


# audit


def test_the_audit_log_tells_who_did_what_and_notices_every_change(services, admin, tmp_path):
    made = key(admin)
    admin("DELETE", f"/v1/keys/{made['id']}")
    told = admin("GET", "/v1/audit").json()
    assert told["clean"]
    assert [(e["event"], e["subject"]) for e in told["latest"][:2]] == [
        ("key revoked", made["id"]),
        ("key created", made["id"]),
    ]
    assert {"published", "key created"} <= {
        e["event"] for e in admin("GET", "/v1/audit", params={"limit": 1000}).json()["latest"]
    }
    assert "ff_" not in json.dumps(told)


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (update(audit).where(audit.c.entry == 2).values(actor="nobody"), "Entry 2 was changed"),
        (delete(audit).where(audit.c.entry == 2), "Entry 2 is missing"),
        (delete(audit).where(audit.c.entry == 4), "last entries"),
        (update(audit).where(audit.c.entry == 1).values(details={"a": 2}), "Entry 1 was changed"),
    ],
)
def test_the_chain_breaks_where_it_was_harmed(tmp_path, harm, problem):
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    log = Audit(engine)
    for n in range(4):
        with engine.begin() as tx:
            log.add(tx, "me", "tested", str(n), a=1)
    whole = log.verify()
    assert (whole.entries, whole.problem) == (4, "")
    assert not log.verify(expect=log.latest(3)[2].hash).problem
    assert "not in the chain" in log.verify(expect="0" * 64).problem
    with engine.begin() as tx:
        tx.execute(harm)
    assert problem in log.verify().problem


def test_entries_that_are_written_at_once_form_one_chain(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    log = Audit(engine)

    def add(n):
        with engine.begin() as tx:
            log.add(tx, "me", "tested", str(n))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert (log.verify().entries, log.verify().problem) == (40, "")


def test_looking_while_somebody_writes_raises_no_alarm(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    log, done = Audit(engine), threading.Event()

    def write():
        while not done.is_set():
            with engine.begin() as tx:
                log.add(tx, "me", "tested", "x")

    thread = threading.Thread(target=write)
    thread.start()
    problems = {log.verify().problem for _ in range(60)}
    done.set()
    thread.join()
    assert problems == {""}


# replay


@pytest.mark.parametrize("mode", ["hybrid", "tuned"])
def test_a_reply_is_reproduced_also_after_documents_changed(admin, mode):
    reply = admin.ask(mode=mode)
    page = "# Plan prices\n\nTeam costs 99.00 EUR per user and month.\n"
    files = {"file": ("zebra.md", page)}
    admin("POST", "/v1/documents", files=files, data={"doc_id": "zebra", "audience": "public", "title": "Zebra"})
    told = admin("POST", f"/v1/replay/{reply['request_id']}").json()
    assert (told["same"], told["labels_same"], told["differences"], told["notes"]) == (True, True, [], [])
    admin("DELETE", "/v1/documents/zebra", params={"purge": True})


def test_a_replay_tells_what_was_tampered_with_and_what_was_erased(admin, services):
    files = {"file": ("gnu.md", "# Gnu\n\nThe gnu surcharge is 31 EUR.\n")}
    admin("POST", "/v1/documents", files=files, data={"doc_id": "gnu", "audience": "public", "title": "Gnu"})
    reply = admin.ask("How much is the gnu surcharge?")
    assert "31 EUR" in reply["answer"]["text"]
    own = journal.c.request_id == reply["request_id"]
    with services.engine.begin() as tx:
        tx.execute(update(journal).where(own).values(reply=reply | {"action": "refuse"}))
    told = admin("POST", f"/v1/replay/{reply['request_id']}").json()
    assert [(d["where"], d["then"], d["now"]) for d in told["differences"]] == [("action", "refuse", "answer")]
    admin("DELETE", "/v1/documents/gnu", params={"purge": True})
    told = admin("POST", f"/v1/replay/{reply['request_id']}").json()
    assert not told["same"]
    assert told["notes"] == ["gnu version 1 was erased since: what it said cannot be replayed."]
    assert "31 EUR" not in json.dumps(told)


def test_a_caller_who_reads_less_cannot_replay(admin, client):
    reply = admin.ask()
    lesser = As(client, key(admin, scopes=["admin"])["key"])
    assert lesser("POST", f"/v1/replay/{reply['request_id']}").status_code == 404
    assert admin("POST", "/v1/replay/nothing").status_code == 404


# reviews and feedback


def test_a_thumb_down_brings_a_reply_to_a_reviewer_who_corrects_it(admin, client, services):
    asker = As(client, key(admin)["key"])
    reply = asker.ask("we were billed twice in march, what now? mail me: ann@x.example")
    sent = {"request_id": reply["request_id"], "helpful": False, "comment": "wrong, says kim@y.example"}
    assert asker("POST", "/v1/feedback", json=sent).status_code == 201
    reviewer = As(client, key(admin, scopes=["review"])["key"])
    (review,) = [
        r
        for r in reviewer("GET", "/v1/reviews", params={"reason": "thumbs_down"}).json()
        if r["request_id"] == reply["request_id"]
    ]
    assert review["priority"] == 90
    assert "ann@x.example" not in json.dumps(review)
    path = f"/v1/reviews/{review['id']}"
    assert reviewer("POST", path, json={"labels": {"queue": "nonsense"}}).status_code == 422
    done = reviewer(
        "POST", path, json={"labels": {"urgency": "high"}, "answer_right": False, "comment": "see 4"}
    ).json()
    assert done["judged"][0]["labels"]["urgency"] == "high"
    assert done["judged"][0]["labels"].keys() == reply["labels"].keys()
    if done["done"]:
        assert review["id"] not in {r["id"] for r in reviewer("GET", "/v1/reviews", params={"limit": 200}).json()}
    assert reviewer("POST", path, json={}).status_code == 409
    assert reply["answer"]["text"] not in json.dumps(done), "kept for repeats, it must not outlive a purge"
    (row,) = [r for r in reviewer("GET", "/v1/judged").json()["rows"] if r["id"] == reply["request_id"]]
    assert row["labels"]["urgency"] == "high"
    with services.engine.connect() as connection:
        kept = connection.execute(
            select(feedback.c.comment).where(feedback.c.request_id == reply["request_id"])
        ).scalar()
    assert kept == "wrong, says <EMAIL>"


def test_feedback_is_for_ones_own_requests(admin, client):
    reply = admin.ask()
    stranger = As(client, key(admin)["key"])
    sent = {"request_id": reply["request_id"], "helpful": True}
    assert stranger("POST", "/v1/feedback", json=sent).status_code == 404
    assert admin("POST", "/v1/feedback", json=sent).status_code == 201


def test_a_reviewer_sees_no_reply_of_who_could_read_more(admin, client):
    reply = admin.ask("What is the internal escalation path for a refund over the limit?")
    admin("POST", "/v1/feedback", json={"request_id": reply["request_id"], "helpful": False})
    seen = [
        r for r in admin("GET", "/v1/reviews", params={"limit": 200}).json() if r["request_id"] == reply["request_id"]
    ]
    assert seen
    public = As(client, key(admin, scopes=["review"])["key"])
    assert reply["request_id"] not in {
        r["request_id"] for r in public("GET", "/v1/reviews", params={"limit": 200}).json()
    }
    assert public("GET", f"/v1/reviews/{seen[0]['id']}").status_code == 404
    assert public("POST", f"/v1/reviews/{seen[0]['id']}", json={}).status_code == 404


def test_judgements_at_the_same_time_are_both_counted(admin, client, services):
    for n in range(5):
        reply = admin.ask(f"{n}: please cancel my plan", mode="tuned")
        admin("POST", "/v1/feedback", json={"request_id": reply["request_id"], "helpful": False})
        own = reviews.c.request_id == reply["request_id"]
        with services.engine.begin() as tx:
            tx.execute(update(reviews).where(own).values(wanted=2))
            path = f"/v1/reviews/{tx.scalar(select(reviews.c.id).where(own))}"
        two = [
            As(client, key(admin, scopes=["review"], audiences=list(services.domain.audiences))["key"]) for _ in "ab"
        ]
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(lambda one, path=path: one("POST", path, json={}), two))
        assert [one.status_code for one in said] == [200, 200]
        assert [one.json()["done"] for one in said].count(True) >= 1
        assert admin("GET", path).json()["done"]


def test_a_thumb_down_opens_a_judged_reply_again(admin):
    reply = admin.ask("please cancel my plan today", mode="tuned")
    admin("POST", "/v1/feedback", json={"request_id": reply["request_id"], "helpful": False})
    waiting = {r["request_id"]: r["id"] for r in admin("GET", "/v1/reviews", params={"limit": 200}).json()}
    path = f"/v1/reviews/{waiting[reply['request_id']]}"
    assert admin("POST", path, json={}).status_code == 200
    with_reason = admin("GET", path).json()
    assert with_reason["judged"]


def test_two_reviewers_where_two_are_wanted_and_their_agreement(services, domain, encoder, tmp_path):
    made = build(Settings(home=tmp_path, review_sample=1.0, review_twice=1.0), domain, encoder)
    made.registry.promote("baseline:zero-shot", "test")
    made.publisher.upkeep.start()
    with TestClient(create_app(made)) as client:
        boss = As(client, made.local_key)
        for body in ("please cancel my account", "the app crashes when i sign a pdf"):
            boss.ask(body, mode="tuned")
        first, second = (
            As(client, key(boss, scopes=["review"], audiences=list(domain.audiences))["key"]) for _ in range(2)
        )
        for review in first("GET", "/v1/reviews").json():
            path = f"/v1/reviews/{review['id']}"
            assert not first("POST", path, json={"labels": {"urgency": "low"}}).json()["done"]
            assert second("POST", path, json={"labels": {"urgency": "high"}}).json()["done"]
        told = boss("GET", "/v1/judged").json()
    assert told["agreement"]["queue"]["equal"] == 1.0
    assert told["agreement"]["urgency"] == {"rows": 2, "equal": 0.0, "kappa": 0.0}
    assert all(len(row["annotations"]) == 2 for row in told["rows"])
    from adapters.data.sources import sourced

    path = tmp_path / "judged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in told["rows"]))
    fields = {name: tuple(field.labels) for name, field in domain.fields.items()}
    assert len(sourced(path, fields, "own")) == 2, "what reviewers said is rows of a data set"
    made.close()


# retention


def test_what_is_older_than_it_may_be_kept_is_forgotten(services, admin):
    reply, kept = admin.ask(), admin.ask()
    admin("POST", "/v1/feedback", json={"request_id": reply["request_id"], "helpful": False})
    (review,) = [
        r for r in admin("GET", "/v1/reviews", params={"limit": 200}).json() if r["request_id"] == reply["request_id"]
    ]
    admin("POST", f"/v1/reviews/{review['id']}", json={})
    with services.engine.begin() as tx:
        old = journal.c.request_id == reply["request_id"]
        tx.execute(update(journal).where(old).values(at=now() - timedelta(days=91)))
    assert forget(services.engine, 90) == 1
    assert admin("POST", f"/v1/replay/{reply['request_id']}").status_code == 404
    assert admin("POST", f"/v1/replay/{kept['request_id']}").status_code == 200
    with services.engine.connect() as connection:
        for table in (feedback, reviews):
            own = table.c.request_id == reply["request_id"]
            assert connection.scalar(select(func.count()).select_from(table).where(own)) == 0
        assert (
            connection.scalar(
                select(func.count()).select_from(judgements).where(judgements.c.review_id == review["id"])
            )
            == 0
        )
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def test_metrics_count_what_was_replied_without_words_or_keys(admin, services):
    admin.ask("xylophone invoice please")
    told = admin("GET", "/metrics").text
    assert "formfact_replies_total{action=" in told
    for name in (
        "formfact_stage_seconds_bucket",
        "formfact_labels_total",
        "formfact_reviews_waiting",
        "formfact_shadow_waiting",
    ):
        assert name in told
    assert "xylophone" not in told
    assert "ff_" not in told


def test_traces_have_a_span_for_each_stage_and_no_text(admin):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from service import pipeline

    seen, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    ours, pipeline.tracer = pipeline.tracer, provider.get_tracer("test")
    try:
        admin.ask("xylophone price of Team in EUR monthly?")
    finally:
        pipeline.tracer = ours
    names = [span.name for span in seen.get_finished_spans()]
    assert {"respond", "labels", "retrieve", "compose", "verify"} <= set(names)
    assert "xylophone" not in " ".join(span.to_json() for span in seen.get_finished_spans())


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(admin):
    admin.ask()
    told = admin("GET", "/metrics").text
    known = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE")}
    watching = Path(__file__).parents[1] / "docs" / "watching"
    asked = set(
        re.findall(
            r"formfact_[a-z_]+", (watching / "grafana.json").read_text() + (watching / "alerts.yaml").read_text()
        )
    )
    assert len(asked) >= 9
    # counters are listed with their suffix, histograms without the one of their buckets
    assert {re.sub("_bucket$", "", name) for name in asked} <= known
    assert yaml.safe_load((watching / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert json.loads((watching / "grafana.json").read_text())["panels"]
