"""Which units answer a question: one score of meaning, words, circumstances and the kind of answer that is expected.

The score joins the cosine of question and unit in context with the share of the question's words that the unit covers;
circumstances and expected quantities add to it or take from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retrieval.circumstances import Circumstances, Fit
from retrieval.coverage import Coverage
from retrieval.expected import missing
from retrieval.questions import Question
from retrieval.relevance import Relevance
from retrieval.slots import Slots
from retrieval.units import Unit
from retrieval.versions import View

# Chosen on the development cases; `formfact evals run --cases dev` gives their effect.
_WORDS = 0.45  # the say of the words that are covered, beside that of the cosine
_RIGHT_CIRCUMSTANCE = 0.04  # for each plan, currency, period or region that was named and is the unit's
_WRONG_CIRCUMSTANCE = 0.12  # taken off a sentence about another plan, currency, period or region
_WITHIN = 0.9  # the worth of covering the question together with what surrounds it
_AROUND = 0.1  # the say of what surrounds the question
_STRANGE = 0.2  # taken off where the question holds a name that no document of the caller's uses


class Ranker:
    """Scores units; knows nothing of where they come from."""

    def __init__(self, relevance: Relevance, coverage: Coverage, circumstances: Circumstances) -> None:
        self._relevance, self._coverage, self._circumstances = relevance, coverage, circumstances

    def rank(self, view: View, asked: Question, wanted: Slots, units: Sequence[Unit]) -> list[Unit]:
        """The units with their score, best first; those that score nothing are left out."""
        if not units:
            return []
        whole = f"{asked.context} {asked.text}".strip()
        meaning = self._relevance.of([asked.text, whole], [u.in_context for u in units])
        alone, within, around = self._coverage.of(view, [asked.text, whole, asked.context], units)
        covered = within if asked.leans else [max(a, _WITHIN * w) for a, w in zip(alone, within, strict=True)]
        strange = _STRANGE * bool(self._coverage.strangers(view, asked.text))
        fits = self._circumstances.fits(units, wanted)
        scored = [
            _scored(u, fit, c, float(m) + _WORDS * c + _AROUND * a - missing(asked, u) - strange)
            for u, m, c, a, fit in zip(units, meaning, covered, around, fits, strict=True)
        ]
        kept = [u for u in scored if u.score > 0]
        return sorted(kept, key=lambda u: (-u.score, -u.version.precedence, u.version.doc_id, u.start))


def _scored(unit: Unit, fit: Fit, covered: float, score: float) -> Unit:
    """A row of the wrong plan is no answer at all; a sentence about it may still be one."""
    fitting = score + _RIGHT_CIRCUMSTANCE * fit.matching - _WRONG_CIRCUMSTANCE * fit.wrong
    return replace(unit, covered=round(covered, 3), score=0.0 if fit.wrong and unit.is_row else round(fitting, 3))
