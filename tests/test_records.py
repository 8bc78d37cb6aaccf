"""What happened is told truly: audit, replay, reviews, retention."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, func, select, text, update

from domains.spec import InvalidInput
from evals.cases import read
from evals.run import run
from retrieval.timestamps import now
from service.api.app import create_app
from service.audit import Audit
from service.build import build
from service.db.database import open_database
from service.db.tables import audit, feedback, journal, judgements, reviews
from service.records.housekeeping import forget
from service.settings import Settings
from tests.callers import As, key

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


def test_a_reviewed_reply_becomes_an_eval_case_that_passes(admin, client, services, domain, tmp_path):
    asker = As(client, key(admin)["key"])
    told = {}
    for asked, right in (
        ("What does the Team plan cost per user, paid monthly in euros? Ann Smith, ann@x.example", True),
        ("what does solo cost a month in usd", False),
    ):
        reply = asker.ask(asked)
        asker("POST", "/v1/feedback", json={"request_id": reply["request_id"], "helpful": False, "comment": ""})
        waiting = {r["request_id"]: r["id"] for r in admin("GET", "/v1/reviews", params={"limit": 200}).json()}
        path = f"/v1/reviews/{waiting[reply['request_id']]}"
        assert admin("POST", path, json={"answer_right": right}).status_code == 200
        told[f"rv-{reply['request_id']}"] = right
    rows = {c["id"]: c for c in admin("GET", "/v1/judged").json()["cases"] if c["id"] in told}
    good, bad = (rows[name] for name in told)
    assert "ann@x.example" not in json.dumps(good)
    assert good["expect"]["facts"] == [{"docs": ["plan-prices"], "values": ["13.50"]}]
    out = tmp_path / "mine.jsonl"
    out.write_text(json.dumps(good) + "\n")
    (result,) = run(services, read(out, domain), "hybrid")
    assert result.marks.passed
    assert all(result.marks.labels_right.values())
    out.write_text(json.dumps(bad) + "\n")
    with pytest.raises(InvalidInput, match="not annotated"):
        read(out, domain)


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
