"""Personal data leaves at the door: names, addresses of any kind, card, bank and telephone numbers.

Persons and postal addresses are marked by the message tagger, the rest by its form; card and account numbers count only
where their check digits hold. Amounts, dates, plans and order numbers stay. Training tickets and requests are treated
alike, so that both are the same kind of text. docs/labels.md says why this is no Presidio, with figures of both.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import phonenumbers
from stdnum import iban, luhn

if TYPE_CHECKING:
    from adapters.message_tagger import Marks, Span

QUESTION, PERSON, ADDRESS = "QUESTION", "PERSON", "ADDRESS"  # what the message tagger marks

# Bounded and anchored at word starts, so that 50,000 letters without an @ cost no more than reading them.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d)")
_NATIONAL = re.compile(r"(?<![\w.+-])0\d{1,4}(?:[ /-]\d{2,4}){2,4}(?![\w-])")  # grouped as no order number is
_REGIONS = (None, "NL", "DE", "GB", "US")  # how numbers without a country code are read; the first that fits

Known = Callable[[str, str], bool]  # a kind, and words that look like it -> are they known not to be personal?
Marker = Callable[[Sequence[str]], "list[Marks]"]  # see `adapters.message_tagger.MessageTagger.mark`


@dataclass(frozen=True, slots=True)
class Personal:
    """Personal data at [start, end) of a text; for `kind` see `REMOVABLE`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without personal data, and where it asks something."""

    text: str
    asks: tuple[Span, ...]


def knows_none(kind: str, words: str) -> bool:
    """Knows no words: everything that looks like personal data is taken out."""
    return False


class Scrubber:
    """Takes personal data out of texts.

    Args:
        mark: finds persons and postal addresses, and questions on the way.
    """

    def __init__(self, mark: Marker) -> None:
        self._mark = mark

    def __call__(self, texts: Sequence[str], is_known: Known = knows_none) -> list[str]:
        """Texts with `<EMAIL>`, `<PERSON>` and so on in the place of personal data; for `is_known` see `redacted`."""
        return [found.text for found in self.redacted(texts, is_known)]

    def redacted(self, texts: Sequence[str], is_known: Known = knows_none) -> list[Redacted]:
        """Texts without personal data, with their questions.

        Args:
            texts: any number.
            is_known: says of PERSON or ADDRESS, and of the words that look like one, whether they belong to the
                domain or its documents, such as a region or a product.
        """
        return [
            _without(text, _personal(text, marks), marks[QUESTION], is_known)
            for text, marks in zip(texts, self._marks(texts), strict=True)
        ]

    def personal(self, texts: Sequence[str]) -> list[list[Personal]]:
        """The personal data of each text, apart from each other and in their order; of two that overlap the surer."""
        return [_personal(text, marks) for text, marks in zip(texts, self._marks(texts), strict=True)]

    def _marks(self, texts: Sequence[str]) -> list[Marks]:
        # What was taken out before looks like a name to the tagger ("IBAN <IBAN>"), a number does not.
        return self._mark([_REMOVED.sub(lambda match: "0" * len(match.group()), text) for text in texts])


def _without(text: str, personal: Sequence[Personal], asks: Sequence[Span], is_known: Known) -> Redacted:
    kept, asked, at = [], [list(span) for span in asks], 0
    for found in personal:
        if found.kind in (PERSON, ADDRESS) and is_known(found.kind, text[found.start : found.end]):
            continue
        kept += [text[at : found.start], f"<{found.kind}>"]
        at, begins = found.end, sum(map(len, kept)) - len(kept[-1])
        for span, old in zip(asked, asks, strict=True):  # each end moves with the text, or to the placeholder's
            for side in (0, 1):
                if old[side] >= found.end:
                    span[side] = old[side] - found.end + begins + len(kept[-1])
                elif old[side] > found.start:
                    span[side] = begins + len(kept[-1]) * side
    return Redacted("".join([*kept, text[at:]]), tuple((start, end) for start, end in asked))


def _personal(text: str, marks: Marks) -> list[Personal]:
    taken = [match.span() for match in _REMOVED.finditer(text)]
    apart: list[Personal] = []
    for kind, spans in (
        *((k, find(text)) for k, find in _FINDERS.items()),
        *((k, marks[k]) for k in (ADDRESS, PERSON)),
    ):
        for start, end in spans:
            if all(end <= begun or stopped <= start for begun, stopped in taken):
                taken.append((start, end))
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
}
REMOVABLE = (*_FINDERS, PERSON, ADDRESS)  # all kinds of personal data
_REMOVED = re.compile(f"<(?:{'|'.join(REMOVABLE)})>")  # replaces what was removed before
