"""The figures of a text, in one spelling: `1,000` and `1k`, `thirty days` and `30 days`, dates however written.

What a figure counts is kept beside it, so that thirty days are not thirty users. A figure that stands bare, as in a
table whose column names the unit, may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

DATE = "date"
APART = " | "  # between texts that are read together: a number at the end of one counts no word of the next

_ONES = "zero one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety"
_YEAR = "january february march april may june july august september october november december"
_WORDS = {word: n for n, word in enumerate(f"{_ONES} {_TEENS}".split())}
_TENS = {word: 10 * n for n, word in enumerate(_DECADES.split(), start=2)}
_MONTHS = tuple(_YEAR.split())
_MONTH = rf"(?P<month>{'|'.join(f'{m[:3]}(?:{m[3:]})?' if m != 'may' else m for m in _MONTHS)})\.?"
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH},? (?P<y>\d{{4}})\b", re.I),
    re.compile(rf"\b{_MONTH} (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b", re.I),
)
_UNITS = {
    "eur": "EUR", "euro": "EUR", "€": "EUR", "usd": "USD", "dollar": "USD", "$": "USD", "gbp": "GBP", "pound": "GBP",
    "£": "GBP", "%": "%", "percent": "%", "per cent": "%",
}  # fmt: skip
CURRENCIES = frozenset({"EUR", "USD", "GBP"})
_COUNTED = "minute hour day week month year user seat guest file signer envelope request call page attempt"
_UNITS |= {word: word for word in (*_COUNTED.split(), "kb", "mb", "gb", "tb")}
_UNIT = "|".join(sorted((re.escape(u) + ("s?" if u.isalpha() and len(u) > 2 else "") for u in _UNITS), key=len)[::-1])
_TEN = rf"(?:{'|'.join(_TENS)})"
_SPELT = rf"(?:{_TEN}(?:[- ](?:{'|'.join(list(_WORDS)[1:10])}))?|{'|'.join(sorted(list(_WORDS)[2:], key=len)[::-1])})"
_NUMBER = rf"\d{{1,3}}(?:[, \u00a0\u202f]\d{{3}})+(?:\.\d+)?|\d+(?:[.:]\d+)*|{_SPELT}"
_FIGURE = re.compile(
    rf"(?<![\w.])(?P<before>[€$£]|(?:eur|usd|gbp)\s)?\s?(?P<n>{_NUMBER})(?P<k>k\b)?"
    rf"(?:[\s\u00a0-]?(?:business |working |calendar )?(?P<unit>{_UNIT})(?!\w))?",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with what it counts (empty: nobody says), or a date in ISO 8601."""

    value: str
    unit: str = ""


def figures(text: str) -> frozenset[Figure]:
    """The figures of a text; numbers up to one in words are none, since `one` mostly counts nothing."""
    found = []
    for pattern in _DATES:
        found += [Figure(_iso(m), DATE) for m in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return frozenset([*found, *_counted(text)])


def unstated(claim: str, quotes: str) -> frozenset[Figure]:
    """The figures of a claim that the quotes do not state: another number, or the number of something else."""
    stated = figures(quotes)
    bare = {f.value for f in stated if not f.unit}
    known = {f.value for f in stated}
    return frozenset(
        f
        for f in figures(claim)
        if f not in stated and not (f.unit != DATE and (f.value in bare or (not f.unit and f.value in known)))
    )


def unit_of(word: str) -> str:
    """What a word counts, in one spelling: `days` is `day`; empty where it is no unit."""
    return _UNITS.get(word.casefold()) or _UNITS.get(word.casefold().removesuffix("s"), "")


def _counted(text: str) -> Iterator[Figure]:
    for match in _FIGURE.finditer(text):
        unit = (match["before"] or match["unit"] or "").strip()
        yield Figure(_value(match["n"], bool(match["k"])), unit_of(unit))


def _value(number: str, thousand: bool) -> str:
    if ":" in number or number.count(".") > 1:  # a time, or a version
        return number
    if number[0].isalpha():
        parts = re.split(r"[- ]", number.casefold())
        value = Decimal(sum(_WORDS.get(p, 0) + _TENS.get(p, 0) for p in parts))
    else:
        value = Decimal(re.sub(r"[,\s\u00a0\u202f]", "", number))
    return f"{(value * (1000 if thousand else 1)).normalize():f}"


def _iso(match: re.Match[str]) -> str:
    named = match.groupdict()
    month = int(named["m"]) if named.get("m") else 1 + [m[:3] for m in _MONTHS].index(named["month"][:3].casefold())
    return f"{named['y']}-{month:02}-{int(named['d']):02}"
