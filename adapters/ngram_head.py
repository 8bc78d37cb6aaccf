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

from adapters.base import Features, unit
from adapters.data.rows import Ints
from adapters.heads import Heads, fit_head

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
        own = self.own(_inputs(_counted(texts), frozen, self.tensors["rarity"]))
        mix = float(self.tensors["mix"][0])
        return {name: mixture(tuned[name], found, mix) for name, found in own.items()} if tuned else own

    def own(self, read: csr_matrix) -> dict[str, Logits]:
        """Logits of this head alone: field -> (texts, labels)."""
        names = [key.removesuffix(".weight") for key in self.tensors if key.endswith(".weight")]
        return {name: Heads(self.tensors).logits(name, read) for name in names}


def fit(learnt: Known, labels: Mapping[str, int], validation: Known | None) -> Joined:
    """Fit the heads of all fields; strength and mixture are those with the least mean loss on the validation rows.

    Args:
        learnt: rows to learn from.
        labels: field -> how many labels there are.
        validation: rows to choose by; None: middle strength, even mixture.
    """
    counts = _counted(learnt.texts)
    rarity = _rarity(counts)
    read = _inputs(counts, learnt.frozen, rarity)
    if validation is None:
        return Joined({**_heads(read, learnt.targets, labels, _STRENGTHS[0], rarity), "mix": _mix(_WEIGHTS[0])})
    choose = _inputs(_counted(validation.texts), validation.frozen, rarity)
    least, best = np.inf, None
    for strength in _STRENGTHS:
        tensors = _heads(read, learnt.targets, labels, strength, rarity)
        own = Joined(tensors).own(choose)
        for weight in _WEIGHTS if validation.tuned else (1.0,):
            loss = _loss(own, weight, validation)
            if loss < least:
                least, best = loss, Joined({**tensors, "mix": _mix(weight)})
    assert best is not None  # a loss is finite
    return best


def _heads(
    read: csr_matrix, targets: Mapping[str, Ints], labels: Mapping[str, int], strength: float, rarity: Features
) -> Tensors:
    tensors: Tensors = {"rarity": rarity}
    for name, numbers in targets.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = fit_head(read, numbers, labels[name], strength)
    return tensors


def _mix(weight: float) -> Features:
    return np.array([weight], np.float32)


def inputs(texts: list[str], frozen: Features, known: Features | None = None) -> csr_matrix:
    """What the joined head reads of texts: (texts, dimensions + buckets); rarity, unless known, is that among them."""
    counts = _counted(texts)
    return _inputs(counts, frozen, _rarity(counts) if known is None else known)


def rarity(texts: list[str]) -> Features:
    """How rare each n-gram is in texts, 1 or more: (buckets,)."""
    return _rarity(_counted(texts))


def mixture(tuned: Logits, joined: Logits, weight: float) -> Logits:
    """Weighted geometric mean of two softmaxes, unnormalised: (texts, labels)."""
    return np.asarray((1 - weight) * _log_softmax(tuned) + weight * _log_softmax(joined), dtype=np.float32)


def _rarity(counts: csr_matrix) -> Features:
    seen = np.asarray((counts > 0).sum(0)).ravel()
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + seen)) + 1, dtype=np.float32)


def _inputs(counts: csr_matrix, frozen: Features, rarity: Features) -> csr_matrix:
    """Three parts of length one each, embedding, words and letters: (texts, dimensions + buckets)."""
    rare = counts.multiply(rarity[None, :]).tocsr()
    halves = [rare[:, :_WORD_BUCKETS], rare[:, _WORD_BUCKETS:]]
    scaled = [half.multiply(1 / np.maximum(_norms(half), 1e-9)[:, None]) for half in halves]
    return hstack([csr_matrix(unit(frozen)), *scaled]).tocsr().astype(np.float32)


def _counted(texts: list[str]) -> csr_matrix:
    """Damped counts of hashed n-grams of words and letters: (texts, buckets)."""
    found = hstack([_WORDS.transform(texts), _LETTERS.transform(texts)]).tocsr()
    found.data = 1 + np.log(found.data)
    return found


def _norms(rows: csr_matrix) -> Features:
    return np.asarray(np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel()), dtype=np.float32)


def _loss(own: Mapping[str, Logits], weight: float, rows: Known) -> float:
    mixed = {name: mixture(rows.tuned[name], own[name], weight) if rows.tuned else own[name] for name in own}
    each = [-_log_softmax(mixed[f])[np.arange(len(y)), y].mean() for f, y in rows.targets.items()]
    return float(np.mean(each))


def _log_softmax(logits: Logits) -> Logits:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float32)
