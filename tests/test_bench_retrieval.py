"""The benchmarks of retrieval and refusal on a small set of one's own, and the intervals that they tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from adapters.data.judged import judged
from domains.spec import InvalidInput
from evals.benchmarks.commands import app
from evals.benchmarks.corpus import shelved
from evals.benchmarks.passage_sets import load
from evals.benchmarks.retrieve import ARMS, RANKS, ranked, reciprocal
from evals.intervals import auroc, of_auroc, of_difference, of_mean

SET = Path(__file__).parent / "data" / "judged"


@pytest.fixture(scope="module")
def shelf(domain, encoder, bare, tmp_path_factory):
    with shelved(judged(SET), tmp_path_factory.mktemp("shelf"), domain, encoder, bare, iter) as made:
        yield made


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_finds_what_answers(shelf, arm):
    questions = {q.id: q for q in judged(SET).answerable}
    assert ranked(shelf, questions["q5"], arm)[0] == "parking"
    found = {q.id: ranked(shelf, q, arm)[:1] for q in questions.values()}
    assert sum(questions[i].relevant == set(first) for i, first in found.items()) >= 2


def test_the_message_before_is_looked_for_as_well(shelf):
    question = next(q for q in judged(SET).questions if q.id == "q2")
    assert question.surroundings == "Do you have a sauna?"
    assert ranked(shelf, question, "fused")[0] == "sauna"


def test_what_is_taken_out_is_not_found(shelf):
    question = next(q for q in judged(SET).questions if q.id == "q5")
    left = shelf.without(question.relevant)
    assert "parking" not in ranked(left, question, RANKS)
    assert left.search(question)[0].score < shelf.search(question)[0].score


def test_reciprocal_ranks_are_added():
    assert reciprocal([["a", "b"], ["b", "c"]]) == ["b", "a", "c"]


def test_the_area_is_that_of_scikit_learn():
    draw = np.random.default_rng(1)
    wanted, scores = draw.random(200) > 0.4, draw.integers(0, 20, 200)
    assert auroc(wanted, scores) == pytest.approx(roc_auc_score(wanted, scores))
    found = of_auroc(list(wanted), list(scores))
    assert found.low < found.value < found.high


def test_intervals_hold_their_level():
    draw = np.random.default_rng(0)
    held = [(i := of_mean(list(draw.binomial(1, 0.7, 120).astype(float)))).low <= 0.7 <= i.high for _ in range(60)]
    assert sum(held) >= 53  # of 60 at 95 %: fewer has a chance of 1 in 100
    same = of_mean([1.0, 1.0, 1.0])
    assert (same.low, same.value, same.high) == (1.0, 1.0, 1.0)
    assert of_difference([1.0, 0.0, 1.0], [0.0, 0.0, 1.0]).value == pytest.approx(1 / 3)


@pytest.mark.parametrize("bench", ["retrieve", "refuse"])
def test_the_commands_tell_a_table_and_keep_json(tmp_path, bench):
    asked = [bench, "--data", str(SET), "--out", str(tmp_path), "--json"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    kept = json.loads((tmp_path / f"judged-{bench}.json").read_text())
    assert kept["over"].startswith("4 questions" if bench == "retrieve" else "5 questions")
    assert len(kept["arms"]) == (len(ARMS) if bench == "retrieve" else 3)
    assert "| arm |" in (tmp_path / f"judged-{bench}.md").read_text()


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="no documents and questions"):
        load(tmp_path)
