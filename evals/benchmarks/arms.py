"""The classifiers that are compared, each behind one function: learn from texts, then score others.

All arms see the same labelled rows, and with few of them also the labels' names; two read unlabelled ones as well. The
cheap arms choose their one setting among four on held-out rows; the trained arms have one recipe for all data sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.sparse import csr_matrix, hstack
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from adapters import ngram_head
from adapters.base import SHIPPED, Base, Features, SentenceBase, cache_by_text, features_under, unit
from adapters.baselines import JOINED, MAJORITY, METHODS, NEAREST, PROBE, WORDS, Cheap
from adapters.calibrate import distances, temperature
from adapters.data.rows import Ints, Row
from adapters.decoder import QuantizedDecoder
from adapters.metrics import Floats
from adapters.model import Logits, softmax
from adapters.ngram_head import Known
from adapters.recipe import Recipe
from adapters.selftrain import SelfTrained, Topics
from adapters.trainer import Trainer
from domains.spec import InvalidInput
from evals.benchmarks.datasets import Example

CONTRASTIVE, LORA, MIXED, FULL = "contrastive LoRA + linear", "LoRA", "LoRA + joined", "full fine-tuning"
QLORA = "QLoRA, 4-bit decoder"  # compared where a decoder is given
# These also read the rest of train without its labels, as a team has many tickets that nobody labelled.
POOLED, TUNED_POOLED = "joined + unlabelled", "contrastive LoRA + unlabelled"
UNLABELLED = frozenset({POOLED, TUNED_POOLED})
ARMS = (*METHODS, POOLED, CONTRASTIVE, TUNED_POOLED, LORA, MIXED, FULL, QLORA)
# Cheapest first, by what training and an answer take: of arms that no test tells apart, the first is recommended.
BY_COST = (MAJORITY, WORDS, NEAREST, PROBE, JOINED, POOLED, LORA, CONTRASTIVE, TUNED_POOLED, MIXED, FULL, QLORA)
_FEW = 20  # rows a label; up to here nothing is held out, and the labels' names are examples too
_HELD, _HELD_AT_MOST = 10, 300  # one row in so many is held out for settings and temperature, and no more than that
_FIELD = "label"


@dataclass(frozen=True, slots=True)
class Task:
    """One fit: rows to learn from, rows to choose by (or none), texts to score, texts out of scope."""

    labels: tuple[str, ...]
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[str, ...]
    outside: tuple[str, ...]
    seed: int
    epochs: int | None = None  # None: by the number of rows
    decoder: str | None = None  # a folder or .gguf file, for the arm that tunes one
    unlabelled: tuple[str, ...] = ()  # further texts, for the arms that read such
    known_outside: tuple[str, ...] = ()  # texts known to be out of scope

    @property
    def few(self) -> bool:
        """Are there only a few rows a label?"""
        return len(self.train) <= _FEW * len(self.labels)

    def held(self) -> Task:
        """The same with rows to choose by: those given, else some of train; with few rows none."""
        if self.few:
            names = tuple(Example(label.replace("_", " "), label) for label in self.labels)
            return replace(self, train=self.train + names, validation=())
        if self.validation:
            return self
        size = min(len(self.train) // _HELD, _HELD_AT_MOST)
        order = np.random.default_rng(self.seed).permutation(len(self.train))
        kept, chosen = ([self.train[i] for i in part] for part in (order[size:], order[:size]))
        return replace(self, train=tuple(kept), validation=tuple(chosen))

    def numbers(self, examples: Sequence[Example]) -> Ints:
        """(examples,) label numbers."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[str(e.label)] for e in examples], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What an arm made of a task."""

    probabilities: Floats  # calibrated, (test, labels)
    strangeness: dict[str, Floats]  # score -> (test and then out of scope,), higher: farther from what was learnt
    trainable_parameters: int
    seconds: float  # to learn, the choice of settings included
    milliseconds_a_text: float


class _FittedArm(Protocol):
    trainable_parameters: int

    def logits(self, texts: list[str]) -> Logits: ...
    def features(self, texts: list[str]) -> Features: ...
    def frozen(self, texts: list[str]) -> Features: ...


