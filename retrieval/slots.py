"""The circumstances that an answer may turn on (plan, currency, period, region): which of them a text names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from domains.spec import Domain

Slots = Mapping[str, frozenset[str]]

# A value written small counts as the value unless the word before makes it the common noun: "our team", "a business".
_COMMON_NOUN = (
    r"(?<!\bour )(?<!\bmy )(?<!\bthe )(?<!\ba )(?<!\byour )(?<!\bwhole )(?<!\bsupport )(?<!\bsmall )(?<!\bfor )"
)


@lru_cache(maxsize=8)
def _patterns(
    domain_key: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...],
) -> list[tuple[str, str, re.Pattern[str]]]:
    found = []
    for slot, values in domain_key:
        for value, words in values:
            phrases = "|".join(_bounded(w) for w in sorted(words, key=len, reverse=True) if w != value.lower())
            small = _COMMON_NOUN + _bounded(value.lower())
            pattern = f"(?-i:{_bounded(value)})|{small}" + (f"|{phrases}" if phrases else "")
            found.append((slot, value, re.compile(pattern, re.I)))
    return found


def _bounded(phrase: str) -> str:
    left = r"(?<!\w)" if phrase[0].isalnum() else ""
    right = r"(?!\w)" if phrase[-1].isalnum() else ""
    return left + re.escape(phrase) + right


def slots_in(text: str, domain: Domain) -> dict[str, frozenset[str]]:
    """Slot -> the values that the text names; a slot that it does not name is absent."""
    key = tuple((name, tuple(slot.values.items())) for name, slot in domain.slots.items())
    found: dict[str, set[str]] = {}
    for slot, value, pattern in _patterns(key):
        if pattern.search(text):
            found.setdefault(slot, set()).add(value)
    return {slot: frozenset(values) for slot, values in found.items()}
