"""Calibration: what a score means, and from where on nobody should rely on it. Fitted on rows kept for it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from adapters.base import Features
from adapters.data.rows import Ints
from adapters.model import Logits, softmax

NEVER = 1.001  # a threshold above every confidence: the field always abstains
_NEIGHBOURS = 10
_DOUBT = 0.2  # chance that the stated risk does not hold


def temperature(logits: Logits, targets: Ints) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017), between 0.2 and 5."""

    def loss(temperature: float) -> float:
        chosen = softmax(logits, temperature)[np.arange(len(targets)), targets]
        return float(-np.log(np.maximum(chosen, 1e-9)).mean())

    return round(float(minimize_scalar(loss, bounds=(0.2, 5.0), method="bounded").x), 4)


def threshold(scores: Logits, targets: Ints, risk: float) -> float:
    """The lowest confidence from which on labels are wrong at most a share `risk` of the times.

    The bound is the exact one of the binomial (Clopper and Pearson 1934) on the accepted calibration rows, as in
    selection with guaranteed risk (Geifman and El-Yaniv 2017), said with 80 % confidence: of simulated adapters with
    232 calibration rows, a one-sided 95 % test on 272 fresh ones then refutes the promise in 3 to 4 %. Split-conformal
    counting, (wrong + 1) / (accepted + 1) <= risk, is refuted in 8 to 9 %; 95 % confidence in 1 %, and it would abstain
    two or three times as often (`tests/test_labels.py` repeats the simulation).

    Args:
        scores: calibrated probabilities, (rows, labels).
        targets: (rows,) right label numbers.
        risk: share of wrong labels that is accepted, 0..1.

    Returns:
        a confidence 0..1, or `NEVER` where no confidence is high enough.
    """
    confidence = np.round(scores.max(1).astype(np.float64), 3)
    wrong = scores.argmax(1) != targets
    for candidate in np.unique(confidence):
        accepted = confidence >= candidate
        if binom.cdf(int(wrong[accepted].sum()), int(accepted.sum()), risk) <= _DOUBT:
            return round(float(candidate), 3)
    return NEVER


def distances(features: npt.NDArray[np.float32], bank: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far texts are from everything that was learnt: cosine distance to the tenth nearest row of the bank, 0..2.

    Sun et al. 2022. `formfact bench classify` tells its AUROC beside those of energy and highest probability.

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


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the outputs of an adapter are read; see `adapters.model.Manifest`."""

    temperatures: dict[str, float]
    thresholds: dict[str, float]
    scope: float


def calibration(
    logits: dict[str, Logits], targets: dict[str, Ints], far: Features, risks: Mapping[str, float], refused: float
) -> Calibration:
    """Everything that is set on rows from which the model that judged them has not learnt.

    Args:
        logits: field -> (rows, labels).
        targets: field -> (rows,) right label numbers.
        far: distances to the adapter's own bank, of those rows that it has not learnt from.
        risks: field -> see `threshold`.
        refused: see `scope`.
    """
    heat = {name: temperature(found, targets[name]) for name, found in logits.items()}
    scores = {name: softmax(found, heat[name]) for name, found in logits.items()}
    return Calibration(
        heat,
        {name: threshold(found, targets[name], risks[name]) for name, found in scores.items()},
        scope(far, refused),
    )
