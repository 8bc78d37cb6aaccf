"""Data sets: from sources to a sealed, versioned folder; what is refused; and the readiness verdict for each move."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.base import cache_by_text
from adapters.data import rows as files
from adapters.data.build import examine, write
from adapters.data.facts import facts_in
from adapters.data.leakage import exact, grouped, in_meaning, near
from adapters.data.quality import agreement
from adapters.data.report import markdown
from adapters.data.rows import Row
from adapters.data.sources import annotated, sourced, taxonomy
from adapters.readiness import assess
from domains.spec import IntegrityError, InvalidInput, UnsupportedMedia

SETS = Path(__file__).parent / "data" / "readiness"


@pytest.fixture(scope="module")
def embed(encoder):
    return cache_by_text(encoder.unit)


def checked(name, embed, tagger):
    found = sourced(SETS / f"{name}.jsonl", None, "own")
    return examine(found, taxonomy(found), embed, tagger.scrub)


@pytest.mark.parametrize("move", ["prompt", "retrieve", "redesign"])
def test_readiness_says_no_with_evidence(move, embed, tagger):
    found = assess(checked(move, embed, tagger))
    assert found.move == move
    assert len(found.answers) == 8
    assert not all(a.ready for a in found.answers)
    assert all(a.evidence for a in found.answers)


@pytest.mark.slow
def test_the_shipped_tickets_are_ready_to_tune(domain, embed, tagger):
    rows = annotated(domain.folder / "tickets", domain.label_names)
    found = examine(rows, domain.label_names, embed, tagger.scrub)
    assert assess(found).move == "tune"
    assert not any(found.findings.leaks.values())
    recommended = {"recommended": "both joined + logistic regression", "command": "formfact bench classify"}
    assert "both joined" in assess(found, recommended).why


def test_the_same_rows_give_the_same_sealed_folder(tmp_path, embed, tagger):
    found = checked("prompt", embed, tagger)
    first, second = (write(found, "gym", tmp_path, markdown(found, "gym")) for _ in range(2))
    assert first == second
    manifest = json.loads((first / "dataset.json").read_text())
    assert manifest["rights"] == {"own": 28}
    assert manifest["rows"]["train"] + manifest["rows"]["holdout"] == 28
    groups = [{r.group for r in files.read(first / f"{side}.jsonl", found.fields)} for side in ("train", "holdout")]
    assert groups[0].isdisjoint(groups[1])
    with pytest.raises(IntegrityError, match="nothing learns"):
        files.load(first / "holdout.jsonl", found.fields, tagger.scrub)
    assert [p.name for p in tmp_path.iterdir()] == [first.name], "nothing is left beside it"


def test_facts_in_targets_fail_the_build(tmp_path, embed, tagger):
    found = checked("retrieve", embed, tagger)
    with pytest.raises(InvalidInput, match="training targets state facts"):
        write(found, "gym", tmp_path, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "facts"),
    [
        ("The annual pass is 349 EUR.", ["349 EUR"]),
        ("We open at 6:30.", ["6:30"]),
        ("one month to the end", ["one month"]),
        ("Thank you, we passed it on to the studio.", []),
        ("decide_refund", []),
        ("refund_14_days", ["14"]),
    ],
)
def test_what_a_fact_is(target, facts):
    assert [f[: len(w)] for f, w in zip(facts_in(target), facts, strict=True)] == facts


def row(number, text, group="", label="a"):
    return Row(str(number), text, group or str(number), {"kind": label}, {})


def test_what_is_alike_stands_in_one_group(encoder):
    found = [
        row(1, "The lift does not stop at the third floor any more since Monday."),
        row(2, "the lift does not stop at the THIRD floor any more since Monday."),
        row(3, "The lift does not stop at the third floor any more since Monday morning, please look."),
        row(4, "A parcel of mine never arrived."),
        row(5, "My parcel never arrived.", group="4"),
    ]
    assert exact(found) == [(0, 1)]
    assert (0, 2) in near(found)
    assert in_meaning(found, encoder.unit)
    groups = grouped(found, [*exact(found), *near(found)])
    assert groups == ["1", "1", "1", "4", "4"]
    assert near([row(1, "hi"), row(2, "ok")]) == []


def test_agreement_on_a_worked_example():
    pairs = [({"k": a}, {"k": b}) for a, b in ["xx"] * 4 + ["yy"] * 4 + ["xy", "yx"]]
    found = agreement(pairs, {"k": ("x", "y")}, frozenset())["k"]
    assert (found.rows, found.equal, found.kappa) == (10, 0.8, 0.6)


def lines(path, *raws):
    path.write_text("".join(json.dumps(raw) + "\n" for raw in raws))
    return path


GOOD = [
    {"id": str(n), "text": f"ticket about thing {n} and {n * 7}", "labels": {"kind": "ab"[n % 2]}} for n in range(12)
]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": "   "}, "no text"),
        ({"text": "x" * 50_001}, "50,001"),
        ({"labels": {}}, "labels for"),
        ({"labels": "a"}, "no labels"),
        ({"id": "1"}, "twice"),
    ],
)
def test_a_bad_row_is_refused_by_line(tmp_path, change, reason):
    with pytest.raises(InvalidInput, match=reason) as raised:
        sourced(lines(tmp_path / "t.jsonl", *GOOD, {**GOOD[0], "id": "z", **change}), None, "own")
    assert "t.jsonl:13" in str(raised.value)


def test_other_bad_sources_are_refused(tmp_path, embed, tagger):
    with pytest.raises(InvalidInput, match="by what right"):
        sourced(lines(tmp_path / "t.jsonl", *GOOD), None, "")
    with pytest.raises(InvalidInput, match="one label only"):
        sourced(lines(tmp_path / "t.jsonl", *[{**g, "labels": {"kind": "a"}} for g in GOOD]), None, "own")
    with pytest.raises(UnsupportedMedia):
        sourced(tmp_path / "t.parquet", None, "own")
    with pytest.raises(InvalidInput, match="no tickets"):
        sourced(lines(tmp_path / "t.jsonl"), {"kind": ("a", "b")}, "own")
    contrary = {**GOOD[0], "id": "z", "text": GOOD[0]["text"].upper(), "labels": {"kind": "b"}}
    found = sourced(lines(tmp_path / "t.jsonl", *GOOD, contrary), None, "own")
    with pytest.raises(InvalidInput, match="same text with different labels"):
        examine(found, taxonomy(found), embed, tagger.scrub)
    alone = {"id": "z", "text": "something else entirely", "labels": {"kind": "c"}}
    found = sourced(lines(tmp_path / "t.jsonl", *GOOD, alone), None, "own")
    with pytest.raises(InvalidInput, match="kind: c"):
        examine(found, taxonomy(found), embed, tagger.scrub)


def test_a_csv_is_read_as_json_lines_are(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,body,group,labels.kind,rights\n1,"Hello, it is broken",g,a,own\n2,Fine now,g,b,own\n')
    found = sourced(path, None, "")
    assert [(s.row.id, s.row.text, s.row.group, s.row.labels) for s in found] == [
        ("1", "Hello, it is broken", "g", {"kind": "a"}),
        ("2", "Fine now", "g", {"kind": "b"}),
    ]
    path.write_bytes(b"id,body\n1,\xff\xfe")
    with pytest.raises(InvalidInput, match="cannot be read"):
        sourced(path, None, "own")
