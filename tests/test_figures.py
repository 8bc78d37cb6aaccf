"""Figures in one spelling, and which of a claim its quotes do not state."""

from __future__ import annotations

import pytest

from retrieval.figures import APART, DATE, Figure, figures, unstated


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,000 files", {Figure("1000", "file")}),
        ("1 000 files", {Figure("1000", "file")}),
        ("1k files", {Figure("1000", "file")}),
        ("thirty days", {Figure("30", "day")}),
        ("within 30 business days", {Figure("30", "day")}),
        ("twenty-one users", {Figure("21", "user")}),
        ("a 14-day trial", {Figure("14", "day")}),
        ("13.50 EUR", {Figure("13.5", "EUR")}),
        ("€13.5", {Figure("13.5", "EUR")}),
        ("EUR 1,250.00", {Figure("1250", "EUR")}),
        ("25 %, 25%, 25 percent", {Figure("25", "%")}),
        ("99.95 %", {Figure("99.95", "%")}),
        ("from 1 March 2026", {Figure("2026-03-01", DATE)}),
        ("March 1st, 2026 or 2026-03-01 or 1 Mar 2026", {Figure("2026-03-01", DATE)}),
        ("18:00", {Figure("18:00")}),
        ("macOS 13.4.1", {Figure("13.4.1")}),
        ("2 TB", {Figure("2", "tb")}),
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
    ],
)
def test_what_quotes_do_not_state_is_missing(claim, quotes, missing):
    assert {f.value for f in unstated(claim, quotes)} == missing


def test_texts_that_are_read_together_do_not_run_into_each_other():
    quotes = ["Minimum users: 5", "Days are counted from the payment."]
    assert not unstated("It takes 5 users.", APART.join(quotes))
    assert unstated("It takes 5 users.", " ".join(quotes))  # 5 days, as it were
