"""The figures of a text, in one spelling: `1,000` and `1k`, `thirty days` and `30 days`, dates however written.

A figure keeps its unit, so that thirty days are not thirty users, and business days are not days. A bare figure, as in
a table whose column names the unit, may count anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

DATE = "date"
APART = " | "  # between texts that are read together: a number at the end of one counts no word of the next

_ONES = "zero one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety"
_YEAR = "january february march april may june july august september october november december"
_WORDS = {word: n for n, word in enumerate(f"{_ONES} {_TEENS}".split())}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_TENS = {word: 10 * n for n, word in enumerate(_DECADES.split(), start=2)}
_MONTHS = tuple(_YEAR.split())
_MONTH = rf"(?P<month>{'|'.join(f'{m[:3]}(?:{m[3:]})?' if m != 'may' else m for m in _MONTHS)})\.?"
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b"),
    re.compile(rf"\b(?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH},? (?P<y>\d{{4}})\b", re.I),
    re.compile(rf"\b{_MONTH} (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b", re.I),
)
_UNITS = {
    "eur": "EUR", "euro": "EUR", "€": "EUR", "usd": "USD", "dollar": "USD", "$": "USD", "gbp": "GBP", "pound": "GBP",
    "£": "GBP", "%": "%", "percent": "%", "per cent": "%",
}  # fmt: skip
CURRENCIES = frozenset({"EUR", "USD", "GBP"})
_TIMES = ("minute", "hour", "day", "week", "month", "year")
_COUNTED = "user seat guest file signer envelope request call page attempt"
_UNITS |= {word: word for word in (*_TIMES, *_COUNTED.split(), "kb", "mb", "gb", "tb")}
_UNIT = "|".join(sorted((re.escape(u) + ("s?" if u.isalpha() and len(u) > 2 else "") for u in _UNITS), key=len)[::-1])
_TEN = rf"(?:{'|'.join(_TENS)})"
_SMALL = rf"(?:{_TEN}(?:[- ](?:{'|'.join(list(_WORDS)[1:10])}))?|{'|'.join(sorted(list(_WORDS)[2:], key=len)[::-1])})"
_SCALE = rf"(?:[- ](?:{'|'.join(_SCALES)}))"
_ANY = rf"(?:one|{_SMALL})"
# Whole words only: no `ten` in `tenant`. With hundreds and thousands: no `twenty days` in `a hundred and twenty days`.
# The repetitions are bounded, so that no text makes a number of unlimited size.
_SPELT = rf"(?:(?:(?<!half )a|{_ANY}){_SCALE}{{1,2}}(?:(?: and)?[- ]{_ANY}{_SCALE}{{0,2}}){{0,6}}|{_SMALL})\b"
_NUMBER = rf"\d{{1,3}}(?:[, \u00a0\u202f]\d{{3}})+(?:\.\d+)?|\d+(?:[.:]\d+)*|{_SPELT}"
_FIGURE = re.compile(
    rf"(?<![\w.])(?P<before>[€$£]|(?:eur|usd|gbp)\s)?\s?(?P<n>{_NUMBER})(?P<k>k\b)?"
    rf"(?:[\s\u00a0-]?(?:(?P<kind>business|working|calendar)[\s-])?(?P<unit>{_UNIT})(?!\w))?",
    re.I,
)
_CURRENCY = re.compile(r"[€$£]|[A-Za-z]{3,7}")
_IN_WORDS = re.compile(rf"(?<![\w.]){_SPELT}", re.I)
_WORKING = re.compile(rf"\bworking(?=[\s-](?:{'|'.join(_TIMES)})s?\b)", re.I)
_CALENDAR = re.compile(r"\bcalendar[\s-](?=days?\b)", re.I)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit (`day`, `business day`, `EUR`; empty if the text names none), or a date in ISO 8601."""

    value: str
    unit: str = ""


