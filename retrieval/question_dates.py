"""The time that a question asks about: "from 1 January 2027", "in February", "next year", "six weeks ago".

dateparser reads the words, in the languages of the domain. What it takes for a date and is none is told by two tests
that need no knowledge of a language: a date names its month or year, or it says the same whether the past or the future
is preferred ("in six weeks"), which a mere duration ("six weeks") does not.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton
from dateparser.date import DateDataParser
from dateparser.search import search_dates

from domains.spec import Domain
from retrieval.questions import Question

_LONGEST = 2000  # characters that are searched
_FARTHEST = timedelta(days=10 * 365)  # what lies beyond is a number or a name


@dataclass(frozen=True, slots=True)
class Period:
    """The days that words name, the last one included; one day where they name one."""

    first: date
    last: date
    words: str = field(default="", compare=False)  # as they were written
    certain: bool = field(default=True, compare=False)  # they name the year, or count from today

    def moments(self, zone: ZoneInfo) -> tuple[datetime, ...]:
        """The start of the first and of the last day, in UTC; one instant where they are one day."""
        days = dict.fromkeys((self.first, self.last))
        return tuple(datetime.combine(day, time(), zone).astimezone(UTC) for day in days)

    def left_out_of(self, question: Question) -> Question:
        """The question without these words: which version holds then is known, and no sentence of it says so."""
        text, context = (t.replace(self.words, " ").strip() for t in (question.text, question.context))
        return replace(question, text=text or question.text, context=context)

    def shown(self, language: str) -> str:
        """The period in words: `1 January 2027`, `January 2027`, `2027`."""
        if self.first == self.last:
            return format_date(self.first, "d MMMM y", locale=language)
        return format_skeleton("yMMMM" if self.first.month == self.last.month else "y", self.first, locale=language)


def asked_about(question: Question, domain: Domain, asked_at: datetime) -> Period | None:
    """The time that a question is about, where that is not the day on which it is asked.

    A date in the sentence of the question counts. One that was named before it counts if it lies ahead, or if the
    question leans on it ("What was the limit then?"): else it only tells what happened.

    Args:
        question: its own words, and what was said before.
        domain: its languages, zone, and the words that lean on a date.
        asked_at: the day of the ticket.
    """
    sentence = question.sentence or question.text
    own, before = (_without(domain.dates.never, text) for text in (sentence, question.context))
    if found := period_in(own, domain.languages, asked_at, domain.zone):
        return found
    found = period_in(before, domain.languages, asked_at, domain.zone)
    if found is None or found.first > asked_at.astimezone(domain.zone).date():
        return found
    return found if leans_on_date(question, domain) else None


def leans_on_date(question: Question, domain: Domain) -> bool:
    """Whether a question is about a time that was named before it: "What was the limit then?"."""
    return bool(domain.dates.then and _any_of(domain.dates.then).search(question.sentence or question.text))


def _without(words: tuple[str, ...], text: str) -> str:
    return _any_of(words).sub(" ", text) if words else text


@lru_cache(maxsize=32)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b(?! ago)", re.I)


def period_in(text: str, languages: Sequence[str], asked_at: datetime, zone: ZoneInfo) -> Period | None:
    """The time that a text names, or None; of several the last one whose year is certain, else the last.

    Args:
        text: a question, or what was said before it.
        languages: of the domain, ISO 639-1.
        asked_at: relative words count from it; a day or month without its year is the nearest one.
        zone: of the domain.
    """
    today = datetime.combine(asked_at.astimezone(zone).date(), time())
    settings = {"RELATIVE_BASE": today, "RETURN_AS_TIMEZONE_AWARE": False}
    found = search_dates(text[:_LONGEST], languages=list(languages), settings=settings) or []
    read = ((words, _period(words, tuple(languages), today)) for words, _ in found)
    periods = [replace(period, words=words) for words, period in read if period]
    return max(enumerate(periods), key=lambda at: (at[1].certain, at[0]))[1] if periods else None


def _period(words: str, languages: tuple[str, ...], today: datetime) -> Period | None:
    past, future = (_read(words, languages, today, preferred) for preferred in ("past", "future"))
    if past is None or future is None or len(words.split()) < 2:
        return None
    nearest = min((past, future), key=lambda found: abs(found.start - today))
    if abs(nearest.start - today) > _FARTHEST or nearest.start.date() == today.date():
        return None
    if _read(words, languages, today, "past", ("month",)):
        # "in May", "May 2026", "3 May"; but not "may we"
        alone = _read(words.split(maxsplit=1)[0], languages, today, "past", ("month",)) and not re.search(r"\d", words)
        return None if alone else nearest.whole(certain=past.start.year == future.start.year)
    return nearest.whole(certain=True) if past == future else None


@dataclass(frozen=True, slots=True)
class _Found:
    """What dateparser makes of words: an instant in the domain's zone, and how long it takes (`day`, `month`, …)."""

    start: datetime
    period: str

    def whole(self, certain: bool) -> Period:
        """The days."""
        day = self.start.date()
        if self.period == "year":
            return Period(day.replace(month=1, day=1), day.replace(month=12, day=31), certain=certain)
        if self.period == "month":
            last = calendar.monthrange(day.year, day.month)[1]
            return Period(day.replace(day=1), day.replace(day=last), certain=certain)
        return Period(day, day, certain=certain)


def _read(
    words: str, languages: tuple[str, ...], today: datetime, preferred: str, parts: tuple[str, ...] = ()
) -> _Found | None:
    found = _parser(languages, today, preferred, parts).get_date_data(words)
    if found is None or found.date_obj is None:
        return None
    return _Found(found.date_obj.replace(tzinfo=None), str(found.period))  # a zone that words name changes no day


@lru_cache(maxsize=64)
def _parser(languages: tuple[str, ...], today: datetime, preferred: str, parts: tuple[str, ...]) -> DateDataParser:
    settings: dict[str, Any] = {"RELATIVE_BASE": today, "PREFER_DATES_FROM": preferred}
    if parts:
        settings |= {"REQUIRE_PARTS": list(parts), "PARSERS": ["absolute-time"]}
    return DateDataParser(languages=list(languages), settings=settings)
