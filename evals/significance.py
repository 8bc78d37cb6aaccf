"""Is a difference more than chance, and how many cases would show one? Tests on paired cases."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt

import numpy as np
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05
MARGIN = 0.05  # a difference in shares that nobody would act on
BETTER, WORSE, EQUAL, UNDECIDED = "better", "worse", "equal", "undecided"


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """p-values of several comparisons, adjusted so that all together err at most at the level of one (Holm 1979)."""
    if not ps:
        return {}
    return dict(zip(ps, map(float, multipletests(list(ps.values()), method="holm")[1]), strict=True))


def cases_needed(lift: float, discordant: float, power: float = 0.8) -> int:
    """How many paired cases show a difference in shares, by McNemar's test at 5 %, two-sided (Connor 1987).

    Args:
        lift: the difference to be shown, 0..1 and above 0.
        discordant: the share of cases that one side alone gets right, at least `lift`.
        power: the chance to see it.
    """
    apart = max(discordant, lift)
    level, sure = float(norm.ppf(1 - LEVEL / 2)), float(norm.ppf(power))
    return ceil(((level * sqrt(apart) + sure * sqrt(apart - lift**2)) / lift) ** 2)


def detectable(cases: int, discordant: float) -> float:
    """The smallest difference in shares, 0..1, that so many paired cases show four times in five; see `cases_needed`.

    1.0 where they show none.
    """
    for lift in np.arange(0.01, 1.0, 0.01):
        if cases_needed(float(lift), discordant) <= cases:
            return float(lift)
    return 1.0


def verdict(p: float, low: float, high: float) -> str:
    """A comparison in one word: both the test and the interval have to say better or worse.

    "equal": the whole interval lies within five points of none, a stricter bound than two one-sided tests
    (Schuirmann 1987). "undecided": anything may be true, a tie included.
    """
    if p < LEVEL and low > 0:
        return BETTER
    if p < LEVEL and high < 0:
        return WORSE
    return EQUAL if low > -MARGIN and high < MARGIN else UNDECIDED
