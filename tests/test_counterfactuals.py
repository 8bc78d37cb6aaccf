"""Counterfactual cases: what is right in each follows from the table of facts; notices; and a constant answer never wins."""

from __future__ import annotations

from datetime import date

import pytest

from domains.spec import InvalidInput
from evals.counterfactual_report import figures
from evals.counterfactuals import TODAY, Asking, TimedFact, asked_of, load, variants_of
from evals.score import Quote, Said
from evals.synthetic_notices import Notice, Notices
from ingest.drafting import drafted
from ingest.limits import Limits

FACT = TimedFact.model_validate(
    {
        "id": "trial",
        "docs": ["trial-terms"],
        "audience": "customers",
        "slots": ["plan"],
        "values": [
            {"from": "2025-01-01", "until": "2026-02-01", "when": {"plan": "Team"}, "value": "14 days"},
            {"from": "2026-02-01", "when": {"plan": "Team"}, "value": "21 days"},
            {"from": "2026-02-01", "when": {"plan": "Solo"}, "value": "7 days"},
        ],
    }
)
TICKET = Asking(id="t", fact="trial", body="how long can i try it")
NOTICE = Notice(
    "notice", "Notice: Trial", "# Trial\n\nIt lasts 43 days.\n", "43 days", "customers", 50, TODAY, "agents"
)


def variants(notice=None, ticket=TICKET):
    return list(variants_of(ticket, FACT, "public", lambda fact, value: notice))


def said(text, action="answer"):
    return Said(action, text, (Quote("trial-terms", 1, text),), 0, {})


def test_every_world_has_its_own_right_answer():
    told = {(w.kind, w.as_of.year, w.audience, w.customer.get("plan"), w.right) for w in variants(NOTICE)}
    assert ("date", 2025, "customers", "Team", "14 days") in told
    assert ("date", 2026, "customers", "Solo", "7 days") in told
    assert ("before", 2024, "customers", None, None) in told
    assert {w.kind for w in variants(NOTICE)} == {"date", "before", "audience", "retracted", "conflict"}
    assert {w.kind for w in variants()} == {"date", "before", "audience", "retracted"}


def test_a_ticket_that_names_its_plan_is_asked_for_that_plan_alone():
    asked = TICKET.model_copy(update={"says": {"plan": "Solo"}})
    assert {w.right for w in variants(ticket=asked)} == {"7 days", None}


def test_what_is_stale_or_hidden_is_wrong_and_silence_is_right_where_nothing_is_known():
    (old,) = [w for w in variants() if w.as_of.year == 2025]
    assert old.passes(said("It lasts 14 days."))
    assert not old.passes(said("It lasts 21 days."))
    assert not old.passes(said("14 days, now 21 days."))
    assert not old.passes(said("14 days", action="handoff"))
    (outside,) = [w for w in variants() if w.kind == "audience"]
    assert outside.audience == "public"
    assert outside.passes(said("A colleague will answer.", action="handoff"))
    assert not outside.passes(said(f"It lasts {outside.wrong[0]}."))


def test_a_contradiction_is_handed_off_or_told_whole():
    (conflict,) = [w for w in variants(NOTICE) if w.kind == "conflict"]
    assert conflict.passes(said("", action="handoff"))
    assert conflict.passes(said(f"One says {conflict.right}, another 43 days."))
    assert not conflict.passes(said(f"It lasts {conflict.right}."))


class Memory:
    """Says the same whatever the variant, and notes what is done to it."""

    def __init__(self, text):
        self.text, self.done = text, []

    def publish(self, submission):
        self.done.append(("publish", submission.stated.doc_id))

    def retract(self, doc_id, at):
        self.done.append(("retract", doc_id))

    def purge(self, doc_id, version):
        self.done.append(("purge", doc_id))

    def ask(self, variant):
        self.done.append(("ask", variant.kind))
        return said(self.text)


def test_notices_are_taken_back_and_retractions_come_last():
    system = Memory("21 days")
    found = list(asked_of(system, variants(NOTICE), iter))
    order = [step for step in system.done if step[0] != "ask" or step[1] in ("conflict", "retracted")]
    assert order == [
        ("publish", "notice"),
        ("ask", "conflict"),
        ("purge", "notice"),
        ("retract", "trial-terms"),
        ("ask", "retracted"),
    ]
    told = figures(found)
    assert told.in_all.value == 0, "an answer that never changes is wrong somewhere"
    assert 0 < told.by_kind["date"][1].value < 1


def test_a_notice_says_another_number_in_the_documents_own_words(domain):
    made = Notices(domain, TODAY).against("trial-length", ["trial-terms"], "21 days", {}, "public")
    assert made.value == "43 days"
    assert "43 days" in made.text
    assert "21 days" not in made.text
    assert drafted(made.submission(), domain, Limits()).doc_id == made.doc_id
    hidden = made.to("hidden")
    assert (hidden.audience, hidden.doc_id != made.doc_id) == ("agents", True)
    assert Notices(domain, TODAY).against("x", ["trial-terms"], "no number", {}, "public") is None


def test_the_shipped_worlds_are_exact_and_their_values_stand_in_the_documents(domain):
    facts, tickets = load(domain)
    assert len(tickets) >= 200
    assert {t.fact for t in tickets} == set(facts)
    drafts = _by_document(domain)
    for fact in facts.values():
        for value in fact.values:
            texts = [t for doc in fact.docs for since, t in drafts[doc] if since <= value.since]
            assert any(value.value in text for text in texts), (fact.id, value)


def test_a_ticket_about_nothing_is_refused(tmp_path, domain):
    folder = tmp_path / "counterfactuals"
    folder.mkdir()
    (folder / "facts.jsonl").write_text("")
    (folder / "tickets.jsonl").write_text('{"id": "t", "fact": "x", "body": "?"}\n')
    with pytest.raises(InvalidInput, match="no fact `x`"):
        load(domain.model_copy(update={"folder": tmp_path}))
    (folder / "facts.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(InvalidInput, match=r"facts\.jsonl:1"):
        load(domain.model_copy(update={"folder": tmp_path}))


def _by_document(domain):
    from ingest.folder import files, submission
    from ingest.metadata import Metadata

    found: dict[str, list[tuple[date, str]]] = {}
    for path in files(domain.folder / "documents"):
        draft = drafted(submission(path, Metadata(), Limits()), domain, Limits())
        found.setdefault(draft.doc_id, []).append((draft.effective_from.astimezone(domain.zone).date(), draft.text))
    return found