def run(arm: str, task: Task) -> TrialResult:
    """Learn and score with one arm, in this process.

    Raises:
        InvalidInput: there is no such arm.
    """
    if arm not in ARMS:
        raise InvalidInput(f"There is no arm `{arm}`.", f"There are: {', '.join(ARMS)}.", "arms")
    base, task, begun = _base(arm, task), task.held(), time.perf_counter()
    fitted = _fitted(base, arm, task)
    heat = 1.0
    if task.validation:
        heat = temperature(fitted.logits([e.text for e in task.validation]), task.numbers(task.validation))
    seconds, begun = time.perf_counter() - begun, time.perf_counter()
    asked = [*task.test, *task.outside]
    logits = fitted.logits(asked)
    each = 1000 * (time.perf_counter() - begun) / len(asked)
    return TrialResult(
        probabilities=softmax(logits[: len(task.test)], heat),
        strangeness=_told_apart(fitted, task, asked, logits, heat) if task.outside else {},
        trainable_parameters=fitted.trainable_parameters,
        seconds=seconds,
        milliseconds_a_text=each,
    )


def _fitted(base: Base, arm: str, task: Task) -> _FittedArm:
    if arm in METHODS:
        return _Cheap(base, arm, task)
    return _PooledFeatures(base, task) if arm == POOLED else _Trained(base, arm, task)


def _base(arm: str, task: Task) -> Base:
    if arm != QLORA:
        return SentenceBase(SHIPPED)
    if task.decoder is None:
        raise InvalidInput("QLoRA needs a decoder.", "Say --decoder FOLDER or FILE.gguf.", "decoder")
    return QuantizedDecoder(Path(task.decoder))


def _told_apart(fitted: _FittedArm, task: Task, asked: list[str], logits: Logits, heat: float) -> dict[str, Floats]:
    """Every score of what is out of scope, and where such texts are known, the sum of them that tells those best."""
    if not (task.known_outside and task.validation):
        return _strangeness(fitted, task, asked, logits, heat)
    known = [*(e.text for e in task.validation), *task.known_outside]
    is_outside = np.arange(len(known)) >= len(task.validation)
    told = _strangeness(fitted, task, [*asked, *known], np.concatenate([logits, fitted.logits(known)]), heat)
    scores = np.stack(list(told.values()), axis=1)  # (texts, scores)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced"))
    model.fit(scores[len(asked) :], is_outside)
    found = {name: values[: len(asked)] for name, values in told.items()}
    return found | {"learnt sum": model.decision_function(scores[: len(asked)])}


def _strangeness(fitted: _FittedArm, task: Task, asked: list[str], logits: Logits, heat: float) -> dict[str, Floats]:
    train = [e.text for e in task.train]
    learnt, seen = fitted.features(train), fitted.features(asked)
    shifted = logits - logits.max(1, keepdims=True)
    return {
        "1 - highest probability": 1 - softmax(logits, heat).max(1),
        "energy": -np.log(np.exp(shifted).sum(1)) - logits.max(1),
        "10th neighbour": distances(unit(seen), unit(learnt)),
        # Tuning pulls every text towards some label; what the untouched encoder saw of it is told beside.
        "10th neighbour, frozen": distances(unit(fitted.frozen(asked)), unit(fitted.frozen(train))),
        "Mahalanobis": _mahalanobis(seen, learnt, task.numbers(task.train)),
    }


def _mahalanobis(seen: Features, learnt: Features, numbers: Ints) -> Floats:
    """Squared distance to the nearest label's mean under one covariance for all labels (Lee et al. 2018): (texts,)."""
    present, which = np.unique(numbers, return_inverse=True)
    means = np.stack([learnt[numbers == n].mean(0) for n in present])
    within = learnt - means[which]
    narrowed = np.linalg.cholesky(LedoitWolf(assume_centered=True).fit(within).precision_)
    return np.asarray(cdist(seen @ narrowed, means @ narrowed, "sqeuclidean").min(1), dtype=np.float32)


def _frozen(base: Base) -> Callable[[list[str]], Features]:
    """Features of the untouched encoder, once a text."""
    return cache_by_text(lambda texts: features_under(base, base.network, texts, half=True))


