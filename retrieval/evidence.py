"""From a question to what answers it in a view: sentences and table rows, with a sufficiency score.

Passages are found, their units ranked, and of these as many told as the question needs. What contradicts what is said,
and nothing settles, is told instead; what turns on something that nobody gave is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from domains.spec import Domain
from retrieval.circumstances import Circumstances
from retrieval.contradiction import rivals, settled
from retrieval.coverage import Coverage
from retrieval.lexical import LexicalIndex
from retrieval.questions import Question
from retrieval.ranking import Ranker
from retrieval.relevance import Relevance
from retrieval.retriever import Hit, Retriever
from retrieval.slots import Slots
from retrieval.units import Unit, follows, forget_units, in_full, is_item, units_of
from retrieval.versions import View
from retrieval.wording import Wording

# Chosen on the development cases; `formfact evals run --cases dev` gives their effect.
_CLOSE = 0.08  # how near the best unit another must come to be said beside it
_NEAR = 0.32  # … and to count as contradicting it
_SAME_SUBJECT = 0.7  # cosine from which on two units speak of the same thing
_HITS = 30  # passages whose units are looked at
_MOST_UNITS = 3
_MOST_ROWS = 6
_MOST_STEPS = 9

_HOW_TO = re.compile(r"\bhow (do|can|to|would|should)\b|\bsteps?\b|\bwhere (do|can) (i|we)\b", re.I)
_CONDITION = re.compile(r"^(except|however|but|unless|only|this does not|exceptions?|otherwise|not included)\b", re.I)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one question.

    `units` answer it (empty: nothing does), `ask` names the slots on which the answer turns and that nobody gave,
    `conflict` holds units that contradict each other and that nothing settles, `score` is 0..1.
    """

    question: Question
    units: tuple[Unit, ...]
    score: float
    ask: tuple[str, ...] = ()
    conflict: tuple[Unit, ...] = ()
    hits: tuple[Hit, ...] = ()


Evidence = tuple[Finding, ...]


class Selector:
    """Chooses the units that answer a question, in a view.

    Args:
        domain: its slots.
        retriever: finds the passages.
        lexical: gives the term statistics of the view.
        relevance: compares questions and units as wholes.
        wording: compares them word by word.
    """

    def __init__(
        self, domain: Domain, retriever: Retriever, lexical: LexicalIndex, relevance: Relevance, wording: Wording
    ) -> None:
        self._retriever = retriever
        self.relevance = relevance
        self._coverage = Coverage(wording, lexical, retriever.catalog)
        self._circumstances = Circumstances(domain)
        self._ranker = Ranker(relevance, self._coverage, self._circumstances)
        for kept in (relevance, wording, self._coverage, self._circumstances):
            retriever.catalog.on_erased(kept.forget)
        retriever.catalog.on_erased(forget_units)

    def select(self, view: View, question: Question, given: Slots) -> Finding:
        """What answers a question among what the caller may read; `given` is what ticket and context say of the slots.

        The finding holds the question as it was asked: a mended word is a word of some document.
        """
        mended = replace(question, text=self._coverage.mended(view, question.text))
        expanded = self._coverage.expanded(mended.text)
        hits = self._retriever.search(view, mended.text, mended.context, expanded, _HITS)
        return replace(self._found(view, mended, hits, given), question=question, hits=hits)

    def warm(self, view: View, stop: Callable[[], bool]) -> None:
        """Read and embed the units of a view until told to stop, so that the first replies need not wait for that.

        Raises:
            StaleView: words of the view were erased meanwhile.
        """
        for content, versions in view.by_content.items():
            if stop():
                return
            hits = [Hit(passage, versions[0], 0.0) for passage in self._retriever.catalog.passages(content)]
            units = [unit for hit in hits for unit in units_of(hit)]
            self.relevance.keep([unit.in_context for unit in units])
            self._coverage.keep(units)
            self._circumstances.keep(units)
            self._retriever.catalog.confirm(view)

    def units(self, view: View, asked: Question, hits: Sequence[Hit], given: Slots | None = None) -> list[Unit]:
        """The units of passages that say anything to the question, best first."""
        return self._ranked(view, asked, hits, given or {})[0]

    def _ranked(self, view: View, asked: Question, hits: Sequence[Hit], given: Slots) -> tuple[list[Unit], Slots]:
        """The units, and what is known of the slots."""
        units = [u for hit in hits for u in units_of(hit) if u.states]
        wanted = self._circumstances.wanted(asked, given, units)
        return self._ranker.rank(view, asked, wanted, units), wanted

    def _found(self, view: View, asked: Question, hits: Sequence[Hit], given: Slots) -> Finding:
        ranked, wanted = self._ranked(view, asked, hits, given)
        score = ranked[0].score if ranked else 0.0
        if score < self.relevance.scale.sufficient:
            return Finding(asked, (), score)
        left = settled(ranked, _NEAR)
        if conflict := self._contradiction(left):
            return Finding(asked, (), score, conflict=in_full(conflict))
        return self._rows(asked, left, wanted) if left[0].is_row else _prose(asked, left)

    def _rows(self, asked: Question, ranked: Sequence[Unit], wanted: Slots) -> Finding:
        """A table row answers, together with those that differ from it only in what nobody gave."""
        best = ranked[0]
        same = [u for u in ranked if u.is_row and u.passage.content == best.passage.content]
        alike = [u for u in same if u.heading == best.heading and u.covered >= best.covered]
        open_slots = self._circumstances.open(alike, wanted)
        if len(alike) > _MOST_ROWS and open_slots:
            return Finding(asked, (), best.score, ask=open_slots)
        if not open_slots:
            alike = [u for u in alike if u.score >= best.score - _CLOSE / 2][:2]
        return Finding(asked, tuple(sorted(alike[:_MOST_ROWS], key=lambda u: u.start)), best.score)

    def _contradiction(self, ranked: Sequence[Unit]) -> tuple[Unit, ...]:
        """The best unit and one of equal standing and of the same subject that contradicts it, or nothing."""
        best = ranked[0]
        for other in ranked[1:]:
            if other.score < best.score - _NEAR:
                break
            equal = other.version.precedence == best.version.precedence and rivals(best.whole, other.whole)
            if equal and self.relevance.alike(best.text, other.text) >= _SAME_SUBJECT:
                return (best, other)
        return ()


def _prose(asked: Question, ranked: Sequence[Unit]) -> Finding:
    """The best sentence, those nearly as good, a condition that follows; or all the steps."""
    best = ranked[0]
    lines = [u for u in ranked if u.passage.key == best.passage.key and u.heading == best.heading and not u.is_row]
    if _HOW_TO.search(asked.text) and len(steps := [u for u in lines if is_item(u)]) > 1 and is_item(best):
        return Finding(asked, tuple(sorted(steps, key=lambda u: u.start)[:_MOST_STEPS]), best.score)
    near = [u for u in ranked if u.score >= best.score - _CLOSE][:_MOST_UNITS]
    after = [u for u in lines if u not in near and _CONDITION.match(u.text) and follows(u, near)]
    # The best document first; within a document in its own order.
    documents = list(dict.fromkeys(u.version.doc_id for u in near))
    told = sorted({*near, *after[:1]}, key=lambda u: (documents.index(u.version.doc_id), u.start))
    return Finding(asked, in_full(told), best.score)
