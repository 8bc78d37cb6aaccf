"""Is a difference more than chance, and how many cases would show one? Tests on paired cases."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt

from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05


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


def verdict(p: float, low: float, high: float) -> str:
    """A comparison in words: both the test and the interval have to say so."""
    if p < LEVEL and low > 0:
        return "better"
    if p < LEVEL and high < 0:
        return "worse"
    return "no difference shown"
