"""The relevance adapter: its loss, its training, what it is bound to, and that the shipped one orders better."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from adapters import relevance
from adapters.data.judged import judged
from adapters.trainer import contrast
from domains.spec import IntegrityError, InvalidInput
from retrieval.relevance import Kept, Relevance
from service.build import build
from service.settings import Settings

SET = Path(__file__).parent / "data" / "judged"


def test_contrast_is_the_negative_log_share_of_what_is_wanted():
    scores = torch.log(torch.tensor([[1.0, 1.0, 2.0], [3.0, 1.0, 0.0001]]))
    wanted = torch.tensor([[True, False, True], [True, False, False]])
    expected = -(np.log(3 / 4) + np.log(3 / 4.0001)) / 2
    assert float(contrast(scores, wanted)) == pytest.approx(expected, abs=1e-4)


@pytest.fixture(scope="module")
def trained(encoder, tmp_path_factory):
    found, out = judged(SET), tmp_path_factory.mktemp("relevance") / "adapter"
    recipe = replace(relevance.RECIPE, epochs=2, batch=2)
    network = relevance.train(encoder.base, found, recipe, lambda what, done: None)
    return relevance.save(network, encoder.base, found, SET, out), out


def test_a_trained_adapter_is_bound_to_encoder_and_weights(trained, encoder, tmp_path):
    manifest, folder = trained
    assert relevance.manifest_of(folder, encoder.fingerprint) == manifest
    assert (manifest.questions, manifest.near_misses) == (4, 1)
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == encoder.base.source
    with pytest.raises(IntegrityError, match="was trained on encoder"):
        relevance.manifest_of(folder, "0" * 12)
    weights = folder / "adapter_model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(bytes(changed))
    with pytest.raises(IntegrityError, match="not those of its manifest"):
        relevance.manifest_of(folder, encoder.fingerprint)
    with pytest.raises(IntegrityError, match="no relevance adapter"):
        relevance.manifest_of(tmp_path, encoder.fingerprint)


def test_the_shipped_adapter_brings_questions_nearer_to_their_answers(domain, encoder):
    folder = domain.folder / "relevance" / "adapter"
    manifest = relevance.manifest_of(folder, encoder.fingerprint)
    question = "is there a dead line for handing it back and getting the cash"
    right = "Refunds: Money is returned when the request reaches us within 14 days of the payment."
    wrong = "Refunds: Refunds are recorded in the ledger by the finance team at the end of each month."
    tuned = Relevance(encoder, manifest.id, encoder.under(folder))
    bare = Relevance(encoder)
    gap = [float(np.subtract(*judge.of([question], [right, wrong]))) for judge in (tuned, bare)]
    assert gap[0] > gap[1]
    assert tuned.alike(right, wrong) == pytest.approx(bare.alike(right, wrong), abs=1e-5)


def test_vectors_of_units_are_asked_once(encoder):
    asked = []

    class Counting:
        def embed_documents(self, texts):
            asked.extend(texts)
            return encoder.embed_documents(texts)

    kept = Kept(Counting())
    first, again = kept(["a b", "c d"]), kept(["c d", "a b"])
    assert asked == ["a b", "c d"]
    assert np.allclose(first, again[::-1])


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("questions.jsonl", '{"id": "x", "text": "?", "relevant": ["nowhere"]}', "no document nowhere"),
        ("questions.jsonl", '{"id": "x", "text": "?"}', "no id and text and relevant"),
        ("documents.jsonl", '{"id": "pool", "text": "twice"}', "stands twice"),
        ("documents.jsonl", "{", "Each line is one JSON object"),
    ],
)
def test_a_broken_set_is_refused_with_the_line(tmp_path, file, line, reason):
    for path in SET.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / file).open("a") as out:
        out.write(line + "\n")
    with pytest.raises(InvalidInput, match=reason):
        judged(tmp_path)


def test_what_nobody_answers_teaches_nothing(tmp_path, encoder):
    (tmp_path / "documents.jsonl").write_bytes((SET / "documents.jsonl").read_bytes())
    (tmp_path / "questions.jsonl").write_text('{"id": "q4", "text": "bars?", "relevant": []}\n')
    with pytest.raises(InvalidInput, match="0 questions have an answer"):
        relevance.train(encoder.base, judged(tmp_path), relevance.RECIPE, lambda what, done: None)


def test_the_setting_takes_another_or_none(tmp_path, domain, encoder):
    def name(**stated):
        made = build(Settings(home=tmp_path / "home", **stated), domain, encoder)
        made.close()
        return made.pipeline.selector.relevance.name

    own = relevance.manifest_of(domain.folder / "relevance" / "adapter", encoder.fingerprint).id
    assert (name(), name(relevance="none")) == (own, "")
    with pytest.raises(IntegrityError, match="no relevance adapter"):
        name(relevance=str(tmp_path))
