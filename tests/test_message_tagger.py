"""The message tagger is trained, measured, saved and loaded; a damaged one is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters.message_tagger import SHIPPED, MessageTagger, save
from adapters.message_training import DATA, RECIPE, found_by, measure, read_messages, split, train
from adapters.scrub import ADDRESS, PERSON, QUESTION
from domains.spec import IntegrityError, InvalidInput


@pytest.fixture(scope="module")
def messages():
    return [message for path in sorted(DATA.glob("*.jsonl")) for message in read_messages(path)]


def test_shipped_messages_are_marked_word_for_word(messages):
    assert len({message.id for message in messages}) == len(messages) > 2000
    for message in messages:
        assert set(message.marks) in ({QUESTION}, {PERSON, ADDRESS})
        for spans in message.marks.values():
            assert all(start < end <= len(message.body) for start, end in spans)
            assert list(spans) == sorted(spans)


def test_a_piece_that_is_not_in_its_message_is_refused(tmp_path):
    row = {"id": "a", "body": "How much is it?", "asks": ["How many"]}
    (tmp_path / "messages.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InvalidInput, match="'How many' is not in the body"):
        read_messages(tmp_path / "messages.jsonl")


@pytest.mark.parametrize(("kind", "least"), [(QUESTION, 0.9), (PERSON, 0.7), (ADDRESS, 0.9)])
def test_the_shipped_tagger_marks_messages_that_it_has_not_seen(tagger, messages, kind, least):
    learnt, kept = split(messages)
    assert {m.id for m in learnt}.isdisjoint(m.id for m in kept)
    found = measure(lambda text: tagger.mark([text])[0], kept, kind)
    assert found.precision > least
    assert found.recall > least


def test_a_trained_tagger_is_the_same_after_it_was_saved(encoder, messages, tmp_path):
    some = sorted((m for m in messages if QUESTION in m.marks), key=lambda m: len(m.body))[:48]
    recipe = replace(RECIPE, epochs=3, batch=8)
    trained = train(encoder.base, some, recipe, lambda what, done: None)
    find = found_by(encoder.base, trained)
    assert measure(find, some, QUESTION).recall > 0.3
    name = save(trained, encoder.base, len(some), recipe, tmp_path / "tagger")
    again = MessageTagger(encoder, tmp_path / "tagger")
    assert again.name == name
    assert [again.questions(m.body) for m in some] == [find(m.body)[QUESTION] for m in some]


def test_texts_that_are_marked_together_are_marked_as_alone(tagger, messages):
    texts = [m.body for m in messages[::150]] + ["", "  "]
    assert tagger.mark(texts) == [tagger.mark([text])[0] for text in texts]


@pytest.mark.parametrize("damaged", ["head.safetensors", "manifest.json", "adapter_model.safetensors"])
def test_a_damaged_tagger_is_refused(encoder, tmp_path, damaged):
    for path in SHIPPED.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[:-9] if path.name == damaged else content)
    with pytest.raises(IntegrityError, match="train-tagger"):
        MessageTagger(encoder, tmp_path)
