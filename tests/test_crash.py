"""Killed at any instant, nothing acknowledged is lost and nothing is half there; and what grows, shrinks again."""

from __future__ import annotations

from tests.kill import kill_rounds
from tests.soak import soak


def test_ten_kills_lose_nothing(tmp_path):
    figures = kill_rounds(tmp_path, 10, seed=7)
    assert figures["acknowledged versions standing"] > 0, "the process was killed before it did anything"


def test_publishing_and_retracting_leaves_the_index_as_it_was(tmp_path):
    figures = soak(tmp_path, 60, purge=False)
    _, late, fresh = figures["dense index MB after a tenth, at the end, rebuilt"]
    assert figures["verify"] == "clean"
    assert late <= 2 * fresh


def test_publishing_and_purging_leaves_nothing(tmp_path):
    figures = soak(tmp_path, 30, purge=True)
    _, late, fresh = figures["dense index MB after a tenth, at the end, rebuilt"]
    assert figures["verify"] == "clean"
    assert late <= 2 * fresh
