"""The router's table, as docs/routing.md tells it: every row is walked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.classifier import Alternative, Label
from retrieval.evidence import Finding
from retrieval.questions import Question, enquire
from service.route import Options, decide, plan, wants_labels
from service.ticket import Ticket

TABLE = (Path(__file__).parents[1] / "docs" / "routing.md").read_text("utf-8")
ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if re.match(r"\| (hybrid|tuned|rag|prompt) ", line)
]
UNIT = object()  # decide looks only at whether there are units
QUESTION = Question("What does it cost?")
FINDINGS = {
    "suffices": Finding(QUESTION, (UNIT,), 0.9),
    "nothing": Finding(QUESTION, (), 0.1),
    "turns on a slot": Finding(QUESTION, (), 0.9, ask=("plan",)),
    "conflict": Finding(QUESTION, (), 0.9, conflict=(UNIT, UNIT)),
}


def asking(body):
    return Ticket(body), enquire(lambda text: [(0, len(text))] if text.endswith("?") else [], "", body)


def labels(next_action, needs_facts):
    def label(text):
        value, _, note = text.partition(" ")
        return Label(value, 0.9, "abstained" in note, ())

    return {"next_action": label(next_action), "needs_facts": label(needs_facts)}


@pytest.mark.parametrize("row", ROWS, ids=" / ".join)
def test_every_row_of_the_table_holds(row, domain):
    mode, forced, next_action, needs_facts, evidence, action, reason = row
    force = dict(part.split(": ") for part in forced.split(", ")) if forced != "-" else {}
    options = Options(mode, force.get("labels", "auto"), force.get("facts", "auto"))
    given = labels(next_action, needs_facts) if next_action != "-" else None
    assert wants_labels(options) is (given is not None)
    route = plan(*asking("What does it cost?"), given, options, domain)
    assert route.facts is (evidence != "not asked"), route.reason
    found = None if evidence == "not asked" else (FINDINGS[evidence],)
    decision = decide(route, given, found, domain)
    assert (decision.action, decision.reason_code) == (action, reason)


def test_the_table_is_there():
    assert len(ROWS) >= 40


@pytest.mark.parametrize(
    ("action", "confidence", "outside", "form"),
    [
        ("save_customer", 0.6, False, "human_handoff"),
        ("save_customer", 0.4, False, "handoff"),
        ("save_customer", 0.6, True, "handoff"),
        ("log_feedback", 0.6, False, "handoff"),  # thanks in place of an answer need a label that is given
    ],
)
def test_two_labels_that_agree_serve_where_nothing_is_found(domain, action, confidence, outside, form):
    given = {
        "next_action": Label(action, confidence, True, (), outside),
        "needs_facts": Label("no_facts", 0.9, False, ()),
    }
    route = plan(*asking("Lovely new icons!"), given, Options(), domain)
    assert decide(route, given, (FINDINGS["nothing"],), domain).format == form


def test_a_foreign_language_goes_to_a_person(domain):
    route = plan(*asking("Wo ist meine Rechnung?"), None, Options(), domain, "de")
    assert (route.facts, route.questions) == (False, ())
    assert decide(route, None, None, domain).reason_code == "unsupported_language"


@pytest.mark.parametrize(
    ("label", "action"),
    [
        (Label("open_incident", 0.1, True, ()), "handoff"),
        (Label("explain_how_to", 0.6, True, (Alternative("start_privacy_request", 0.3),)), "handoff"),
        (Label("explain_how_to", 0.8, True, (Alternative("open_incident", 0.04),)), "answer"),
    ],
)
def test_what_may_well_be_a_break_in_goes_to_a_person_whatever_documents_say(domain, label, action):
    given = {"next_action": label, "needs_facts": Label("facts", 0.9, False, ())}
    route = plan(*asking("Somebody is in our account, what shall I do?"), given, Options(), domain)
    assert decide(route, given, (FINDINGS["suffices"],), domain).action == action


def test_a_day_that_is_not_told_is_asked_for(domain):
    unclear = Finding(QUESTION, (), 0.9, unclear=True)
    assert (
        decide(plan(*asking("What did it cost?"), None, Options(), domain), None, (unclear,), domain).action
        == "clarify"
    )


@pytest.mark.parametrize(
    ("abstained", "facts", "unlabelled"), [(True, "auto", True), (False, "auto", False), (True, "always", False)]
)
def test_evidence_must_be_surer_where_no_label_says_what_is_wanted(domain, abstained, facts, unlabelled):
    given = {
        "next_action": Label("quote_price", 0.6, abstained, ()),
        "needs_facts": Label("facts", 0.9, False, ()),
    }
    assert plan(*asking("What does it cost?"), given, Options(facts=facts), domain).unlabelled is unlabelled