class _Cheap:
    """A cheap method on the frozen encoder."""

    def __init__(self, base: Base, arm: str, task: Task) -> None:
        self.frozen = _frozen(base)
        texts, numbers = [e.text for e in task.train], task.numbers(task.train)
        chosen_by = ([e.text for e in task.validation], task.numbers(task.validation)) if task.validation else None
        self._model = Cheap(arm, lambda some: unit(self.features(some)), texts, numbers, len(task.labels), chosen_by)
        self.trainable_parameters = self._model.parameters

    def logits(self, texts: list[str]) -> Logits:
        return self._model.logits(texts)

    def features(self, texts: list[str]) -> Features:
        return self.frozen(texts)


class _PooledFeatures:
    """A linear model of frozen embeddings, n-grams and topics, that also learns from texts without labels."""

    def __init__(self, base: Base, task: Task) -> None:
        self.frozen = _frozen(base)
        texts, pool = [e.text for e in task.train], list(task.unlabelled)
        self._rarity, self._topics = ngram_head.rarity([*texts, *pool]), Topics([*texts, *pool])
        self._model = SelfTrained(self._inputs, texts, task.numbers(task.train), len(task.labels), pool)
        self.trainable_parameters = self._model.parameters

    def _inputs(self, texts: list[str]) -> csr_matrix:
        return hstack([ngram_head.inputs(texts, self.frozen(texts), self._rarity), self._topics(texts)]).tocsr()

    def logits(self, texts: list[str]) -> Logits:
        return self._model.logits(texts)

    def features(self, texts: list[str]) -> Features:
        return self.frozen(texts)


class _Trained:
    """A tuned encoder with its head, with a linear head on tuned and frozen features, or mixed with the joined head."""

    def __init__(self, base: Base, arm: str, task: Task) -> None:
        self._base, self._arm = base, arm
        self._trainer = Trainer(base, {_FIELD: task.labels}, _rows(task.train), (), recipe(arm, task))
        self._trainer.fit(lambda what, done: None)
        self.frozen = _frozen(base)
        self._tuned = cache_by_text(lambda texts: self._trainer.features(texts, half=True))
        self._head: ngram_head.Joined | SelfTrained | None = None
        texts, pool = [e.text for e in task.train], list(task.unlabelled)
        if arm in (CONTRASTIVE, TUNED_POOLED):
            self._head = SelfTrained(self._both, texts, task.numbers(task.train), len(task.labels), pool)
        elif arm == MIXED:
            learnt = Known(texts, self.frozen(texts), {_FIELD: task.numbers(task.train)}, {})
            self._head = ngram_head.fit(learnt, {_FIELD: len(task.labels)}, self._known(task))
        self.trainable_parameters = self._trainer.trainable_parameters

    def features(self, texts: list[str]) -> Features:
        return self._tuned(texts)

    def logits(self, texts: list[str]) -> Logits:
        match self._head:
            case None:
                return self._own(texts)[_FIELD]
            case SelfTrained():
                return self._head.logits(texts)
            case _:
                return self._head.logits(texts, self.frozen(texts), self._own(texts))[_FIELD]

    def _own(self, texts: list[str]) -> dict[str, Logits]:
        return self._trainer.logits(texts, self._tuned(texts))

    def _known(self, task: Task) -> Known | None:
        if not task.validation:
            return None
        texts = [e.text for e in task.validation]
        numbers = {_FIELD: task.numbers(task.validation)}
        return Known(texts, self.frozen(texts), numbers, self._own(texts))

    def _both(self, texts: list[str]) -> Features:
        return np.concatenate([unit(self.features(texts)), unit(self.frozen(texts))], axis=1)


def recipe(arm: str, task: Task) -> Recipe:
    """The settings of a trained arm: more epochs where there are fewer rows."""
    epochs = task.epochs or (6 if len(task.train) > 5000 else 8 if not task.few else 10)
    common = Recipe(epochs=epochs, patience=epochs, batch=32, head_learning_rate=1e-2, dropout=0.0, seed=task.seed)
    if arm == FULL:
        return replace(common, method="full", learning_rate=1e-4, head_learning_rate=2e-3)
    if arm in (CONTRASTIVE, TUNED_POOLED):
        return replace(common, contrast=1.0, head_learning_rate=2e-3)
    return common


def _rows(examples: Sequence[Example]) -> list[Row]:
    return [Row(str(i), e.text, str(i), {_FIELD: str(e.label)}, {}) for i, e in enumerate(examples)]
