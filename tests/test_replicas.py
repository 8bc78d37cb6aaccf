"""Two replicas on one database and one Chroma server: what one publishes the other answers with its next question."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.publish import Publisher
from retrieval.catalog import Catalog
from retrieval.dense import DenseIndex
from retrieval.index import Place
from retrieval.lexical import LexicalIndex
from retrieval.retriever import Retriever
from service.db.database import open_database
from tests.shelf import EVERYONE, HashEmbedder, WordReader, submitted

# Chroma's HTTP client leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
MOMENT = datetime(2026, 7, 1, tzinfo=UTC)


class Replica:
    """What one of several processes holds."""

    def __init__(self, domain, database, chroma):
        self.engine = open_database(database)
        self.catalog = Catalog(self.engine)
        self.dense = DenseIndex(self.engine, Place(Path("/nowhere"), chroma), "test")
        self.retriever = Retriever(self.catalog, LexicalIndex(self.engine), self.dense, HashEmbedder(), exact=0)
        self.publisher = Publisher(domain, self.engine, self.catalog, self.dense, HashEmbedder(), WordReader())
        with self.publisher.turn():
            self.publisher.upkeep.start()

    def publish(self, doc_id, text):
        return self.publisher.publish(submitted(doc_id, text), "test", EVERYONE)

    def ask(self, query):
        view = self.catalog.view(EVERYONE, MOMENT)
        return " ".join(hit.passage.text for hit in self.retriever.search(view, query))


@pytest.fixture
def replicas(domain, database, chroma):
    made = [Replica(domain, database, chroma) for _ in range(2)]
    yield made
    for replica in made:
        replica.dense.close()
        replica.engine.dispose()
    del made
    gc.collect()  # here, where what Chroma leaves open is ignored


def test_what_one_publishes_swaps_or_erases_the_other_answers_at_once(replicas):
    one, other = replicas
    one.publish("vault", "# Vault\n\nThe vault costs 41 EUR.\n")
    assert "41 EUR" in other.ask("what does the vault cost?")
    one.publisher.upkeep.rebuild()
    assert "41 EUR" in other.ask("what does the vault cost?")
    other.publisher.purge("vault", None, "test")
    assert "41 EUR" not in one.ask("what does the vault cost?")
    assert one.publisher.upkeep.verify().problems == ()


def test_both_may_publish_at_once(replicas):
    def publish(number):
        return replicas[number % 2].publish(f"doc-{number}", f"# Doc {number}\n\nNumber {number} costs {number} EUR.\n")

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(publish, range(24)))
    assert len({d.revision for d in done}) == 24, "each change has a revision of its own"
    for replica in replicas:
        assert {f"doc-{n}" for n in range(24)} <= set(replica.catalog.timeline().histories)
    assert replicas[0].publisher.upkeep.verify().problems == ()
