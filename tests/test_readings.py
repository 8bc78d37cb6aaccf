"""What the reader makes of documents is kept with them, goes with them, and is made anew for another reader."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import delete, event, select, update

from adapters.readers import Calibrated, Cross, ScoreCalibration, scorer_of
from domains.spec import NotConfigured
from ingest.publish import Publisher
from retrieval.readings import Readings
from retrieval.tables import readings
from retrieval.units import Unit, stating
from tests.shelf import HashEmbedder, Shelf, WordReader

PUBLIC = frozenset({"public"})
TEXT = "# Vault\n\nThe vault costs 41 EUR a month. It is made of tin.\n\n| Size | Price |\n| --- | --- |\n| Small | 2 EUR |\n"


class Counting(WordReader):
    """A reader that records what it has read, and how many texts each call gave it."""

    def __init__(self, name="words"):
        self.name, self.seen, self.jobs = name, [], []

    def read(self, texts):
        self.seen += [text for text, _ in texts]
        self.jobs.append(len(texts))
        return super().read(texts)


class CountingEmbedder(HashEmbedder):
    """An embedder that records what it has embedded."""

    def __init__(self):
        self.seen = []

    def embed_documents(self, texts):
        self.seen += texts
        return super().embed_documents(texts)


@pytest.fixture
def counted(tmp_path, domain):
    """A shelf whose models record what they compute."""
    made = Shelf(tmp_path / "counted", domain, CountingEmbedder(), reader=Counting())
    yield made
    made.close()


def computed(shelf):
    """How many passages were embedded and units read since the last call."""
    embedder, reader = shelf.publisher.embedder, shelf.reader
    found = len(embedder.seen), len(reader.seen)
    embedder.seen, reader.seen, reader.jobs = [], [], []
    return found


def units(shelf, doc_id="vault"):
    versions = shelf.catalog.view(PUBLIC, datetime(2026, 7, 1, tzinfo=UTC)).versions
    (version,) = [v for v in versions if v.doc_id == doc_id]
    return stating(version, shelf.catalog.passages(version.content))


def rows(shelf):
    with shelf.engine.connect() as connection:
        return connection.execute(select(readings)).all()


def read_from(found):
    """What the word reader makes of units."""
    return WordReader().read([(u.shown, u.surroundings) for u in found])


@contextmanager
def loads_of(shelf):
    """The titles under which readings are loaded from the database while the block runs."""
    found = []

    def note(_connection, _cursor, statement, parameters, *_):
        if statement.startswith("SELECT") and "readings.data" in statement:
            found.append(parameters[1])

    event.listen(shelf.engine, "before_cursor_execute", note)
    yield found
    event.remove(shelf.engine, "before_cursor_execute", note)


def test_a_question_waits_for_no_reading_of_what_was_published(shelf):
    shelf.publish("vault", TEXT)
    found, reader = units(shelf), Counting()
    assert Readings(shelf.engine, reader).of(found) == read_from(found)
    assert (len(found), reader.seen) == (3, [])


def test_what_is_missing_is_read_and_another_readers_readings_are_not_taken_for_ones_own(shelf):
    shelf.publish("vault", TEXT)
    other = Counting("others")
    Readings(shelf.engine, other).of(units(shelf))
    assert len(other.seen) == 3


def test_a_start_with_another_reader_reads_what_it_has_not_read(shelf):
    shelf.publish("vault", TEXT)
    assert not shelf.publisher.upkeep.verify().problems
    object.__setattr__(shelf.publisher, "reader", Counting("others"))
    assert "readings" in shelf.publisher.upkeep.verify().problems[0]
    shelf.publisher.upkeep.start()
    shelf.publisher.upkeep.start()
    assert len(shelf.publisher.reader.seen) == 3
    assert not shelf.publisher.upkeep.verify().problems


def test_a_rebuild_reads_what_is_missing_and_a_purge_leaves_nothing(shelf):
    shelf.publish("vault", TEXT)
    with shelf.engine.begin() as tx:
        tx.execute(delete(readings).where(readings.c.start == units(shelf)[1].start))
    assert shelf.publisher.upkeep.verify().problems
    shelf.publisher.upkeep.rebuild()
    assert len(rows(shelf)) == 3
    shelf.publisher.purge("vault", None, "test")
    assert rows(shelf) == []


def test_what_is_published_again_unchanged_is_neither_embedded_nor_read(counted):
    assert counted.publish("vault", TEXT).status == "published"
    passages, read = computed(counted)
    assert passages
    assert read == 3
    assert counted.publish("vault", TEXT).status == "unchanged"
    assert counted.publish("vault", TEXT, start=None).status == "unchanged"
    assert computed(counted) == (0, 0)


def test_a_known_text_under_a_known_title_is_not_read_again_and_under_another_title_it_is(counted):
    counted.publish("vault", TEXT, title="The vault")
    computed(counted)
    assert counted.publish("vault", TEXT, "2026-06-01", title="The vault").status == "published"
    assert counted.publish("copy", TEXT, title="The vault").status == "published"
    assert computed(counted) == (0, 0)
    counted.publish("other", TEXT, title="Another")
    assert computed(counted) == (0, 3)
    assert counted.publisher.upkeep.verify().problems == ()


def test_an_equal_version_that_is_purged_just_before_it_would_be_found_is_published_whole(counted, monkeypatch):
    counted.publish("vault", TEXT)
    turn, first = Publisher.turn, iter([True])

    @contextmanager
    def overtaken(self):
        if next(first, False):
            self.purge("vault", None, "test")
        with turn(self):
            yield

    monkeypatch.setattr(Publisher, "turn", overtaken)
    assert counted.publish("vault", TEXT).status == "published"
    assert len(rows(counted)) == 3
    assert counted.publisher.upkeep.verify().problems == ()


def test_models_run_while_others_may_publish(counted):
    free = []

    class Watching(Counting):
        def read(self, texts):
            free.append(not counted.publisher._lock.locked())
            return super().read(texts)

    object.__setattr__(counted.publisher, "reader", Watching())
    counted.publish("vault", TEXT)
    assert free == [True]


def test_a_long_document_is_read_in_slices_so_that_questions_get_their_turn(counted):
    text = "# Vault\n\n" + "".join(f"Box {n} costs {n} EUR.\n\n" for n in range(300))
    counted.publish("vault", text)
    assert counted.reader.jobs == [128, 128, 44]
    computed(counted)
    Readings(counted.engine, other := Counting("others")).of(units(counted))
    assert other.jobs == [128, 128, 44]


def test_readings_of_what_an_update_reads_otherwise_are_made_again(counted, monkeypatch):
    """The offsets stay the same; what is read beside the units does not."""
    counted.publish("vault", TEXT)
    computed(counted)
    before = read_from(units(counted))
    monkeypatch.setattr(Unit, "surroundings", property(lambda unit: f"now beside {unit.heading}"))
    found = units(counted)
    kept = Readings(counted.engine, counted.reader)
    assert kept.of(found) == kept.of(found) == read_from(found) != before
    assert computed(counted) == (0, 3), "once: then they are in memory"
    assert "readings" in counted.publisher.upkeep.verify().problems[0]
    counted.publisher.upkeep.start()
    assert computed(counted) == (0, 3)
    assert sorted(row.data for row in rows(counted)) == sorted(read_from(found))
    assert counted.publisher.upkeep.verify().problems == ()


def test_readings_in_memory_that_no_longer_fit_are_not_used(shelf, monkeypatch):
    shelf.publish("vault", TEXT)
    kept = Readings(shelf.engine, WordReader())
    kept.of(units(shelf))
    monkeypatch.setattr(Unit, "surroundings", property(lambda _: "otherwise"))
    assert kept.of(units(shelf)) == read_from(units(shelf))


def test_publishing_replaces_stale_readings_of_a_known_text(counted, monkeypatch):
    counted.publish("vault", TEXT, title="The vault")
    computed(counted)
    monkeypatch.setattr(Unit, "surroundings", property(lambda _: "otherwise"))
    counted.publish("copy", TEXT, title="The vault")
    assert computed(counted) == (0, 3)
    assert counted.publisher.upkeep.verify().problems == ()


def test_a_start_reads_the_units_that_are_missing_and_only_those(counted):
    counted.publish("vault", TEXT)
    computed(counted)
    missing = units(counted)[1]
    with counted.engine.begin() as tx:
        tx.execute(delete(readings).where(readings.c.start == missing.start))
    counted.publisher.upkeep.start()
    assert counted.reader.seen == [missing.shown]
    assert len(rows(counted)) == 3
    assert counted.publisher.upkeep.verify().problems == ()


def test_a_start_drops_readings_at_offsets_where_no_unit_is_any_more(shelf):
    shelf.publish("vault", TEXT)
    with shelf.engine.begin() as tx:
        tx.execute(readings.insert(), {**rows(shelf)[0]._mapping, "start": 1, "end": 2})
    assert shelf.publisher.upkeep.verify().problems
    shelf.publisher.upkeep.start()
    assert len(rows(shelf)) == 3
    assert shelf.publisher.upkeep.verify().problems == ()


def test_damaged_readings_are_never_used_and_a_rebuild_replaces_them_and_leaves_another_readers(shelf):
    shelf.publish("vault", TEXT)
    with shelf.engine.begin() as tx:
        tx.execute(readings.insert(), [{**row._mapping, "reader": "others"} for row in rows(shelf)])
        tx.execute(update(readings).where(readings.c.reader == "words").values(data=b"damaged"))
    assert Readings(shelf.engine, shelf.reader).of(units(shelf)) == read_from(units(shelf))
    assert "readings" in shelf.publisher.upkeep.verify().problems[0]
    others = [row for row in rows(shelf) if row.reader == "others"]
    shelf.publisher.upkeep.rebuild()
    assert shelf.publisher.upkeep.verify().problems == ()
    assert [row for row in rows(shelf) if row.reader == "others"] == others


def test_of_a_new_version_only_what_is_new_is_read(counted):
    counted.publish("vault", TEXT)
    computed(counted)
    counted.publish("vault", TEXT.replace("Small", "Large"), "2026-06-01")
    assert counted.reader.seen == ["Size: Large; Price: 2 EUR"]
    assert counted.publisher.upkeep.verify().problems == ()


def test_a_rebuild_reads_nothing_that_is_stored(counted):
    counted.publish("vault", TEXT)
    computed(counted)
    counted.publisher.upkeep.rebuild()
    assert computed(counted) == (0, 0)


def test_memory_holds_so_many_bytes_and_drops_what_was_used_longest_ago(shelf):
    for name in ("vault", "seal", "lamp"):
        shelf.publish(name, TEXT.replace("ault", name))
    kept = Readings(shelf.engine, WordReader(), cache_bytes=4_000)  # two documents of about 1,700 bytes
    with loads_of(shelf) as loaded:
        for name in ("vault", "seal", "vault", "lamp", "vault", "seal"):
            assert kept.of(units(shelf, name)) == read_from(units(shelf, name))
    assert loaded == ["vault", "seal", "lamp", "seal"]


def test_readings_larger_than_all_of_memory_are_used_without_being_kept(shelf):
    shelf.publish("vault", TEXT)
    kept = Readings(shelf.engine, reader := Counting("others"), cache_bytes=100)
    for _ in range(2):
        assert kept.of(units(shelf)) == read_from(units(shelf))
    assert len(reader.seen) == 6


def test_many_threads_ask_for_readings_that_are_being_made(shelf):
    for name in ("vault", "seal", "lamp"):
        shelf.publish(name, TEXT.replace("ault", name))
    found = [unit for name in ("vault", "seal", "lamp") for unit in units(shelf, name)]
    kept = Readings(shelf.engine, WordReader(), cache_bytes=4_000)
    kept.reader.name = "others"  # nothing of it is stored
    together = threading.Barrier(8)

    def ask(number):
        together.wait()
        for turn in range(50):
            some = found[(number + turn) % 5 :]
            assert kept.of(some) == read_from(some)
            if turn % 10 == number:
                kept.forget()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))


def test_asking_changes_nothing_that_another_thread_may_be_reading(shelf):
    shelf.publish("vault", TEXT)
    first, *others = units(shelf)
    kept = Readings(shelf.engine, Counting("others"))
    kept.of([first])
    titled = (first.version.content, first.version.title)
    before = kept._cache.get(titled)
    kept.of(others)
    assert len(before) == 1
    assert len(kept._cache.get(titled)) == 3


def test_a_call_that_a_purge_overtakes_puts_nothing_into_the_memory_that_follows(shelf):
    shelf.publish("vault", TEXT)

    class Overtaken(Counting):
        def read(self, texts):
            kept.forget()
            return super().read(texts)

    kept = Readings(shelf.engine, Overtaken("others"))
    found = units(shelf)
    assert kept.of(found) == read_from(found)
    assert kept._cache.get((found[0].version.content, found[0].version.title)) is None


def test_a_cross_encoder_reads_question_and_text_together(encoder, domain, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=encoder.base.tokenizer.vocab_size, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=1
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path / "cross")
    encoder.base.tokenizer.save_pretrained(tmp_path / "cross")
    scorer = scorer_of(str(tmp_path / "cross"), domain, encoder)
    assert isinstance(scorer, Cross)
    reader = Calibrated(scorer, ScoreCalibration(1.0, 0.0, 0.5, 0.1, 100))
    texts = [("It costs 41 EUR.", "Vault"), ("It is made of tin.", "Vault")]
    one, other = (reader.judge(("What is the price?", ""), reader.read(some)) for some in (texts, texts[::-1]))
    assert one == pytest.approx(other[::-1], abs=1e-6)
    assert np.all((one > 0) & (one < 1))


def test_a_reader_that_is_not_there_is_named(encoder, domain, tmp_path):
    with pytest.raises(NotConfigured, match="FORMFACT_READER"):
        scorer_of(str(tmp_path / "nothing"), domain, encoder)
