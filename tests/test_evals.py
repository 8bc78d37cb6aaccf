"""Marks by worked examples, and the floors that the development cases must keep with the shipped adapter."""

from __future__ import annotations

import pytest

from domains.spec import InvalidInput
from evals.cases import Case, is_sealed, load
from evals.run import Share
from evals.score import Said, holds, mark
from service.reply import Reply

CASE = {
    "id": "x-1",
    "tags": ["plain"],
    "ticket": {"body": "What does Team cost for 12 seats?"},
    "audiences": ["public"],
    "as_of": "2026-11-15",
    "expect": {"actions": ["answer"], "facts": [{"docs": ["prices"], "values": ["13.50"]}], "forbidden": ["12.00"]},
}


def reply(text, quote="Price: 13.50", doc="prices", action="answer", claims=1):
    citation = {"n": 1, "doc_id": doc, "version": 1, "title": "t", "quote": quote, "start": 0, "end": 9}
    return Reply.model_validate(
        {
            "request_id": "r",
            "mode": "hybrid",
            "route": {"labels": True, "facts": True, "format": "f", "questions": [], "reason": ""},
            "labels": {"queue": {"value": "sales", "confidence": 0.9, "abstained": False, "alternatives": []}},
            "action": action,
            "reason_code": "answered",
            "answer": {"format": "f", "text": text, "claims": [{"text": quote, "citations": [1]}] * claims},
            "citations": [citation | {"effective_from": "2026-01-01", "effective_to": None, "url": "/"}]
            if quote
            else [],
            "flags": [],
            "provenance": dict.fromkeys(
                ("base_model", "dataset", "domain", "catalog_revision", "as_of", "composer"), "x"
            )
            | {"adapters": {}},
            "timings_ms": {"total": 1.0},
        }
    )


def marks(made, change=None, readable=True):
    case = Case.model_validate({**CASE, **(change or {})})
    return mark(case, Said.by_reply(made), lambda doc_id, version: readable)


@pytest.mark.parametrize(
    ("made", "complete", "clean"),
    [
        (reply("Price: 13.50 [1] for your 12 seats"), True, True),
        (reply("Price: 113.50 [1]", quote="Price: 113.50"), False, True),
        (reply("Price: 13.50 [1]", doc="help"), False, True),
        (reply("Price: 13.50 [1], not 12.00"), True, False),
        (reply("Price: 13.50 [1] within 30 days"), True, False),
    ],
)
def test_facts_are_complete_only_when_stated_and_cited(made, complete, clean):
    found = marks(made)
    assert found.facts_complete is complete
    assert (found.forbidden_absent and not found.invented) is clean
    assert found.passed is (complete and clean)


def test_unanswerable_cases_ask_for_silence_and_leaks_count():
    unanswerable = {"tags": ["unanswerable"], "expect": {"actions": ["handoff"]}}
    assert marks(reply("A colleague will answer.", quote="", action="handoff", claims=0), unanswerable).declined is True
    assert marks(reply("Price: 13.50 [1]"), unanswerable).declined is False
    assert marks(reply("Price: 13.50 [1]"), readable=False).leaked


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("Price: 13.50 [1]. A colleague will look into “is there a discount for choirs?”.", True),
        ("On your question “a discount for choirs?”: Price: 13.50 [1]. Just reply.", False),
    ],
)
def test_what_nothing_answers_must_be_said_to_be_open_behind_what_is_cited(text, passed):
    wanted = {"expect": {**CASE["expect"], "open": ["choirs"]}}
    assert marks(reply(text), wanted).passed is passed


def test_a_date_that_the_ticket_asks_about_is_not_invented():
    made = reply("For 20 January 2027: Price: 13.50 [1]")
    assert marks(made).invented
    answer = made.answer.model_copy(update={"dates": ["20 January 2027"]})
    assert not marks(made.model_copy(update={"answer": answer})).invented


@pytest.mark.parametrize("which", ["dev", "situations"])
def test_the_cases_of_the_domain_are_read_and_named(which, domain):
    assert len(load(domain, which)) >= 180
    assert not is_sealed(which)
    with pytest.raises(InvalidInput, match="situations"):
        load(domain, "none")


def test_quotes_are_not_joined():
    made = reply("It takes 14 days [1].", quote="The number is 14")
    second = made.citations[0].model_copy(update={"n": 2, "quote": "days are counted from the payment"})
    expect = {"actions": ["answer"], "facts": [{"docs": ["prices"], "values": ["14 days"]}]}
    found = marks(made.model_copy(update={"citations": [*made.citations, second]}), {"expect": expect})
    assert found.facts_complete is False


