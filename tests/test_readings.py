"""What the reader makes of documents is kept with them, goes with them, and is made anew for another reader."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import delete, select

from adapters.readers import Calibrated, Calibration, Cross, scorer_of
from domains.spec import NotConfigured
from retrieval.readings import Readings
from retrieval.tables import readings
from retrieval.units import stating
from tests.shelf import WordReader

PUBLIC = frozenset({"public"})
TEXT = "# Vault\n\nThe vault costs 41 EUR a month. It is made of tin.\n\n| Size | Price |\n| --- | --- |\n| Small | 2 EUR |\n"


class Counting(WordReader):
    """A reader that tells what it has read."""

    def __init__(self, name="words"):
        self.name, self.seen = name, []

    def read(self, texts):
        self.seen += [text for text, _ in texts]
        return super().read(texts)


def units(shelf):
    (version,) = shelf.catalog.view(PUBLIC, datetime(2026, 7, 1, tzinfo=UTC)).versions
    return stating(version, shelf.catalog.passages(version.content))


def rows(shelf):
    with shelf.engine.connect() as connection:
        return connection.execute(select(readings)).all()


def test_a_question_waits_for_no_reading_of_what_was_published(shelf):
    shelf.publish("vault", TEXT)
    found, reader = units(shelf), Counting()
    assert Readings(shelf.engine, reader).of(found) == WordReader().read([(u.shown, u.surroundings) for u in found])
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


def test_a_rebuild_reads_anew_and_a_purge_leaves_nothing(shelf):
    shelf.publish("vault", TEXT)
    with shelf.engine.begin() as tx:
        tx.execute(delete(readings).where(readings.c.start == units(shelf)[1].start))
    assert shelf.publisher.upkeep.verify().problems
    shelf.publisher.upkeep.rebuild()
    assert len(rows(shelf)) == 3
    shelf.publisher.purge("vault", None, "test")
    assert rows(shelf) == []


def test_a_cross_encoder_reads_question_and_text_together(encoder, domain, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=encoder.base.tokenizer.vocab_size, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=1
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path / "cross")
    encoder.base.tokenizer.save_pretrained(tmp_path / "cross")
    scorer = scorer_of(str(tmp_path / "cross"), domain, encoder)
    assert isinstance(scorer, Cross)
    reader = Calibrated(scorer, Calibration(1.0, 0.0, 0.5, 0.1, 100))
    texts = [("It costs 41 EUR.", "Vault"), ("It is made of tin.", "Vault")]
    one, other = (reader.judge(("What is the price?", ""), reader.read(some)) for some in (texts, texts[::-1]))
    assert one == pytest.approx(other[::-1], abs=1e-6)
    assert np.all((one > 0) & (one < 1))


def test_a_reader_that_is_not_there_is_named(encoder, domain, tmp_path):
    with pytest.raises(NotConfigured, match="FORMFACT_READER"):
        scorer_of(str(tmp_path / "nothing"), domain, encoder)
