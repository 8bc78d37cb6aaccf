"""Search: two indexes propose, the catalog confirms, a weighted sum of their scores orders.

A passage's score is its cosine and its BM25 score, the latter in standard deviations over what the caller may read;
such a sum beats reciprocal rank fusion where both are known (Bruch, Gai & Ingber 2023), and did here: see
docs/answers.md. Everything is read through a `View`, so that what the caller may not read changes neither ranks nor
scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from langchain_core.embeddings import Embeddings

from retrieval.catalog import Catalog
from retrieval.contents import Key, Passage
from retrieval.dense import DenseIndex
from retrieval.lexical import LexicalIndex, spread
from retrieval.vectors import Vectors
from retrieval.versions import Version, View

_POOL = 40  # candidates of each index, for each text that is looked for


@dataclass(frozen=True, slots=True)
class Fusion:
    """The say of each index and of the context; with 0 an index is not asked."""

    dense: float = 1.0
    lexical: float = 0.03  # of a standard deviation of BM25, beside a cosine
    context: float = 2.0  # of the question within its context, beside the question alone


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, the version it speaks for, and its score (higher is better)."""

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
    fusion: Fusion = Fusion()
    exact: int = 50_000  # passages that a caller may read; more are searched by the indexes

    def search(self, view: View, query: str, context: str = "", limit: int = 8) -> tuple[Hit, ...]:
        """The best passages for a query.

        Args:
            view: what the caller may read, see `Catalog.view`.
            query: what is asked.
            context: what else was said: it is looked for together with the query.
            limit: how many passages at most.
        """
        texts = [(1.0, query), (self.fusion.context, f"{context} {query}")] if context else [(1.0, query)]
        total = sum(weight for weight, _ in texts)
        vectors = np.asarray(self.embedder.embed_documents([text for _, text in texts]), dtype=np.float32)
        found = [self._lexical(view, text) for _, text in texts]
        candidates, embeddings = self._candidates(view, vectors, found)
        scores = np.zeros(len(candidates))
        for (weight, _), lexical, near in zip(texts, found, vectors @ embeddings.T, strict=True):
            said = np.array([lexical.get(key, 0.0) for key in candidates])
            scores += weight / total * (self.fusion.dense * near + self.fusion.lexical * said)
        best = np.argsort(-scores.round(5), kind="stable")[:limit]  # candidates are in order: so are ties
        return tuple(self._hit(view, candidates[i], float(scores[i])) for i in best)

    def _candidates(
        self, view: View, vectors: Vectors, found: Sequence[Mapping[Key, float]]
    ) -> tuple[Sequence[Key], Vectors]:
        """Passages that may be the best, in the order of their keys, and their embeddings: (passages, dimensions).

        All that a caller may read where that is little, which is exact; else what both indexes propose.
        """
        dimensions = vectors.shape[1]
        if len(self.catalog.lengths(view)) <= self.exact:
            return self.dense.of_view(view, dimensions)
        proposed = [self._nearest(view, vector) for vector in vectors] if self.fusion.dense else []
        keys = sorted({key for some in (*map(_best, found), *proposed) for key in some})
        return keys, self.dense.embeddings(keys, dimensions)

    def _lexical(self, view: View, text: str) -> dict[Key, float]:
        """BM25 scores in standard deviations over the view; none where the index has no say."""
        if not self.fusion.lexical:
            return {}
        lengths = self.catalog.lengths(view)
        found = self.lexical.scores(view, text, lengths)
        apart = spread(found.values(), len(lengths))
        return {key: score / apart for key, score in found.items()}

    def _nearest(self, view: View, vector: Vectors) -> list[Key]:
        """Candidates of the dense index that the catalog confirms: asked for until there are enough or no more."""
        wanted = _POOL * 2
        while True:
            proposed = self.dense.propose(vector, view.audiences, wanted)
            confirmed = [(key, cosine) for key, cosine in proposed if key[0] in view.by_content]
            if len(confirmed) >= _POOL or len(proposed) < wanted:
                return [k for k, _ in sorted(confirmed, key=lambda item: (-round(item[1], 4), item[0]))[:_POOL]]
            wanted *= 4

    def _hit(self, view: View, key: Key, score: float) -> Hit:
        content, ordinal = key
        return Hit(self.catalog.passages(content)[ordinal], view.by_content[content][0], score)


def _best(scores: Mapping[Key, float]) -> list[Key]:
    return sorted(scores, key=lambda key: (-round(scores[key], 4), key))[:_POOL]
