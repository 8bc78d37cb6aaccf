"""The lexical index: BM25 over postings in the catalog's database, with the term statistics of what a caller may read.

FTS5 and bm25s count terms over the whole collection, so that a hidden document would move the scores of the visible
ones; here document frequency and mean length are taken from the caller's view. The postings are plain SQL, written in
the publishing transaction, the same on SQLite and PostgreSQL.

Scoring is Okapi BM25 as in Robertson & Zaragoza (2009), k1 = 1.2, b = 0.75, with the non-negative inverse document
frequency of Lucene.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import Stemmer
from sqlalchemy import Connection, Engine, bindparam, select

from retrieval.contents import Key
from retrieval.tables import postings
from retrieval.versions import View

K1, B = 1.2, 0.75
_WORD = re.compile(r"[^\W_]+(?:[.,'’][^\W_]+)*")
_RAISED = dict.fromkeys(map(ord, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾"), " ")  # NFKC would make digits of the amount before them
# Function words alone: a word that can name a thing or a condition ("not", "before", "without") stays.
_POSSESSIVE = re.compile(r"['’]s$")
_FUNCTION_WORDS = """
a about again also am an and any are as at be been being but by can could dear did do does for from get got had has have
he hello her hi him his how i if i'm i’m im in into is it it's it’s its just let like many may me much my of on or our
please regards she so some such than thank thanks that the their them then there these they this those to us was we
were what when where which who whom why will with would you your
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())


def words(text: str) -> list[str]:
    """The words of `text` in order, small; numbers stay whole (`13.50`, `1,000`), without footnote marks (`3¹`)."""
    return _WORD.findall(unicodedata.normalize("NFKC", text.translate(_RAISED)).casefold())


def tokens(text: str) -> list[str]:
    """Stemmed content words of `text`, in order."""
    kept = [w for w in (_POSSESSIVE.sub("", w) for w in words(text)) if w not in STOP_WORDS]
    # A stemmer object keeps a cache that is not safe across threads; making one costs microseconds.
    return [t[:60] for t in Stemmer.Stemmer("english", 0).stemWords(kept)]


class LexicalIndex:
    """BM25 over the postings of the contents that a view holds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @staticmethod
    def write(tx: Connection, content: str, passages: Sequence[Sequence[str]]) -> None:
        """Write the postings of one content, given the terms of each of its passages."""
        rows = [
            {"term": term, "content": content, "ordinal": ordinal, "count": count}
            for ordinal, terms in enumerate(passages)
            for term, count in sorted(Counter(terms).items())
        ]
        if rows:
            tx.execute(postings.insert(), rows)

    def statistics(self, view: View, terms: Iterable[str]) -> dict[str, int]:
        """Document frequency of each term among the passages that the view holds; 0 for a term nobody wrote."""
        return {term: len(found) for term, found in self._postings(view, terms).items()}

    def knows(self, view: View, text: str) -> bool:
        """Whether documents in the view use every content word of a text."""
        terms = set(tokens(text))
        return bool(terms) and all(self.statistics(view, terms).values())

    def scores(self, view: View, query: str, lengths: Mapping[Key, int]) -> dict[Key, float]:
        """BM25 scores of all passages that hold a word of the query.

        Args:
            view: what the caller may read.
            query: free text.
            lengths: number of terms of each passage of the view.
        """
        scores: dict[Key, float] = defaultdict(float)
        mean = max(sum(lengths.values()) / max(len(lengths), 1), 1.0)
        for found in self._postings(view, set(tokens(query))).values():
            weight = idf(len(found), len(lengths))
            for passage, count in found.items():
                scores[passage] += weight * count * (K1 + 1) / (count + K1 * (1 - B + B * lengths[passage] / mean))
        return scores

    def _postings(self, view: View, terms: Iterable[str]) -> dict[str, dict[Key, int]]:
        wanted = sorted(set(terms))
        found: dict[str, dict[Key, int]] = {term: {} for term in wanted}
        query = select(postings).where(postings.c.term.in_(bindparam("terms", expanding=True)))
        with self._engine.connect() as connection:
            for row in connection.execute(query, {"terms": wanted}):
                if row.content in view.by_content:
                    found[row.term][row.content, row.ordinal] = row._mapping["count"]
        return found


def spread(scores: Iterable[float], passages: int) -> float:
    """The standard deviation of BM25 scores over so many passages, those without a score among them; never 0."""
    told = list(scores)
    if not told:
        return 1.0
    mean = sum(told) / passages
    variance = sum(s * s for s in told) / passages - mean * mean
    return math.sqrt(variance) if variance > 1e-9 else 1.0  # all alike, as in a view of one passage


def idf(document_frequency: int, passages: int) -> float:
    """Inverse document frequency, at least 0; the rarer the term, the higher."""
    return math.log1p((passages - document_frequency + 0.5) / (document_frequency + 0.5))
