"""Figures in one spelling: which ones of a claim its quotes do not state, and which units contradict each other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from retrieval.conflicts import rivals
from retrieval.contents import Cell, Passage
from retrieval.quantities import APART, DATE, Quantity, figure_of, figures, in_digits, unstated
from retrieval.units import Unit
from retrieval.versions import Version


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,000 files", {Quantity("1000", "file")}),
        ("1 000 files", {Quantity("1000", "file")}),
        ("1k files", {Quantity("1000", "file")}),
        ("thirty days", {Quantity("30", "day")}),
        ("within 30 business days", {Quantity("30", "business day")}),
        ("thirty working days", {Quantity("30", "business day")}),
        ("a 30-business-day period", {Quantity("30", "business day")}),
        ("8 Business hours", {Quantity("8", "business hour")}),
        ("30 calendar days", {Quantity("30", "day")}),
        ("5 Business users", {Quantity("5", "user")}),  # of the plan
        ("30. Business days", {Quantity("30")}),
        ("twenty-one users", {Quantity("21", "user")}),
        ("a 14-day trial", {Quantity("14", "day")}),
        ("13.50 EUR", {Quantity("13.5", "EUR")}),
        ("€13.5", {Quantity("13.5", "EUR")}),
        ("EUR 1,250.00", {Quantity("1250", "EUR")}),
        ("25 %, 25%, 25 percent", {Quantity("25", "%")}),
        ("99.95 %", {Quantity("99.95", "%")}),
        ("from 1 March 2026", {Quantity("2026-03-01", DATE)}),
        ("March 1st, 2026 or 2026-03-01 or 1 Mar 2026", {Quantity("2026-03-01", DATE)}),
        ("the 1st of March, 2026 or March the 1st 2026", {Quantity("2026-03-01", DATE)}),
        ("a hundred days or one hundred and twenty users", {Quantity("100", "day"), Quantity("120", "user")}),
        ("two thousand five hundred and six files", {Quantity("2506", "file")}),
        ("three million", {Quantity("3000000")}),
        ("two hundred thousand files, a thousand million", {Quantity("200000", "file"), Quantity("1000000000")}),
        ("two million five thousand and one", {Quantity("2005001")}),
        ("half a million, hundreds of tenants, the tenth, weights", set()),
        ("18:00", {Quantity("18:00")}),
        ("macOS 13.4.1", {Quantity("13.4.1")}),
        ("2 TB", {Quantity("2", "tb")}),
        ("one of them, and no one else", set()),
        ("no figure, someone, often, atone", set()),
    ],
)
def test_a_figure_has_one_spelling(text, found):
    assert figures(text) == found


@pytest.mark.parametrize(
    ("claim", "quotes", "missing"),
    [
        ("within thirty days", "You have 30 days.", set()),
        ("within 14 days", "You have 30 days.", {"14"}),
        ("30 users", "You have 30 days.", {"30"}),
        ("13.50 EUR a month", "Plan: Team; Currency: EUR; Price: 13.50", set()),
        ("13.50", "It costs 13.50 EUR.", set()),
        ("13.50 USD", "It costs 13.50 EUR.", {"13.5"}),
        ("from 2 March 2026", "It holds from 2026-03-01.", {"2026-03-02"}),
        ("a thousand times 1k", "1,000 requests", set()),
        ("five per cent", "5%", set()),
        ("within 14 days", "within 14 business days", {"14"}),
        ("within 14 business days", "within 14 days", {"14"}),
        ("within 14 working days", "within fourteen business days", set()),
        ("within 14 calendar days", "within 14 days", set()),
        ("14", "within 14 business days", set()),
        ("within 14 business days", "Days: 14", set()),
    ],
)
def test_what_quotes_do_not_state_is_missing(claim, quotes, missing):
    assert {f.value for f in unstated(claim, quotes)} == missing


def test_texts_that_are_read_together_do_not_run_into_each_other():
    quotes = ["Minimum users: 5", "Days are counted from the payment."]
    assert not unstated("It takes 5 users.", APART.join(quotes))
    assert unstated("It takes 5 users.", " ".join(quotes))  # 5 days, as it were


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("13.50", Quantity("13.5")),
        (" 5 business days ", Quantity("5", "business day")),
        ("EUR 1,250.00", Quantity("1250", "EUR")),
        ("March 3, 2026", Quantity("2026-03-03", DATE)),
        ("18:00", Quantity("18:00")),
        ("day 18", None),
        ("14 days of", None),
        ("5 to 10 business days", None),
        ("555 01 10", None),
        ("0x80", None),
        ("", None),
    ],
)
def test_a_figure_can_be_the_whole_text(text, figure):
    assert figure_of(text) == figure


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("five to ten working days", "5 to 10 business days"),
        ("14 calendar days", "14 days"),
        ("from Mar. 3, 2026", "from 2026-03-03"),
        ("12.00 for one user", "12.00 for one user"),
        ("one hundred and one users", "101 users"),
        ("the calendar, often working on it", "the calendar, often working on it"),
    ],
)
def test_words_become_digits(text, digits):
    assert in_digits(text) == digits


def unit(doc_id, text="", cells=()):
    cells = tuple(Cell(*cell) for cell in cells)
    text = text or "; ".join(map(str, cells))
    passage = Passage("c", 0, 0, len(text), "Heading", "row" if cells else "prose", text, cells)
    version = Version(doc_id, 1, "Title", datetime(2026, 7, 1, tzinfo=UTC), None, frozenset({"public"}), 50, (), "c", 1)
    return Unit(version, passage, 0, len(text), text)


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        ("It takes 5 business days.", "It takes 7 business days.", True),
        ("It takes 5 business days.", "It takes seven working days.", True),
        ("It takes 5 business days.", "It takes five working days.", False),
        ("It takes 5 business days.", "It takes 7 days.", False),
        ("It takes 5 calendar days.", "It takes 7 days.", True),
        ("It costs 5 EUR.", "It costs 7 USD.", False),
        ("It holds from 2026-03-03.", "It holds from 2026-03-04.", False),
    ],
)
def test_different_numbers_of_one_kind_contradict(one, other, contradict):
    assert rivals(unit("a", one), unit("b", other)) is contradict
    assert rivals(unit("b", other), unit("a", one)) is contradict


PRICE_OF_12 = "The plan costs 12 EUR."


@pytest.mark.parametrize(
    ("cells", "contradict"),
    [
        ([("Currency", "EUR"), ("Price", "13.50")], True),
        ([("Currency", "EUR"), ("Price per user per month", "13.50"), ("Minimum users", "12")], True),
        ([("", "€"), ("", "290")], True),
        ([("Currency", "EUR"), ("Price a month", "13.50")], True),
        ([("Currency", "EUR"), ("Price/user", "13.50")], True),
        ([("Currency", "EUR"), ("Price", "12.00")], False),
        ([("Price", "13.50")], False),
        ([("First", "EUR"), ("Second", "USD"), ("Price", "13.50")], False),
        ([("Currency", "EUR"), ("Price", "see 3.12 below")], False),
        ([("Currency", "EUR"), ("Price", "3.1.2")], False),
        ([("Currency", "EUR"), ("Version", "3.12")], False),
        ([("Currency", "EUR"), ("Valid from date", "3.12")], False),
        ([("Currency", "EUR"), ("Opens", "10:30")], False),
        ([("Currency", "EUR"), ("Valid from", "2026-03-03")], False),
        ([("Currency", "EUR"), ("Minimum users", "5")], False),
        ([("Currency", "EUR"), ("Discount", "5 %")], False),
    ],
)
def test_only_a_bare_amount_takes_the_currency_of_its_row(cells, contradict):
    assert rivals(unit("a", cells=cells), unit("b", PRICE_OF_12)) is contradict
