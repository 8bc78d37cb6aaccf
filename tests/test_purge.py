"""Asking while documents are purged and published again: no failure, and no erased word once a purge was acknowledged."""

from __future__ import annotations

import gc
import itertools
import secrets
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from sqlalchemy import select

from domains.spec import StaleView
from ingest.drafting import Submission
from ingest.metadata import stated
from retrieval.langchain import PolicyRetriever
from retrieval.tables import readings
from retrieval.versions import View
from service.api.app import create_app
from service.auth.keys import Caller
from service.build import build
from service.prepare import take_in_adapter
from service.settings import Settings
from service.use_cases import documents

ROUNDS = 6
OWNER = Caller("test", frozenset({"ingest", "admin"}), frozenset({"public", "customers", "agents"}))
PUBLIC = frozenset({"public"})
QUESTION = {"ticket": {"body": "How much is the parcel scan a month?"}}  # holds no word of the document alone


@pytest.fixture
def services(tmp_path, domain, encoder):
    made = build(Settings(home=tmp_path, requests_per_minute=10**6), domain, encoder)
    made.publisher.upkeep.start()
    take_in_adapter(made, Console(quiet=True))
    yield made
    made.close()


@pytest.fixture
def client(services):
    with TestClient(create_app(services), raise_server_exceptions=False) as made:
        made.headers["Authorization"] = f"Bearer {services.local_key}"
        yield made


def publish(services, doc_id, word):
    text = (
        f"# Parcel {word}\n\nThe parcel scan {word} costs 12 EUR a month.\n\n"
        f"## Plans\n\n| Plan | Price |\n| --- | --- |\n| {word} | 7 EUR |\n"
    )
    meta = stated(
        "test", {"doc_id": doc_id, "title": f"Of {word}", "audience": ["public"], "effective_from": "2026-01-01"}
    )
    return documents.publish(services, OWNER, Submission("x.md", text.encode(), meta))


def ask(client):
    """The answers of every way to read."""
    return [
        client.post("/v1/respond", json=QUESTION),
        client.post("/v1/search", json={"query": "parcel scan"}),
        client.get("/v1/documents"),
        client.get("/v1/documents/parcel"),
        client.get("/v1/documents/parcel/versions/1"),
        client.get("/v1/documents/parcel/versions/2"),
    ]


def held_strings(root, *words):
    """What in reach of `root` holds a text with one of `words`: caches, globals, closures; not the frames of running code."""
    seen, left, found = set(), [root], []
    while left:
        thing = left.pop()
        if id(thing) in seen or issubclass(type(thing), types.FrameType | types.TracebackType):
            continue
        seen.add(id(thing))
        for other in gc.get_referents(thing):
            if issubclass(type(other), str | bytes):  # some lazy objects warn when asked for their class
                text = other if issubclass(type(other), str) else other.decode("utf-8", "ignore")
                if any(word in text.casefold() for word in words):
                    found.append((type(thing).__name__, text[:80]))
            else:
                left.append(other)
    return found


def test_purging_while_others_read_fails_nobody_and_leaves_no_word(services, client):
    publish(services, "other", "stays")
    words = ["zq" + secrets.token_hex(5) for _ in range(ROUNDS)]
    stop, statuses = threading.Event(), []

    def read():
        while not stop.is_set():
            statuses.extend((answer.status_code, answer.text) for answer in ask(client))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for word in words:
                publish(services, "parcel", word)
                for _ in range(2):
                    assert any(word in answer.text for answer in ask(client)), "it is found while it is there"
                documents.purge(services, OWNER, "parcel")
                for answer in ask(client):
                    assert word not in answer.text
        finally:
            stop.set()
        for reader in readers:
            reader.result()
    assert len(statuses) > ROUNDS * 6
    assert {status for status, _ in statuses} <= {200, 404}, [text for status, text in statuses if status >= 500][:3]
    statuses.clear()
    client.get("/v1/documents")
    gc.collect()
    assert held_strings([services, threading.enumerate()], *words) == []


def test_the_walk_through_the_caches_finds_words_that_are_kept(services, client):
    word = "zq" + secrets.token_hex(5)
    publish(services, "parcel", word)
    ask(client)
    kinds = {kind for kind, _ in held_strings(services, word)}
    assert kinds, "the walk reaches the caches"
    documents.purge(services, OWNER, "parcel")
    gc.collect()
    assert held_strings(services, word) == []


def purging_once(services, work):
    """`work`, which first lets a purge of `parcel` happen, the first time alone."""
    first = iter([True])

    def wrapped(*args, **options):
        made = work(*args, **options)
        if next(first, False):
            documents.purge(services, OWNER, "parcel")
        return made

    return wrapped


@pytest.mark.parametrize("step", ["search", "select"])
def test_a_reply_that_a_purge_overtakes_is_made_again_without_the_words(services, client, monkeypatch, step):
    word = "zq" + secrets.token_hex(5)
    publish(services, "parcel", word)
    where = services.pipeline.selector if step == "select" else type(services.pipeline.retriever)
    monkeypatch.setattr(where, step, purging_once(services, getattr(where, step)))
    reply = client.post("/v1/respond", json=QUESTION)
    assert reply.status_code == 200
    assert word not in reply.text
    assert reply.json()["citations"] == []
    gc.collect()
    assert held_strings(services, word) == []


