"""How near texts lie to each other, and how near a unit lies to a question; vectors of units are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from langchain_core.embeddings import Embeddings

from retrieval.vectors import Vectors

_MOST_KEPT = 50_000


@dataclass(slots=True)
class Kept:
    """Embeddings that remember what they were asked."""

    embedder: Embeddings
    _known: dict[str, Vectors] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._known)

    def keep(self, texts: Sequence[str]) -> None:
        """Embed before anybody asks; nothing where it would be too much to keep."""
        if texts and len(self) + len(texts) <= _MOST_KEPT:
            self(texts)

    def forget(self) -> None:
        """Drop all of them: texts may have been erased."""
        self._known = {}

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors: (texts, dimensions)."""
        if len(self._known) > _MOST_KEPT:
            self._known = {}
        known = self._known  # the one of this call, should another thread begin anew
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            found = np.asarray(self.embedder.embed_documents(new), dtype=np.float32)
            known.update(zip(new, found, strict=True))
        return np.stack([known[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Scale:
    """What cosines are worth in a unit's score; chosen on the development cases, see docs/answers.md."""

    trained: float
    bare: float
    sufficient: float  # the score from which on a unit answers


BARE, TRAINED = Scale(0.0, 0.55, 0.5), Scale(0.8, 0.3, 0.68)


class Relevance:
    """Judges by an adapter that was trained for it beside the bare encoder, or by the latter alone.

    Args:
        plain: the bare encoder, in which texts lie near that speak of the same.
        name: of the adapter; empty: there is none.
        trained: embeds questions and units so that answers lie near; None: the bare encoder judges.
    """

    def __init__(self, plain: Embeddings, name: str = "", trained: Embeddings | None = None) -> None:
        self.name, self.scale = name, TRAINED if trained else BARE
        self._plain = Kept(plain)
        self._trained = Kept(trained) if trained else None

    def of(self, questions: Sequence[str], units: Sequence[str]) -> Vectors:
        """For each unit the weighted cosines to the nearest of the questions: (units,)."""
        meaning = self.scale.bare * _nearest(self._plain, questions, units)
        return (
            meaning
            if self._trained is None
            else meaning + self.scale.trained * _nearest(self._trained, questions, units)
        )

    def keep(self, units: Sequence[str]) -> None:
        """Embed units before anybody asks for them; as many as are kept."""
        for kept in (self._plain, self._trained):
            if kept is not None:
                kept.keep(units)

    def forget(self) -> None:
        """Drop the vectors that are kept: texts may have been erased."""
        for kept in (self._plain, self._trained):
            if kept is not None:
                kept.forget()

    def alike(self, one: str, other: str) -> float:
        """The cosine of two units: do they speak of the same thing?"""
        vectors = self._plain([one, other])
        return float(vectors[0] @ vectors[1])


def _nearest(kept: Kept, questions: Sequence[str], units: Sequence[str]) -> Vectors:
    asked = np.asarray(kept.embedder.embed_documents(list(questions)), dtype=np.float32)
    return np.asarray((kept(units) @ asked.T).max(axis=1), dtype=np.float32)
