"""A catalog with its indexes in a folder, and a short way to publish on it. No model is loaded: scripts use it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from domains.spec import Domain
from ingest.drafting import Submission
from ingest.metadata import stated as checked
from ingest.publish import Publisher
from retrieval.catalog import Catalog
from retrieval.dense import DenseIndex
from retrieval.index import Place
from retrieval.lexical import LexicalIndex, tokens
from retrieval.retriever import Retriever
from service.db.database import open_database

EVERYONE = frozenset({"public", "customers", "agents"})


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


class WordReader:
    """Stands in for the evidence reader in tests of the catalog: the share of a question's words that a text holds."""

    name = fingerprint = "words"
    sufficient = sufficient_unlabelled = 0.5

    def read(self, texts):
        return [f"{around} {text}".encode() for text, around in texts]

    def judge(self, question, readings, record="", groups=()):
        asked = set(tokens(question[0]))
        return np.array([len(asked & set(tokens(r.decode()))) / max(len(asked), 1) for r in readings])


def submitted(doc_id, text, start="2026-01-01", audience=("public",), **stated):
    """A Markdown text as it would be sent."""
    values = {"doc_id": doc_id, "title": doc_id, "effective_from": start, "audience": list(audience) or None, **stated}
    options = {n: values.pop(n, False) for n in ("allow_widen", "allow_retitle", "restrict_history")}
    return Submission(f"{doc_id}.md", text.encode(), checked("test", values), **options)


class Shelf:
    """Real catalog, real Chroma, in a folder of its own; opened like a service opens its home."""

    def __init__(
        self, home: Path, domain: Domain, embedder: Embeddings, sync_threshold: int = 1000, reader=None
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.engine = open_database(f"sqlite:///{home / 'catalog.db'}")
        self.catalog = Catalog(self.engine)
        self.lexical = LexicalIndex(self.engine)
        self.dense = DenseIndex(self.engine, Place(home / "chroma", sync_threshold=sync_threshold), "test")
        self.retriever = Retriever(self.catalog, self.lexical, self.dense, embedder, exact=0)
        self.reader = reader or WordReader()
        self.publisher = Publisher(domain, self.engine, self.catalog, self.dense, embedder, self.reader)
        self.publisher.upkeep.start()

    def publish(self, doc_id, text, start="2026-01-01", audience=("public",), held=EVERYONE, **stated):
        return self.publisher.publish(submitted(doc_id, text, start, audience, **stated), "test", frozenset(held))

    def close(self):
        self.dense.close()
        self.engine.dispose()
