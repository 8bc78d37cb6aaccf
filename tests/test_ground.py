"""The benchmark of grounding on a few claims of our own, in the layouts that it reads."""

from __future__ import annotations

import gzip
import json

import pytest
from typer.testing import CliRunner

from domains.spec import InvalidInput
from evals.benchmarks.commands import app
from evals.benchmarks.ground import WORDS, load
from service.verify import borne_out

PAGE = ["The pool opens at 7 every morning.", "The sauna is hot from Tuesday to Friday.", "Dogs wait outside."]
CLAIMS = [
    ("The pool opens every morning at 7.", "supported"),
    ("The sauna is hot on Tuesday.", "supported"),
    ("The cinema shows films in Latin.", "not_supported"),
    ("Lifeguards train with rescue balloons.", "not_supported"),
    ("The pool opens at 7 and serves cake.", "partially_supported"),
]


def test_borne_out_is_a_share_of_content_words():
    assert borne_out("Dogs wait outside", PAGE[2]) == 1.0
    assert borne_out("Dogs wait inside", PAGE[2]) == pytest.approx(2 / 3)
    assert borne_out("the of and", "anything") == 1.0


def test_supported_claims_are_told_from_others(tmp_path):
    folder = tmp_path / "wice"
    folder.mkdir()
    with gzip.open(folder / "claims.jsonl.gz", "wt") as file:
        for text, label in CLAIMS:
            file.write(json.dumps({"claim": text, "label": label, "evidence": PAGE}) + "\n")
    assert [c.support for c in load(folder)] == [1.0, 1.0, 0.0, 0.0]
    asked = ["ground", "--data", str(folder), "--out", str(tmp_path / "out"), "--json"]
    told = json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).stdout)
    assert {a["arm"]: a["auroc"]["value"] for a in told["arms"]}[WORDS] == 1.0
    assert all(a["rank_correlation"] is None for a in told["arms"])


def test_scores_of_people_are_ranked_against(tmp_path):
    rows = [
        {"response": text, "context_ids": ["p"], "scores": {"faithfulness": [n, n + 1]}}
        for n, (text, _) in enumerate(reversed(CLAIMS))
    ]
    (tmp_path / "human_evaluations.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (tmp_path / "passages.jsonl").write_text(json.dumps({"id": "p", "text": " ".join(PAGE)}) + "\n")
    assert load(tmp_path)[0].support == 0.5
    asked = ["ground", "--data", str(tmp_path), "--arms", WORDS, "--out", str(tmp_path / "out"), "--json"]
    (told,) = json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).stdout)["arms"]
    assert told["auroc"] is None
    assert told["rank_correlation"]["value"] > 0.5


def test_verification_is_measured_by_kind(tmp_path):
    rows = [
        ("The pool opens at 7 every morning.", "true"),
        ("Each morning the pool opens at 7.", "true"),
        ("The pool opens at 9 every morning.", "number"),
        ("The pool never opens at 7 in the morning.", "negation"),
    ]
    path = tmp_path / "claims.jsonl"
    path.write_text("".join(json.dumps({"claim": c, "quote": PAGE[0], "kind": k}) + "\n" for c, k in rows))
    asked = ["verify", "--claims", str(path), "--out", str(tmp_path / "out"), "--json"]
    told = json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).stdout)["arms"]
    assert {a["kind"]: (a["claims"], a["passed"]["value"]) for a in told} == {
        "true": (2, 1.0),
        "false": (2, 0.0),
        "negation": (1, 0.0),
        "number": (1, 0.0),
    }


def test_a_folder_without_claims_says_what_is_wanted(tmp_path):
    with pytest.raises(InvalidInput, match="holds no claims"):
        load(tmp_path)
