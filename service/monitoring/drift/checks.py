"""The tests behind drift: pure functions of two samples. They know nothing of requests, settings or words.

Each gives a statistic, which says how large a shift is, and a p-value, which says how easily chance alone makes one as
large. An alarm wants both: with many requests no trifle is chance any more, with few of them chance alone is large.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.stats import chi2, fisher_exact, ks_2samp
from statsmodels.stats.multitest import multipletests

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

_FEWEST_EXPECTED = 5.0  # of a value in the smaller sample; rarer ones are counted together (Cochran 1954)
_HALF = 0.5  # added to each count, so that no logarithm is of nothing (Haldane 1956, Anscombe 1956)
_AT_ONCE = 2_000  # permutations a pass: 2,000 x 600 requests take 5 MB
_PLENTY = 20  # permutations that reached what was found: the p-value is known well enough, and far from any alarm
RARE = "(rare)"


@dataclass(frozen=True, slots=True)
class Found:
    """How large a shift is, in the unit that its test states, and the p-value, 0..1."""

    statistic: float
    p: float


def population_stability(reference: Sequence[str], now: Sequence[str]) -> Found:
    """Population stability index of two mixes of values: 0 alike, no upper end; 0.1 small, from 0.2 large.

    The sum over values of (a - b) ln(a / b), with a and b the shares (Lewis 1994). Under no drift PSI nm/(n+m) follows
    a chi-square distribution with one degree of freedom less than there are values (Yurdakul & Naranjo 2020), n and m
    being the sizes. Values that are expected fewer than five times in the smaller sample are counted as one, and half
    a request is added to each count, so that a value which is missing on one side gives a large number, not infinity.
    A single value on both sides gives 0 and p = 1.

    Raises:
        ValueError: a sample is empty.
    """
    _not_empty(reference, now)
    ours, theirs = _counts(reference, now)
    if len(ours) < 2:
        return Found(0.0, 1.0)
    a, b = (ours + _HALF) / (ours + _HALF).sum(), (theirs + _HALF) / (theirs + _HALF).sum()
    index = float(((a - b) * np.log(a / b)).sum())
    n, m = len(reference), len(now)
    return Found(index, float(chi2.sf(index * n * m / (n + m), len(ours) - 1)))


def kolmogorov_smirnov(reference: Floats, now: Floats) -> Found:
    """Largest distance of two distribution functions, 0..1, 0 alike (Smirnov 1939; scipy's two-sample test).

    The p-value is the asymptotic one: it is careful where values are tied, as confidences to two decimals are.

    Raises:
        ValueError: a sample is empty.
    """
    _not_empty(reference, now)
    found = ks_2samp(reference, now, method="asymp")
    return Found(float(found.statistic), float(found.pvalue))


def share_change(before: tuple[int, int], now: tuple[int, int]) -> Found:
    """Share now less share before, -1..1, with Fisher's exact test (Fisher 1922), two-sided.

    Args:
        before: how many of how many.
        now: the same.

    Raises:
        ValueError: a sample is empty, or a part is larger than its whole.
    """
    (hits, of), (hits_now, of_now) = before, now
    if min(of, of_now) < 1 or not (0 <= hits <= of and 0 <= hits_now <= of_now):
        raise ValueError(f"{before} and {now} are no parts of wholes")
    p = fisher_exact([[hits, of - hits], [hits_now, of_now - hits_now]])[1]
    return Found(hits_now / of_now - hits / of, float(p))


def mean_discrepancy(reference: Vectors, now: Vectors, permutations: int, seed: int = 0) -> Found:
    """Squared maximum mean discrepancy of two samples of vectors; about 0 when alike, at most 2.

    The unbiased estimate, and so below 0 by chance (Gretton et al. 2012, lemma 6), with the kernel
    exp(-d²/2s²), s the median distance of all pairs (their section 8). The p-value counts, among seeded permutations of
    who belongs where, those that reach what was found, itself included: its smallest is 1/(permutations + 1). Where
    chance explains it easily, counting ends early (Besag & Clifford 1991): p-values under 0.01 are of the full count.

    Args:
        reference: (n, dimensions), n at least 2.
        now: (m, dimensions), m at least 2.
        permutations: see `enough_permutations`.
        seed: the same seed gives the same p-value.

    Raises:
        ValueError: a sample has fewer than two vectors.
    """
    if min(len(reference), len(now)) < 2:
        raise ValueError("a discrepancy needs two vectors on each side")
    kernel = _kernel(np.concatenate([reference, now]))
    mine = np.zeros(len(kernel), dtype=np.float32)
    mine[: len(reference)] = 1
    found = float(_discrepancies(kernel, mine[None])[0])
    rng, reached, done = np.random.default_rng(seed), 0, 0
    while done < permutations and reached < _PLENTY:
        sides = np.tile(mine, (min(_AT_ONCE, permutations - done), 1))  # (permutations, n + m)
        drawn = _discrepancies(kernel, rng.permuted(sides, axis=1, out=sides))
        reached += int((drawn >= found - 1e-7).sum())  # float32 sums differ in their last digits by order
        done += len(sides)
    return Found(found, (reached + 1) / (done + 1))


def enough_permutations(alpha: float, tests: int) -> int:
    """Permutations after which the smallest p-value, times the number of tests (Holm), is a tenth below `alpha`."""
    return int(np.ceil(tests / (0.9 * alpha)))


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm among them stays under a level (Holm 1979)."""
    return [float(x) for x in multipletests(p, method="holm")[1]] if p else []


def distances_to(reference: Vectors, now: Vectors, neighbour: int = 10) -> Floats:
    """Cosine distance, 0..2, of each unit vector to its tenth nearest in the reference: (now,)."""
    nearest = np.sort(1 - now @ reference.T, axis=1)
    return np.asarray(nearest[:, min(neighbour, len(reference)) - 1], dtype=np.float64)


def _not_empty(reference: Sequence[str] | Floats, now: Sequence[str] | Floats) -> None:
    if not len(reference) or not len(now):
        raise ValueError("a sample is empty")


def _counts(reference: Sequence[str], now: Sequence[str]) -> tuple[Floats, Floats]:
    """Counts of each value on both sides, (values,) each, rare ones together."""
    ours, theirs = Counter(reference), Counter(now)
    share = min(len(reference), len(now)) / (len(reference) + len(now))
    often = {v for v in ours | theirs if (ours[v] + theirs[v]) * share >= _FEWEST_EXPECTED}
    names = sorted(often) + [RARE] * (len(ours | theirs) > len(often))
    sides = [Counter(v if v in often else RARE for v in side) for side in (reference, now)]
    first, second = (np.array([side[v] for v in names], dtype=np.float64) for side in sides)
    return first, second


def _kernel(vectors: Vectors) -> Vectors:
    """RBF kernel of all pairs with nothing on the diagonal: (vectors, vectors)."""
    squared = cdist(vectors, vectors, "sqeuclidean")
    scale = float(np.median(squared[np.triu_indices(len(vectors), 1)]))
    kernel = np.exp(-squared / (2 * scale)) if scale > 0 else np.ones_like(squared)
    np.fill_diagonal(kernel, 0)
    return np.asarray(kernel, dtype=np.float32)


def _discrepancies(kernel: Vectors, sides: Vectors) -> Floats:
    """Unbiased squared discrepancies for assignments, (assignments, vectors) of 1 and 0: (assignments,)."""
    sums = sides @ kernel  # how near each vector is to side 1
    within = np.einsum("ij,ij->i", sums, sides, dtype=np.float64)
    across = sums.sum(1, dtype=np.float64) - within
    other = float(kernel.sum(dtype=np.float64)) - within - 2 * across
    n = float(sides[0].sum())
    m = len(kernel) - n
    return np.asarray(within / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m), dtype=np.float64)
