"""Publishing on a real SQLite catalog and a real Chroma index; only the embedder is a stand-in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from domains.spec import InvalidInput, NotFound
from ingest.drafting import Submission
from ingest.folder import files, ingest
from ingest.limits import DEFAULTS
from ingest.metadata import Metadata
from retrieval import tables
from retrieval.langchain import PolicyRetriever
from retrieval.timestamps import now
from tests.shelf import EVERYONE, HashEmbedder, Shelf

PUBLIC = frozenset({"public"})
V1 = "# Vault\n\nThe vault costs 41 EUR a month.\n\n## Restores\n\nA restore takes 9 hours.\n"
V2 = "# Vault\n\nThe vault costs 57 EUR a month.\n"


def at(day):
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def found(shelf, query, day="2026-07-01", audiences=PUBLIC):
    hits = shelf.retriever.search(shelf.catalog.view(audiences, at(day)), query)
    return [(h.version.doc_id, h.version.version, h.passage.text) for h in hits]


def test_the_same_again_is_unchanged_and_a_shorter_version_leaves_no_orphan(shelf):
    assert shelf.publish("vault", V1).status == "published"
    again = shelf.publish("vault", V1)
    assert (again.status, again.version) == ("unchanged", 1)
    assert shelf.publish("vault", V2, "2026-06-01").version == 2
    assert any("9 hours" in text for *_, text in found(shelf, "restore", "2026-05-01"))
    assert not any("9 hours" in text for *_, text in found(shelf, "restore", "2026-07-01"))


def test_all_passages_and_what_the_index_proposes_give_the_same(shelf):
    for n, word in enumerate(("vault", "lock", "cloud", "bridge", "river", "signal")):
        shelf.publish(
            word, V1.replace("vault", word).replace("41", str(41 + n)), audience=["public", "agents"][n % 2 :]
        )
    whole = replace(shelf.retriever, exact=1000)
    for audiences in (PUBLIC, EVERYONE):
        view = shelf.catalog.view(audiences, at("2026-07-01"))
        for query in ("what does the bridge cost", "how long is a restore", "signal"):
            assert whole.search(view, query, limit=5) == shelf.retriever.search(view, query, limit=5)


def test_a_file_sent_again_without_dates_is_unchanged(shelf):
    shelf.publish("vault", V1)
    assert shelf.publish("vault", V1, start=None, audience=()).status == "unchanged"


def test_a_new_document_needs_an_audience_and_a_later_version_inherits_it(shelf):
    with pytest.raises(InvalidInput, match="needs one"):
        shelf.publish("vault", V1, audience=())
    shelf.publish("vault", V1, audience=("agents",))
    shelf.publish("vault", V2, "2026-06-01", audience=())
    assert found(shelf, "vault") == []
    assert [n for _, n, _ in found(shelf, "vault", audiences=EVERYONE)] == [2]


@pytest.mark.parametrize(
    ("old", "new", "widens"),
    [
        (["public"], ["agents"], False),
        (["agents"], ["public"], True),
        (["agents"], ["agents", "customers"], True),
        (["public"], ["public", "agents"], False),
    ],
)
def test_widening_is_asked_for_by_name(shelf, old, new, widens):
    shelf.publish("vault", V1, audience=old)
    if widens:
        with pytest.raises(InvalidInput, match="allow_widen"):
            shelf.publish("vault", V2, "2026-06-01", audience=new)
    assert shelf.publish("vault", V2, "2026-06-01", audience=new, allow_widen=widens).version == 2


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        ({"effective_to": "2025-12-31"}, "effective_to"),
        ({"audience": ["martians"]}, "audience"),
        ({"doc_id": "../etc"}, "doc_id"),
        ({"doc_id": "Has Spaces"}, "doc_id"),
        ({"start": "soon"}, "effective_from"),
        ({"audience": ["agents"], "held": ["public"]}, "audience"),
    ],
)
def test_wrong_metadata_is_refused_by_field_and_publishes_nothing(shelf, stated, field):
    with pytest.raises(InvalidInput) as raised:
        shelf.publish(**{"doc_id": "vault", "text": V1, **stated})
    assert raised.value.field == field
    assert (shelf.catalog.head(), shelf.dense.count()) == (0, 0)


def test_a_failing_transaction_publishes_nothing_and_the_next_try_does(shelf):
    def fail(*_):
        raise RuntimeError("disk full")

    submission = Submission("v.md", V1.encode(), Metadata(doc_id="vault", audience=PUBLIC, effective_from="2026-01-01"))
    with pytest.raises(RuntimeError):
        shelf.publisher.publish(submission, "test", EVERYONE, within=fail)
    assert (shelf.catalog.head(), found(shelf, "vault")) == (0, [])
    assert shelf.publisher.publish(submission, "test", EVERYONE).version == 1
    assert found(shelf, "vault")


def test_retracting_ends_validity_and_purging_erases(shelf):
    shelf.publish("vault", V1)
    shelf.publish("other", V1 + "\nMore.\n")
    shelf.publisher.retract("vault", at("2026-08-01"), "test")
    assert {d for d, *_ in found(shelf, "restore", "2026-07-31")} == {"vault", "other"}
    assert {d for d, *_ in found(shelf, "restore", "2026-08-02")} == {"other"}
    before = shelf.dense.count()
    assert shelf.publisher.purge("vault", None, "test").contents
    assert shelf.dense.count() < before
    assert {d for d, *_ in found(shelf, "restore", "2026-07-31")} == {"other"}
    with pytest.raises(NotFound):
        shelf.catalog.history(shelf.catalog.view(EVERYONE, at("2026-07-01")), "vault")
    with shelf.engine.connect() as connection:
        left = connection.execute(select(tables.contents.c.text)).scalars().all()
    assert len(left) == 1


def test_a_text_that_two_documents_share_survives_the_purge_of_one(shelf):
    shelf.publish("one", V1)
    shelf.publish("two", V1, audience=("agents",))
    assert shelf.publisher.purge("one", None, "test").contents == ()
    assert found(shelf, "vault") == [], "what the public could read is gone"
    assert {d for d, *_ in found(shelf, "vault", audiences=EVERYONE)} == {"two"}


def test_a_version_that_states_another_figure_than_an_equal_document_says_so(shelf):
    shelf.publish("restores", "# Restores\n\nA restore of the vault takes 9 hours.\n", "2026-05-01")
    other = "# Service\n\nA restore of the vault takes 12 hours.\n"
    (found,) = shelf.publish("service", other).contradictions
    assert (found.text, found.doc_id, found.version) == ("A restore of the vault takes 12 hours.", "restores", 1)
    assert "9 hours" in found.other
    assert shelf.publish("news", other, precedence=9).contradictions == ()
    assert shelf.publish("inside", other, audience=("agents",)).contradictions == ()
    assert shelf.publish("late", other, held=frozenset({"customers"}), audience=("customers",)).contradictions == ()
    assert shelf.publish("equal", "# Equal\n\nA restore of the vault takes 9 hours.\n").contradictions != ()


def test_one_bad_file_spoils_only_itself(shelf, tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("---\naudience: public\neffective_from: 2026-01-01\n---\n# A\n\nThe A fee is 5 EUR.\n")
    (folder / "b.pdf").write_bytes(b"no pdf")
    (folder / "c.md").write_text("---\naudience: [public\n---\n# C\n\nx\n")
    (folder / "d.md").write_text("---\naudience: public\nprecedence: high\n---\n# D\n\nx\n")
    (folder / "e.txt").write_text("The E fee is 6 EUR.")
    (folder / "e.txt.meta.yaml").write_text("audience: [public]\ntitle: E\neffective_from: 2026-01-01\n")
    publish = lambda s: shelf.publisher.publish(s, "test", EVERYONE)  # noqa: E731
    outcomes = list(ingest(files(folder), publish, Metadata(), DEFAULTS))
    assert [bool(o.published) for o in outcomes] == [True, False, False, False, True]
    assert all(o.path.name in o.refusal for o in outcomes if o.refusal)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["vault costs", "restore takes hours", "seal", "vault seal month"]), max_size=4))
def test_hidden_documents_change_neither_ranks_nor_scores(shelf, hidden):
    shelf.publish("vault", V1)
    shelf.publish("seal", "# Seal\n\nA seal lasts a month.\n\n## Costs\n\nThe seal costs 3 EUR.\n")

    def seen():
        view = shelf.catalog.view(PUBLIC, at("2026-07-01"))
        hits = shelf.retriever.search(view, "what does a vault seal cost a month?")
        return view.token, [(h.passage.key, h.score) for h in hits]

    before = seen()
    for number, text in enumerate(hidden):
        shelf.publish(f"hidden-{number}", f"# Hidden {number}\n\nThe {text} {number}.\n", audience=("agents",))
    assert seen() == before


def test_offsets_are_those_of_the_stored_text(shelf):
    shelf.publish("vault", "# Wölfe 🐺\n\nEin Wolf kostet 5 EUR. Zwei kosten 9 EUR.\n")
    (hit,) = shelf.retriever.search(shelf.catalog.view(PUBLIC, at("2026-07-01")), "Wolf")
    text = shelf.catalog.text(hit.version.content)
    assert text[hit.passage.start : hit.passage.end] == hit.passage.text == "Ein Wolf kostet 5 EUR. Zwei kosten 9 EUR."


def test_langchain_users_get_documents(shelf):
    shelf.publish("vault", V1)
    shelf.publish("archive", "# Archive\n\nThe archive keeps files for ten years.\n")
    retriever = PolicyRetriever(retriever=shelf.retriever, audiences=PUBLIC, moment=at("2026-07-01"), k=1)
    (document,) = retriever.invoke("what does the vault cost?")
    assert "41 EUR" in document.page_content
    assert document.metadata["doc_id"] == "vault"
    assert len(retriever.invoke("vault", k=2)) == 2


A, B, C = (f"# Vault\n\nThe vault costs {price} EUR a month.\n" for price in (41, 57, 63))
LATER = "2100-01-01"


def price_at(shelf, day=None, audiences=PUBLIC):
    """What the vault costs at a date; without one, now."""
    moment = at(day) if day else now()
    (version,) = shelf.catalog.view(audiences, moment).versions
    return shelf.catalog.text(version.content).split(" EUR")[0].rpartition(" ")[2]


def statuses(shelf, *sent):
    return [shelf.publish("vault", text, start, ("public",), **dates).status for text, start, dates in sent]


@pytest.mark.parametrize("start", [None, "2026-09-01"])
def test_an_earlier_text_that_is_published_again_takes_effect(shelf, start):
    statuses(shelf, (A, "2026-01-01", {}), (B, "2026-06-01", {}))
    done = shelf.publish("vault", A, start)
    assert (done.status, done.version) == ("published", 3)
    assert [price_at(shelf, day) for day in ("2026-02-01", "2026-08-01")] == ["41", "57"]
    assert price_at(shelf) == "41"
    again = shelf.publish("vault", A, start)
    assert (again.status, again.version) == ("unchanged", 3), "now it holds"


def test_a_corrected_text_that_is_published_again_takes_effect_from_its_date(shelf):
    assert statuses(shelf, (A, "2026-01-01", {}), (B, "2026-01-01", {}), (A, "2026-01-01", {})) == ["published"] * 3
    assert price_at(shelf, "2026-02-01") == "41"
    assert statuses(shelf, (A, "2026-01-01", {}), (A, None, {})) == ["unchanged", "unchanged"]


def test_a_whole_folder_of_dated_versions_sent_again_is_unchanged(shelf):
    summer = {"effective_to": "2026-07-01"}
    folder = [(A, "2026-01-01", {}), (C, "2026-06-01", summer), (B, "2026-09-01", {}), (A, LATER, {})]
    assert statuses(shelf, *folder) == ["published"] * 4
    assert statuses(shelf, *folder) == ["unchanged"] * 4


def test_a_folder_whose_later_version_narrows_or_renames_is_unchanged_too(shelf):
    first = {"text": A, "start": "2026-01-01", "title": "Vault"}
    second = {"text": B, "start": "2026-06-01", "title": "The vault", "audience": ("agents",), "allow_retitle": True}
    for expected in ("published", "unchanged"):
        assert [shelf.publish("vault", **sent).status for sent in (first, second)] == [expected] * 2


def test_a_campaign_that_is_sent_again_is_unchanged_while_planned_on_and_over(shelf):
    shelf.publish("vault", A)
    for start, end in (("2026-02-01", "2026-03-01"), ("2026-06-01", "2099-01-01"), ("2099-02-01", "2099-03-01")):
        dates = {"effective_to": end}
        assert statuses(shelf, (C, start, dates), (C, start, dates), (C, None, dates)) == [
            "published",
            "unchanged",
            "unchanged",
        ]


def test_the_price_under_a_campaign_ends_it_when_it_is_published_again(shelf):
    statuses(shelf, (A, "2026-01-01", {}), (C, "2026-06-01", {"effective_to": "2099-01-01"}))
    assert price_at(shelf) == "63"
    assert shelf.publish("vault", A, None).status == "published"
    assert price_at(shelf) == "41"


def test_a_planned_text_sent_again_without_a_date_stays_planned(shelf):
    statuses(shelf, (A, "2026-01-01", {}), (B, LATER, {}))
    assert statuses(shelf, (B, None, {}), (A, None, {})) == ["unchanged", "unchanged"]
    assert price_at(shelf) == "41"


def test_a_planned_text_that_was_corrected_takes_effect_now_when_it_is_sent_without_a_date(shelf):
    statuses(shelf, (A, "2026-01-01", {}), (B, LATER, {}), (C, LATER, {}))
    assert shelf.publish("vault", B, None).status == "published"
    assert price_at(shelf) == "57"


def test_a_retracted_text_comes_back_when_it_is_published_and_holds_from_then(shelf):
    shelf.publish("vault", A)
    shelf.publisher.retract("vault", at("2026-03-01"), "test")
    assert shelf.publish("vault", A, None).status == "published"
    assert price_at(shelf) == "41"
    assert shelf.catalog.view(PUBLIC, at("2026-04-01")).versions == (), "the time between stays empty"


def seen(shelf, audiences, revision=None):
    """The versions that a reader gets at several dates, by number, and in the document's history."""
    dated = [
        [v.version for v in shelf.catalog.view(audiences, at(day), revision).versions]
        for day in ("2026-02-01", "2026-07-01", "2026-10-01")
    ]
    try:
        listed = [v.version for v in shelf.catalog.history(shelf.catalog.view(audiences, now(), revision), "vault")]
    except NotFound:
        listed = []
    return [number for numbers in dated for number in numbers], listed


