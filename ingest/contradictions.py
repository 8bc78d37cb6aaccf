"""Find statements of a new version that conflict with other documents in force, to warn the publisher.

Sentences and table rows with figures are compared with those of the nearest passages of other documents of equal
precedence. The result is a hint: a person decides which document is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice

import numpy as np
from langchain_core.embeddings import Embeddings

from retrieval.catalog import Catalog
from retrieval.conflicts import numbers_in, rivals
from retrieval.contents import Contradiction, Passage
from retrieval.dense import DenseIndex
from retrieval.units import Unit, stating
from retrieval.vectors import Vectors
from retrieval.versions import Version, View

_NEAREST = 5  # passages that are compared with each passage
_SAME_SUBJECT = 0.8  # cosine from which on two units speak of the same thing
_MOST = 5


def contradictions(
    planned: Version,
    passages: Sequence[Passage],
    vectors: Vectors,
    view: View,
    catalog: Catalog,
    dense: DenseIndex,
    embedder: Embeddings,
) -> tuple[Contradiction, ...]:
    """Where a version differs in a figure from what some of its readers may read elsewhere, at most five places.

    Args:
        planned: the version, as it would be published.
        passages: its passages.
        vectors: their embeddings, (passages, dimensions).
        view: what the publisher may read when the version starts to hold.
        catalog: has the other passages.
        dense: proposes those that are near.
        embedder: compares two units.
    """
    numbers = cache(numbers_in)
    stated = {unit.text for unit in stating(planned, passages)}
    pairs = [
        (own, other)
        for passage, vector in zip(passages, vectors, strict=True)
        for other in _near(planned, vector, view, catalog, dense)
        if other.text not in stated
        for own in stating(planned, [passage])
        if rivals(own, other, numbers)
    ]
    if not pairs:
        return ()
    texts = list(dict.fromkeys(unit.text for pair in pairs for unit in pair))
    found = np.asarray(embedder.embed_documents(texts), dtype=np.float32)
    vector_of = dict(zip(texts, found, strict=True))
    alike = [pair for pair in pairs if vector_of[pair[0].text] @ vector_of[pair[1].text] >= _SAME_SUBJECT]
    unique = {(one.text, other.text): _contradiction(one, other) for one, other in alike}
    return tuple(islice(unique.values(), _MOST))


def _near(planned: Version, vector: Vectors, view: View, catalog: Catalog, dense: DenseIndex) -> list[Unit]:
    """The units of the nearest passages of other documents of equal precedence, for readers of both."""
    units: list[Unit] = []
    for (content, ordinal), _ in dense.propose(vector, view.audiences, 4 * _NEAREST)[: 4 * _NEAREST]:
        for version in view.by_content.get(content, ()):
            other = version.doc_id != planned.doc_id and version.doc_id not in planned.supersedes
            if other and version.precedence == planned.precedence and version.audience & planned.audience:
                units += stating(version, [catalog.passages(content)[ordinal]])
    return units


def _contradiction(own: Unit, other: Unit) -> Contradiction:
    return Contradiction(own.text, other.version.doc_id, other.version.version, other.text)
