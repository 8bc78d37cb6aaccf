"""Damage of every kind: it is noticed, told, and mended from the catalog."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, update

from retrieval import tables
from retrieval.catalog_writer import writing
from retrieval.maintenance import Upkeep
from service.db.migrations import METADATA
from tests.shelf import EVERYONE, HashEmbedder, Shelf

TEXT = "# Vault\n\nThe vault costs 41 EUR a month.\n\n## Restores\n\nA restore takes 9 hours.\n"
SECRET = "quillfeather"


@pytest.fixture
def home(tmp_path, domain):
    shelf = Shelf(tmp_path, domain, HashEmbedder())
    shelf.publish("vault", TEXT)
    shelf.publish("seal", TEXT.replace("ault", "eal"), audience=("agents",))
    shelf.close()
    return tmp_path


def opened(home, domain):
    return Shelf(home, domain, HashEmbedder())


def generation(home) -> Path:
    (folder,) = (home / "chroma").iterdir()
    return folder


def scribble(home):
    for path in generation(home).rglob("*"):
        if path.is_file():
            path.write_bytes(b"not what it was" * 50)


def cut(home):
    for path in generation(home).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove(home):
    shutil.rmtree(home / "chroma")


def strange_folder(home):
    (home / "chroma" / "other").mkdir()
    (home / "chroma" / "other" / "half").write_text("a rebuild that was cut off")


@pytest.mark.parametrize("damage", [scribble, cut, remove, strange_folder])
def test_a_damaged_or_missing_dense_index_is_rebuilt_at_start(home, domain, damage):
    damage(home)
    shelf = opened(home, domain)
    assert shelf.publisher.upkeep.verify().problems == ()
    view = shelf.catalog.view(EVERYONE, shelf.catalog.timeline().boundaries[-1])
    assert shelf.retriever.search(view, "what does the vault cost?")
    assert len(list((home / "chroma").iterdir())) == 1, "nothing of the old index is left"
    shelf.close()


@pytest.mark.parametrize(
    ("table", "statement", "told"),
    [
        ("postings", lambda t: delete(t).where(t.c.term == "vault"), "lexical index"),
        ("contents", lambda t: update(t).values(text="# Vault\n\nThe vault costs 1 EUR a month.\n"), "catalog"),
        ("passages", lambda t: delete(t).where(t.c.ordinal == 0), "passages"),
        ("sources", lambda t: update(t).values(bytes=b"x"), "original file"),
        ("vectors", delete, "embedding"),
        ("versions", lambda t: update(t).values(audience=["customers"]), "audiences"),
    ],
)
def test_verify_tells_what_differs(home, domain, table, statement, told):
    shelf = opened(home, domain)
    assert shelf.publisher.upkeep.verify().clean
    with shelf.engine.begin() as tx:
        tx.execute(statement(tables.metadata.tables[table]))
    problems = shelf.publisher.upkeep.verify().problems
    assert any(told in p for p in problems), problems
    shelf.close()


def test_rebuild_mends_both_indexes_from_the_stored_texts_alone(home, domain):
    shelf = opened(home, domain)
    with shelf.engine.begin() as tx:
        tx.execute(delete(tables.postings))
        tx.execute(delete(tables.vectors))
    shelf.close()
    shelf = opened(home, domain)  # a process that has just started has nothing in its caches
    shelf.publisher.upkeep.rebuild()
    assert shelf.publisher.upkeep.verify().problems == ()
    shelf.close()


def test_another_encoder_makes_an_index_of_its_own(home, domain):
    shelf = opened(home, domain)
    shelf.dense.encoder = "other"
    shelf.dense.close()
    shelf.publisher.upkeep.start()
    assert shelf.publisher.upkeep.verify().problems == ()
    shelf.close()


def test_the_words_of_a_purged_document_are_nowhere_under_the_home(home, domain):
    shelf = opened(home, domain)
    for start, price in (("2026-01-01", 31), ("2026-06-01", 37)):
        shelf.publish("letter", f"# The {SECRET}\n\nA {SECRET} costs {price} EUR.\n", start, title=f"On {SECRET}")
    assert SECRET.encode() in everything(home)
    erased = shelf.publisher.purge("letter", None, "test")
    assert (erased.versions, len(erased.contents), erased.sources) == (2, 2, 2)
    assert SECRET.encode() not in everything(home)
    assert SECRET[:9].encode() not in everything(home), "not even its stem among the index's terms"
    shelf.close()


def test_a_purge_that_was_cut_off_is_finished_down_to_the_bytes_at_the_next_start(home, domain, monkeypatch):
    shelf = opened(home, domain)
    shelf.publish("letter", f"# The {SECRET}\n\nA {SECRET} costs 31 EUR.\n")
    live = shelf.dense.live()
    monkeypatch.setattr(Upkeep, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        shelf.publisher.purge("letter", None, "test")
    monkeypatch.undo()
    shelf.close()
    shelf = opened(home, domain)
    assert shelf.publisher.upkeep.verify().problems == ()
    assert shelf.dense.live() != live
    assert [p.name for p in (home / "chroma").iterdir()] == [shelf.dense.live()]
    assert SECRET.encode() not in everything(home)
    shelf.close()


def everything(home) -> bytes:
    """Every byte of every file under the home, small letters."""
    return b"\0".join(p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()).lower()


def test_purging_one_version_leaves_the_others_and_its_number_is_not_given_again(home, domain):
    shelf = opened(home, domain)
    shelf.publish("vault", TEXT.replace("41", "57"), "2026-06-01")
    shelf.publisher.purge("vault", 2, "test")
    assert [v.version for v in shelf.catalog.timeline().history("vault").versions] == [1]
    assert shelf.publish("vault", TEXT.replace("41", "58"), "2026-06-01").version == 3
    assert shelf.publisher.upkeep.verify().problems == ()
    shelf.close()


def test_the_migrated_schema_is_the_declared_one(home, domain):
    shelf = opened(home, domain)
    with shelf.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, METADATA)
    assert [d for d in differences if d[0] != "remove_table" or d[1].name != "alembic_version"] == []
    shelf.close()


def test_a_question_asked_while_the_index_is_swapped_is_answered(home, domain):
    from concurrent.futures import ThreadPoolExecutor

    shelf = opened(home, domain)
    moment = shelf.catalog.timeline().boundaries[-1]

    def ask(_):
        return len(shelf.retriever.search(shelf.catalog.view(EVERYONE, moment), "what does the vault cost?"))

    whole = ask(0)
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(ask, range(60))
        for _ in range(5):
            shelf.publisher.upkeep.rebuild()
        assert set(asked) == {whole}
    shelf.close()


def test_reading_begins_while_somebody_writes(home, domain):
    shelf = opened(home, domain)
    shelf.engine.dispose()
    with writing(shelf.engine) as tx:
        tx.execute(tables.unsettled.insert(), {"content": "x" * 64})
        readers = [shelf.engine.connect() for _ in range(3)]
        for reader in readers:
            assert reader.execute(tables.versions.select()).all()
            reader.close()
        tx.rollback()
    shelf.close()
