"""Calibration: what a score means, and from where on nobody should rely on it. Fitted on rows kept for it alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from adapters.data.rows import Ints
from adapters.model import Logits, softmax

NEVER = 1.001  # a threshold above every confidence: the field always abstains
_NEIGHBOURS = 10


def temperature(logits: Logits, targets: Ints) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017), between 0.2 and 5."""

    def loss(temperature: float) -> float:
        chosen = softmax(logits, temperature)[np.arange(len(targets)), targets]
        return float(-np.log(np.maximum(chosen, 1e-9)).mean())

    return round(float(minimize_scalar(loss, bounds=(0.2, 5.0), method="bounded").x), 4)


def threshold(scores: Logits, targets: Ints, risk: float) -> float:
    """The lowest confidence from which on at most a share `risk` of the accepted labels is wrong.

    Split-conformal in form: one wrong label more than was seen is reckoned with, (wrong + 1) / (accepted + 1) <= risk
    (Vovk et al. 2005; for selection: Jin and Candès 2023), so that few calibration rows make it careful.

    Args:
        scores: calibrated probabilities, (rows, labels).
        targets: (rows,) right label numbers.
        risk: share of wrong labels that is accepted, 0..1.

    Returns:
        a confidence 0..1, or `NEVER` where no confidence is high enough.
    """
    confidence = np.round(scores.max(1).astype(np.float64), 3)
    wrong = scores.argmax(1) != targets
    found = NEVER
    for candidate in np.unique(confidence)[::-1]:
        accepted = confidence >= candidate
        if (wrong[accepted].sum() + 1) / (accepted.sum() + 1) <= risk:
            found = float(candidate)
    return round(found, 3)


def distances(features: npt.NDArray[np.float32], bank: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far texts are from everything that was learnt: cosine distance to the tenth nearest row of the bank, 0..2.

    Sun et al. 2022; chosen by measurement over energy, Mahalanobis and highest probability, see docs/labels.md.

    Args:
        features: unit vectors, (texts, dimensions).
        bank: unit vectors of the training rows, (rows, dimensions).
    """
    nearest = min(_NEIGHBOURS, len(bank))
    similar = np.partition(features @ bank.T, -nearest, axis=1)[:, -nearest]
    return np.asarray(1 - similar, dtype=np.float32)


def scope(inside: npt.NDArray[np.float32], refused: float) -> float:
    """The distance beyond which a text is out of scope: a share `refused` of texts in scope lies beyond it, conformal.

    Args:
        inside: distances of calibration rows, (rows,).
        refused: share of tickets in scope that may be taken for out of scope, 0..1.
    """
    rank = int(np.ceil((len(inside) + 1) * (1 - refused)))
    return float("inf") if rank > len(inside) else float(np.ceil(np.sort(inside)[rank - 1] * 1e4) / 1e4)


def idle(thresholds: dict[str, float], labels: dict[str, int]) -> dict[str, str]:
    """Fields whose threshold can never divide anything, and why: reported when an adapter is loaded."""
    found = {}
    for field, value in thresholds.items():
        if value >= NEVER:
            found[field] = "always abstains: no confidence was right often enough on the calibration rows"
        elif value <= 1 / labels[field]:
            found[field] = "never abstains: its threshold lies below the least confidence that there can be"
    return found
