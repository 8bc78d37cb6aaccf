"""Two replicas on one database and one Chroma server: what one publishes the other answers with its next question."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ingest.publish import Publisher
from retrieval.catalog import Catalog
from retrieval.dense import DenseIndex
from retrieval.index import Place
from retrieval.lexical import LexicalIndex
from retrieval.retriever import Retriever
from service.storage.database import open_database
from tests.shelf import EVERYONE, HashEmbedder, submitted

# Chroma's HTTP client leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
MOMENT = datetime(2026, 7, 1, tzinfo=UTC)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def chroma(tmp_path_factory):
    """A real Chroma server (the Rust one) on loopback."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*command, "--path", str(tmp_path_factory.mktemp("chroma"))], stdout=subprocess.DEVNULL)
    wait(lambda: httpx.get(f"http://127.0.0.1:{port}/api/v2/heartbeat").is_success)
    yield f"127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request, tmp_path_factory):
    """A database that two engines share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'shared.db'}"
        return
    if not shutil.which("initdb"):
        pytest.skip("PostgreSQL's initdb is not on the PATH of this machine")
    folder, port = tmp_path_factory.mktemp("postgres"), free_port()
    user = {"user": "nobody"} if os.getuid() == 0 else {}  # PostgreSQL refuses to run as root
    for path in [folder, *folder.parents]:
        if path.is_relative_to(tmp_path_factory.getbasetemp().parent):
            path.chmod(0o755 if path != folder else 0o777)

    def run(*command):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "formfact")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run("pg_ctl", "-w", "-D", data, "-o", options, "-l", str(folder / "log"), "start")
    yield f"postgresql+psycopg://formfact@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")


class Replica:
    """What one of several processes holds."""

    def __init__(self, domain, database, chroma):
        self.engine = open_database(database)
        self.catalog = Catalog(self.engine)
        self.dense = DenseIndex(self.engine, Place(Path("/nowhere"), chroma), "test")
        self.retriever = Retriever(self.catalog, LexicalIndex(self.engine), self.dense, HashEmbedder())
        self.publisher = Publisher(domain, self.engine, self.catalog, self.dense, HashEmbedder())
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


def wait(ready) -> None:
    for _ in range(100):
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("it did not start")


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
