"""The question tagger is trained, measured, saved and loaded; a damaged one is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters.question_tagger import SHIPPED, QuestionTagger, is_trained_for, save
from adapters.question_training import DATA, RECIPE, found_by, measure, read_messages, split, train
from domains.spec import IntegrityError, InvalidInput


@pytest.fixture(scope="module")
def messages():
    return [message for path in sorted(DATA.glob("*.jsonl")) for message in read_messages(path)]


def test_shipped_messages_are_marked_word_for_word(messages):
    assert len({message.id for message in messages}) == len(messages) > 900
    for message in messages:
        assert all(start < end <= len(message.body) for start, end in message.asks)
        assert list(message.asks) == sorted(message.asks)


def test_a_piece_that_is_not_in_its_message_is_refused(tmp_path):
    row = {"id": "a", "body": "How much is it?", "asks": ["How many"]}
    (tmp_path / "messages.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InvalidInput, match="'How many' is not in the body"):
        read_messages(tmp_path / "messages.jsonl")


def test_the_shipped_tagger_finds_questions_of_messages_that_it_has_not_seen(encoder, messages):
    learnt, kept = split(messages)
    assert {m.id for m in learnt}.isdisjoint(m.id for m in kept)
    found = measure(QuestionTagger(encoder), kept[:60])
    assert found.precision > 0.85
    assert found.recall > 0.85


def test_a_trained_tagger_is_the_same_after_it_was_saved(encoder, messages, tmp_path):
    some = sorted(messages, key=lambda m: len(m.body))[:48]
    recipe = replace(RECIPE, epochs=3, batch=8)
    tagger = train(encoder.base, some, recipe, lambda what, done: None)
    find = found_by(encoder.base, tagger)
    assert measure(find, some).recall > 0.3
    name = save(tagger, encoder.base, len(some), recipe, tmp_path / "tagger")
    again = QuestionTagger(encoder, tmp_path / "tagger")
    assert again.name == name
    assert is_trained_for(encoder, tmp_path / "tagger")
    assert [list(again(m.body)) for m in some] == [list(find(m.body)) for m in some]


@pytest.mark.parametrize("damaged", ["head.safetensors", "manifest.json", "adapter_model.safetensors"])
def test_a_damaged_tagger_is_refused(encoder, tmp_path, damaged):
    for path in SHIPPED.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[:-9] if path.name == damaged else content)
    with pytest.raises(IntegrityError, match="train-questions"):
        QuestionTagger(encoder, tmp_path)