def figures(text: str) -> frozenset[Quantity]:
    """The figures of a text; numbers up to one in words are none, since `one` mostly counts nothing."""
    found = []
    for pattern in _DATES:
        found += [Quantity(_iso(m), DATE) for m in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return frozenset([*found, *_counted(text)])


def figures_as_written(text: str) -> tuple[str, ...]:
    """The figures of a text in the words in which it states them, dates first: `14 days`, `13.50`.

    An amount comes without its currency, which a table names in another cell.
    """
    found = []
    for pattern in _DATES:
        found += [match[0] for match in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    for match in _FIGURE.finditer(text):
        is_amount = _figure(match).unit in CURRENCIES
        found.append(match["n"] if is_amount else match[0].strip())
    return tuple(found)


def figure_of(text: str) -> Quantity | None:
    """The figure that makes up the whole text, such as `13.50` or `30 days`; None if there is anything else in it."""
    text = text.strip()
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            return Quantity(_iso(match), DATE)
    match = _FIGURE.fullmatch(text)
    return _figure(match) if match else None


def in_digits(text: str) -> str:
    """The text with dates in ISO 8601, number words as digits, and one name for business days and for days.

    Decimals stay as they are written: `12.00` is a price, and `12 months` must not become equal to it.
    """
    for pattern in _DATES:
        text = pattern.sub(_iso, text)
    text = _IN_WORDS.sub(lambda match: _value(match[0], False), text)
    return _CALENDAR.sub("", _WORKING.sub("business", text))


def unstated(claim: str, quotes: str) -> frozenset[Quantity]:
    """The figures of a claim that the quotes do not state: another number, or the number of something else.

    A bare number, as in the cell of a table, may be an amount, but only in a currency that the quotes name.
    """
    stated, named = figures(quotes), currencies(quotes)
    bare = {f.value for f in stated if not f.unit}
    known = {f.value for f in stated}

    def is_stated(f: Quantity) -> bool:
        if f in stated or f.unit == DATE:
            return f in stated
        if not f.unit:
            return f.value in known
        return f.value in bare and not (f.unit in CURRENCIES and named and f.unit not in named)

    return frozenset(f for f in figures(claim) if not is_stated(f))


def currencies(text: str) -> frozenset[str]:
    """The currencies that a text names, with an amount or without one."""
    return frozenset(unit for word in _CURRENCY.findall(text) if (unit := unit_of(word)) in CURRENCIES)


def in_units(text: str, same: Mapping[str, str]) -> str:
    """The text with figures in the units that `same` prefers.

    Args:
        text: any.
        same: spelling -> figure. Where the spelling is 1 of a unit it is a rate, `1 week` -> `7 days`; else the words
            are replaced as they stand, `half an hour` -> `30 minutes`.
    """
    rates = {}
    for spelling, meant in sorted(
        same.items(), key=lambda item: -len(item[0])
    ):  # "a quarter of an hour" before "an hour"
        one, other = figure_of(spelling), figure_of(meant)
        if one and other and one.value == "1":
            rates[one.unit] = other
        else:
            text = re.sub(rf"(?<!\w){re.escape(spelling)}(?!\w)", meant, text, flags=re.I)

    def converted(match: re.Match[str]) -> str:
        found = _figure(match)
        if (rate := rates.get(found.unit)) is None or ":" in found.value or found.value.count(".") > 1:
            return match[0]
        return f"{(Decimal(found.value) * Decimal(rate.value)).normalize():f} {rate.unit}"

    return _FIGURE.sub(converted, text) if rates else text


def unit_of(word: str) -> str:
    """What a word counts, in one spelling: `days` is `day`; empty where it is no unit."""
    return _UNITS.get(word.casefold()) or _UNITS.get(word.casefold().removesuffix("s"), "")


def _counted(text: str) -> Iterator[Quantity]:
    return (_figure(match) for match in _FIGURE.finditer(text))


def _figure(match: re.Match[str]) -> Quantity:
    unit = unit_of((match["before"] or match["unit"] or "").strip())
    # Only times have business and calendar kinds: `5 Business users` are users, of a plan with that name.
    if unit in _TIMES and (match["kind"] or "").casefold() in ("business", "working"):
        unit = f"business {unit}"
    return Quantity(_value(match["n"], bool(match["k"])), unit)


def _value(number: str, thousand: bool) -> str:
    if ":" in number or number.count(".") > 1:  # a time, or a version
        return number
    value = _spelt_value(number) if number[0].isalpha() else Decimal(re.sub(r"[,\s\u00a0\u202f]", "", number))
    return f"{(value * (1000 if thousand else 1)).normalize():f}"


def _spelt_value(number: str) -> Decimal:
    """The value of a number in words: `two thousand five hundred and twenty` is 2520."""
    total = group = 0
    for word in re.split(r"[- ]", number.casefold()):
        scale = _SCALES.get(word, 1)
        if scale > 100:  # a thousand closes a group of hundreds, tens and ones
            total, group = (total + group * scale) if group else total * scale, 0
        else:
            group = group * scale + (1 if word == "a" else _WORDS.get(word, 0) + _TENS.get(word, 0))
    return Decimal(total + group)


def _iso(match: re.Match[str]) -> str:
    named = match.groupdict()
    month = int(named["m"]) if named.get("m") else 1 + [m[:3] for m in _MONTHS].index(named["month"][:3].casefold())
    return f"{named['y']}-{month:02}-{int(named['d']):02}"
