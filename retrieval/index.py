"""The dense index: Chroma, as a proposer. The one module that imports `chromadb`.

Embeddings come in precomputed and no embedding function is ever configured: a persisted one is a way to run foreign
code (CVE-2026-45829). Records carry one positive flag an audience; Chroma's negative filters match records that lack
the key, so none is used. What the filter lets through is proposed only: the catalog confirms version, date, audience.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import numpy.typing as npt
from chromadb.api import ClientAPI
from chromadb.config import Settings

Vectors = npt.NDArray[np.float32]


def open_client(folder: Path | None, url: str | None) -> ClientAPI:
    """Chroma embedded in this process under `folder`, or the Chroma server at `url` (host:port)."""
    settings = Settings(anonymized_telemetry=False)
    if url:
        host, _, port = url.rpartition(":")
        return chromadb.HttpClient(host=host, port=int(port), settings=settings)
    return chromadb.PersistentClient(path=str(folder), settings=settings)


class DenseIndex:
    """Passage embeddings of one encoder, by cosine.

    Args:
        client: see `open_client`.
        encoder: fingerprint of the encoder; embeddings of another one go to another collection.
    """

    def __init__(self, client: ClientAPI, encoder: str) -> None:
        # A search list longer than the candidates wanted keeps the approximate search exact at the sizes a team has.
        self._collection = client.get_or_create_collection(
            f"passages-{encoder}",
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_search": 400}},
        )
        self._batch = client.get_max_batch_size()

    def count(self) -> int:
        """How many passages the index holds."""
        return self._collection.count()

    def write(self, content: str, audiences: Iterable[str], embeddings: Vectors) -> None:
        """Write the passages of one content; `audiences` are those of all versions that share it.

        Args:
            content: hash of the content.
            audiences: names that may be proposed these passages.
            embeddings: (passages, dimensions), in the order of the ordinals.
        """
        flags: dict[str, Any] = {"content": content} | {_flag(name): True for name in audiences}
        for start in range(0, len(embeddings), self._batch):
            chunk = embeddings[start : start + self._batch]
            ids = [f"{content}:{start + i}" for i in range(len(chunk))]
            self._collection.upsert(ids=ids, embeddings=chunk, metadatas=[flags] * len(chunk))

    def embeddings(self, content: str, passages: int) -> Vectors | None:
        """The stored embeddings of a content, (passages, dimensions), or None where any is missing."""
        ids = [f"{content}:{i}" for i in range(passages)]
        found = self._collection.get(ids=ids, include=["embeddings"])
        vectors = found["embeddings"]
        if vectors is None or len(found["ids"]) != passages:
            return None
        by_id: Mapping[str, Any] = dict(zip(found["ids"], vectors, strict=True))
        return np.asarray([by_id[i] for i in ids], dtype=np.float32)

    def propose(self, vector: Vectors, audiences: Iterable[str], limit: int) -> list[tuple[tuple[str, int], float]]:
        """The nearest passages `(content, ordinal)` with their cosine, nearest first.

        Args:
            vector: (dimensions,), unit length.
            audiences: only passages that one of these names admits.
            limit: how many at most.
        """
        flags: Sequence[Any] = [{_flag(name): True} for name in sorted(audiences)]
        if not flags or not self.count():
            return []
        where: Any = flags[0] if len(flags) == 1 else {"$or": flags}
        found = self._collection.query(
            query_embeddings=vector[np.newaxis], n_results=min(limit, self.count()), where=where, include=["distances"]
        )
        distances = found["distances"] or [[]]
        return [(_parse(i), 1 - d) for i, d in zip(found["ids"][0], distances[0], strict=True)]

    def remove(self, content: str) -> None:
        """Remove the passages of one content."""
        self._collection.delete(where={"content": content})


def _flag(audience: str) -> str:
    return f"audience_{audience}"


def _parse(identifier: str) -> tuple[str, int]:
    content, _, ordinal = identifier.partition(":")
    return content, int(ordinal)
