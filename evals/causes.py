"""Why an answer is wrong, most likely: the first step on its way at which something went missing."""

from __future__ import annotations

from typing import Literal

from evals.answers import ArmAnswer
from evals.cases import Case

Cause = Literal["label", "retrieval", "sufficiency", "selection", "composition", "verify", "overreach"]


def cause(case: Case, row: ArmAnswer) -> Cause | None:
    """The likely cause, None where the answer is useful.

    - verify: a draft was stopped.
    - overreach: something is stated where nothing was to be.
    - retrieval: no passage of a required document was looked at.
    - sufficiency: it was, and nothing was stated.
    - selection: something else was stated.
    - composition: a right document is cited, and not all that was required is told.
    - label: nothing is missing but the action.
    """
    if row.marks.useful:
        return None
    if row.reason == "unverified_claim":
        return "verify"
    wanted = {doc for fact in case.expect.facts for doc in fact.docs}
    cited = {doc for doc, _ in row.quotes}
    if not wanted or not row.found:
        return "overreach" if cited else "label"
    return _of_the_facts(wanted, row, cited)


def _of_the_facts(wanted: set[str], row: ArmAnswer, cited: set[str]) -> Cause:
    if not wanted & set(row.found):
        return "retrieval"
    if not cited:
        return "sufficiency"
    if not wanted & cited:
        return "selection"
    return "overreach" if row.marks.facts_complete else "composition"
