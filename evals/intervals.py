"""Intervals by bootstrap over cases, bias-corrected and accelerated (Efron 1987), seeded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import DegenerateDataWarning, bootstrap, rankdata

Floats = npt.NDArray[np.float64]

_RESAMPLES = 2000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def of_mean(values: Sequence[float]) -> Interval:
    """The mean of a figure over cases; values that are all alike give an interval without width."""
    return _interval((np.asarray(values, dtype=np.float64),), np.mean, vectorized=True)


def of_difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The mean of paired differences: the same cases in the same order."""
    return of_mean([a - b for a, b in zip(ours, theirs, strict=True)])


def of_auroc(positive: Sequence[bool], scores: Sequence[float]) -> Interval:
    """The area under the ROC curve: how often a positive case has the higher score, ties counted half; 0..1.

    Positive and other cases are drawn apart, so that no draw is without either.
    """
    wanted, told = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    return _interval((told[wanted], told[~wanted]), _area)


def of_pairs(ours: Sequence[float], theirs: Sequence[float], statistic: Callable[[Floats, Floats], float]) -> Interval:
    """A statistic of pairs, such as a correlation; pairs are drawn together."""
    return _interval((np.asarray(ours, np.float64), np.asarray(theirs, np.float64)), statistic, paired=True)


def auroc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """The area alone, from the rank sum (Mann & Whitney 1947); nan where all cases are of one kind."""
    wanted, told = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    return _area(told[wanted], told[~wanted])


def _area(ones: Floats, others: Floats) -> float:
    if not len(ones) or not len(others):
        return float("nan")
    ranks = rankdata(np.concatenate([ones, others]))[: len(ones)]
    return float((ranks.sum() - len(ones) * (len(ones) + 1) / 2) / (len(ones) * len(others)))


def _interval(
    data: tuple[Floats, ...], statistic: Callable[..., Any], vectorized: bool = False, paired: bool = False
) -> Interval:
    value = float(statistic(*data))
    if any(len(values) < 2 for values in data) or all(np.ptp(values) == 0 for values in data):
        return Interval(value, value, value)
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)  # no draw differs: told as an interval without width
        found = bootstrap(
            data,
            statistic,
            n_resamples=_RESAMPLES,
            confidence_level=_LEVEL,
            vectorized=vectorized,
            paired=paired,
            rng=np.random.default_rng(0),
        ).confidence_interval
    low, high = (value if np.isnan(bound) else float(bound) for bound in found)
    return Interval(value, low, high)
