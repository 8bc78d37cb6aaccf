"""Tests on paired cases, against libraries and by simulation: intervals cover what they say they cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from adapters.metrics import mcnemar
from evals.intervals import of_difference, of_mean
from evals.significance import cases_needed, holm, verdict


def test_holm_is_the_textbook_one():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({}) == {}


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar_is_that_of_statsmodels_and_the_binomial_test(seed):
    draw = np.random.default_rng(seed)
    ours, theirs = draw.random(80) < 0.7, draw.random(80) < 0.6
    table = [[(ours & theirs).sum(), (ours & ~theirs).sum()], [(~ours & theirs).sum(), (~ours & ~theirs).sum()]]
    assert mcnemar(ours, theirs) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
    lost, won = int(table[1][0]), int(table[0][1])
    assert mcnemar(ours, theirs) == pytest.approx(binomtest(won, lost + won).pvalue)


def test_the_cases_needed_show_the_lift_four_times_in_five():
    lift, discordant = 0.1, 0.2
    cases, draw = cases_needed(lift, discordant), np.random.default_rng(0)
    assert cases_needed(0.2, 0.2) < cases < cases_needed(0.05, discordant)
    sides = draw.choice([1, -1, 0], (400, cases), p=[(discordant + lift) / 2, (discordant - lift) / 2, 1 - discordant])
    seen = [mcnemar(row == 1, row == -1) < 0.05 for row in sides]
    assert 0.72 < np.mean(seen) < 0.9  # the exact test is a little less sure than the approximation


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.85, 0.95])
def test_intervals_cover_the_truth_as_often_as_they_say(share):
    """Nominal 95 %; at least 93 % seen over 1,500 draws of 250 cases (a share, and a paired difference of 0.05)."""
    draw, covered, difference = np.random.default_rng(int(100 * share)), 0, 0
    for _ in range(1500):
        ours = (draw.random(250) < share).astype(float)
        found = of_mean(list(ours))
        covered += found.low <= share <= found.high
        shift = draw.choice([1.0, -1.0, 0.0], 250, p=[0.1, 0.05, 0.85])
        found = of_difference(list(shift), [0.0] * 250)
        difference += found.low <= 0.05 <= found.high
    assert covered >= 0.93 * 1500
    assert difference >= 0.93 * 1500


def test_a_verdict_needs_both_the_test_and_the_interval():
    assert verdict(0.01, 0.02, 0.2) == "better"
    assert verdict(0.01, -0.2, -0.02) == "worse"
    assert verdict(0.2, 0.02, 0.2) == verdict(0.01, -0.01, 0.2) == "undecided"
    assert verdict(0.2, -0.04, 0.03) == "equal"
