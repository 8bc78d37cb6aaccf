"""The joined head: linear, on frozen embeddings beside the words themselves; and its mixture with the tuned head.

A small encoder blurs product names, error codes and set phrases that decide a queue; n-grams keep them. Alone this is
the strongest cheap method; mixed with a tuned head it corrects what tuning on few tickets forgets. N-grams are hashed
(Weinberger et al. 2009), so that an adapter holds no word of the tickets that it learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from adapters.base import Features, unit
from adapters.data.rows import Ints

Logits = Features
Tensors = dict[str, Features]

_WORD_BUCKETS, _LETTER_BUCKETS = 2**13, 2**14
_STRENGTHS = (10.0, 3.0, 30.0)  # of regularisation, inverse; the first where there is nothing to choose by
_WEIGHTS = (0.5, 0.3, 0.7, 0.0, 1.0)  # of the joined head in the mixture, likewise
_WORDS = HashingVectorizer(n_features=_WORD_BUCKETS, ngram_range=(1, 2), alternate_sign=False, norm=None)
_LETTERS = HashingVectorizer(
    n_features=_LETTER_BUCKETS, analyzer="char_wb", ngram_range=(2, 5), alternate_sign=False, norm=None
)


@dataclass(frozen=True, slots=True)
class Known:
    """Rows with everything that heads read of them, and their label numbers by field."""

    texts: list[str]
    frozen: Features  # of the untouched base, (texts, dimensions)
    targets: Mapping[str, Ints]
    tuned: Mapping[str, Logits]  # of the tuned heads, field -> (texts, labels); empty where nothing was tuned or asked


class Joined:
    """Linear heads on frozen embeddings and hashed n-grams, a field each.

    Args:
        tensors: `rarity` (buckets,), `mix` (1,), and a field each `weight` (labels, dimensions + buckets), `bias`.
    """

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors

    def logits(self, texts: list[str], frozen: Features, tuned: Mapping[str, Logits]) -> dict[str, Logits]:
        """Field -> (texts, labels): this head's logits, or where a tuned one speaks too, log-probabilities of both."""
        read = _inputs(texts, frozen, self.tensors["rarity"])
        mix = float(self.tensors["mix"][0])
        found = {}
        for name in (key.removesuffix(".weight") for key in self.tensors if key.endswith(".weight")):
            own = _scores(read, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])
            found[name] = mixture(tuned[name], own, mix) if tuned else own
        return found


def fit(learnt: Known, labels: Mapping[str, int], validation: Known | None) -> Joined:
    """Fit the heads of all fields; strength and mixture are those with the least mean loss on the validation rows.

    Args:
        learnt: rows to learn from.
        labels: field -> how many labels there are.
        validation: rows to choose by; None: middle strength, even mixture.
    """
    rarity = _rarity(learnt.texts)
    read = _inputs(learnt.texts, learnt.frozen, rarity)
    candidates = []
    for strength in _STRENGTHS if validation else _STRENGTHS[:1]:
        heads = {name: _head(read, numbers, labels[name], strength) for name, numbers in learnt.targets.items()}
        tensors = {f"{name}.weight": head[0] for name, head in heads.items()}
        tensors |= {f"{name}.bias": head[1] for name, head in heads.items()} | {"rarity": rarity}
        candidates += [Joined({**tensors, "mix": np.array([weight], np.float32)}) for weight in _weights(validation)]
    if validation is None:
        return candidates[0]
    return min(candidates, key=lambda joined: _loss(joined, validation))


def _weights(validation: Known | None) -> tuple[float, ...]:
    if validation is None:
        return _WEIGHTS[:1]
    return _WEIGHTS if validation.tuned else (1.0,)


def inputs(texts: list[str], frozen: Features) -> csr_matrix:
    """What the joined head reads of texts, rarity counted over the same texts: (texts, dimensions + buckets)."""
    return _inputs(texts, frozen, _rarity(texts))


def mixture(tuned: Logits, joined: Logits, weight: float) -> Logits:
    """Weighted geometric mean of two softmaxes, unnormalised: (texts, labels)."""
    return np.asarray((1 - weight) * _log_softmax(tuned) + weight * _log_softmax(joined), dtype=np.float32)


def _rarity(texts: list[str]) -> Features:
    seen = np.asarray((_counted(texts) > 0).sum(0)).ravel()
    return np.asarray(np.log((1 + len(texts)) / (1 + seen)) + 1, dtype=np.float32)


def _inputs(texts: list[str], frozen: Features, rarity: Features) -> csr_matrix:
    """Three parts of length one each, embedding, words and letters: (texts, dimensions + buckets)."""
    counts = _counted(texts).multiply(rarity[None, :]).tocsr()
    halves = [counts[:, :_WORD_BUCKETS], counts[:, _WORD_BUCKETS:]]
    scaled = [half.multiply(1 / np.maximum(_norms(half), 1e-9)[:, None]) for half in halves]
    return hstack([csr_matrix(unit(frozen)), *scaled]).tocsr().astype(np.float32)


def _counted(texts: list[str]) -> csr_matrix:
    """Damped counts of hashed n-grams of words and letters: (texts, buckets)."""
    found = hstack([_WORDS.transform(texts), _LETTERS.transform(texts)]).tocsr()
    found.data = 1 + np.log(found.data)
    return found


def _norms(rows: csr_matrix) -> Features:
    return np.asarray(np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel()), dtype=np.float32)


def _head(read: csr_matrix, numbers: Ints, labels: int, strength: float) -> tuple[Features, Features]:
    fitted = LogisticRegression(C=strength, max_iter=1000).fit(read, numbers)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row for two classes: the log-odds of the second
        weight, bias = np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    own = np.zeros((labels, read.shape[1]), np.float32), np.full(labels, -30.0, np.float32)  # what no row has: never
    own[0][fitted.classes_], own[1][fitted.classes_] = weight, bias
    return own


def _scores(read: csr_matrix, weight: Features, bias: Features) -> Logits:
    return np.asarray(read @ weight.T.astype(np.float32) + bias, dtype=np.float32)


def _loss(joined: Joined, rows: Known) -> float:
    logits = joined.logits(rows.texts, rows.frozen, rows.tuned)
    each = [-_log_softmax(logits[f])[np.arange(len(y)), y].mean() for f, y in rows.targets.items()]
    return float(np.mean(each))


def _log_softmax(logits: Logits) -> Logits:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float32)
