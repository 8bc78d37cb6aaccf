"""The classifier's benchmark: what it reads and refuses, and one real run that is resumed."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from adapters.selftrain import SelfTrained, Topics, surest
from domains.spec import InvalidInput
from evals.benchmarks.arms import ARMS, LORA, POOLED, run
from evals.benchmarks.classify import BenchmarkRun, Summary, compare, recommended
from evals.benchmarks.classify_report import markdown
from evals.benchmarks.datasets import load

TOPICS = {
    "refund": ["money back", "refund", "return the payment", "reimburse"],
    "login": ["password", "sign in", "log in", "locked out"],
    "sync": ["sync", "upload", "folder copy", "conflict file"],
}


def written(folder, rows):
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


@pytest.fixture
def folder(tmp_path):
    draw = random.Random(3)
    rows = [
        {
            "text": f"{draw.choice(['please', 'hello', 'again', 'urgent'])} {draw.choice(words)} number {n}",
            "topic": topic,
        }
        | {"split": "test" if n % 3 == 0 else "train"}
        for topic, words in TOPICS.items()
        for n in range(36)
    ]
    rows += [{"text": f"what is the weather in town {n}", "topic": "oos", "split": "test"} for n in range(12)]
    return written(tmp_path / "topics", rows)


def test_a_folder_is_read_with_its_split_and_what_is_out_of_scope(folder):
    found = load(folder)
    assert found.labels == ("login", "refund", "sync")
    assert (len(found.train), len(found.test), len(found.outside)) == (72, 36, 12)
    assert len(found.drawn(0, shots=5)) == 15
    assert found.drawn(1, rows=20) == found.drawn(1, rows=20) != found.drawn(2, rows=20)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"text": "a", "x": "1"}, {"text": "b", "x": "1"}], "1 label"),
        ([{"text": "a", "x": "1", "y": "2"}], "which field"),
        ([{"text": "", "x": "1"}], "no text"),
        ([{"text": "a", "x": 3}], "no `x`"),
        ([{"text": "a" * 50_001, "x": "1"}], "50,001"),
        ([{"text": "a", "x": "1", "split": "moon"}], "moon"),
        ([{"text": t, "x": t[0], "split": "train"} for t in ("a1", "a2", "b1")], "single training row"),
        ([{"text": t, "x": t[0], "split": "train"} for t in ("a1", "a2", "b1", "b2")], "no row to test"),
        (
            [{"text": "same", "x": x, "split": "train"} for x in "abab"] + [{"text": "t", "x": "a", "split": "test"}],
            "twice with different labels",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_time_is_spent(tmp_path, rows, reason):
    with pytest.raises(InvalidInput, match=reason):
        load(written(tmp_path / "bad", rows))


def test_an_empty_folder_too_few_rows_and_unknown_arms_are_refused(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"no \.jsonl"):
        load(tmp_path / "empty")
    with pytest.raises(InvalidInput, match="too few"):
        load(folder).drawn(0, rows=3)
    with pytest.raises(InvalidInput, match="no arm"):
        run("moon", None)


def test_cheap_arms_learn_and_are_not_run_twice(folder, tmp_path):
    arms = [arm for arm in ARMS if "majority" in arm or "probe" in arm]
    asked = (load(folder), arms, 1, (None, None), None, tmp_path / "runs", iter)
    first = compare(*asked)
    written_at = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").iterdir()}
    assert compare(*asked) == first
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").iterdir()} == written_at
    majority, probe = first
    assert probe.mean("accuracy") > 0.9 > majority.mean("accuracy")
    assert probe.runs[0].outside_auroc["10th neighbour"] > 0.9
    assert probe.runs[0].peak_mb > 100
    text = markdown(load(folder), "all rows", first, "formfact bench classify")
    assert "Recommended: **linear probe" in text


def test_the_surest_of_every_label_are_taken():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.45, 0.55]])
    assert sorted(surest(probabilities, 0.7)) == [0, 2, 3]
    assert sorted(surest(probabilities, 0.01)) == [0, 3]


def test_unlabelled_texts_help_where_a_label_is_known_by_one_word():
    draw = random.Random(0)
    words = {0: ["refund", "money", "reimburse", "repay"], 1: ["sync", "folder", "upload", "conflict"]}
    pool = [" ".join(draw.sample(words[n % 2], 3)) for n in range(200)]
    topics = Topics(pool)
    texts, targets = ["refund", "sync"], np.array([0, 1])
    asked = ["money repay", "reimburse", "conflict", "folder upload"] * 3
    found = SelfTrained(topics, texts, targets, 3, pool).logits(asked)
    assert list(found.argmax(1)) == [0, 0, 1, 1] * 3
    assert np.exp(found[:, 2]).max() < 1e-6, "a label that no text has is never given"


def test_arms_that_read_unlabelled_texts_never_see_those_of_the_test(folder, tmp_path):
    data = load(folder)
    assert set(data.others(data.drawn(0, shots=5), 1000, 0)) <= {e.text for e in data.train}
    (found,) = compare(data, [POOLED], 1, (None, 5), None, tmp_path / "runs", iter)
    assert found.mean("accuracy") > 0.8


@pytest.mark.slow
def test_a_tuned_arm_learns(folder, tmp_path):
    (found,) = compare(load(folder), [LORA], 1, (None, 10), 10, tmp_path / "runs", iter)
    assert found.mean("accuracy") > 0.9
    assert found.mean("trainable_parameters") > 100_000


def made(arm, right):
    figures = {"macro_f1": 0.0, "calibration_error": 0.0, "coverage_at_95_percent": 0.0}
    return Summary(
        arm,
        (
            BenchmarkRun(
                arm,
                0,
                9,
                right.count("1") / len(right),
                **figures,
                outside_auroc={},
                outside_recall={},
                trainable_parameters=0,
                seconds=0,
                milliseconds_a_text=0,
                peak_mb=0,
                right=right,
            ),
        ),
    )


def test_a_tie_recommends_the_cheaper_and_a_lift_the_better():
    probe, lora = "linear probe, frozen encoder", LORA
    tied = [made(lora, "1" * 95 + "0" * 5), made(probe, "0" * 3 + "1" * 92 + "0" * 5)]
    assert recommended(tied).arm == probe
    apart = [made(lora, "1" * 95 + "0" * 5), made(probe, "0" * 20 + "1" * 75 + "0" * 5)]
    assert recommended(apart).arm == lora
