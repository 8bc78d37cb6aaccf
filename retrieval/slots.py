"""The circumstances that an answer may turn on (plan, currency, period, region): which of them a text names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from domains.spec import Domain

Slots = Mapping[str, frozenset[str]]

_UNIT_OF_PRICE = re.compile(r"\b(?:\w+ly|annual) (?=(?:rates?|prices?|costs?|fees?|figures?)\b)", re.I)

# A value written small counts as the value unless its neighbours make it the common noun: "our team", "business hours".
_COMMON_NOUN = "".join(rf"(?<!\b{w} )" for w in ("our", "my", "the", "a", "your", "whole", "support", "small", "for"))
_NO_NOUN_AFTER = r"(?! (?:hours?|days?|partners?|trip|of charge))"


def slots_in(text: str, domain: Domain) -> dict[str, frozenset[str]]:
    """Slot -> the values that the text names; a slot that it does not name is absent."""
    named = _found(text, domain)
    return named | outright(text, domain) if _UNIT_OF_PRICE.search(text) else named


def outright(text: str, domain: Domain) -> dict[str, frozenset[str]]:
    """The same without values that only tell the unit of a price: the "monthly rate" of who pays by the year."""
    return _found(_UNIT_OF_PRICE.sub(" ", text), domain)


def _found(text: str, domain: Domain) -> dict[str, frozenset[str]]:
    named = {
        name: frozenset(v for v, words in slot.values.items() if _pattern(v, words).search(text))
        for name, slot in domain.slots.items()
    }
    return {name: values for name, values in named.items() if values}


@lru_cache(maxsize=512)
def _pattern(value: str, words: tuple[str, ...]) -> re.Pattern[str]:
    phrases = [_bounded(w) for w in sorted(words, key=len, reverse=True) if w != value.lower()]
    exact, small = f"(?-i:{_bounded(value)})", _COMMON_NOUN + _bounded(value.lower()) + _NO_NOUN_AFTER
    return re.compile("|".join([*phrases, exact, small]), re.I)


def _bounded(phrase: str) -> str:
    left = r"(?<!\w)" if phrase[0].isalnum() else ""
    right = r"(?!\w)" if phrase[-1].isalnum() else ""
    return left + re.escape(phrase) + right
