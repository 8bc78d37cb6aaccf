"""Publishing on a real SQLite catalog and a real Chroma index; only the embedder is a stand-in."""

from __future__ import annotations

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
from tests.shelf import EVERYONE

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
