"""The circumstances that an answer may turn on (plan, currency, period, region): which of them a text names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from domains.spec import Domain, Slot

Slots = Mapping[str, frozenset[str]]
Words = tuple[str, ...]


def slots_in(text: str, domain: Domain) -> dict[str, frozenset[str]]:
    """Slot -> the values that the text names; a slot that it does not name is absent."""
    found = outright(text, domain)
    rest = {name: slot for name, slot in domain.slots.items() if slot.unit_before and name not in found}
    return found | _named(text, rest, units=True)


def outright(text: str, domain: Domain) -> dict[str, frozenset[str]]:
    """The same without values that are only the unit of a price: "monthly rate" does not tell how somebody pays."""
    return _named(text, domain.slots, units=False)


def _named(text: str, slots: Mapping[str, Slot], units: bool) -> dict[str, frozenset[str]]:
    found = {}
    for name, slot in slots.items():
        beside = (slot.not_after, slot.not_before, () if units else slot.unit_before)
        if values := frozenset(v for v, words in slot.values.items() if _pattern(v, words, *beside).search(text)):
            found[name] = values
    return found


@lru_cache(maxsize=1024)
def _pattern(value: str, words: Words, not_after: Words, not_before: Words, unit_before: Words) -> re.Pattern[str]:
    """A value as its words tell it, in any case; as it is written; and small, unless that is a common noun there."""
    phrases = [_phrase(w) for w in sorted(words, key=len, reverse=True) if w != value.lower()]
    small = "".join(rf"(?<!\b{re.escape(w)} )" for w in not_after) + _bounded(value.lower()) + _unless(not_before)
    found = "|".join([*phrases, f"(?-i:{_bounded(value)})", small])
    return re.compile(f"(?:{found}){_unless(unit_before)}", re.I)


def _unless(followed_by: Words) -> str:
    return rf"(?! (?:{'|'.join(map(re.escape, followed_by))})\b)" if followed_by else ""


def _phrase(words: str) -> str:
    """A phrase in any case; one in capitals only as it stands, because `US` is a country and `us` is not."""
    return f"(?-i:{_bounded(words)})" if words.isupper() else _bounded(words)


def _bounded(phrase: str) -> str:
    left = r"(?<!\w)" if phrase[0].isalnum() else ""
    right = r"(?!\w)" if phrase[-1].isalnum() else ""
    return left + re.escape(phrase) + right
