"""Linear heads: logits = features @ weight.T + bias."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from adapters.base import Features
from adapters.data.rows import Ints

_NEVER = -30.0  # bias of a label that no row has


class Heads:
    """Linear heads on pooled features, a field each.

    Args:
        weights: a field each `weight` (labels, dimensions) and `bias` (labels,).
    """

    def __init__(self, weights: dict[str, Features]) -> None:
        self._weights = weights

    def logits(self, field: str, features: Any) -> Features:
        """(tickets, dimensions), dense or sparse, to (tickets, labels)."""
        logits = features @ self._weights[f"{field}.weight"].T + self._weights[f"{field}.bias"]
        return np.asarray(logits, dtype=np.float32)


def fit_head(features: Any, numbers: Ints, labels: int, strength: float) -> tuple[Features, Features]:
    """Logistic regression as weight (labels, dimensions) and bias (labels,).

    Args:
        features: (rows, dimensions), dense or sparse.
        numbers: (rows,) label numbers.
        labels: how many labels there are; one that no row has is never given.
        strength: of regularisation, inverse.
    """
    fitted = LogisticRegression(C=strength, max_iter=2000)
    fitted.fit(features, numbers)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row for two classes: the log-odds of the second
        weight, bias = np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    found = np.zeros((labels, features.shape[1]), np.float32), np.full(labels, _NEVER, np.float32)
    found[0][fitted.classes_], found[1][fitted.classes_] = weight, bias
    return found
