"""Evidence as if nothing were ever missed: the units of the caller's view that state the required values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evals.cases import Case, ExpectedFact
from evals.score import holds
from retrieval.catalog import Catalog
from retrieval.evidence import Finding, Selector
from retrieval.questions import Question
from retrieval.slots import Slots
from retrieval.units import Unit, units_of
from retrieval.versions import View


class OracleSelector(Selector):
    """Finds what a case requires, for its first question; nothing else is said.

    What it cannot find in the caller's view, it leaves out: then the case is wrong, and the row tells it.
    """

    def __init__(self, real: Selector, catalog: Catalog, case: Case) -> None:
        self.readings = real.readings
        self._catalog, self._case = catalog, case
        self._asked: str | None = None  # the sentence of the first question: what it asks may come without its date

    def select(self, view: View, question: Question, given: Slots, sufficient: float | None = None) -> Finding:
        """See `Selector.select`."""
        if self._asked not in (None, question.sentence):
            return Finding(question, (), 0.0)
        self._asked = question.sentence
        units = dict.fromkeys(u for fact in self._case.expect.facts for u in self._stating(view, fact))
        return Finding(question, tuple(replace(u, score=1.0) for u in units), 1.0 if units else 0.0)

    def _stating(self, view: View, fact: ExpectedFact) -> list[Unit]:
        """As few units as hold all values of a fact: each time the one that holds most of what is missing."""
        units = [
            unit
            for version in view.versions
            if version.doc_id in fact.docs
            for passage in self._catalog.passages(version.content)
            for unit in units_of(version, passage)
        ]
        chosen: list[Unit] = []
        missing = set(fact.values)
        while missing and (best := _best(units, missing)):
            chosen.append(best)
            missing -= {v for v in missing if holds(best.text, v)}
        return chosen


def _best(units: Sequence[Unit], missing: set[str]) -> Unit | None:
    found = max(units, key=lambda u: sum(holds(u.text, v) for v in missing), default=None)
    return found if found and any(holds(found.text, v) for v in missing) else None
