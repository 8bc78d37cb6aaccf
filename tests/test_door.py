"""What a request passes on its way in: keys, limits, turns, deadlines, repeats; and faults of disk and database."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import uvicorn
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, event, text, update
from sqlalchemy.exc import OperationalError

from domains.spec import NotConfigured, TooMany
from retrieval.timestamps import now
from service.api.app import create_app
from service.auth.keys import Caller
from service.auth.quotas import Quotas
from service.auth.safety import check
from service.build import build
from service.db.database import open_database
from service.db.tables import idempotency, keys
from service.middleware.problems import status_of, storage_fault
from service.settings import Settings
from service.use_cases.readiness import readiness
from tests.callers import PRICE, As, key

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


def test_without_room_nobody_is_looked_up(services):
    crowded = services.settings.model_copy(update={"work_at_once": 1, "work_waiting": 0})
    app = create_app(replace(services, settings=crowded))
    stranger = {"Authorization": "Bearer ff_nobody"}
    with TestClient(app) as client:
        ask = {"url": "/v1/respond", "headers": stranger, "json": {"ticket": {"body": PRICE}}}
        assert client.post(**ask).status_code == 401
        assert client.portal.call(app.state.turns._free.acquire)
        answer = client.post(**ask)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


def test_whoever_takes_a_turn_looks_for_room_first(services):
    taken = [
        [getattr(d.call, "__name__", "") for d in context.original_route.dependant.dependencies]
        for context in iter_route_contexts(create_app(services).routes)
        if isinstance(context.original_route, APIRoute)
    ]
    with_turn = [names for names in taken if "_turn" in names]
    assert len(with_turn) >= 6
    assert all(names[0] == "_room" for names in with_turn), with_turn


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
    assert set(answer.json()["problems"].values()) == {"not ready"}, "anybody may ask, and paths are nobody's business"
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


def test_a_line_whose_database_is_locked_is_refused_alone(admin, services, monkeypatch):
    answer, seen = type(services.pipeline).respond, []

    def locked_once(self, request, *more):
        seen.append(request)
        if len(seen) == 2:
            raise OperationalError("insert", {}, Exception("database is locked"))
        if len(seen) == 3:
            raise ZeroDivisionError
        return answer(self, request, *more)

    monkeypatch.setattr(type(services.pipeline), "respond", locked_once)
    lines = "\n".join(json.dumps({"ticket": {"body": f"{n}: please cancel"}, "mode": "tuned"}) for n in range(4))
    told = [json.loads(line) for line in admin("POST", "/v1/respond/batch", content=lines).text.splitlines()]
    assert [line.get("status") for line in told] == [None, 503, 500, None]
    assert "locked" in told[1]["detail"]


@pytest.mark.parametrize("path", ["/v1/respond", "/v1/respond/batch", "/v1/documents"])
def test_a_body_without_a_length_is_counted_as_it_comes(admin, services, path):
    small = services.settings.model_copy(
        update={"max_body_bytes": 2000, "max_batch_bytes": 2000, "max_upload_bytes": 2000}
    )
    client = TestClient(create_app(replace(services, settings=small)))
    begun, kind = b'{"ticket": {"body": "', "application/json"
    if path == "/v1/documents":
        begun, kind = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n',
            "multipart/form-data; boundary=b",
        )
    sent = (begun if n == 0 else b"x" * 1000 for n in range(200))
    answer = client.post(path, content=sent, headers={**admin.headers, "Content-Type": kind})
    assert answer.status_code == 413, answer.text
    assert "larger than" in answer.json()["detail"]


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
