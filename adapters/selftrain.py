"""Learning from unlabelled texts too: a linear model learns again and again from those that it is surest of.

Self-training (Yarowsky 1995; Lee 2013), surest first, the same share of every label that was given, so that easy labels
do not crowd out hard ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse, vstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from adapters.base import Features, unit
from adapters.data.rows import Ints
from adapters.metrics import Floats

Inputs = Callable[[list[str]], Any]  # texts to what a linear model reads, dense or sparse: (texts, dimensions)

_SHARES = (0.6, 0.7, 0.8, 0.85, 0.9)  # of the unlabelled texts that are believed, a round each
_LABELLED = 3.0  # the weight of a row that a person labelled; others weigh what the model believes them
_STRENGTH = 30.0  # of regularisation, inverse
_TOPICS = 300


class SelfTrained:
    """A linear model of labelled and unlabelled texts.

    Args:
        inputs: what it reads of texts.
        texts: to learn from.
        targets: (texts,) label numbers.
        labels: how many labels there are; one that no text has gets probability 0.
        pool: texts without labels.
    """

    def __init__(self, inputs: Inputs, texts: list[str], targets: Ints, labels: int, pool: list[str]) -> None:
        self._inputs, self._labels = inputs, labels
        known: Any = inputs(texts)
        unknown: Any = inputs(pool) if pool else None
        self._model = LogisticRegression(C=_STRENGTH, max_iter=1000).fit(known, targets)
        weights = np.full(len(texts), _LABELLED)
        for share in _SHARES if pool else ():
            believed = self._model.predict_proba(unknown)
            taken = surest(believed, share)
            self._model = LogisticRegression(C=_STRENGTH, max_iter=1000).fit(
                _stacked(known, unknown[taken]),
                np.concatenate([targets, self._model.classes_[believed[taken].argmax(1)]]),
                sample_weight=np.concatenate([weights, believed[taken].max(1)]),
            )

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""
        return int(self._model.coef_.size)

    def logits(self, texts: list[str]) -> Floats:
        """Log-probabilities of every label: (texts, labels)."""
        found = np.full((len(texts), self._labels), 1e-9, dtype=np.float32)
        found[:, self._model.classes_] = self._model.predict_proba(self._inputs(texts))
        return np.asarray(np.log(np.maximum(found, 1e-9)), dtype=np.float32)


class Topics:
    """Latent semantic analysis (Deerwester et al. 1990): words that keep company in a team's own texts come together.

    Args:
        texts: to learn from, labelled or not.
    """

    def __init__(self, texts: list[str]) -> None:
        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=3, max_features=100_000)
        read = self._words.fit_transform(texts)
        self._turned = TruncatedSVD(min(_TOPICS, min(read.shape) - 1), random_state=0).fit(read)

    def __call__(self, texts: list[str]) -> Features:
        """Unit vectors: (texts, at most 300)."""
        return unit(np.asarray(self._turned.transform(self._words.transform(texts)), dtype=np.float32))


def surest(probabilities: Floats, share: float) -> Ints:
    """Rows with the highest probability of their label, so large a share of each label's rows; at least one of each.

    Args:
        probabilities: (texts, labels).
        share: 0..1.
    """
    label, sure = probabilities.argmax(1), probabilities.max(1)
    taken = []
    for one in np.unique(label):
        rows = np.flatnonzero(label == one)
        taken.append(rows[np.argsort(-sure[rows], kind="stable")[: max(1, int(share * len(rows)))]])
    return np.concatenate(taken)


def _stacked(one: Any, other: Any) -> Any:
    return vstack([csr_matrix(one), other]).tocsr() if issparse(other) else np.concatenate([one, other])
