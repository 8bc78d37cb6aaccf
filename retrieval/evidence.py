"""From a question to what answers it in a view: sentences and table rows, with the probability that they do.

Passages are found, the reader judges their units, and of these as many are told as the question needs. What contradicts
what is said, and nothing settles, is told instead; what turns on something that nobody gave is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from domains.spec import Domain
from retrieval.circumstances import Circumstances
from retrieval.conflicts import rivals, settled
from retrieval.question_dates import Period
from retrieval.questions import Question
from retrieval.readings import Reader, Readings
from retrieval.retriever import Hit, Retriever
from retrieval.slots import Slots
from retrieval.units import Unit, forget_units, in_full, stating, steps_with
from retrieval.vectors import Vectors
from retrieval.versions import View

# Chosen on the development cases; docs/answers.md has their effect.
_AS_WELL = 0.45  # share of the best unit's odds from which on another is told beside it
_RIVAL = 0.001  # … from which on it counts as contradicting it
_SAME_SUBJECT = 0.7  # cosine from which on two units speak of the same thing
_HITS = 30  # passages whose units are looked at
_MOST_UNITS = 3
_MOST_ROWS = 6
_MOST_STEPS = 9
_VECTORS = 4096  # of sentences of documents, kept in memory


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one question.

    `units` answer it (empty: nothing does), `ask` names the slots on which the answer turns and that nobody gave,
    `conflict` holds units that contradict each other and that nothing settles, `score` is the probability that the best
    unit answers, 0..1. `period` is the time that the question is about, where another answer holds then than today;
    `unclear`: within it the answer changes, so that the day must be asked for.
    """

    question: Question
    units: tuple[Unit, ...]
    score: float
    ask: tuple[str, ...] = ()
    conflict: tuple[Unit, ...] = ()
    hits: tuple[Hit, ...] = ()
    period: Period | None = None
    unclear: bool = False

    @property
    def said(self) -> tuple[str, ...]:
        """What it answers, in the documents' words."""
        return tuple(unit.text for unit in (*self.units, *self.conflict))


Evidence = tuple[Finding, ...]