def test_labels_are_marked_one_by_one():
    found = marks(reply("Price: 13.50 [1]"), {"expect": {"actions": ["answer"], "labels": {"queue": "billing"}}})
    assert found.labels_right == {"queue": False}
    assert found.passed, "labels are counted apart"


def test_a_share_tells_both_numbers():
    assert str(Share(3, 4)) == "3/4 (0.750)"
    assert str(Share(0, 0)) == "0/0"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Day: 18; Step: reminder", "day 18"),
        ("A 30-day trial.", "30 days"),
        ("Thirty days after that.", "30 days"),
        ("It is €13.50 a month.", "13.50 EUR"),
        ("It is EUR 13.5 a month.", "13.50"),
        ("At most 1000 EUR.", "1,000 EUR"),
        ("99.95% a month", "99.95 %"),
        ("Settings > Billing > Invoices", "Settings > Billing > Invoices"),
        ("macOS 13 or later.", "macOS 13"),
        ("From March 3, 2026 it is free.", "2026-03-03"),
        ("From 2026-03-03 it is free.", "3 March 2026"),
        ("From the 3rd of March 2026 it is free.", "March 3, 2026"),
        ("From Mar. 3, 2026 it is free.", "from the 3rd of March, 2026"),
        ("The audit of 30 June 2026.", "June 2026"),
        ("It takes five business days.", "5 business days"),
        ("It takes 5 working days.", "five business days"),
        ("A 5-business-day check.", "5 business days"),
        ("It takes five to ten working days.", "5 to 10 business days"),
        ("Within fourteen days of the renewal.", "within 14 days of the renewal"),
        ("Within 14 calendar days.", "14 days"),
        ("Within 14 days.", "14 calendar days"),
        ("At most one hundred and twenty days.", "120 days"),
        ("It costs two thousand five hundred euros.", "2,500 EUR"),
        ("It takes 14 days [1].", "14 days"),
        ("It takes 14 days; then it ends.", "14 days"),
        ("3. Within 14 days", "14 days"),
        ("- **14 days**", "14 days"),
        ("Guests: 5; Storage: 3 GB", "Guests: 5;"),
        ("Call +31 30 555 01 10.", "555 01 10"),
    ],
)
def test_a_value_counts_in_another_spelling(text, value):
    assert holds(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("within 114 days", "14 days"),
        ("see [5]", "5"),
        ("within 5 days", "5 business days"),
        ("within 14 business days", "14 days"),
        ("within fourteen working days", "14 days"),
        ("within 8 hours", "8 business hours"),
        ("within 7 business days", "5 business days"),
        ("It takes 14. Business days are from Monday to Friday.", "14 business days"),
        ("Is it 14? Business days count.", "14 business days"),
        ("It is 14... Business days count.", "14 business days"),
        ("It takes “14.” Days are counted.", "14 days"),
        ("5 | business days", "5 business days"),
        ("Guests: 5; business days: 7", "5 business days"),
        ("It takes 14 [1] days after [2]", "14 days"),
        ("It takes 5[1] business days", "5 business days"),
        ("It takes 5\n\nbusiness days", "5 business days"),
        ("It takes 5\n- business days", "5 business days"),
        ("5. Business days", "5 business days"),
        ("5\tBusiness days", "5 business days"),
        ("5) Business days", "5 business days"),
        ("one hundred and twenty days", "20 days"),
        ("two hundred users", "2 users"),
        ("half a million users", "1,000,000 users"),
        ("A tenant.", "10"),
        ("March 4, 2026", "2026-03-03"),
        ("3 October 2026", "10"),
        ("From 3 March.", "3 March 2026"),
        ("Code 0x51, see page 0.", "0x80"),
        ("It is 18.00 EUR.", "day 18"),
        ("555 files, 10 users, 1 team", "555 01 10"),
        ("anything", ""),
        ("anything; else.", " | . ; "),
        ("", ""),
        ("", "5"),
        ("for 12 months", "12.00"),
        ("30 users", "30 days"),
        ("It costs 113.50 EUR.", "13.50"),
        ("13.50 USD", "13.50 EUR"),
        ("macOS 14", "macOS 13"),
    ],
)
def test_another_value_does_not(text, value):
    assert not holds(text, value)
