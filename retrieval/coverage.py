"""How much of a question's words a unit holds, in what a caller may read.

Each word weighs by how rare it is there. A word that stands nowhere weighs most: a question about a thing that no
document names is not answered by a document about another thing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from retrieval.catalog import Catalog
from retrieval.lexical import LexicalIndex, idf, words
from retrieval.units import Unit
from retrieval.versions import View
from retrieval.wording import WEAK, Wording

_WEAK = 0.25  # the weight of words that say how somebody asks
# What looks like a name: a capital inside a sentence, or the word before "plan".
_NAME = re.compile(r"(?<=[a-z,] )([A-Z]\w+)|\b(\w+)(?= (?:plan|add-on|bundle|package)\b)")
_MOST_KEPT = 50_000


class Coverage:
    """Compares texts and units word by word.

    Args:
        wording: says which words are told as one, and which come near each other.
        lexical: gives the term statistics of a view.
        catalog: gives its passages.
    """

    def __init__(self, wording: Wording, lexical: LexicalIndex, catalog: Catalog) -> None:
        self._wording, self._lexical, self._catalog = wording, lexical, catalog
        self.forget()

    def forget(self) -> None:
        """Drop the words that are kept: they may have been erased."""
        self._words = lru_cache(maxsize=16)(self._read_words)
        self._terms = lru_cache(maxsize=_MOST_KEPT)(self._read_terms)

    def mended(self, view: View, text: str) -> str:
        """The text with misspelt words replaced by words of the view."""
        return self._wording.mended(text, self._words(view))

    def expanded(self, text: str) -> str:
        """The text with the synonyms of its words behind it: what a lexical search looks for."""
        return self._wording.expanded(text)

    def keep(self, units: Sequence[Unit]) -> None:
        """Read the words of units before anybody asks for them."""
        self._wording.keep(frozenset().union(*(self._held(unit) for unit in units)))

    def of(self, view: View, texts: Sequence[str], units: Sequence[Unit]) -> list[list[float]]:
        """For each text the share of its words that each unit holds or comes near to; 0..1, (texts, units)."""
        weights = [self._weights(view, text) for text in texts]
        held = [self._held(unit) for unit in units]
        near = self._wording.nearness(frozenset().union(*weights), frozenset().union(*held))
        return [[_share(weighted, terms, near) for terms in held] for weighted in weights]

    def strangers(self, view: View, text: str) -> set[str]:
        """Names in a question that no document of the caller's uses: an answer would be about something else."""
        names = {t for found in _NAME.findall(text) for name in found for t in self._wording.terms(name)}
        counts = self._lexical.statistics(view, frozenset().union(*(self._wording.members(n) for n in names)))
        return {n for n in names if n not in WEAK and not any(counts[m] for m in self._wording.members(n))}

    def _weights(self, view: View, text: str) -> dict[str, float]:
        """The words of a text with their weight: how rare they are in what the caller may read."""
        passages = max(len(self._catalog.lengths(view)), 1)
        terms = {term: self._wording.members(term) for term in self._wording.terms(text)}
        found = self._lexical.statistics(view, frozenset().union(*terms.values()))
        counts = {term: min(sum(found[m] for m in members), passages) for term, members in terms.items()}
        return {t: idf(count, passages) * (_WEAK if t in WEAK else 1.0) for t, count in counts.items()}

    def _held(self, unit: Unit) -> frozenset[str]:
        return self._terms(f"{unit.in_context} {unit.version.title}")

    def _read_words(self, view: View) -> frozenset[str]:
        return frozenset(w for c in view.by_content for p in self._catalog.passages(c) for w in words(p.in_context))

    def _read_terms(self, text: str) -> frozenset[str]:
        return frozenset(self._wording.terms(text))


def _share(weights: Mapping[str, float], terms: frozenset[str], near: Mapping[str, Mapping[str, float]]) -> float:
    """A word counts in full where the terms hold it, else as far as the nearest of them comes."""
    total = sum(weights.values()) or 1.0
    return sum(w * (1.0 if t in terms else _nearest(near.get(t, {}), terms)) for t, w in weights.items()) / total


def _nearest(near: Mapping[str, float], terms: frozenset[str]) -> float:
    return max((value for other, value in near.items() if other in terms), default=0.0)
