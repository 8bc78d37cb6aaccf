"""Personal data leaves at the door: e-mail, card, bank and telephone numbers become typed placeholders.

The same function cleans training tickets and requests, so that both see the same kind of text. Amounts, dates, plans
and order numbers stay. Card and account numbers count only where their check digits hold.
"""

from __future__ import annotations

import re

import phonenumbers
from stdnum import iban, luhn

# Bounded and anchored at word starts, so that 50,000 letters without an @ cost no more than reading them.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_REGIONS = (None, "NL", "DE", "GB", "US")  # how numbers without a country code are read; the first that fits


def scrub(text: str) -> str:
    """The text with `<EMAIL>`, `<IBAN>`, `<CARD>` and `<PHONE>` in the place of personal data."""
    text = _EMAIL.sub("<EMAIL>", text)
    text = _IBAN.sub(lambda m: "<IBAN>" if iban.is_valid(m.group()) else m.group(), text)
    text = _CARD.sub(lambda m: "<CARD>" if luhn.is_valid(re.sub(r"[ -]", "", m.group())) else m.group(), text)
    return _without_phones(text)


def _without_phones(text: str) -> str:
    if sum(c.isdigit() for c in text) < 7:
        return text
    for region in _REGIONS:
        leniency = phonenumbers.Leniency.VALID if region is None else phonenumbers.Leniency.STRICT_GROUPING
        found = list(phonenumbers.PhoneNumberMatcher(text, region, leniency=leniency))
        for match in reversed(found):
            text = text[: match.start] + "<PHONE>" + text[match.end :]
    return text
