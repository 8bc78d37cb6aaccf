"""Personal data leaves at the door: names, addresses of e-mail and networks, card, bank and telephone numbers.

The same function cleans training tickets and requests, so that both see the same kind of text. Amounts, dates, plans
and order numbers stay. Card and account numbers count only where their check digits hold. docs/labels.md says why this
is no Presidio, with the figures of both.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import phonenumbers
from stdnum import iban, luhn

from adapters.names import Span, persons

# Bounded and anchored at word starts, so that 50,000 letters without an @ cost no more than reading them.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d)")
_NATIONAL = re.compile(r"(?<![\w.+-])0\d{1,4}(?:[ /-]\d{2,4}){2,4}(?![\w-])")  # grouped as no order number is
_REGIONS = (None, "NL", "DE", "GB", "US")  # how numbers without a country code are read; the first that fits


@dataclass(frozen=True, slots=True)
class Personal:
    """Personal data at [start, end) of a text: `EMAIL`, `IBAN`, `CARD`, `IP`, `PHONE` or `PERSON`."""

    kind: str
    start: int
    end: int


def scrub(text: str, is_known: Callable[[str], bool] = lambda _: False) -> str:
    """The text with `<EMAIL>`, `<PERSON>` and so on in the place of personal data.

    `is_known` says of what looks like a name whether it is a word of the documents, such as a product or a place.
    """
    for found in reversed(personal(text)):
        if found.kind == "PERSON" and is_known(text[found.start : found.end]):
            continue
        text = f"{text[: found.start]}<{found.kind}>{text[found.end :]}"
    return text


def personal(text: str) -> list[Personal]:
    """The personal data of a text, apart from each other and in their order; of two that overlap, the surer one."""
    apart: list[Personal] = []
    for kind, find in _FINDERS.items():
        for start, end in find(text):
            if all(end <= other.start or other.end <= start for other in apart):
                apart.append(Personal(kind, start, end))
    return sorted(apart, key=lambda found: found.start)


def _phones(text: str) -> Iterator[Span]:
    if sum(c.isdigit() for c in text) < 7:
        return
    for region in _REGIONS:
        leniency = phonenumbers.Leniency.POSSIBLE if region is None else phonenumbers.Leniency.STRICT_GROUPING
        for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=leniency):
            yield match.start, match.end
    yield from (match.span() for match in _NATIONAL.finditer(text))


def _matches(pattern: re.Pattern[str], holds: Callable[[str], bool]) -> Callable[[str], Iterator[Span]]:
    return lambda text: (match.span() for match in pattern.finditer(text) if holds(match.group()))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return ":" not in text or len(text) > 6  # `::` and `12::` are rarely meant as addresses


# The surest first: what they take, the later ones leave.
_FINDERS: dict[str, Callable[[str], Iterator[Span] | list[Span]]] = {
    "EMAIL": _matches(_EMAIL, lambda _: True),
    "IBAN": _matches(_IBAN, lambda found: bool(iban.is_valid(found))),
    "CARD": _matches(_CARD, lambda found: bool(luhn.is_valid(re.sub(r"[ -]", "", found)))),
    "IP": _matches(_IP, _is_address),
    "PHONE": _phones,
    "PERSON": persons,
}