def test_a_search_that_a_purge_overtakes_is_made_again(services, client, monkeypatch):
    word = "zq" + secrets.token_hex(5)
    publish(services, "parcel", word)
    retriever = type(services.pipeline.retriever)
    monkeypatch.setattr(retriever, "search", purging_once(services, retriever.search))
    assert client.post("/v1/search", json={"query": "parcel scan"}).json()["passages"] == []
    publish(services, "parcel", word)
    monkeypatch.setattr(retriever, "search", purging_once(services, retriever.search))
    assert PolicyRetriever(retriever=services.pipeline.retriever, audiences=PUBLIC).invoke("parcel scan") == []


def test_a_reader_whom_purges_overtake_each_time_is_asked_to_come_again(services, client, monkeypatch):
    numbers = itertools.count()
    retriever = type(services.pipeline.retriever)
    search = retriever.search

    def overtaken(*args, **options):
        documents.purge(services, OWNER, "parcel")
        publish(services, "parcel", f"zq{next(numbers)}")
        return search(*args, **options)

    publish(services, "parcel", "zq")
    monkeypatch.setattr(retriever, "search", overtaken)
    answer = client.post("/v1/search", json={"query": "parcel scan"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_content_that_comes_back_after_a_purge_is_read_whole(shelf):
    """The lengths that a stale reader saw missing are not kept for the text when it is published again."""
    text = "# Vault\n\nThe vault costs 41 EUR a month.\n"
    shelf.publish("vault", text)
    stale = shelf.catalog.view(PUBLIC, shelf.catalog.timeline().boundaries[-1])
    shelf.publisher.purge("vault", None, "test")
    for read in (shelf.catalog.lengths, lambda view: shelf.catalog.passages(view.versions[0].content)):
        with pytest.raises(StaleView):
            read(stale)
    with pytest.raises(StaleView):
        shelf.catalog.confirm(stale)
    shelf.publish("vault", text)
    fresh = shelf.catalog.view(PUBLIC, stale.moment)
    assert len(shelf.retriever.search(fresh, "what does the vault cost?")) == 1


def test_a_purge_of_something_else_does_not_disturb_a_reader(shelf):
    shelf.publish("vault", "# Vault\n\nThe vault costs 41 EUR.\n")
    shelf.publish("seal", "# Seal\n\nThe seal costs 3 EUR.\n", audience=("agents",))
    taken = []

    def take() -> View:
        taken.append(shelf.catalog.view(PUBLIC, shelf.catalog.timeline().boundaries[-1]))
        return taken[-1]

    def read(view):
        shelf.publisher.purge("seal", None, "test")
        return len(shelf.retriever.search(view, "vault"))

    assert shelf.catalog.reading(take, read) == 1
    assert len(taken) == 1


def titles_read(shelf):
    with shelf.engine.connect() as connection:
        return set(connection.execute(select(readings.c.title)).scalars())


def test_readings_go_with_the_last_version_of_their_title_though_the_text_stays(shelf):
    """A reading may hold its title in words, so it must not outlive it."""
    text = "# Vault\n\nThe vault costs 41 EUR a month.\n"
    shelf.publish("one", text, title="Secret vault")
    shelf.publish("one", text, "2026-06-01", title="Open vault", allow_retitle=True)
    shelf.publish("two", text, title="Secret vault")
    assert titles_read(shelf) == {"Secret vault", "Open vault"}
    assert shelf.publisher.purge("one", 1, "test").contents == (), "all share one text"
    assert titles_read(shelf) == {"Secret vault", "Open vault"}, "another document has the title"
    shelf.publisher.purge("two", None, "test")
    assert titles_read(shelf) == {"Open vault"}
    assert shelf.publisher.upkeep.verify().problems == ()
    shelf.publisher.purge("one", None, "test")
    assert titles_read(shelf) == set()


def test_a_purge_erases_every_readers_readings_of_a_title(shelf):
    text = "# Vault\n\nThe vault costs 41 EUR a month.\n"
    shelf.publish("one", text, title="Secret vault")
    shelf.publish("two", text, title="Open vault")
    with shelf.engine.begin() as tx:
        kept = tx.execute(select(readings)).all()
        tx.execute(readings.insert(), [{**row._mapping, "reader": "others"} for row in kept])
    shelf.publisher.purge("one", None, "test")
    assert titles_read(shelf) == {"Open vault"}


def test_verify_finds_readings_that_belong_to_no_version_and_a_rebuild_erases_them(shelf):
    shelf.publish("one", "# Vault\n\nThe vault costs 41 EUR a month.\n")
    with shelf.engine.begin() as tx:
        (kept,) = tx.execute(select(readings)).all()
        tx.execute(readings.insert(), {**kept._mapping, "title": "Secret vault"})
    assert shelf.publisher.upkeep.verify().problems == ("readings: 1 belong to no version",)
    shelf.publisher.upkeep.rebuild()
    assert titles_read(shelf) == {"one"}
    assert shelf.publisher.upkeep.verify().problems == ()
