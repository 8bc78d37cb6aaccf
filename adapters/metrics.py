"""Measures of a classifier, each with its range and source. What scikit-learn has is taken from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracy and macro-F1, 0..1, higher is better; expected calibration error, 0..1, lower is better, or None."""

    accuracy: float
    macro_f1: float
    calibration_error: float | None


def scores(predicted: Ints, targets: Ints, probabilities: Floats | None = None) -> Scores:
    """The three figures of a field.

    Args:
        predicted: (tickets,) label numbers.
        targets: (tickets,) right label numbers.
        probabilities: (tickets, labels), or None where the method gives none.
    """
    error = None if probabilities is None else calibration_error(probabilities, targets)
    return Scores(
        accuracy=float(accuracy_score(targets, predicted)),
        macro_f1=float(f1_score(targets, predicted, average="macro", zero_division=0)),
        calibration_error=error,
    )


def calibration_error(probabilities: Floats, targets: Ints, bins: int = 15) -> float:
    """Expected calibration error, 0..1: mean gap of confidence and accuracy over equal-width bins (Guo et al. 2017)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(confidence[number == b].mean() - right[number == b].mean())) * float((number == b).mean())
        for b in np.unique(number)
    ]
    return float(sum(gaps))


def mcnemar(a_right: npt.NDArray[np.bool_], b_right: npt.NDArray[np.bool_]) -> float:
    """Two-sided exact p-value, 0..1, that two methods are right equally often on the same tickets (McNemar 1947)."""
    only_a, only_b = int((a_right & ~b_right).sum()), int((~a_right & b_right).sum())
    return 1.0 if only_a + only_b == 0 else float(binomtest(only_a, only_a + only_b, 0.5).pvalue)


def coverage_at_risk(probabilities: Floats, targets: Ints, risk: float) -> float:
    """The largest share of tickets, most confident first, among which at most `risk` are wrong; 0..1."""
    order = np.argsort(-probabilities.max(1), kind="stable")
    wrong = (probabilities.argmax(1) != targets)[order]
    rates = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    within = np.flatnonzero(rates <= risk)
    return float((within[-1] + 1) / len(wrong)) if len(within) else 0.0
