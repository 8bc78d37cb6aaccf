"""Figures of arms worked out by hand, checked against scikit-learn where it computes the same; money; causes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sklearn.metrics import f1_score

from domains.spec import InvalidInput
from evals import cost, figures
from evals.answers import AnswerStore, ArmAnswer, Usage, bound_to, key
from evals.arms import ARMS, HYBRID, RAG, TUNED
from evals.cases import Case
from evals.causes import cause
from evals.cost import Cost
from evals.score import Marks
from tests.test_evals import CASE

MARKS = Marks("x", ("plain",), True, False, False, True, 1.0, 1.0, True, None, False, None, False, {"queue": True})
USAGE = Usage(0, 0, 0, 1.0, 2.0)
ROW = ArmAnswer(
    key="k",
    arm=HYBRID,
    case="x-1",
    marks=MARKS,
    as_composed=MARKS,
    action="answer",
    reason="answered",
    text="13.50",
    quotes=(("prices", "13.50"),),
    labels={"queue": ("sales", 0.9)},
    found=("prices",),
    confidence=0.9,
    claims=1,
    stopped=0,
    failed=0,
    usage=USAGE,
)
ARM = {arm.name: arm for arm in ARMS}


def row(confidence=0.9, usage=USAGE, action="answer", claims=1, stopped=0, failed=0, **marks):
    made = replace(MARKS, **marks)
    told = {"confidence": confidence, "usage": usage, "action": action, "claims": claims}
    return replace(ROW, marks=made, as_composed=made, stopped=stopped, failed=failed, **told)


GOOD, WRONG_VALUE = row(), row(forbidden_absent=False)
HANDED = row(None, action="handoff", action_right=False, refused=True, facts_complete=False, claims=0)
REFUSED = row(None, action="handoff", refused=True, should_refuse=True, facts_complete=None, declined=True, claims=0)
OVERREACH = row(0.7, action_right=False, should_refuse=True, facts_complete=None, declined=False)


@pytest.mark.parametrize(
    ("figure", "rows", "value"),
    [
        (figures.right_action, [GOOD, HANDED], 0.5),
        (figures.useful, [GOOD, WRONG_VALUE, HANDED, REFUSED], 0.5),
        (figures.facts_correct, [GOOD, HANDED, REFUSED], 0.5),
        (figures.harmful, [GOOD, WRONG_VALUE, OVERREACH, REFUSED], 0.5),
        (figures.misapplied, [GOOD, row(invented=True)], 0.0),
        (figures.needs_person, [GOOD, HANDED, REFUSED, GOOD], 0.5),
        (figures.label_accuracy, [row(labels_right={"a": True, "b": False}), GOOD], 0.75),
    ],
)
def test_shares(figure, rows, value):
    assert figure(rows).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("figure", "rows", "value"),
    [
        (figures.unsupported_claims, [row(claims=3, stopped=1), row(claims=1)], 0.25),
        (figures.unsupported_claims, [HANDED], None),
        (figures.citation_precision, [row(citations_right=0.5), GOOD, row(citations_right=None)], 0.75),
        (figures.citation_recall, [row(facts_cited=0.0), GOOD], 0.5),
        (figures.refusal, [GOOD, HANDED, REFUSED, OVERREACH], (0.5, 0.5)),
        (figures.leaks, [GOOD, row(leaked=True)], 1),
        (figures.schema_compliance, [row(usage=Usage(3, 0, 0, 1, 1), failed=1)], 0.75),
        (figures.schema_compliance, [GOOD], None),
        (figures.pass_all, [[True, True], [True, False], [False, False], [True]], 0.5),
        (figures.risk_coverage, [GOOD, OVERREACH, REFUSED, HANDED], [(0.25, 0.0), (0.5, 0.5)]),
    ],
)
def test_other_figures(figure, rows, value):
    assert figure(rows) == (pytest.approx(value) if isinstance(value, float) else value)


def test_a_certain_answer_is_kept_and_one_that_does_harm_is_handed_over():
    """Raised to .8, the harmful answer goes to a person; at .9 of harm allowed nothing has to go."""
    rows = [row(0.9), row(0.85), OVERREACH, HANDED]
    assert figures.useful_at_harm(rows, 0.0) == 0.5
    rows = [row(0.6), OVERREACH, row(0.9), HANDED]
    assert figures.useful_at_harm(rows, 0.0) == 0.25
    assert figures.useful_at_harm(rows, 0.25) == 0.5


def test_a_harm_that_has_no_confidence_cannot_be_thresholded_away():
    rows = [GOOD, row(None, invented=True)]
    assert figures.useful_at_harm(rows, 0.1) == 0.0


def test_macro_f1_is_that_of_scikit_learn():
    told, wanted = ["sales", "billing", "sales", "sales"], ["sales", "billing", "billing", "sales"]
    cases = [_case(f"c{i}", labels={"queue": w}) for i, w in enumerate(wanted)]
    rows = [replace(ROW, case=c.id, labels={"queue": (t, 0.9)}) for c, t in zip(cases, told, strict=True)]
    assert figures.macro_f1(rows, cases, "queue") == pytest.approx(f1_score(wanted, told, average="macro"))
    assert figures.macro_f1(rows, cases, "urgency") is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"reason": "unverified_claim", "marks": HANDED.marks}, "verify"),
        ({"found": ("other",), "quotes": (), "marks": HANDED.marks}, "retrieval"),
        ({"quotes": (), "marks": HANDED.marks}, "sufficiency"),
        ({"quotes": (("other", "x"),), "marks": HANDED.marks}, "selection"),
        ({"marks": HANDED.marks}, "composition"),
        ({"marks": WRONG_VALUE.marks}, "overreach"),
        ({"found": (), "quotes": (), "marks": HANDED.marks}, "label"),
    ],
)
def test_the_likely_cause_is_the_first_step_that_lost_something(changed, why):
    assert cause(Case.model_validate(CASE), replace(ROW, **changed)) == why


def test_answers_are_kept_on_disk_and_a_changed_case_is_another(tmp_path):
    answers = AnswerStore(tmp_path / "a.jsonl")
    answers.keep(ROW)
    assert AnswerStore(tmp_path / "a.jsonl").get("k") == ROW
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b'{"key": "torn')  # killed while it wrote
    after = AnswerStore(tmp_path / "a.jsonl")
    after.keep(replace(ROW, key="l"))
    assert [AnswerStore(tmp_path / "a.jsonl").get(name) is not None for name in "kl"] == [True, True]
    case, other = Case.model_validate(CASE), Case.model_validate(CASE | {"as_of": "2026-01-01"})
    names = {key(c, a, b) for c in (case, other) for a in (ARM[HYBRID], ARM[RAG]) for b in ("x", "y")}
    assert len(names) == 8


def test_answers_are_bound_to_code_documents_and_models_but_not_to_the_cases(tmp_path):
    (tmp_path / "cases").mkdir()
    (tmp_path / "domain.yaml").write_text("a")
    before = bound_to(tmp_path, "model")
    (tmp_path / "cases" / "dev.jsonl").write_text("{}")
    assert bound_to(tmp_path, "model") == before
    assert bound_to(tmp_path, "another") != before
    (tmp_path / "domain.yaml").write_text("b")
    assert bound_to(tmp_path, "model") != before


def test_costs_follow_from_seconds_tokens_and_the_price_list():
    prices = cost.load(cost.PRICES).model_copy(
        update={
            "cpu_core_hour": 3.6,
            "chat_output_million_tokens": 10.0,
            "person_hour": 60.0,
            "minutes_a_review": 5.0,
            "minutes_a_label": 1.0,
            "minutes_a_case": 0.0,
            "training_cpu_hours": 10.0,
            "evaluation_cpu_hours": 0.0,
        }
    )
    rows = [row(usage=Usage(1, 50, 100, 1.0, 2.0)), row(None, Usage(0, 0, 0, 1.0, 0.0), action="handoff")]
    found = cost.cost(ARM[HYBRID], rows, prices, labelled=120, cases=10)
    assert found.computing == pytest.approx(1000 * (2.0 / 3600 * 3.6 + 100 * 10 / 1e6) / 2)
    assert found.people == pytest.approx(1000 * 0.5 * 5)
    assert found.fixed == pytest.approx(120 * 1.0 + 36.0)
    assert cost.cost(ARM[RAG], rows, prices, 120, 10).fixed == 0
    assert cost.cost(ARM[TUNED], rows, prices, 120, 10).fixed == found.fixed
    assert found.at(1000) == pytest.approx(found.computing + found.people + found.fixed)


@pytest.mark.parametrize(
    ("ours", "theirs", "tickets"),
    [
        (Cost(10, 90, 500, 1), Cost(10, 140, 0, 1), 10_000),
        (Cost(10, 140, 500, 1), Cost(10, 90, 0, 1), None),
        (Cost(10, 90, 0, 1), Cost(10, 140, 500, 1), 0),
        (Cost(10, 90, 5, 1), Cost(10, 90, 5, 1), None),
    ],
)
def test_break_even_is_where_savings_pay_the_fixed_costs(ours, theirs, tickets):
    assert cost.break_even(ours, theirs) == (None if tickets is None else pytest.approx(tickets))


@pytest.mark.parametrize("text", ["currency: EUR", "a: [", "currency: EUR\ncpu_core_hour: -1", "[]"])
def test_a_price_list_with_holes_is_refused(tmp_path, text):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"prices\.yaml"):
        cost.load(path)


def _case(name, **expect):
    return Case.model_validate(CASE | {"id": name, "expect": {"actions": ["answer"], **expect}})
