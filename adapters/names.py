"""Names of persons in tickets: found where people write them (greetings, signatures, introductions) and by lists.

The lists are those of Faker, names of some forty countries in Latin script. A first name alone counts only where the
sentence points at a person, since Mark, May and Bill are words too. `python -m tests.personal` measures it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain, product

from faker.config import AVAILABLE_LOCALES

Span = tuple[int, int]

_CUES = """my name is|name's|name is|i am|i'm|this is|here is|hi|hello|hey|dear|attn|colleague|colleagues|boss
manager|partner|assistant|wife|husband|ask for|spoke to|spoke with|from|by|to|with|contact|thanks
cc|and|for"""
_TITLES = "Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Frau|Madame|Mevrouw|Drs|Ir|Sr|Sra|Signor|Signora"
_CLOSINGS = """regards|thanks|thank you|cheers|sincerely|best|wishes|greetings|groet|groeten|groetjes|grüße|grüsse
gruß|saludos|cordialement|cumprimentos|saluti|bien à vous|yours|yours truly|yours faithfully|thx|ta
rgds|br|kr|grato|obrigado|obrigada"""
_COURTESIES = """thanks thank you regards best cheers please hello hi bye sincerely greetings kind many yours urgent
help asap ta thx groeten groetjes grüße gruß saludos cordialement sorry yes no ok okay done solved"""
# First names of the lists that are everyday words, months, days, countries, plans or products where tickets have them.
_HOMONYMS = """will mark may april june august grace hope bill rich frank chase joy art guy dean sunny star miles an in
so see no ok hi the team any all my can do ben sales summer faith page drew ray rob sue pat penny rusty
sandy christian early major price royal prince king queen lane van de la le brook dawn eve ivy rose lily
daisy iris olive jade ruby pearl crystal amber violet holly heather ginger paris london sydney florence
chelsea austin dallas houston jordan carolina georgia virginia israel china india asia america kenya
dakota savannah phoenix troy chad ali long young january february march july september october november
december monday tuesday wednesday thursday friday saturday sunday us uk eu mac macs solo business pro
windows excel word outlook chrome safari google apple microsoft adobe amazon teams mobile vat pdf api sso
iban sepa paypal visa master stripe english german dutch french spanish italian polish"""

_COURTESY, _WORDS = frozenset(_COURTESIES.split()), frozenset(_HOMONYMS.split())
_WORD = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
_PARTICLE = r"(?:van|von|de|der|den|del|della|da|di|dos|la|le|ten|ter|el|al|bin|ben|zu)"
_CAPITAL = rf"(?:[A-ZÀ-ÖØ-ÞĀ-Ž]\.|(?=[A-ZÀ-ÖØ-ÞĀ-Ž][^\W\d_]){_WORD})"
_MORE = rf"(?:,? (?:{_PARTICLE} ){{0,2}}{_CAPITAL})"
_NAME = re.compile(rf"{_CAPITAL}{_MORE}{{0,3}}")
_TITLED = re.compile(rf"\b(?:{_TITLES})\.? ({_CAPITAL}{_MORE}{{0,3}})")
_INTRODUCED = re.compile(rf"\b(?i:{_CUES.replace(chr(10), '|')})[,:]? ({_CAPITAL}{_MORE}{{0,3}})")
_CLOSED = re.compile(
    rf"(?i:{_CLOSINGS.replace(chr(10), '|')})(?:[,.!]+[ \t]+|[,.!]*[ \t]*\n+[ \t]*)"
    rf"({_WORD}(?:[ .,]+(?:{_PARTICLE} ){{0,2}}{_CAPITAL}){{0,3}})"
)
_INSIDE = re.compile(rf"(?<=[a-z,;)] )({_CAPITAL})")  # capitalised although no sentence starts there
_AT_THE_END = re.compile(rf"(?<=[.?!,] )({_CAPITAL}{_MORE}{{0,2}})[.!]?\s*$")
_ALONE = re.compile(rf"(?:[-–—~/]+ ?)?({_WORD}{_MORE}{{0,3}})[.!]?")
_COMPANY = re.compile(
    r"\b(?i:ltd|gmbh|inc|llc|co|bv|b\.v|ag|kg|sarl|oy|ab|srl|team|studio|support|group|sales|office)\b"
)
_PARTS = re.compile(r"[^\W\d_]{2,}(?:['’-][^\W\d_]+)*")
_SIGNATURE_WORDS = 7  # in a line of a signature, at most


def persons(text: str) -> list[Span]:
    """Where names of persons stand, (start, end), apart from each other and in their order."""
    apart: list[Span] = []
    for start, end in sorted({*_pointed_at(text), *_full(text), *_signatures(text)}):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _pointed_at(text: str) -> Iterator[Span]:
    """After a title, an introduction or a closing, and first names that are capitalised inside a sentence."""
    yield from (match.span(1) for match in _TITLED.finditer(text))
    yield from (match.span(1) for match in _CLOSED.finditer(text) if _signs(match.group(1), capitals_do=True))
    for match in chain(_INTRODUCED.finditer(text), _INSIDE.finditer(text)):
        words = _PARTS.findall(match.group(1))
        if words and _first(words[0]) and not _word_too(words):
            yield match.span(1)


def _full(text: str) -> Iterator[Span]:
    """A first name of the list before a capitalised word, one of the two being no everyday word."""
    for match in _NAME.finditer(text):
        words = list(re.finditer(_CAPITAL, match.group()))
        for number, first in enumerate(words[:-1]):
            surnames = [word.group() for word in words[number + 1 :]]
            if _first(first.group()) and (any(map(_last, surnames)) or not _word_too([first.group()])):
                yield match.start() + first.start(), match.end()
                break


def _signatures(text: str) -> Iterator[Span]:
    """Names at the end of each message of a thread."""
    start = 0
    for message in text.split("\nearlier: "):
        if (end := _AT_THE_END.search(message)) and _signs(end.group(1), capitals_do=True):
            yield start + end.start(1), start + end.end(1)
        yield from ((start + a, start + b) for a, b in _signed(message))
        start += len(message) + len("\nearlier: ")


def _signed(message: str) -> Iterator[Span]:
    """A name alone in a line of the last paragraph, where that is a block of short lines."""
    kept = message.rstrip()
    begin = max(kept.rfind("\n\n") + 2 if "\n\n" in kept else 0, 0) or kept.rfind("\n") + 1
    lines = kept[begin:].split("\n")
    if begin == 0 or any(len(line.split()) > _SIGNATURE_WORDS for line in lines):
        return
    for number, line in enumerate(lines[:2]):
        match = _ALONE.fullmatch(line.strip())
        if match and not _COMPANY.search(line) and _signs(match.group(1), capitals_do=number == 0):
            at = kept.index(match.group(1), begin)
            yield at, at + len(match.group(1))
            return


def _signs(name: str, capitals_do: bool) -> bool:
    """Is a line that could be a signature one: a listed name, or two to four words that only a name capitalises?"""
    words = _PARTS.findall(name)
    if not words or name.isupper() or {word.casefold() for word in words} & _COURTESY:
        return False
    if _first(words[0]) or _last(words[-1]):
        return not _word_too(words)
    several = len(words) > 1 or "." in name[:-1]
    return capitals_do and several and all(w[0].isupper() and w.casefold() not in _WORDS for w in words)


def _first(word: str) -> bool:
    return word.strip(".").casefold() in _lists()[0]


def _last(word: str) -> bool:
    return word.strip(".").casefold() in _lists()[1]


def _word_too(words: list[str]) -> bool:
    return len(words) == 1 and words[0].casefold() in _WORDS


@cache
def _lists() -> tuple[frozenset[str], frozenset[str]]:
    """First names and surnames, case-folded."""
    found: dict[str, set[str]] = {"first_names": set(), "last_names": set()}
    for locale in AVAILABLE_LOCALES:
        try:
            provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        except ModuleNotFoundError:
            continue
        for listed, kind in product(found, ("", "_male", "_female", "_unisex")):
            names = getattr(provider, listed + kind, ())
            if not isinstance(names, property):
                found[listed] |= {name.casefold() for name in names if _PARTS.fullmatch(name)}
    return frozenset(found["first_names"]), frozenset(found["last_names"])