class Selector:
    """Chooses the units that answer a question, in a view.

    Args:
        domain: its slots.
        retriever: finds the passages.
        readings: of their units.
    """

    def __init__(self, domain: Domain, retriever: Retriever, readings: Readings) -> None:
        self._retriever, self.readings = retriever, readings
        self._circumstances = Circumstances(domain)
        self._vector = lru_cache(maxsize=_VECTORS)(self._embedded)
        kept = (readings.forget, self._circumstances.forget, forget_units, retriever.dense.forget)
        for forget in (*kept, self._vector.cache_clear):
            retriever.catalog.on_erased(forget)

    @property
    def reader(self) -> Reader:
        """Judges which units answer."""
        return self.readings.reader

    def select(self, view: View, question: Question, given: Slots, sufficient: float | None = None) -> Finding:
        """What answers a question among what the caller may read.

        Args:
            view: what the caller may read.
            question: what is asked.
            given: what ticket and context say of slots.
            sufficient: the probability from which on a unit answers, 0..1; None: the reader's.
        """
        hits, least = self.hits(view, question), self.reader.sufficient if sufficient is None else sufficient
        return replace(self._found(question, hits, given, least), hits=hits)

    def hits(self, view: View, question: Question) -> tuple[Hit, ...]:
        """The passages whose units are looked at."""
        return self._retriever.search(view, question.text, question.context, _HITS)

    def units(self, asked: Question, hits: Sequence[Hit], given: Slots) -> list[Unit]:
        """The units of passages with the probability that they answer, best first."""
        return self._ranked(asked, hits, given)[0]

    def _ranked(self, asked: Question, hits: Sequence[Hit], given: Slots) -> tuple[list[Unit], Slots]:
        """The units, and what is known of the slots."""
        units = [unit for hit in hits for unit in stating(hit.version, (hit.passage,))]
        if not units:
            return [], given
        wanted = self._circumstances.wanted(asked, given, units)
        fits = self._circumstances.fits(units, wanted)
        # What is about another plan or country is no rival: a score counts for less where others score as high.
        units = [unit for unit, fit in zip(units, fits, strict=True) if not fit.wrong]
        if not units:
            return [], wanted
        return self._judged(asked, units), wanted

    def _judged(self, asked: Question, units: Sequence[Unit]) -> list[Unit]:
        """Units with the probability that they answer, best first."""
        tables = [(u.passage.content, u.heading) if u.is_row else n for n, u in enumerate(units)]
        scores = self.reader.judge((asked.text, asked.context), self.readings.of(units), asked.record, tables)
        judged = [replace(unit, score=round(float(score), 4)) for unit, score in zip(units, scores, strict=True)]
        return sorted(judged, key=lambda u: (-u.score, -u.version.precedence, u.version.doc_id, u.start))

    def _found(self, asked: Question, hits: Sequence[Hit], given: Slots, least: float) -> Finding:
        ranked, wanted = self._ranked(asked, hits, given)
        score = ranked[0].score if ranked else 0.0
        if score < least:
            return Finding(asked, (), score)
        left = settled(ranked, score - _near(score, _RIVAL), self._alike)
        if len(left) < len(ranked):  # what was dropped is no rival any more
            left = self._judged(asked, left)
        if left[0].score < least:  # what contradicts the best need not answer
            return Finding(asked, (), left[0].score)
        if conflict := self._contradiction(left):
            return Finding(asked, (), score, conflict=in_full(conflict))
        return self._rows(asked, left, wanted, least) if left[0].is_row else self._prose(asked, left, least)

    def _rows(self, asked: Question, ranked: Sequence[Unit], wanted: Slots, least: float) -> Finding:
        """A table row answers, together with those that differ from it only in what nobody gave."""
        best = ranked[0]
        rows = [u for u in ranked if u.is_row and _same_table(u, best)]
        possible = [u for u in rows if u.score >= _near(best.score, _RIVAL)]
        same = [u for u in possible if self._circumstances.differ_in_slots_alone(u, best)]
        if open_slots := self._circumstances.open(same, wanted):
            if len(same) > _MOST_ROWS:
                return Finding(asked, (), best.score, ask=open_slots)
        else:
            same = _as_well(rows, least)[:2]
        return Finding(asked, tuple(sorted(same, key=lambda u: u.start)), best.score)

    def _prose(self, asked: Question, ranked: Sequence[Unit], least: float) -> Finding:
        """The best sentence and those that answer as well; or the numbered steps of which it is one."""
        best = ranked[0]
        if steps := steps_with(best, _MOST_STEPS):
            return Finding(asked, steps, best.score)
        near = _as_well(ranked, least)[:_MOST_UNITS]
        # The best document first; within a document in its own order.
        documents = list(dict.fromkeys(u.version.doc_id for u in near))
        told = sorted(near, key=lambda u: (documents.index(u.version.doc_id), u.start))
        return Finding(asked, in_full(told), best.score)

    def _contradiction(self, ranked: Sequence[Unit]) -> tuple[Unit, ...]:
        """The best unit and one of equal standing and of the same subject that contradicts it, or nothing."""
        best = ranked[0]
        for other in ranked[1:]:
            if other.score < _near(best.score, _RIVAL):
                break
            equal = other.version.precedence == best.version.precedence and rivals(best.whole, other.whole)
            if equal and self._alike(best, other):
                return (best, other)
        return ()

    def _alike(self, one: Unit, other: Unit) -> bool:
        """Whether two units are about the same subject, by their cosine under the bare encoder."""
        return float(self._vector(one.text) @ self._vector(other.text)) >= _SAME_SUBJECT

    def _embedded(self, text: str) -> Vectors:
        return np.asarray(self._retriever.embedder.embed_query(text), dtype=np.float32)


def _as_well(ranked: Sequence[Unit], least: float) -> list[Unit]:
    """The units that answer, nearly as surely as the best one."""
    return [u for u in ranked if u.score >= max(least, _near(ranked[0].score, _AS_WELL))]


def _near(score: float, share: float) -> float:
    """The probability whose odds are so large a share of those of a score; near 1 a share of the score would be all."""
    odds = share * score / max(1 - score, 1e-4)
    return odds / (1 + odds)


def _same_table(one: Unit, other: Unit) -> bool:
    return one.passage.content == other.passage.content and one.heading == other.heading