AGENTS = frozenset({"agents", "customers", "public"})  # an agent is a member of each


def test_narrowing_leaves_past_dates_as_they_were(shelf):
    shelf.publish("vault", A)
    shelf.publish("vault", B, "2026-06-01", audience=("agents",))
    assert seen(shelf, PUBLIC) == ([1], [1])
    assert seen(shelf, AGENTS) == ([1, 2, 2], [1, 2])


def test_restricting_history_withdraws_the_right_at_every_date_and_revision(shelf):
    before = shelf.publish("vault", A).revision
    shelf.publish("vault", B, "2026-06-01", audience=("agents",), restrict_history=True)
    for revision in (None, before):
        assert seen(shelf, PUBLIC, revision) == ([], [])
    assert seen(shelf, AGENTS) == ([1, 2, 2], [1, 2])
    assert seen(shelf, AGENTS, before) == ([1, 1, 1], [1])
    assert found(shelf, "vault", "2026-02-01") == []
    retriever = PolicyRetriever(retriever=shelf.retriever, audiences=PUBLIC, moment=at("2026-02-01"))
    assert retriever.invoke("what does the vault cost?") == []
    with pytest.raises(NotFound):
        shelf.catalog.version(shelf.catalog.view(PUBLIC, now()), "vault", 1)
    assert shelf.publisher.upkeep.verify().problems == ()


