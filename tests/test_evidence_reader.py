"""The evidence reader: what it learns from, that it learns, and that it is only used as it was saved."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from adapters.data.judged import JudgedQuestion, JudgedSet, Text
from adapters.evidence import Read, average, late, load, logits, manifest_of, read, save, tokenized
from adapters.evidence_calibration import calibrate
from adapters.evidence_lists import lists
from adapters.evidence_training import RECIPE, TrainingCorpus, parted, ranked, train
from adapters.readers import SHIPPED, Calibrated, ScoreCalibration, calibrated, keep
from domains.spec import Conflict, IntegrityError, InvalidInput, NotConfigured
from ingest.judging import judged_folder, take_in

DOCUMENT = """---
doc_id: kiosk
title: Kiosk
effective_from: 2026-01-01
audience: public
---

# Kiosk

We open at **seven**. Dogs wait outside.

| Size | Price |
| --- | --- |
| Small | 2 EUR |
| Large | 3 EUR |
"""
QUESTIONS = [
    {"id": "k1", "doc": "kiosk", "text": "since when are you there in the morning", "quotes": ["We open at seven."]},
    {"id": "k2", "doc": "kiosk", "text": "price of a big one", "quotes": ["| Large | 3 EUR |"], "misleads": ["| Small | 2 EUR |"]},
    {"id": "k3", "doc": "kiosk", "text": "do you sell stamps", "quotes": [], "misleads": ["Dogs wait outside."]},
]  # fmt: skip


def written(folder, questions):
    (folder / "documents").mkdir()
    (folder / "documents" / "kiosk.md").write_text(DOCUMENT)
    (folder / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions))
    return folder


def test_quotes_are_found_again_in_what_is_read_of_the_documents(tmp_path, domain):
    found = judged_folder(written(tmp_path, QUESTIONS), tmp_path / "documents", domain)
    said = {text.id: text.text for text in found.texts}
    first, second, third = found.questions
    assert [said[t] for t in first.relevant] == ["We open at seven."]
    assert [said[t] for t in second.relevant] == ["Size: Large; Price: 3 EUR"]
    assert [said[t] for t in second.misleads] == ["Size: Small; Price: 2 EUR"]
    assert not third.relevant


def test_what_was_judged_of_a_readers_list_holds_and_other_marks_stay(tmp_path, domain, bare):
    folder = written(tmp_path, QUESTIONS)
    found = lists(bare, judged_folder(folder, tmp_path / "documents", domain), 3, 0)
    second = next(one for one in found if one["id"] == "k2")
    number = {c["text"]: n for n, c in enumerate(second["candidates"], start=1)}
    told = {"id": "k2", "answers": [number["Size: Small; Price: 2 EUR"]], "helps": [number["Dogs wait outside."]]}
    assert take_in(folder, tmp_path / "documents", domain, found, [told]) == 1
    judged = judged_folder(folder, tmp_path / "documents", domain)
    said = {text.id: text.text for text in judged.texts}
    _, second, third = judged.questions
    assert [said[t] for t in second.relevant] == ["Size: Small; Price: 2 EUR"]
    assert [said[t] for t in second.helps] == ["Dogs wait outside."]
    assert not second.misleads
    assert [said[t] for t in third.misleads] == ["Dogs wait outside."]
    with pytest.raises(InvalidInput, match="no candidate 9"):
        take_in(folder, tmp_path / "documents", domain, found, [{"id": "k2", "answers": [9]}])


def test_a_quote_that_no_document_says_is_named(tmp_path, domain):
    wrong = [{"id": "k1", "doc": "kiosk", "text": "when", "quotes": ["We open at eight."]}]
    with pytest.raises(InvalidInput, match=r"k1: no document says `We open at eight\.`"):
        judged_folder(written(tmp_path, wrong), tmp_path / "documents", domain)


@pytest.mark.slow
def test_every_quote_of_the_shipped_questions_stands_in_its_documents(domain):
    from service.cli.evidence_commands import SHIPPED as ORGANISATIONS

    for folder in sorted(p for p in ORGANISATIONS.iterdir() if p.is_dir()):
        found = judged_folder(folder, folder / "documents", domain)
        assert len(found.questions) >= 299, folder.name
    own = judged_folder(domain.folder / "evidence", domain.folder / "documents", domain)
    assert len(own.questions) > 7000


def test_late_interaction_is_the_weighted_sum_of_the_nearest_tokens():
    draw = np.random.default_rng(0)
    asked, texts = draw.normal(size=(2, 3, 4)), draw.normal(size=(5, 6, 4))
    texts[1, 4:] = 0  # padding
    asking, telling = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]), draw.random(size=(5, 6)) * (texts != 0).any(2)
    nothing = np.zeros(0)
    found = late(
        Read(*(torch.from_numpy(part) for part in (nothing, asked, asking, nothing))),
        Read(*(torch.from_numpy(part) for part in (nothing, texts, nothing, telling))),
    )
    for q in range(2):
        for d in range(5):
            there = texts[d][:4] if d == 1 else texts[d]
            similar = asked[q] @ there.T
            assert float(found[0][q, d]) == pytest.approx(asking[q] @ similar.max(1))
            assert float(found[1][q, d]) == pytest.approx(similar.max(0) @ telling[d][: len(there)])


@pytest.fixture(scope="module")
def small():
    """Codes that mean nothing to the bare encoder: only who learnt them ranks them right."""
    codes = ["vro", "kel", "tam", "bup", "sid", "nog", "fex", "lum"]
    texts = tuple(Text(f"codes#{i}", "Codes", f"The machine shows {100 + i} then.") for i in range(len(codes)))
    asked = [
        JudgedQuestion(f"q{i}", f"what if it says {c}", frozenset({f"codes#{i}"}), group="codes")
        for i, c in enumerate(codes)
    ]
    none = [JudgedQuestion(f"n{i}", f"who paints the {c}", frozenset(), group="codes") for i, c in enumerate(codes)]
    return JudgedSet("codes", texts, (*asked, *none))


@pytest.fixture(scope="module")
def trained(encoder, small):
    return train(encoder.base, [small], replace(RECIPE, epochs=40), lambda what, done: None)


def test_it_learns_which_text_answers_and_which_question_none_does(encoder, small, trained):
    best, logits = ranked(encoder.base, trained, TrainingCorpus.of(small, small.questions), 8)  # (questions, texts)
    answerable = len(small.answerable)
    assert (best[:answerable, 0] == np.arange(answerable)).mean() >= 0.75
    assert (logits[answerable:, 0] < 0).mean() >= 0.75
    assert (logits[:answerable, 0] > 0).mean() >= 0.75


def test_a_training_that_was_cut_off_goes_on_to_the_same_weights(encoder, small, tmp_path):
    recipe, kept = replace(RECIPE, epochs=3), tmp_path / "reader.training"

    def cut(what, done):
        if "epoch 3" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(encoder.base, [small], recipe, cut, kept)
    told = []
    again = train(encoder.base, [small], recipe, lambda what, done: told.append(what), kept)
    assert {what.split(",")[0] for what in told} == {"epoch 3"}
    whole = train(encoder.base, [small], recipe, lambda what, done: None)
    for name, tensor in whole.head().items():
        assert torch.allclose(tensor, again.head()[name], atol=1e-5), name
    with pytest.raises(Conflict):
        train(encoder.base, [small], replace(recipe, seed=1), lambda what, done: None, kept)


def test_a_training_starts_from_another_reader(encoder, small, trained, tmp_path):
    save(trained, encoder.base, [small], RECIPE, tmp_path / "reader")
    recipe = replace(RECIPE, epochs=1, rank=2 * RECIPE.rank, learning_rate=0.0, head_learning_rate=0.0)
    again = train(encoder.base, [small], recipe, lambda what, done: None, start=tmp_path / "reader")
    pairs = [("what if it says kel", ""), ("The machine shows 101 then.", "Codes")]
    for one, other in zip(read(encoder.base, trained, pairs), read(encoder.base, again, pairs), strict=True):
        assert np.abs(one.tokens - other.tokens).max() < 0.01
        assert one.asking == pytest.approx(other.asking, abs=0.01)
    with pytest.raises(InvalidInput, match="rank"):
        train(encoder.base, [small], replace(recipe, rank=4), lambda what, done: None, start=tmp_path / "reader")


def test_of_what_surrounds_a_text_the_farthest_is_cut_first(encoder):
    found = tokenized(encoder.base, [("what does it cost", "far " + "word " * 200 + "near"), ("long " * 200, "far")])
    first, second = (encoder.base.tokenizer.decode(ids) for ids in found.batch["input_ids"])
    assert first.startswith("[CLS] what does it cost [SEP] word")
    assert first.endswith("near [SEP]")
    assert second.endswith("long [SEP] [PAD]")
    assert found.own[0].sum() == len(["[CLS]", "what", "does", "it", "cost", "[SEP]"])
    assert found.own[1, :-1].all()


def test_a_reader_is_the_same_after_it_was_saved(encoder, small, trained, tmp_path):
    pairs = [("what if it says kel", ""), ("The machine shows 101 then.", "Codes")]
    before = read(encoder.base, trained, pairs)
    manifest = save(trained, encoder.base, [small], RECIPE, tmp_path / "reader")
    kept, after = load(tmp_path / "reader", encoder.base, encoder.merged)
    assert kept == manifest
    for one, other in zip(before, read(encoder.base, after, pairs), strict=True):
        assert np.abs(one.tokens - other.tokens).max() < 0.01
        assert np.abs(one.pooled - other.pooled).max() < 0.01
        assert one.asking.sum() == pytest.approx(1.0)
        assert one.telling.sum() == pytest.approx(1.0)


def test_an_average_lies_between_the_readers_that_it_is_made_of(encoder, small, trained, tmp_path):
    save(trained, encoder.base, [small], RECIPE, tmp_path / "first")
    further = train(
        encoder.base, [small], replace(RECIPE, epochs=1, rank=32), lambda what, done: None, start=tmp_path / "first"
    )
    save(further, encoder.base, [small], replace(RECIPE, rank=32), tmp_path / "second")
    pairs, found = [("what if it says kel", ""), ("The machine shows 101 then.", "Codes")], {}
    for share in (0.0, 0.5, 1.0):
        out = tmp_path / f"average-{share}"
        written = average(tmp_path / "first", tmp_path / "second", share, encoder.base, out)
        manifest, reader = load(out, encoder.base, encoder.merged)
        assert manifest == written
        found[share] = np.stack([one.pooled for one in read(encoder.base, reader, pairs)])
    for share, reader in ((0.0, trained), (1.0, further)):
        assert np.abs(found[share] - np.stack([one.pooled for one in read(encoder.base, reader, pairs)])).max() < 0.01
    apart = np.abs(found[0.0] - found[1.0]).max()
    assert apart > 0
    assert np.abs(found[0.5] - found[0.0]).max() < apart


def test_in_eight_bits_the_score_is_nearly_the_same(encoder, small, trained):
    shelf = TrainingCorpus.of(small, small.questions)
    best, exact = ranked(encoder.base, trained, shelf, 8)
    readings = [reading.packed() for reading in read(encoder.base, trained, shelf.texts)]
    for question, order, wanted in zip(small.questions, best, exact, strict=True):
        (asked,) = read(encoder.base, trained, [(question.text, "")])
        assert logits(trained, asked, readings)[order] == pytest.approx(wanted, abs=0.5)


def test_changed_weights_are_refused(encoder, small, trained, tmp_path):
    save(trained, encoder.base, [small], RECIPE, tmp_path / "reader")
    path = tmp_path / "reader" / "head.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(IntegrityError, match="not those of its manifest"):
        load(tmp_path / "reader", encoder.base, encoder.merged)


class Known:
    """A scorer whose scores are stated: question -> those of the texts."""

    name = "known"

    def __init__(self, scores):
        self.scores = scores

    def read(self, texts):
        return [text.encode() for text, _ in texts]

    def score(self, question, readings):
        return np.array(self.scores(question[0]), dtype=np.float32)


def judged_by(count, right):
    """Questions of which a share is answered by the first of two texts, and the others by none."""
    asked = [
        JudgedQuestion(f"q{i}", f"{i}", frozenset({"t#0"} if i % 100 < right * 100 else ()), group="t")
        for i in range(10 * count)
    ]
    return JudgedSet("t", (Text("t#0", "", "one"), Text("t#1", "", "two")), tuple(asked))


def test_calibration_turns_a_higher_score_into_a_higher_probability():
    shelf = judged_by(200, 0.5)
    surer = Known(lambda q: (3.0 if int(q) % 100 < 50 or int(q) % 20 == 19 else -1.0, -5.0))  # and seldom wrong
    found = calibrate(surer, [shelf], 0.2, 0.1, lambda *_: None)
    low, high = (found.probability(np.array([best, -5.0], dtype=np.float32))[0].round(3) for best in (-1.0, 3.0))
    assert low < found.sufficient <= high
    assert found.sufficient_unlabelled > found.sufficient
    assert found.questions == len(parted(shelf)[1])


def test_a_score_counts_for_less_where_other_texts_score_as_high():
    calibration = ScoreCalibration(slope=1.0, intercept=0.0, sufficient=0.5, risk=0.1, questions=100, mass=-0.9)
    alone, among = (calibration.probability(np.array(s, dtype=np.float32)) for s in ([3.0, -9.0], [3.0, 3.0]))
    assert alone[0] > among[0] == among[1]
    rows = calibration.probability(np.array([3.0, 3.0], dtype=np.float32), ["table", "table"])
    assert rows == pytest.approx(calibration.probability(np.array([3.0], dtype=np.float32))[[0, 0]])


def test_what_is_known_of_the_asker_is_read_before_the_rest():
    scorer = Known(None)
    scorer.score = lambda question, readings: np.array([4.0 if "Plan: Team" in question[1] else 2.0], dtype=np.float32)
    reader = Calibrated(scorer, ScoreCalibration(1.0, -3.0, 0.5, 0.1, 100))
    asked = ("what is included", "Welcome")
    judged = [float(reader.judge(asked, [b""], record)[0]) for record in ("", "Plan: Team.")]
    assert judged == pytest.approx([1 / (1 + np.e), np.e / (1 + np.e)])


def test_a_scorer_that_is_never_sure_never_answers():
    found = calibrate(Known(lambda q: (1.0, -5.0)), [judged_by(200, 0.5)], 0.1, 0.1, lambda *_: None)
    assert found.probability(np.array([1.0], dtype=np.float32)) < found.sufficient
    with pytest.raises(InvalidInput, match="kept from training"):
        calibrate(Known(lambda q: (1.0, -5.0)), [judged_by(20, 0.5)], 0.1, 0.1, lambda *_: None)


def test_questions_kept_for_calibration_are_not_learnt_from():
    shelf = judged_by(100, 0.5)
    learnt, kept = parted(shelf)
    assert {q.id for q in learnt}.isdisjoint(q.id for q in kept)
    assert len(learnt) + len(kept) == len(shelf.questions)
    assert 0.05 < len(kept) / len(shelf.questions) < 0.15
    drawn = lists(Known(lambda q: (1.0, 0.0)), shelf, 1000, 0)
    assert {one["id"] for one in drawn} == {q.id for q in learnt}


def test_a_calibration_of_the_domain_comes_before_the_general_one(domain, tmp_path):
    own = domain.model_copy(update={"folder": tmp_path})
    scorer = Known(lambda q: (1.0,))
    with pytest.raises(NotConfigured, match="calibrate-evidence"):
        calibrated(scorer, own)
    keep(scorer, ScoreCalibration(1.0, 0.0, 0.7, 0.1, 100), tmp_path / "evidence")
    assert calibrated(scorer, own).sufficient == 0.7
    with pytest.raises(NotConfigured):
        calibrated(scorer)


def test_shipped_calibrations_are_of_the_shipped_reader(domain, encoder):
    names = {manifest_of(SHIPPED).id, f"bare@{encoder.fingerprint}"}
    for folder in (SHIPPED, domain.folder / "evidence"):
        assert manifest_of(SHIPPED).id in (kept := set(json.loads((folder / "calibration.json").read_text())))
        assert kept <= names, folder
