"""Rows that are alike: exactly, nearly, or in meaning. What is alike belongs on one side of every split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

from adapters.base import Features
from adapters.data.rows import Row
from domains.spec import InvalidInput

Pair = tuple[int, int]
Embed = Callable[[list[str]], Features]

NEAR, SAME_MEANING = 0.5, 0.95  # Jaccard of three-word runs, cosine of embeddings; above, two rows are alike
_COMMON = 50  # a run of words that stands in more rows is a phrase, and tells nothing
_BLOCK = 2000  # rows whose embeddings are compared at once


def exact(rows: Sequence[Row]) -> list[Pair]:
    """Rows whose words are the same, as pairs of their numbers."""
    places: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        places.setdefault(normal(row.text), []).append(number)
    return [pair for same in places.values() for pair in pairwise(same)]


def refuse_contradictions(rows: Sequence[Row], names: Sequence[str]) -> None:
    """Make sure that no text stands twice with different labels.

    Args:
        rows: to learn from.
        names: what an error calls each of them.

    Raises:
        InvalidInput: one does.
    """
    for a, b in exact(rows):
        if rows[a].labels != rows[b].labels:
            raise InvalidInput(
                f"{names[a]} and {names[b]} are the same text with different labels.", "Decide which of them is right."
            )


def near(rows: Sequence[Row]) -> list[Pair]:
    """Rows that share most of their three-word runs."""
    runs = CountVectorizer(ngram_range=(3, 3), binary=True, token_pattern=r"\w+")  # noqa: S106
    try:
        found = runs.fit_transform(row.text for row in rows).tocsc()
    except ValueError:  # no row has three words
        return []
    rare = found[:, np.asarray(found.sum(0)).ravel() <= _COMMON].tocsr().astype(np.float32)
    sizes = np.asarray(found.sum(1)).ravel()
    shared = (rare @ rare.T).tocoo()
    union = sizes[shared.row] + sizes[shared.col] - shared.data
    alike = (shared.row < shared.col) & (shared.data / np.maximum(union, 1) >= NEAR)
    return [(int(a), int(b)) for a, b in zip(shared.row[alike], shared.col[alike], strict=True)]


def in_meaning(rows: Sequence[Row], embed: Embed) -> list[Pair]:
    """Rows whose embeddings nearly coincide."""
    vectors = embed([row.text for row in rows])
    return list(_close(vectors))


def alike(rows: Sequence[Row], embed: Embed) -> dict[str, list[Pair]]:
    """Kind of likeness -> pairs of row numbers."""
    return {"exact": exact(rows), "near": near(rows), "in meaning": in_meaning(rows, embed)}


def grouped(rows: Sequence[Row], pairs: Sequence[Pair]) -> list[str]:
    """A group for each row, under which all that it is alike to, directly or by way of others, stands with it."""
    first: dict[str, int] = {}
    edges = [*pairs, *((first.setdefault(row.group, n), n) for n, row in enumerate(rows))]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    links = csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(rows), len(rows)))
    _, component = connected_components(links, directed=False)
    named: dict[int, str] = {}
    return [named.setdefault(int(c), row.group) for c, row in zip(component, rows, strict=True)]


def normal(text: str) -> str:
    """Text by its words alone."""
    return " ".join(text.split()).casefold()


def _close(vectors: Features) -> Iterator[Pair]:
    for start in range(0, len(vectors), _BLOCK):
        similar = vectors[start : start + _BLOCK] @ vectors.T
        for a, b in np.argwhere(similar >= SAME_MEANING):
            if start + a < b:
                yield int(start + a), int(b)
