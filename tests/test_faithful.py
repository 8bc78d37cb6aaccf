"""Nothing visible is lost in reading, nothing hidden is published: generated files of every format, read by the real readers."""

from __future__ import annotations

import pytest

from tests.faithful import EXAMPLES, outcome
from tests.generated_files import FORMATS, generate
from tests.generators.references import chromium, differences, shown
from tests.generators.words import words

FEW, MANY = 6, 25  # files of each format: in the fast suite, and in the slow one
FEW_PDF = 3  # a PDF takes a second
STRICT = ("lost", "hidden")
MOST_WRONG = 0.002  # of the visible words; docs/documents.md gives the figures of 500 files each


def failures(format_name, seeds, kinds):
    """What went wrong: (seed, kind, the first words or facts)."""
    found = []
    for seed in seeds:
        read, _ = outcome(format_name, seed)
        if read.refused and not generate(format_name, seed).may_refuse:
            found.append((seed, "refused", read.refused))
        found += [(seed, kind, what[:EXAMPLES]) for kind, what in read.failures().items() if kind in kinds]
    return found


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_visible_word_is_read_and_no_hidden_one(format_name):
    assert failures(format_name, range(FEW_PDF if format_name == "pdf" else FEW), STRICT) == []


@pytest.mark.slow
@pytest.mark.parametrize("format_name", FORMATS)
def test_of_many_files_hardly_a_word_is_lost_and_nothing_hidden_is_published(format_name):
    files = [outcome(format_name, seed)[0] for seed in range(1000, 1000 + MANY)]
    assert [word for read in files for word in read.hidden] == []
    total = sum(read.visible for read in files)
    for kind in ("lost", "added", "facts"):
        wrong = sum(len(read.failures().get(kind, ())) for read in files)
        assert wrong <= MOST_WRONG * total, (kind, wrong, total)


# --- the generators themselves


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_seed_always_gives_the_same_content(format_name):
    first, second = generate(format_name, 5), generate(format_name, 5)
    assert (first.visible, first.hidden, first.rows) == (second.visible, second.hidden, second.rows)
    assert first.visible != generate(format_name, 6).visible


@pytest.mark.parametrize("format_name", ["docx", "xlsx", "pdf"])
def test_an_independent_reader_sees_what_the_generator_calls_visible(format_name):
    for seed in range(10):
        file = generate(format_name, seed)
        wrong = [d for d in differences(file, shown(file)) if not known_limit(format_name, d)]
        assert not wrong, f"seed {seed}"


def known_limit(format_name, difference):
    """What the independent readers cannot see: number formats, invisible ink, words cut by a hyphen, marks glued to amounts."""
    limits = {
        "docx": ("drop_cap", "(common word)"),
        "xlsx": ("typed_table", "formulas", "not_computed", "hidden_rows", "(common word)"),
        "pdf": ("hidden)", "hyphens", "footnote_marks", "(common word)", "(?)"),
    }
    return any(limit in difference for limit in limits[format_name])


@pytest.mark.browser
@pytest.mark.parametrize("format_name", ["html", "eml"])
def test_chromium_shows_what_the_generator_calls_visible(format_name):
    with chromium() as browser:
        for seed in range(40):
            file = generate(format_name, seed)
            assert not file.page or differences(file, browser(file.page)) == [], f"seed {seed}"


def test_words_keep_amounts_whole_and_raised_marks_apart():
    assert words("From 1,250.00\u00a0€ (12.5%)") == ["from", "1,250.00", "€", "12.5", "%"]
    assert words("45¹ at 9:30 on 2026-03-01") == ["45", "1", "at", "9:30", "on", "2026-03-01"]
    assert words("un\u00adavail\u200bable ﬁne") == ["unavailable", "fine"]
    assert words("−12.50 or 3-5 days") == ["-12.50", "or", "3-5", "days"]
