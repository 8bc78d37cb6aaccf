"""The time that a question is about: what counts as a date, and what is answered for it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from retrieval.question_dates import Period, asked_about, period_in
from retrieval.questions import Question

ASKED = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("What will Team cost from 1 January 2027?", date(2027, 1, 1), date(2027, 1, 1)),
        ("our renewal is on 20 january, what is the price then", date(2027, 1, 20), date(2027, 1, 20)),
        ("What do I pay in February?", date(2027, 2, 1), date(2027, 2, 28)),
        ("the rules of May 2026", date(2026, 5, 1), date(2026, 5, 31)),
        ("Are you there on 14 December 2026 at 10:00 CET?", date(2026, 12, 14), date(2026, 12, 14)),
        ("what do I pay next month", date(2026, 12, 1), date(2026, 12, 31)),
        ("what was it last year", date(2025, 1, 1), date(2025, 12, 31)),
        ("We start in six weeks.", date(2027, 1, 1), date(2027, 1, 1)),
        ("a folder was deleted three weeks ago", date(2026, 10, 30), date(2026, 10, 30)),
        ("the invoice of 1 May 2026, for what we used in May", date(2026, 5, 1), date(2026, 5, 1)),
    ],
)
def test_a_date_is_found(text, first, last, domain):
    found = period_in(text, ("en",), ASKED, domain.zone)
    assert (found.first, found.last) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        "May we share a folder?",
        "How many guests may we invite, and what may they see?",
        "Is a trial of two weeks enough?",
        "Do you have a plugin for AutoCAD 2025?",
        "It has 1500 listeners and a 74 page booklet.",
        "How long is the response time today?",
        "we sat on it",
    ],
)
def test_what_is_no_date_is_none(text, domain):
    assert period_in(text, ("en",), ASKED, domain.zone) is None


def test_a_rate_is_no_date(domain):
    assert asked_about(Question("How many requests may we send in a day?"), domain, ASKED) is None


def test_a_date_of_the_past_that_only_tells_what_happened_is_not_asked_about(domain):
    before = "We joined on 14 January 2026."
    assert asked_about(Question("How many guests may we invite?", before), domain, ASKED) is None
    found = asked_about(Question("What was the price on that day?", before), domain, ASKED)
    assert found == Period(date(2026, 1, 14), date(2026, 1, 14))
    ahead = asked_about(Question("What will we pay?", "Our renewal is on 14 January 2027."), domain, ASKED)
    assert ahead == Period(date(2027, 1, 14), date(2027, 1, 14))


def test_a_period_is_shown_in_words():
    day, month, year = (
        Period(date(2027, 1, 1), date(2027, 1, 1)),
        Period(date(2027, 1, 1), date(2027, 1, 31)),
        Period(date(2027, 1, 1), date(2027, 12, 31)),
    )
    assert [p.shown("en") for p in (day, month, year)] == ["1 January 2027", "January 2027", "2027"]
    assert month.shown("de") == "Januar 2027"
