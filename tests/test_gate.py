"""The gate: bounds of the domain, and that what is deliberately bad does not pass."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from rich.console import Console

from adapters.active import PinnedClassifier
from adapters.classifier import AdapterClassifier
from adapters.data import rows
from adapters.recipe import Recipe
from adapters.train import train
from domains.spec import DomainError
from evals.cases import load
from evals.gate import Bounds, bounds, index_agreement, judge
from evals.run import Share, run
from ingest.commands import ingest_folder
from ingest.metadata import Metadata
from ingest.publish import Publisher
from service.build import build
from service.settings import Settings
from tests.shelf import HashEmbedder

FIGURES = {"right action": Share(8, 10), "invented": 0, "median ms": 120.0}


@pytest.mark.parametrize(
    ("bound", "told"),
    [
        (Bounds(least={"right action": 0.8}, most={"invented": 0}), []),
        (Bounds(least={"right action": 0.81}), ["right action: 8/10 (0.800), wanted at least 0.81"]),
        (Bounds(most={"right action": 0.5, "median ms": 100}), ["right action: 8/10", "median ms: 120.0"]),
        (Bounds(least={"rigth action": 0.5}), ["rigth action: there is no such figure"]),
    ],
)
def test_every_bound_that_does_not_hold_is_told(bound, told):
    found = bound.failing(FIGURES)
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


@pytest.mark.parametrize("text", [None, "least: [", "highest: {}", "least: {right action: high}"])
def test_a_domain_without_bounds_has_no_gate(tmp_path, domain, text):
    if text is not None:
        (tmp_path / "gate.yaml").write_text(text)
    with pytest.raises(DomainError, match=r"gate\.yaml"):
        bounds(domain.model_copy(update={"folder": tmp_path}))


def judged(domain, results):
    return judge("candidate", "domain", "cases", bounds(domain), Share(50, 50), results)


@pytest.mark.slow
def test_the_shipped_adapter_passes_on_the_development_cases(services, domain):
    verdict = judged(domain, list(run(services, load(domain, "dev"), "hybrid")))
    assert verdict.passed, verdict.reasons


@pytest.mark.slow
def test_an_adapter_that_learnt_shuffled_labels_does_not_pass(services, domain, tmp_path):
    learnt = rows.read(domain.folder / "tickets" / "train.jsonl", domain.label_names)
    labels = [row.labels for row in learnt]
    random.Random(0).shuffle(labels)
    shuffled = rows.split([replace(row, labels=other) for row, other in zip(learnt, labels, strict=True)])
    train(
        services.encoder.base,
        domain.label_names,
        domain.risks,
        shuffled,
        "shuffled",
        Recipe(method="joined", folds=2),
        tmp_path / "a",
        _silent,
    )
    bad = PinnedClassifier(AdapterClassifier(services.encoder, tmp_path / "a", domain))
    asked = replace(services, pipeline=replace(services.pipeline, labelling=bad))
    verdict = judged(domain, list(run(asked, load(domain, "dev")[::4], "hybrid")))
    assert not verdict.passed
    assert any(reason.startswith("labels right") for reason in verdict.reasons)


class AnotherModel(Embeddings):
    """Vectors as long as the encoder's, by another rule."""

    def __init__(self, dimensions):
        draw = np.random.default_rng(0)
        self._turn = draw.normal(size=(64, dimensions))

    def embed_documents(self, texts):
        found = np.asarray(HashEmbedder().embed_documents(texts)) @ self._turn
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).tolist()

    def embed_query(self, text):
        return self.embed_documents([text])[0]


def test_an_index_with_embeddings_of_another_model_does_not_pass(services, domain, encoder, tmp_path):
    made = build(Settings(home=tmp_path / "home"), domain, encoder)
    good = made.publisher
    other = AnotherModel(len(encoder.embed_query("x")))
    publisher = Publisher(domain, made.engine, made.catalog, good.dense, other, good.reader, made.settings.limits)
    publisher.upkeep.start()
    ingest_folder(
        domain.folder / "documents" / "trial-terms",
        partial(publisher.publish, actor="test", held=frozenset(domain.audiences)),
        Metadata(),
        made.settings.limits,
        Console(quiet=True),
    )
    bad, right = index_agreement(made), index_agreement(services)
    made.close()
    assert bad.right == 0 < bad.of
    assert right.right == right.of == 50
    results = list(run(services, load(domain, "dev")[:3], "hybrid"))
    verdict = judge("candidate", "domain", "cases", bounds(domain), bad, results)
    assert "passages embedded by this encoder: 0/" in verdict.reasons[-1]
    assert not verdict.passed


def _silent(what, done):
    return None
