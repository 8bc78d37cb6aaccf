"""The cheap methods that an adapter must beat, fitted on the same tickets; C is chosen on a split of train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from adapters.base import Features
from adapters.data.rows import Ints
from adapters.metrics import Floats

Embed = Callable[[list[str]], Features]  # texts to unit vectors of the frozen encoder: (texts, dimensions)
_STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # of regularisation, inverse
_NEIGHBOURS = (5, 10, 20, 40)

MAJORITY = "majority"
WORDS = "TF-IDF + logistic regression"
NEAREST = "kNN, frozen encoder"
PROBE = "linear probe, frozen encoder"
JOINED = "both joined + logistic regression"
METHODS = (MAJORITY, WORDS, NEAREST, PROBE, JOINED)


class _Probabilistic(Protocol):
    def predict_proba(self, inputs: Any) -> Any: ...


class Cheap:
    """A cheap method, fitted.

    Args:
        method: one of `METHODS`.
        embed: the frozen encoder.
        texts: to learn from.
        targets: (texts,) label numbers.
        labels: how many labels there are; one that no text has gets probability 0.
        validation: texts and label numbers by which the setting is chosen; None: the middle one.
    """

    def __init__(
        self,
        method: str,
        embed: Embed,
        texts: list[str],
        targets: Ints,
        labels: int,
        validation: tuple[list[str], Ints] | None = None,
    ) -> None:
        self._method, self._embed, self._labels = method, embed, labels
        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2 if len(texts) > 2000 else 1)
        if method in (WORDS, JOINED):
            self._words.fit(texts)
        inputs = self._inputs(texts)
        self._model, self._classes = self._chosen(inputs, targets, validation)

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""
        return int(getattr(self._model, "coef_", np.zeros(0)).size)

    def probabilities(self, texts: list[str]) -> Floats:
        """Of every label: (texts, labels)."""
        found = np.zeros((len(texts), self._labels), dtype=np.float32)
        found[:, self._classes] = self._model.predict_proba(self._inputs(texts))
        return found

    def logits(self, texts: list[str]) -> Floats:
        """Log-probabilities of every label: (texts, labels)."""
        return np.asarray(np.log(np.maximum(self.probabilities(texts), 1e-9)), dtype=np.float32)

    def _chosen(
        self, inputs: Any, targets: Ints, validation: tuple[list[str], Ints] | None
    ) -> tuple[_Probabilistic, Ints]:
        settings = self._settings()
        if validation is None or len(settings) == 1:
            return _fitted(settings[len(settings) // 2], inputs, targets)
        choose, wanted = self._inputs(validation[0]), validation[1]
        fitted = [_fitted(setting, inputs, targets) for setting in settings]
        right = [float((classes[m.predict_proba(choose).argmax(1)] == wanted).mean()) for m, classes in fitted]
        return fitted[int(np.argmax(right))]

    def _settings(self) -> Sequence[Any]:
        if self._method == MAJORITY:
            return (DummyClassifier(strategy="prior"),)
        if self._method == NEAREST:
            return tuple(KNeighborsClassifier(k, weights="distance", metric="cosine") for k in _NEIGHBOURS)
        return tuple(LogisticRegression(C=c, max_iter=3000) for c in _STRENGTHS)

    def _inputs(self, texts: list[str]) -> Any:
        if self._method == WORDS:
            return self._words.transform(texts)
        if self._method == JOINED:
            return hstack([self._words.transform(texts), csr_matrix(self._embed(texts))]).tocsr()
        return self._embed(texts)


def _fitted(model: Any, inputs: Any, targets: Ints) -> tuple[_Probabilistic, Ints]:
    if isinstance(model, KNeighborsClassifier):
        model.n_neighbors = min(model.n_neighbors, len(targets))
    fitted = model.fit(inputs, targets)
    return fitted, np.asarray(fitted.classes_)
