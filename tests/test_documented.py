"""Figures in README and docs are those of their sources."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from domains.spec import InvalidInput
from evals import doc_figures
from evals.doc_figures import PAGES, unsourced, written

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_tells_the_figures_of_its_sources_and_no_others(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert written(text, ROOT) == text, "`formfact evals docs` writes the stored results into the pages"
    assert list(unsourced(text)) == [], "a measured figure needs a source, see evals/doc_figures.py"


def test_the_stored_results_fit_the_published_schema():
    schema, results = (json.loads((ROOT / "docs" / f"results{end}").read_text()) for end in (".schema.json", ".json"))
    jsonschema.validate(results, schema)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "docs" / "measured"
    folder.mkdir(parents=True)
    table = {"command": "formfact x", "made": "today", "over": "2 rows", "head": ["a"], "rows": [["0.50"]], "n": 1234}
    (folder / "x.json").write_text(json.dumps({**table, "arms": [{"arm": "rag", "share": 0.6789}]}))
    doc_figures._read.cache_clear()
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0.1<!--= x.json arms[arm=rag].share -->", "0.7"),
        ("0.111<!--= x.json arms[arm=rag].share -->", "0.679"),
        ("+0.11<!--= x.json arms[arm=rag].share -->", "+0.68"),
        ("1 %<!--= x.json arms[arm=rag].share -->", "68 %"),
        ("1<!--= x.json n -->", "1,234"),
    ],
)
def test_a_figure_is_written_as_it_stood(root, before, after):
    mark = before[before.index("<!--") :]
    assert written(f"So {before} of them.", root) == f"So {after}{mark} of them."


def test_a_table_is_written_between_its_marks(root):
    text = "Before\n\n<!-- measured: x -->\nold\n<!-- /measured -->\n\nAfter\n"
    told = written(text, root)
    assert "| 0.50 |" in told
    assert "old" not in told
    assert written(told, root) == told


@pytest.mark.parametrize("mark", ["no.json n", "x.json arms[arm=none].share", "x.json nothing", "x.json command"])
def test_a_mark_without_a_source_is_refused(root, mark):
    with pytest.raises(InvalidInput):
        written(f"1<!--= {mark} -->", root)


@pytest.mark.parametrize("line", ["useful in 0.69 of them", "22/24 right", "5.8 % of replies"])
def test_a_figure_without_a_source_is_found(line):
    assert list(unsourced(f"# Title\n\n{line}\n")) == [line]
    assert list(unsourced(f"`{line}` and ```\n{line}\n``` and 1,405 cases, version 3")) == []
