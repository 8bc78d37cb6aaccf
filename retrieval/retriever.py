"""Search: two indexes propose, the catalog confirms, reciprocal rank fusion orders.

Fusion is that of Cormack, Clarke & Büttcher (2009) with their k = 60. Everything is read through a `View`, so that
what the caller may not read changes neither ranks nor scores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from langchain_core.embeddings import Embeddings

from retrieval.catalog import Catalog
from retrieval.contents import Key, Passage
from retrieval.dense import DenseIndex
from retrieval.lexical import LexicalIndex
from retrieval.vectors import Vectors
from retrieval.versions import Version, View

RANK_CONSTANT = 60
_POOL = 40  # candidates of each ranking that take part in the fusion


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, the version it speaks for, and its fused score (higher is better)."""

    passage: Passage
    version: Version
    score: float


@dataclass(frozen=True, slots=True)
class Retriever:
    """Finds passages in a view."""

    catalog: Catalog
    lexical: LexicalIndex
    dense: DenseIndex
    embedder: Embeddings

    def search(self, view: View, query: str, context: str = "", words: str = "", limit: int = 8) -> tuple[Hit, ...]:
        """The best passages for a query; `context` has half the say of the query itself.

        Args:
            view: what the caller may read, see `Catalog.view`.
            query: what is asked.
            context: what else may help to find it.
            words: what the lexical index looks for; default: the query.
            limit: how many passages at most.
        """
        lengths = self.catalog.lengths(view)
        rankings: list[tuple[float, list[Key]]] = []
        texts = [(1.0, query), (0.5, f"{query} {context}")] if context else [(1.0, query)]
        vectors = np.asarray(self.embedder.embed_documents([text for _, text in texts]), dtype=np.float32)
        for (weight, text), vector in zip(texts, vectors, strict=True):
            rankings.append((weight, [key for key, _ in self._nearest(view, vector)]))
            wanted = f"{words} {text}" if words else text
            rankings.append((weight, [key for key, _ in self.lexical.search(view, wanted, lengths, _POOL)]))
        return tuple(self._hit(view, key, score) for key, score in fuse(rankings)[:limit])

    def _nearest(self, view: View, vector: Vectors) -> list[tuple[Key, float]]:
        """Candidates of the dense index that the catalog confirms: asked for until there are enough or no more."""
        wanted = _POOL * 2
        while True:
            proposed = self.dense.propose(vector, view.audiences, wanted)
            confirmed = [(key, cosine) for key, cosine in proposed if key[0] in view.by_content]
            if len(confirmed) >= _POOL or len(proposed) < wanted:
                return sorted(confirmed, key=lambda item: (-round(item[1], 4), item[0]))[:_POOL]
            wanted *= 4

    def _hit(self, view: View, key: Key, score: float) -> Hit:
        content, ordinal = key
        return Hit(self.catalog.passages(content)[ordinal], view.by_content[content][0], score)


def fuse(rankings: Sequence[tuple[float, Sequence[Key]]]) -> list[tuple[Key, float]]:
    """Reciprocal rank fusion: each ranking gives weight / (60 + rank); ties in the order of the identifiers."""
    scores: dict[Key, float] = defaultdict(float)
    for weight, ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            scores[key] += weight / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-round(item[1], 9), item[0]))
