"""Composing and verifying: the text is templates and claims, and what is not in a quote does not leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from retrieval.contents import Cell, Passage
from retrieval.evidence import Finding
from retrieval.question_dates import Period
from retrieval.questions import Question
from retrieval.units import Unit
from retrieval.versions import Version
from service.compose import Claim, ExtractiveComposer
from service.route import Decision
from service.verify import verify

TEXT = "# Vault\nThe vault costs 41 EUR.\nPlan: Team; Currency: EUR; Price: 13.50; Minimum users: 3\n"
VERSION = Version("vault", 1, "Vault", datetime(2026, 1, 1, tzinfo=UTC), None, frozenset({"public"}), 50, (), "c", 1)


def cells_of(row):
    return tuple(Cell(*pair.split(": ")) for pair in row.split("; "))


def unit(part, kind="prose"):
    start = TEXT.index(part)
    cells = cells_of(part) if kind == "row" else ()
    passage = Passage("c", 0, start, start + len(part), "Vault", kind, part, cells)
    return Unit(VERSION, passage, start, start + len(part), part, score=0.9)


SENTENCE, ROW = (
    unit("The vault costs 41 EUR."),
    unit("Plan: Team; Currency: EUR; Price: 13.50; Minimum users: 3", "row"),
)


def row_unit(text, cells):
    return replace(ROW, text=text, passage=replace(ROW.passage, text=text, cells=cells))


ANSWERED = Decision("answer", "answered", "price_answer")


def compose(domain, *findings, decision=ANSWERED):
    return ExtractiveComposer(domain).compose(decision, findings)


def problems(draft, said=""):
    return [failure.reason for failure in verify(draft, lambda _: TEXT, said)]


def test_a_sentence_stands_as_it_is_and_a_row_is_read_out(domain):
    draft = compose(domain, Finding(Question("How much?"), (SENTENCE, ROW), 0.9))
    assert "- The vault costs 41 EUR. [1]\n- Team, EUR: price 13.50, minimum users 3 [2]" in draft.text
    assert [TEXT[c.start : c.end] == c.quote for c in draft.citations] == [True, True]
    assert problems(draft) == []


def test_a_row_is_told_by_the_first_sentence_of_the_domain_that_tells_what_is_asked(domain):
    row = "Plan: Team; Currency: EUR; Billing period: monthly; Price per user per month: 13.50; Minimum users: 3"

    def told(question):
        (claim,) = compose(domain, Finding(Question(question), (row_unit(row, cells_of(row)),), 0.9)).claims
        return claim.text

    price = "The Team plan costs EUR 13.50 per user per month when billed monthly"
    assert told("How much is Team?") == f"{price}."
    assert told("What is the minimum number of users?") == f"{price}, for at least 3 users."


def test_an_answer_for_another_date_names_it_and_is_verified(domain):
    period = Period(date(2027, 1, 1), date(2027, 1, 1))
    draft = compose(domain, Finding(Question("And from January?"), (SENTENCE,), 0.9, period=period))
    assert "For 1 January 2027:\nThe vault costs 41 EUR. [1]" in draft.text
    assert draft.dates == ("1 January 2027",)
    assert problems(draft, "\n".join(draft.dates)) == []
    assert problems(draft), "nobody but the ticket may bring a date in"


def test_what_is_needed_for_the_rest_is_asked_for(domain):
    rest = Finding(Question("How many guests?"), (), 0.9, ask=("plan",))
    text = compose(domain, Finding(Question("How much?"), (SENTENCE,), 0.9), rest).text
    assert "To answer the rest we need to know which plan you are on." in text
    assert "A colleague will answer" not in text


def test_of_columns_that_share_words_with_the_question_those_that_share_most_are_given(domain):
    row = "Room: Blue; Weekday, Half day: 95; Weekend, Half day: 130; Weekend, Full day: 225; Note: nice; Price: 10"
    cells = (*cells_of(row.partition("; Note")[0]), Cell("Note", "nice; Price: 10"))
    asked = Finding(Question("What does Blue cost for a half day on a weekend?"), (row_unit(row, cells),), 0.9)
    (claim,) = compose(domain, asked).claims
    assert claim.text == "Blue: weekend, Half day 130"


def test_what_a_row_is_about_is_always_told(domain):
    text = "Add-on: Envelope pack of 50; Currency: GBP; Price: 34.00"
    row = row_unit(text, cells_of(text))
    (claim,) = compose(domain, Finding(Question("What is the price in pounds?"), (row,), 0.9)).claims
    assert claim.text == "Envelope pack of 50, GBP: price 34.00"


def test_two_questions_get_two_cited_answers_and_an_open_one_is_named(domain):
    findings = [Finding(Question(q), u, 0.9) for q, u in (("Vault?", (SENTENCE,)), ("Team?", (ROW,)), ("Moon?", ()))]
    draft = compose(domain, *findings)
    assert draft.text.index("“Vault?”") < draft.text.index("41 EUR") < draft.text.index("“Team?”")
    assert "A colleague will answer this in person: “Moon?”" in draft.text
    assert problems(draft) == []


def test_a_sentence_is_not_said_again_within_another(domain):
    more = replace(SENTENCE, text=f"{SENTENCE.text}\n{ROW.text}", end=ROW.end)
    draft = compose(domain, *(Finding(Question(q), (u,), 0.9) for q, u in (("All?", more), ("Vault?", SENTENCE))))
    assert [claim.citations for claim in draft.claims] == [(1,)]
    assert len(draft.citations) == 1
    assert "Vault?" not in draft.text, "it is answered: neither said again nor called open"


def test_the_same_claim_is_said_once(domain):
    draft = compose(domain, *(Finding(Question(q), (SENTENCE,), 0.9) for q in ("Vault?", "And the vault?")))
    assert len(draft.claims) == len(draft.citations) == draft.text.count("41 EUR") == 1


def test_what_the_answer_turns_on_is_asked(domain):
    finding = Finding(Question("Price?"), (), 0.9, ask=("plan", "currency"))
    draft = compose(domain, finding, decision=Decision("clarify", "needs_information", "clarify"))
    assert "which plan you are on and the currency you are billed in" in draft.text
    assert (draft.claims, draft.citations) == ((), ())


@pytest.mark.parametrize("form", ["handoff", "human_handoff", "incident_notice", "courtesy_close", "details_request"])
def test_every_bare_format_states_no_number(domain, form):
    draft = compose(domain, decision=Decision("handoff", "policy_requires_human", form))
    assert draft.text
    assert not any(c.isdigit() for c in draft.text)
    assert problems(draft) == []


@pytest.fixture
def good(domain):
    return compose(domain, Finding(Question("How much?"), (SENTENCE,), 0.9))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: replace(d, claims=(Claim("The vault costs 42 EUR.", (1,)),)), "42"),
        (lambda d: replace(d, claims=(Claim("The vault is cheap.", ()),)), "cites nothing"),
        (lambda d: replace(d, claims=(Claim("The vault costs 41 EUR.", (7,)),)), "cites nothing"),
        (lambda d: replace(d, text=d.text + " It takes 9 hours."), "outside its claims"),
        (lambda d: replace(d, text=d.text + " [3]"), "do not exist"),
        (lambda d: replace(d, citations=(replace(d.citations[0], quote="The vault costs 40 EUR."),)), "not verbatim"),
        (lambda d: replace(d, citations=(replace(d.citations[0], start=3),)), "not verbatim"),
    ],
)
def test_a_draft_that_says_too_much_is_refused(good, change, reason):
    assert any(reason in problem for problem in problems(change(good)))


def test_numbers_of_the_customer_may_be_said_back(good):
    echoed = replace(good, text=good.text + " You wrote of 12 seats.")
    assert problems(echoed, said="We have 12 seats") == []
