"""Facts in training targets: a price, a date or a deadline that is learnt goes stale in the weights."""

from __future__ import annotations

import re

_NUMBER_WORD = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|fifteen|twenty|thirty|sixty|ninety"
)
_UNIT = "minutes?|hours?|days?|weeks?|months?|years?|percent|per cent|euros?|dollars?|pounds?|users?|seats?|times"
_FACT = re.compile(
    r"[€$£¥]\s?\d[\d.,]*|\d[\d.,:/-]*\s?(?:%|[A-Za-z]+)?"
    rf"|\b(?:{_NUMBER_WORD})(?: full)? (?:{_UNIT})\b|\bfull (?:{_UNIT})\b",
    re.IGNORECASE,
)


def facts_in(target: str) -> list[str]:
    """What in a target looks like a fact: amounts, dates, numbers, durations in words."""
    return [match.group().strip() for match in _FACT.finditer(target)]
