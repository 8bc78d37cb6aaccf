"""What the tests share: the real encoder, loaded once; a domain with few documents; a guard against the network."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from sqlalchemy import create_engine

from adapters.encoder import Encoder
from domains.spec import Domain, load_domain
from ingest.publish import Publisher, Submission, new_lock
from retrieval.catalog import Catalog
from retrieval.index import DenseIndex, open_client
from retrieval.lexical import LexicalIndex, tokens
from retrieval.retriever import Retriever
from retrieval.tables import metadata
from service.build import Services, build
from service.settings import Settings

EVERYONE = frozenset({"public", "customers", "agents"})


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Any connection that leaves this machine is an error of the test."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


class HashEmbedder(Embeddings):
    """Stands in for the encoder in tests of the catalog: words to directions, so that shared words are near."""

    def embed_documents(self, texts):
        return [self._vector(text) for text in texts]

    def embed_query(self, text):
        return self._vector(text)

    @staticmethod
    def _vector(text):
        vector = np.full(64, 1e-3)
        for token in tokens(text):
            vector[sum(token.encode()) % 64] += 1
        return list(vector / np.linalg.norm(vector))


@pytest.fixture(scope="session")
def domain() -> Domain:
    return load_domain("support")


@pytest.fixture(scope="session")
def encoder(domain) -> Encoder:
    return Encoder(domain.encoder)


class Shelf:
    """A catalog with its indexes in a folder, and a short way to publish on it."""

    def __init__(self, home: Path, domain: Domain, embedder: Embeddings) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(f"sqlite:///{home / 'catalog.db'}")
        metadata.create_all(self.engine)
        self.catalog = Catalog(self.engine, domain)
        self.lexical = LexicalIndex(self.engine)
        self.dense = DenseIndex(open_client(home / "chroma", None), "test")
        self.retriever = Retriever(self.catalog, self.lexical, self.dense, embedder)
        self.publisher = Publisher(domain, self.engine, self.catalog, self.dense, embedder, new_lock())

    def publish(self, doc_id, text, start="2026-01-01", audience=("public",), held=EVERYONE, **stated):
        from ingest.metadata import stated as checked

        values = {"doc_id": doc_id, "effective_from": start, "audience": list(audience) or None, **stated}
        widen = values.pop("allow_widen", False)
        meta = checked("test", {"title": doc_id, **values})
        submission = Submission(f"{doc_id}.md", text.encode(), meta, widen)
        return self.publisher.publish(submission, "test", frozenset(held))

    def close(self):
        self.engine.dispose()


@pytest.fixture
def shelf(tmp_path, domain):
    made = Shelf(tmp_path / "shelf", domain, HashEmbedder())
    yield made
    made.close()


@pytest.fixture(scope="session")
def services(tmp_path_factory, domain, encoder) -> Services:
    """The whole service with the shipped adapter and the shipped documents."""
    from rich.console import Console

    from service.prepare import prepare

    made = build(Settings(home=tmp_path_factory.mktemp("home")), domain, encoder)
    prepare(made, Console(quiet=True))
    return made
