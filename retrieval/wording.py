"""How alike two wordings are: synonyms and slot words made one, slips mended, near words counted as near.

Knows nothing of documents or callers; a `Wording` is made once for a domain and an embedder.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import numpy as np
from langchain_core.embeddings import Embeddings
from rapidfuzz import process
from rapidfuzz.distance import OSA

from domains.spec import Domain
from retrieval.lexical import tokens
from retrieval.relevance import Kept
from retrieval.slots import slot_pattern

_NEAR = 0.62  # cosine of two single words from which on the one stands in for the other
# Words that say how somebody asks, and little of what: they weigh a quarter.
WEAK = frozenset(
    tokens(
        "still pls tell give need want moment somebody someone anybody anyone people person go come thing things"
        " something anything really now today currently right maybe always too ever question know help find look"
        " looking wonder possible exactly actually long big old new one two back make take keep way case use"
        " using mean able sure allowed must per time happen happens till until up get there want wanted hear say said"
    )
)


class Wording:
    """Compares questions and documents by their words.

    Args:
        domain: its synonyms and slots.
        embedder: gives vectors of single words.
        english: words that are spelt right whether or not a document uses them.
    """

    def __init__(self, domain: Domain, embedder: Embeddings, english: Collection[str]) -> None:
        self._english = english
        self._substitutes = [(slot_pattern(s.values), None) for s in domain.slots.values()]
        self._slots = {w.casefold(): v for s in domain.slots.values() for v, ws in s.values.items() for w in (v, *ws)}
        self._synonyms = {word.casefold(): group[0] for group in domain.synonyms for word in group}
        self._members = {
            tokens(group[0])[0]: frozenset(t for word in group for t in tokens(word)) for group in domain.synonyms
        }
        self._phrases = re.compile(_any_of(self._synonyms), re.I) if self._synonyms else None
        self._vectors = Kept(embedder)

    def terms(self, text: str) -> list[str]:
        """Stemmed content words, synonyms and the words of a slot value told as one."""
        for pattern, _ in self._substitutes:
            text = pattern.sub(lambda m: self._slots.get(m.group().casefold(), m.group()), text)
        if self._phrases:
            text = self._phrases.sub(lambda m: self._synonyms[m.group().casefold()], text)
        return [t for t in tokens(text) if len(t) > 1 or t.isdigit()]

    def expanded(self, text: str) -> str:
        """The text with the synonyms of its words behind it: what a lexical search looks for."""
        more = {m for term in self.terms(text) for m in self.members(term)}
        return " ".join([text, *sorted(more)])

    def members(self, term: str) -> frozenset[str]:
        """The terms that are told as this one, itself among them."""
        return self._members.get(term, frozenset({term}))

    def mended(self, text: str, known: Collection[str]) -> str:
        """The text with misspelt words replaced by the nearest word that the caller's documents use.

        One slip (optimal string alignment: insert, delete, replace, swap) is mended in words of four to seven
        letters, two in longer ones; the first letter must be right. English words and names of nothing stay.
        """

        def mend(match: re.Match[str]) -> str:
            word = match.group().casefold()
            if not 4 <= len(word) <= 30 or word in known or word in self._english:
                return match.group()
            candidates = sorted(w for w in known if w[0] == word[0])
            best = process.extractOne(word, candidates, scorer=OSA.distance, score_cutoff=1 if len(word) < 8 else 2)
            return best[0] if best else match.group()

        return re.sub(r"[^\W\d_]+", mend, text)

    def keep(self, terms: Collection[str]) -> None:
        """Embed words before anybody asks for them; as many as are kept."""
        self._vectors.keep(sorted(terms))

    def forget(self) -> None:
        """Drop the vectors that are kept: words may have been erased."""
        self._vectors.forget()

    def nearness(self, terms: Iterable[str], others: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
        """Term -> those of `others` that come near it -> how near, 0..1."""
        rows, columns = sorted(set(terms)), sorted(set(others))
        found: dict[str, dict[str, float]] = {}
        if rows and columns:
            cosines = self._vectors(rows) @ self._vectors(columns).T  # (terms, others)
            for i, j in np.argwhere(cosines >= _NEAR):
                found.setdefault(rows[i], {})[columns[j]] = round(float(cosines[i, j]), 3)
        return found


def _any_of(phrases: Iterable[str]) -> str:
    longest_first = sorted(phrases, key=len, reverse=True)
    return r"(?<!\w)(?:" + "|".join(re.escape(p) for p in longest_first) + r")(?!\w)"