def test_a_restriction_outlives_the_purge_of_its_version_and_a_restart(shelf, domain):
    shelf.publish("vault", A)
    shelf.publish("vault", B, "2026-06-01", audience=("agents",), restrict_history=True)
    shelf.publisher.purge("vault", 2, "test")
    assert seen(shelf, PUBLIC) == ([], [])
    again = Shelf(shelf.home, domain, HashEmbedder())
    assert seen(again, PUBLIC) == ([], [])
    assert seen(again, AGENTS) == ([1, 1, 1], [1])
    again.close()


def test_a_restriction_is_taken_back_by_publishing_with_allow_widen_alone(shelf):
    shelf.publish("vault", A)
    shelf.publish("vault", B, "2026-06-01", audience=("agents",), restrict_history=True)
    with pytest.raises(InvalidInput, match="allow_widen"):
        shelf.publish("vault", A)
    shelf.publish("vault", C, "2026-09-01", allow_widen=True)
    assert seen(shelf, PUBLIC) == ([3], [3]), "a wider successor says nothing about what was restricted"
    assert shelf.publish("vault", A, allow_widen=True).version == 4
    assert price_at(shelf, "2026-02-01") == "41"
    assert shelf.publish("vault", A).status == "unchanged"


def test_a_text_that_holds_already_restricts_when_it_is_sent_again_with_the_option(shelf):
    shelf.publish("vault", A)
    narrowed = {"text": B, "start": "2026-06-01", "audience": ("agents",)}
    shelf.publish("vault", **narrowed)
    assert seen(shelf, PUBLIC) == ([1], [1])
    assert shelf.publish("vault", **narrowed, restrict_history=True).status == "published"
    assert seen(shelf, PUBLIC) == ([], [])
    assert shelf.publish("vault", **narrowed, restrict_history=True).status == "unchanged"
    assert shelf.publish("vault", **narrowed).status == "unchanged"


def test_a_superseding_version_that_was_restricted_suppresses_nothing_for_others(shelf):
    shelf.publish("other", "# Other\n\nThe seal costs 3 EUR.\n")
    shelf.publish("vault", A, supersedes=["other"])
    assert [v.doc_id for v in shelf.catalog.view(PUBLIC, at("2026-02-01")).versions] == ["vault"]
    shelf.publish("vault", B, "2026-06-01", audience=("agents",), restrict_history=True)
    assert [v.doc_id for v in shelf.catalog.view(PUBLIC, at("2026-02-01")).versions] == ["other"]
