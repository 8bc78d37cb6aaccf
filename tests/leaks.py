"""Ask as random callers at random dates, and look for words that the caller may not read.

    python -m tests.leaks --times 1000

Sixty versions of twenty documents share their subjects and differ in one invented word each. Whatever comes back (reply,
citations, search, documents, error texts, the journal's record, LangChain's retriever) must hold no word of a version
that the caller's audiences do not admit, or to which a later version withdrew the right, and the reply and search none of
a version that does not hold at the date.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from rich.console import Console

from domains.spec import load_domain
from ingest.drafting import Submission
from ingest.metadata import stated
from retrieval.langchain import PolicyRetriever
from service.api.app import create_app
from service.auth.keys import Wanted
from service.build import Services, build
from service.prepare import take_in_adapter
from service.settings import Settings

SUBJECTS = ["harbour pass", "lantern permit", "courier slot", "vault lease", "parcel scan"]
AUDIENCES = ["public", "customers", "agents"]
FIRST = date(2026, 1, 1)


@dataclass(frozen=True)
class Marked:
    """A version and the word that stands in it alone."""

    doc_id: str
    version: int
    word: str
    audience: str
    restricted_to: tuple[str, ...] = ()  # audiences of later versions that restrict the history


def shelve(services: Services, draw: random.Random) -> list[Marked]:
    """Publish the documents."""
    made = []
    for number in range(20):
        subject = SUBJECTS[number % len(SUBJECTS)]
        for step in range(3):
            word = "zq" + "".join(draw.choice("bcdfghjklmnprstvw") for _ in range(7))
            audience = draw.choice(AUDIENCES)
            start = FIRST + timedelta(days=draw.randrange(300))
            text = f"# {subject.title()}\n\nThe {subject} costs {100 + number} EUR and is called {word}.\n\n## Terms\n\nA {subject} lasts {step + 2} days under {word}.\n"
            meta = stated(
                "leaks",
                {
                    "doc_id": f"doc-{number}",
                    "title": f"Doc {number}",
                    "audience": [audience],
                    "effective_from": start.isoformat(),
                },
            )
            restrict = draw.random() < 0.3
            sent = Submission("x.md", text.encode(), meta, allow_widen=True, restrict_history=restrict)
            done = services.publisher.publish(sent, "leaks", frozenset(AUDIENCES))
            if restrict:
                made = [restricted(m, audience) if m.doc_id == f"doc-{number}" else m for m in made]
            made.append(Marked(f"doc-{number}", done.version, word, audience))
    return made


def restricted(version: Marked, audience: str) -> Marked:
    """The version after one that restricts the history of its document."""
    return replace(version, restricted_to=(*version.restricted_to, audience))


def look(services: Services, times: int, seed: int = 1) -> dict[str, int]:
    """Ask so many times.

    Raises:
        AssertionError: a word came out.
    """
    draw = random.Random(seed)
    marked = shelve(services, draw)
    client = TestClient(create_app(services), raise_server_exceptions=False)
    with services.engine.begin() as tx:
        keys = {a: services.keys.create(Wanted(a, ("respond", "read"), (a,)), "test", tx)[1] for a in AUDIENCES}
    counted = {"asked": 0, "answered": 0, "citations": 0, "texts looked through": 0, "forbidden words": 0}
    for _ in range(times):
        audience, subject = draw.choice(AUDIENCES), draw.choice(SUBJECTS)
        moment = (FIRST + timedelta(days=draw.randrange(320))).isoformat()
        texts = ask(client, services, keys[audience], subject, moment, draw)
        texts["retriever"] = retrieved(services, audience, subject, moment)
        check(services, marked, audience, moment, texts)
        reply = json.loads(texts["respond"])
        counted["asked"] += 1
        counted["answered"] += reply["action"] == "answer"
        counted["citations"] += len(reply["citations"])
        counted["texts looked through"] += len(texts)
    return counted


def ask(
    client: TestClient, services: Services, key: str, subject: str, moment: str, draw: random.Random
) -> dict[str, str]:
    """Everything that a caller gets to see for one question: name of the place -> its text."""
    client.headers["Authorization"] = f"Bearer {key}"
    question = draw.choice(["How much is the {}?", "How long does a {} last?", "what is the {} called"]).format(subject)
    doc, number = f"doc-{draw.randrange(20)}", draw.randrange(1, 5)
    reply = client.post("/v1/respond", json={"ticket": {"body": question}, "as_of": moment})
    texts = {
        "respond": reply.text,
        "search": client.post("/v1/search", json={"query": question, "as_of": moment, "limit": 50}).text,
        "documents": client.get("/v1/documents", params={"as_of": moment}).text,
        "document": client.get(f"/v1/documents/{doc}").text,
        "version": client.get(f"/v1/documents/{doc}/versions/{number}").text,
        "journal": str(services.pipeline.journal.read(reply.json()["request_id"])),
    }
    for citation in reply.json()["citations"]:
        texts[citation["url"]] = client.get(citation["url"]).text
    return texts


def retrieved(services: Services, audience: str, subject: str, moment: str) -> str:
    """What LangChain's retriever finds."""
    audiences, instant = services.domain.readable_by([audience]), instant_of(services, moment)
    retriever = PolicyRetriever(retriever=services.pipeline.retriever, audiences=audiences, moment=instant, k=50)
    return str(retriever.invoke(subject))


def instant_of(services: Services, moment: str) -> datetime:
    """The start of a day in the domain's zone."""
    return datetime.combine(date.fromisoformat(moment), datetime.min.time(), services.domain.zone).astimezone(UTC)


def check(services: Services, marked: list[Marked], audience: str, moment: str, texts: dict[str, str]) -> None:
    """No text holds a word that it may not hold."""
    readable = services.domain.readable_by([audience])
    holding = {(v.doc_id, v.version) for v in services.catalog.view(readable, instant_of(services, moment)).versions}
    for version in marked:
        for place, text in texts.items():
            dated = place in ("respond", "search", "journal", "retriever")
            admitted = {version.audience, *version.restricted_to} <= readable
            allowed = admitted and (not dated or (version.doc_id, version.version) in holding)
            assert allowed or version.word not in text, f"{place} tells {audience} at {moment} of {version}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp())
    services = build(Settings(home=home, requests_per_minute=10**6), load_domain("support"))
    take_in_adapter(services, Console(quiet=True))
    services.publisher.upkeep.start()
    print(json.dumps(look(services, asked.times, asked.seed), indent=1))
    services.close()
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
