"""One generation of the dense index, in Chroma. The one module that imports `chromadb`.

Embeddings come in precomputed and no embedding function is ever configured: a persisted one is a way to run foreign
code (CVE-2026-45829). Records carry one positive flag an audience; Chroma's negative filters match records that lack
the key, so none is used. What the filter lets through is proposed only: the catalog confirms version, date, audience.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.api import ClientAPI
from chromadb.config import Settings

from retrieval.contents import Key
from retrieval.vectors import Vectors

_PAGE = 2000  # records read at once


@dataclass(frozen=True, slots=True)
class Place:
    """Where generations live: a folder of this process, or a Chroma server (`host:port`)."""

    folder: Path
    url: str = ""
    sync_threshold: int = 1000  # records after which Chroma writes its graph to disk

    def open(self, name: str, make: bool = False) -> Generation:
        """Open a generation, or make it.

        Embedded, each has a folder of its own, so that one that was dropped leaves no byte behind.
        """
        settings = Settings(anonymized_telemetry=False)
        if self.url:
            host, _, port = self.url.rpartition(":")
            client = chromadb.HttpClient(host=host, port=int(port), settings=settings)
        else:
            client = chromadb.PersistentClient(path=str(self.folder / name), settings=settings)
        try:
            return Generation(client, name, self.sync_threshold if make else None)
        except BaseException:
            client.close()  # type: ignore[attr-defined]
            raise

    def drop(self, generation: Generation) -> None:
        """Remove a generation with all that it holds."""
        if self.url:
            generation.remove_all()
        generation.close()
        shutil.rmtree(self.folder / generation.name, ignore_errors=True)

    def sweep(self, live: str | None) -> None:
        """Remove, embedded, the folders of all other generations: what a cut-off rebuild left."""
        for path in self.folder.iterdir() if self.folder.is_dir() and not self.url else ():
            if path.is_dir() and path.name != live:
                shutil.rmtree(path, ignore_errors=True)


class Generation:
    """Passage embeddings of one encoder, by cosine.

    Args:
        client: Chroma.
        name: of the generation and its collection.
        sync_threshold: given, the collection is made; None: it must exist.
    """

    def __init__(self, client: ClientAPI, name: str, sync_threshold: int | None) -> None:
        self.name = name
        self._client = client
        # A search list longer than the candidates wanted keeps the approximate search exact at the sizes a team has.
        shape: Any = {"hnsw": {"space": "cosine", "ef_search": 400, "sync_threshold": sync_threshold}}
        self._collection = (
            client.get_collection(name, embedding_function=None)
            if sync_threshold is None
            else client.create_collection(name, embedding_function=None, configuration=shape)
        )
        self._batch = client.get_max_batch_size()

    def count(self) -> int:
        """How many passages it holds."""
        return self._collection.count()

    def write(self, content: str, audiences: Iterable[str], embeddings: Vectors) -> None:
        """Write the passages of one content; flags that were there stay.

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

    def propose(self, vector: Vectors, audiences: Iterable[str], limit: int) -> list[tuple[Key, float]]:
        """The nearest passages `(content, ordinal)` with their cosine, nearest first.

        Args:
            vector: (dimensions,), unit length.
            audiences: only passages that one of these names admits.
            limit: how many at most.
        """
        flags: Sequence[Any] = [{_flag(name): True} for name in sorted(audiences)]
        if not flags or not (held := self.count()):
            return []
        where: Any = flags[0] if len(flags) == 1 else {"$or": flags}
        found = self._collection.query(
            query_embeddings=vector[np.newaxis], n_results=min(limit, held), where=where, include=["distances"]
        )
        distances = found["distances"] or [[]]
        return [(_parse(i), 1 - d) for i, d in zip(found["ids"][0], distances[0], strict=True)]

    def records(self) -> Iterator[tuple[Key, frozenset[str], Vectors]]:
        """All that it holds: passage, audiences, embedding (dimensions,)."""
        for start in range(0, self.count(), _PAGE):
            page = self._collection.get(limit=_PAGE, offset=start, include=["embeddings", "metadatas"])
            vectors: Any = page["embeddings"]
            metadatas: Sequence[Mapping[str, Any]] = page["metadatas"] or []
            for identifier, metadata, vector in zip(page["ids"], metadatas, vectors, strict=True):
                yield _parse(identifier), _audiences(metadata), np.asarray(vector, dtype=np.float32)

    def remove(self, content: str) -> None:
        """Remove the passages of one content."""
        self._collection.delete(where={"content": content})

    def remove_all(self) -> None:
        """Remove the whole generation from the server."""
        self._client.delete_collection(self.name)

    def close(self) -> None:
        """Let go of files and threads."""
        self._client.close()  # type: ignore[attr-defined]  # clients have it, their interface does not name it


def _flag(audience: str) -> str:
    return f"audience_{audience}"


def _audiences(metadata: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(k.removeprefix("audience_") for k, v in metadata.items() if k.startswith("audience_") and v)


def _parse(identifier: str) -> Key:
    content, _, ordinal = identifier.partition(":")
    return content, int(ordinal)
