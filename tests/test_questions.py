"""From messy tickets to questions, and the circumstances that they name."""

from __future__ import annotations

import pytest

from retrieval.questions import enquire
from retrieval.sentences import sentence_spans
from retrieval.slots import outright, slots_in


def question_marks(text):
    """Sentences that end in a question mark: a finder that is easy to foresee."""
    return [(start, end) for start, end in sentence_spans(text) if text[start:end].endswith("?")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Hi team, how much is Solo per month? Thanks", ["how much is Solo per month?"]),
        (
            "We like it. What does Team cost? And can we pay by PayPal?",
            ["What does Team cost?", "can we pay by PayPal?"],
        ),
        (
            "They want to know (a) which cities our files sit in and (b) which certificate you have.",
            ["which cities our files sit in", "which certificate you have."],
        ),
        (
            "what is Solo in USD, and how long is that price fixed?",
            ["what is Solo in USD", "how long is that price fixed?"],
        ),
        (
            "If we go up from Team to Business, when does it count?",
            ["If we go up from Team to Business, when does it count?"],
        ),
        ("When I called on Monday nobody knew what I was talking about. Please cancel my account.", []),
        ("my sync is broken since monday", []),
    ],
)
def test_the_tagger_finds_what_is_asked(tagger, body, expected):
    found = [body[start:end] for start, end in tagger.questions(body)]
    assert [text.strip(" ?.").removeprefix("And ") for text in found] == [text.strip(" ?.") for text in expected]


def test_a_long_message_is_read_in_windows(tagger):
    told = "We moved offices in May and the printer has been standing in the hall ever since. "
    body = f"{told * 40}How much is the Team plan per month? {told * 40}Can we pay by bank transfer?"
    assert [body[a:b] for a, b in tagger.questions(body)] == [
        "How much is the Team plan per month",
        "Can we pay by bank transfer",
    ]


def asked(body, thread=(), subject=""):
    return enquire(question_marks, subject, body, thread)


def test_a_question_that_says_too_little_takes_along_what_was_written_before():
    thread = ["I want my data exported as a ZIP.", "We are on Team."]
    (question,) = asked("And for how long?", thread).questions
    assert "exported" in question.context
    (question,) = asked("How many signers fit in an envelope?", thread).questions
    assert "exported" not in question.context
    assert "We are on Team." in question.context


def test_a_question_knows_its_sentence():
    def find(text):
        return [(text.index(piece), text.index(piece) + len(piece)) for piece in ("how much is it", "who pays")]

    first, second = enquire(find, "", "how much is it in euro, from May on, and who pays? We wait.").questions
    assert (first.text, second.text) == ("how much is it", "who pays?"), "as it was written"
    assert "from May on" in first.sentence
    assert "May" not in second.sentence


def test_another_question_is_no_context_unless_this_one_says_too_little():
    first, second = asked("We are on Team. What does a pack cost? How many guests fit on the Team plan?").questions
    assert "We are on Team." in second.context
    assert "pack" not in second.context
    assert "pack" in asked("What does a pack cost? And for how long?").questions[1].context
    assert first.text == "What does a pack cost?"


def test_what_was_asked_before_is_still_asked_when_only_a_detail_comes():
    (question,) = asked("In pounds, please.", ["What does an envelope pack cost?"]).questions
    assert (question.text, question.repeated) == ("What does an envelope pack cost?", True)
    assert "pounds" in question.context
    (question,) = asked("my sync is broken since monday", ["Thanks!"]).questions
    assert question.text == "my sync is broken since monday"


def test_a_message_that_asks_nothing_is_looked_up_by_its_head():
    found = asked("my sync is broken since monday", subject="help")
    assert (found.asks, found.closes) == (False, False)
    assert [q.text for q in found.questions] == ["help. my sync is broken since monday"]


@pytest.mark.parametrize("body", ["Perfect, that was all, thank you!", "You may close this. Have a nice weekend!"])
def test_thanks_ask_nothing(domain, body):
    found = enquire(question_marks, "Re: guests", body, ["How many guests?"], domain.closing)
    assert (found.closes, found.questions) == (True, ())
    found = enquire(question_marks, "", f"{body} How many guests fit on the Team plan?", (), domain.closing)
    assert (found.closes, len(found.questions)) == (False, 1)


@pytest.mark.parametrize("body", ["", "   ", "😀😀😀", "?!", "> only a quote", "-- \nJust a signature", "a" * 5000])
def test_odd_texts_give_at_most_a_few_questions(tagger, body):
    found = enquire(tagger.questions, "", body).questions
    assert len(found) <= 4
    assert all(q.text.strip() for q in found)


def test_sentences_bear_abbreviations_and_decimals():
    text = "Plans, e.g. Team, cost 13.50 EUR. See No. 4 of the list! It ends on 1 March. Really?"
    assert [text[start:end] for start, end in sentence_spans(text)] == [
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
        ("we are in the united states", {"region": {"United States"}}),
        ("We bill from the US", {"region": {"United States"}}),
        ("can you tell us", {}),
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
