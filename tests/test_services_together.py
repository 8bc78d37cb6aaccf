"""Two whole services on one database and one Chroma server, in one process, asked at once: nothing is lost, no fault."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from retrieval.catalog_writer import alone
from service.api.app import create_app
from service.auth.keys import Wanted
from service.build import build
from service.db.database import open_database
from service.db.tables import feedback
from service.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
FEE = "# Heron fee\n\nThe heron fee is {} EUR a month.\n"
TICKET = {"ticket": {"body": "How much is the heron fee a month?"}}
SCOPES = ("respond", "read", "ingest", "review", "admin")


@pytest.fixture(scope="module")
def pair(tmp_path_factory, database, chroma, domain, encoder):
    """Clients of two services; both know the same key."""
    made = [
        build(Settings(home=tmp_path_factory.mktemp(name), database_url=database, chroma_url=chroma), domain, encoder)
        for name in ("one", "other")
    ]
    shipped = made[0].registry.store.register(domain.folder / "adapter")
    made[1].registry.store.register(domain.folder / "adapter")
    made[0].registry.promote(shipped, "setup")
    for services in made:
        with services.publisher.turn():
            services.publisher.upkeep.start()
    with made[0].engine.begin() as tx:
        secret = made[0].keys.create(Wanted("test", SCOPES, tuple(domain.audiences)), "setup", tx)[1]
    clients = [_client(services, secret) for services in made]
    yield clients
    for client in clients:
        client.__exit__(None, None, None)
    for services in made:
        services.close()
    del clients, made, services
    gc.collect()  # here, where what Chroma leaves open is ignored


def _client(services, secret):
    client = TestClient(
        create_app(services), headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False
    )
    client.__enter__().get("/openapi.json")  # routes are built at their first use
    return client


def published(client, doc_id, text, key=None):
    meta = {"doc_id": doc_id, "title": doc_id, "effective_from": "2026-01-01", "audience": "public"}
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/documents", data=meta, files={"file": (f"{doc_id}.md", text)}, headers=headers)


def at_once(calls, threads=32):
    with ThreadPoolExecutor(threads) as pool:
        return [done.result() for done in [pool.submit(*call) for call in calls]]


def test_a_burst_of_feedback_on_both_ends_without_a_fault(pair):
    published(pair[0], "heron", FEE.format(7))
    replies = [pair[n % 2].post("/v1/respond", json=TICKET).json() for n in range(4)]
    assert all("7 EUR" in reply["answer"]["text"] for reply in replies)

    def rate(number):
        told = {"request_id": replies[number % 4]["request_id"], "helpful": number % 3 == 0, "comment": f"no {number}"}
        return pair[number % 2].post("/v1/feedback", json=told)

    answers = at_once([(rate, number) for number in range(160)])
    assert {a.status_code for a in answers} <= {200, 201, 204, 503}, {a.status_code: a.text for a in answers}
    assert all("Retry-After" in a.headers for a in answers if a.status_code == 503)
    assert sum(a.status_code < 300 for a in answers) > 100
    waiting = [review["request_id"] for review in pair[1].get("/v1/reviews").json()]
    assert {reply["request_id"] for reply in replies} <= set(waiting)
    with pair[1].app.state.services.engine.connect() as connection:
        kept = connection.scalar(select(func.count()).select_from(feedback).where(feedback.c.comment.like("no %")))
    assert kept == sum(a.status_code < 300 for a in answers), "what was acknowledged is there, and nothing else"


def test_a_write_that_is_repeated_on_the_other_one_is_done_once(pair):
    calls = [(published, pair[n % 2], "egret", FEE.format(9), "same-key") for n in range(8)]
    answers = at_once(calls, 8)
    done = [a for a in answers if a.status_code == 201]
    assert done
    assert {a.status_code for a in answers} <= {201, 409, 503}, [a.text for a in answers]
    assert len({a.json()["catalog_revision"] for a in done}) == 1
    assert len(pair[1].get("/v1/documents/egret").json()["versions"]) == 1
    for client in pair:
        again = published(client, "egret", FEE.format(9), "same-key")
        assert (again.status_code, again.json()) == (201, done[0].json())
        assert again.headers["Idempotency-Replayed"] == "true"


def test_publishers_take_turns(database):
    one, other, order = open_database(database), open_database(database), []

    def second():
        with alone(other):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with alone(one):
            waiting = pool.submit(second)
            time.sleep(0.3)
            order.append("first")
        waiting.result(timeout=10)
    assert order == ["first", "second"]
    one.dispose()
    other.dispose()


def test_a_key_that_one_revokes_the_other_refuses_at_once(pair):
    made = pair[0].post("/v1/keys", json={"name": "gull", "scopes": ["read"], "audiences": ["public"]}).json()
    told = {"Authorization": f"Bearer {made['key']}"}
    assert pair[1].get("/v1/documents", headers=told).status_code == 200
    pair[0].delete(f"/v1/keys/{made['id']}")
    assert pair[1].get("/v1/documents", headers=told).status_code == 401


def test_the_audit_holds_what_both_wrote_at_once(pair):
    before = pair[0].get("/v1/audit").json()["entries"]
    wanted = [{"name": f"key {n}", "scopes": ["read"], "audiences": ["public"]} for n in range(40)]
    answers = at_once([(_make, pair[n % 2], one) for n, one in enumerate(wanted)], 16)
    made = sum(a.status_code == 201 for a in answers)
    assert made >= 20
    told = pair[1].get("/v1/audit").json()
    assert told["clean"], told["problem"]
    assert told["entries"] - before == made


def _make(client, wanted):
    return client.post("/v1/keys", json=wanted)
