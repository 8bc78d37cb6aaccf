"""The cheap methods that an adapter must beat, fitted on the same tickets; C is chosen on the validation split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from adapters.dataset import Row, Split
from adapters.encoder import Encoder
from adapters.metrics import Floats, Ints

_STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # of regularisation, inverse


@dataclass(frozen=True, slots=True)
class Features:
    """Inputs of every row under each method: (rows, dimensions)."""

    words: Any
    frozen: Any
    joined: Any


class Featurizer:
    """Turns tickets into what the cheap methods read: TF-IDF of words and pairs, frozen embeddings, and both."""

    def __init__(self, encoder: Encoder, train: Sequence[Row]) -> None:
        self._encoder = encoder
        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        self._words.fit([row.text for row in train])

    def __call__(self, rows: Sequence[Row]) -> Features:
        texts = [row.text for row in rows]
        words = self._words.transform(texts)
        frozen = csr_matrix(self._encoder.unit(texts))
        return Features(words=words, frozen=frozen, joined=hstack([words, frozen]).tocsr())


# Method -> the part of the features it reads.
METHODS: dict[str, Callable[[Features], Any]] = {
    "majority": lambda f: f.frozen,
    "TF-IDF + logistic regression": lambda f: f.words,
    "linear probe, frozen encoder": lambda f: f.frozen,
    "both joined + logistic regression": lambda f: f.joined,
}


def predict(
    method: str, encoder: Encoder, split: Split, rows: Sequence[Row], targets: Callable[[Sequence[Row]], Ints]
) -> Floats:
    """Probabilities of one field for `rows` under a method: (rows, labels in the order of their numbers).

    The rows that calibrate the adapter are given to the cheap methods as further training rows, since they need no
    calibration split of their own: the comparison is fair in data.
    """
    rows_to_fit = [*split.train, *split.calibration]
    featurize = Featurizer(encoder, rows_to_fit)
    read = METHODS[method]
    train, chosen_by, wanted = featurize(rows_to_fit), featurize(split.validation), featurize(rows)
    if method == "majority":
        model: Any = DummyClassifier(strategy="prior").fit(read(train), targets(rows_to_fit))
    else:
        fitted = [
            LogisticRegression(C=strength, max_iter=3000).fit(read(train), targets(rows_to_fit))
            for strength in _STRENGTHS
        ]
        model = max(fitted, key=lambda m: float(m.score(read(chosen_by), targets(split.validation))))
    return np.asarray(model.predict_proba(read(wanted)), dtype=np.float32)
