"""Whether to tune at all: eight questions, answered with evidence, and the first move that they recommend.

The moves, in the order in which they are ruled out: redesign the workflow, retrieve, prompt, tune.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from adapters.data.build import Checked

Move = Literal["redesign", "retrieve", "prompt", "tune"]

_AGREED = 0.6  # kappa from which on agreement is substantial (Landis and Koch 1977)
_FACTS = 0.1  # share of targets that state facts, from which on facts are what is missing
_ROWS, _A_LABEL = 200, 20  # rows in all and of the median label, below which a prompt with examples comes first
_HOLDOUT = 30  # sealed rows, below which a difference cannot be seen


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, whether it is answered for tuning, and the evidence."""

    question: str
    ready: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict: the first move, why, and the answers."""

    move: Move
    why: str
    answers: tuple[Answer, ...]


def assess(checked: Checked, compared: Mapping[str, str] | None = None) -> Readiness:
    """Answer the questions for a data set.

    Args:
        checked: rows with their findings.
        compared: what a benchmark recommended: `recommended` and `command`; None: nobody has compared yet.
    """
    found = checked.findings
    kappa = min((a.kappa for a in found.agreement.values()), default=None)
    facts = len(found.facts_in_targets) / max(found.rows, 1)
    scarce = _scarcest(checked)
    replies = any(s.output for s in (*checked.train, *checked.holdout))
    answers = (
        Answer("One narrow task?", len(checked.fields) <= 12, _task(checked)),
        Answer("Examples of right outputs?", found.rows >= _ROWS and scarce >= _A_LABEL, _examples(checked, scarce)),
        Answer("Do reviewers agree?", kappa is not None and kappa >= _AGREED, _agreed(checked, kappa)),
        Answer(
            "Behaviour, not missing facts?",
            facts < _FACTS,
            f"{len(found.facts_in_targets)} of {found.rows} targets state facts"
            + ("" if replies else "; only labels are learnt, and no label is a fact"),
        ),
        Answer(
            "A sealed holdout?",
            len(checked.holdout) >= _HOLDOUT and not any(found.leaks.values()),
            f"{len(checked.holdout)} rows, {sum(found.leaks.values())} of them like a training row",
        ),
        Answer("Which metric matters?", True, _metric(checked)),
        Answer("Cheaper moves tried?", compared is not None, _compared(checked, compared)),
        Answer("A rollback plan?", True, "`formfact adapters rollback`; baseline:zero-shot needs no training"),
    )
    return Readiness(*_move(kappa, facts, found.rows, scarce, compared), answers)


def _move(
    kappa: float | None, facts: float, rows: int, scarce: float, compared: Mapping[str, str] | None
) -> tuple[Move, str]:
    if kappa is not None and kappa < _AGREED:
        return (
            "redesign",
            f"people agree on the labels only at kappa {kappa:.2f}: no model can learn what they do not share",
        )
    if facts >= _FACTS:
        return "retrieve", f"{facts:.0%} of the targets state facts, which change: retrieve them from documents"
    if rows < _ROWS or scarce < _A_LABEL:
        return "prompt", f"{rows} rows, {scarce:.0f} of a middling label, are few: prompt with them as examples first"
    if kappa is None:
        return "redesign", "nobody labelled rows twice: have a hundred labelled again before anything is trained"
    method = f"; the benchmark recommends {compared['recommended']}" if compared else ""
    return "tune", f"labels are stable, shared (kappa {kappa:.2f}) and many{method or '; try `--method joined` first'}"


def _scarcest(checked: Checked) -> float:
    """Rows of the middling label of the field that has the fewest of it."""
    medians = [sorted(counts.values())[len(counts) // 2] for counts in checked.findings.balance.values()]
    return float(min(medians, default=0))


def _task(checked: Checked) -> str:
    return ", ".join(f"{name} ({len(labels)} labels)" for name, labels in checked.fields.items())


def _examples(checked: Checked, scarce: float) -> str:
    return f"{checked.findings.rows} rows in {checked.findings.groups} groups, {scarce:.0f} of a middling label"


def _agreed(checked: Checked, kappa: float | None) -> str:
    if kappa is None:
        return "no row was labelled twice"
    return ", ".join(f"{name}: kappa {a.kappa:.2f} on {a.rows}" for name, a in checked.findings.agreement.items())


def _metric(checked: Checked) -> str:
    """Accuracy where labels are about equally frequent, macro-F1 where one of them would win by being common."""
    told = []
    for name, counts in checked.findings.balance.items():
        share = max(counts.values()) / max(sum(counts.values()), 1)
        told.append(f"{name}: {'macro-F1' if share > 2 / len(counts) else 'accuracy'} (largest label {share:.0%})")
    return ", ".join(told)


def _compared(checked: Checked, compared: Mapping[str, str] | None) -> str:
    cheap = ", ".join(f"{name} {value:.3f}" for name, value in checked.findings.cheap_accuracy.items())
    told = f"joined head on unseen groups: {cheap}"
    return f"{told}; {compared['recommended']} recommended by {compared['command']}" if compared else told
