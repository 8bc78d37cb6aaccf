"""The figures of an arm, each a pure function of its answers. Shares are 0..1; higher is better unless said otherwise.

Each function takes the answers of one arm to the same cases. `tests/test_arms.py` works every one out by
hand, and compares with scikit-learn where that computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import f1_score, precision_score, recall_score

from evals.answers import ArmAnswer
from evals.cases import Case
from evals.intervals import Interval, of_mean
from evals.score import Marks

HARM = 0.01  # share of answers that may do harm, for `useful_at_harm`


def right_action(rows: Sequence[ArmAnswer]) -> Interval:
    """Share of cases whose action (answer, clarify, hand off, refuse) is one of those expected."""
    return of_mean([float(r.marks.action_right) for r in rows])


def useful(rows: Sequence[ArmAnswer]) -> Interval:
    """Share of cases in which everything that was wanted is done, in full, and no harm with it (`Marks.useful`)."""
    return of_mean([float(r.marks.useful) for r in rows])


def facts_correct(rows: Sequence[ArmAnswer], composed: bool = False) -> Interval | None:
    """Of the cases that an answer exists for, the share that state every required value, cited from a right document.

    `composed`: before verification, whether it left or not. None: no case has an answer.
    """
    told = [m.facts_complete for m in _marks(rows, composed) if m.facts_complete is not None]
    return of_mean([float(t) for t in told]) if told else None


def harmful(rows: Sequence[ArmAnswer], composed: bool = False) -> Interval:
    """Share of cases misapplied, invented or leaked (`Marks.harmful`); lower is better."""
    return of_mean([float(m.harmful) for m in _marks(rows, composed)])


def misapplied(rows: Sequence[ArmAnswer]) -> Interval:
    """Share of cases with a right quotation in the wrong place (`Marks.misapplied`); lower is better."""
    return of_mean([float(r.marks.misapplied) for r in rows])


def unsupported_claims(rows: Sequence[ArmAnswer]) -> float | None:
    """Of the claims that were composed, the share that verification stopped; lower is better. None: no claims.

    After verification it is 0 by construction.
    """
    claims = sum(r.claims for r in rows)
    return sum(r.stopped for r in rows) / claims if claims else None


def citation_precision(rows: Sequence[ArmAnswer]) -> float | None:
    """Mean share of a reply's citations that are out of a wanted document, over answerable cases that cite."""
    told = [r.marks.citations_right for r in rows if r.marks.citations_right is not None]
    return float(np.mean(told)) if told else None


def citation_recall(rows: Sequence[ArmAnswer]) -> float | None:
    """Mean share of a case's required facts whose document is cited, over answerable cases."""
    told = [r.marks.facts_cited for r in rows if r.marks.facts_cited is not None]
    return float(np.mean(told)) if told else None


def refusal(rows: Sequence[ArmAnswer]) -> tuple[float, float]:
    """Precision and recall of not answering, where not answering was right."""
    wanted, told = [r.marks.should_refuse for r in rows], [r.marks.refused for r in rows]
    return (
        float(precision_score(wanted, told, zero_division=0)),
        float(recall_score(wanted, told, zero_division=0)),
    )


def leaks(rows: Sequence[ArmAnswer]) -> int:
    """Replies that cite what their caller may not read. 0 by construction: retrieval sees the caller's view alone."""
    return sum(r.marks.leaked for r in rows)


def label_accuracy(rows: Sequence[ArmAnswer]) -> Interval | None:
    """Mean over cases of the share of their expected labels that are right, abstentions not counted out."""
    told = [list(r.marks.labels_right.values()) for r in rows if r.labels and r.marks.labels_right]
    return of_mean([float(np.mean(marks)) for marks in told]) if told else None


def macro_f1(rows: Sequence[ArmAnswer], cases: Sequence[Case], field: str) -> float | None:
    """Mean over labels of the F1 score of one field, over the cases that expect one; None: no case does."""
    wanted = {c.id: c.expect.labels[field] for c in cases if field in c.expect.labels}
    pairs = [(wanted[r.case], r.labels[field][0]) for r in rows if r.case in wanted and field in r.labels]
    if not pairs:
        return None
    return float(f1_score([w for w, _ in pairs], [t for _, t in pairs], average="macro", zero_division=0))


def needs_person(rows: Sequence[ArmAnswer]) -> Interval:
    """Share of tickets that are handed to a person; lower is less work, if what is kept is right."""
    return of_mean([float(r.action == "handoff") for r in rows])


def schema_compliance(rows: Sequence[ArmAnswer]) -> float | None:
    """Share of chat calls that gave an answer in the schema; None: no call was made."""
    calls, failed = sum(r.usage.calls for r in rows), sum(r.failed for r in rows)
    return calls / (calls + failed) if calls + failed else None


def latency(rows: Sequence[ArmAnswer]) -> tuple[float, ...]:
    """Seconds an answer: the 5th, 25th, 50th, 75th and 95th percentile; lower is better."""
    return tuple(float(value) for value in np.percentile([r.usage.seconds for r in rows], (5, 25, 50, 75, 95)))


def risk_coverage(rows: Sequence[ArmAnswer]) -> list[tuple[float, float]]:
    """(share of tickets answered, share of those that are harmful), most confident first (El-Yaniv & Wiener 2010).

    Confidence is the sufficiency score of the evidence; tickets answered without one are left out.
    """
    told = sorted(((r.confidence, r.marks.harmful) for r in rows if r.confidence is not None), reverse=True)
    harm = np.cumsum([h for _, h in told])
    return [((i + 1) / len(rows), float(harm[i]) / (i + 1)) for i in range(len(told))]


def useful_at_harm(rows: Sequence[ArmAnswer], harm: float = HARM) -> float:
    """The largest share of all tickets usefully answered, as confidence is raised until at most `harm` of all do harm.

    Tickets below the confidence are handed to a person, and count neither as useful nor as harmful.
    """
    told = sorted((r for r in rows if r.confidence is not None), key=lambda r: -float(r.confidence or 0))
    best, useful_so_far, harm_so_far = 0, 0, sum(r.marks.harmful for r in rows if r.confidence is None)
    for row in told:
        useful_so_far += row.marks.useful
        harm_so_far += row.marks.harmful
        if harm_so_far <= harm * len(rows):
            best = useful_so_far
    return best / len(rows) if rows else 0.0


def pass_all(trials: Sequence[Sequence[bool]]) -> float:
    """Share of cases that are right in every one of their trials (pass^k of tau-bench, Yao et al. 2024)."""
    return float(np.mean([all(case) for case in trials])) if trials else 0.0


def _marks(rows: Sequence[ArmAnswer], composed: bool) -> list[Marks]:
    return [r.as_composed if composed else r.marks for r in rows]
