"""What kind of answer a question expects: an amount, a length of time, any quantity at all."""

from __future__ import annotations

import re

from retrieval.questions import Question
from retrieval.units import Unit

_POINTER = 0.15  # taken off a sentence that only names another document
_NO_QUANTITY = 0.15  # taken off a unit without a number where one is asked for

_AMOUNT = re.compile(
    r"\d[\d.,]*\s*(EUR|USD|GBP|€|\$|£)|(EUR|USD|GBP|€|\$|£)\s*\d|\bprice\b|\bfree\b|\bno (charge|fee)", re.I
)
_EXPECTED = (
    (
        re.compile(
            r"\bhow expensive\b|\bhow much\b(?! (data|memory|room|space|storage|time|traffic)\b)"
            r"|\bpric(e|es|ing)\b|\bcosts?\b|\bfees?\b|\brate\b",
            re.I,
        ),
        _AMOUNT,
    ),
    (
        re.compile(
            r"\b(how|until|since|by) (long|many|big|large|old|fast|soon|often|late|when)\b"
            r"|\b(biggest|largest|limit|max)\b",
            re.I,
        ),
        re.compile(r"\d"),
    ),
    # A length of time; "by 7 days" is a difference, not a length.
    (
        re.compile(r"\bhow long\b(?! ago)", re.I),
        re.compile(r"(?<!by )\b\d[\d.,]* (business |working )?(minutes?|hours?|days?|weeks?|months?|years?)\b", re.I),
    ),
)
_REFERENCE = re.compile(r"\bsee below\b|\b(see|stands? in|told in|depends on the plan)\b[^.]{0,25}[\"“]")


def missing(asked: Question, unit: Unit) -> float:
    """What is taken off a unit that only points elsewhere, or lacks a quantity of the kind that is asked for."""
    lacks = [not answer.search(unit.text) for question, answer in _EXPECTED if question.search(asked.text)]
    return _POINTER * (_REFERENCE.search(unit.text) is not None) + _NO_QUANTITY * sum(lacks)
