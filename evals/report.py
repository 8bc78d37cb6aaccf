"""What a comparison found, as values: computed once, shown as HTML, Markdown, JSON or on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from adapters.metrics import mcnemar
from evals import figures
from evals.answers import ArmAnswer
from evals.arms import HYBRID, MOST_SHORT, PAIRS, RAG, SHORT, Arm, Group
from evals.cases import Case, is_sealed
from evals.causes import cause
from evals.consistency import Consistent
from evals.cost import Cost, Prices, Swing, break_even, cost, swings
from evals.freshness import Fresh
from evals.intervals import Interval, of_difference, of_mean
from evals.judge import JudgeSummary
from evals.prompting import Try
from evals.significance import cases_needed, detectable, holm, verdict

FORMAT = 2  # of a report as JSON; `docs/results.schema.json` describes it, other numbers are refused
_BINS = 10
_SHORT, _LONG = 20, 60  # words of a message
_LEAST = 8  # cases of a slice that is worth naming


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """The figures of one arm; see `evals.figures` for what each means."""

    arm: str
    group: Group
    about: str
    labels: str
    answers: str
    useful: Interval
    right_action: Interval
    facts_correct: Interval | None
    facts_correct_composed: Interval | None
    label_accuracy: Interval | None
    macro_f1: dict[str, float]
    harmful: Interval
    harmful_composed: Interval
    misapplied: Interval
    leaks: int
    unsupported_claims: float | None
    citation_precision: float | None
    citation_recall: float | None
    refusal_precision: float
    refusal_recall: float
    useful_at_harm: float
    needs_person: Interval
    calls: int
    failed_calls: int
    schema_compliance: float | None
    seconds: tuple[float, ...]  # an answer: 5th, 25th, 50th, 75th and 95th percentile
    cpu_seconds: float  # mean an answer
    cost: Cost
    risk_coverage: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Paired:
    """Two arms on the same cases."""

    ours: str
    theirs: str
    figure: str
    difference: Interval
    p: float  # McNemar's, exact
    p_holm: float  # over all comparisons of this report
    verdict: str  # better, worse, equal or undecided: see `evals.significance.verdict`
    cases_needed: int | None  # to show a difference of five points, at the discordance seen
    detectable: float  # the smallest difference that these cases can show, 0..1


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the cases, in the hybrid mode."""

    by: str
    name: str
    cases: int
    useful: Interval


@dataclass(frozen=True, slots=True)
class Wrong:
    """A case that the hybrid mode got wrong."""

    case: str
    tags: tuple[str, ...]
    ticket: str
    expected: str
    got: str
    evidence: tuple[tuple[str, str], ...]
    cause: str


@dataclass(frozen=True, slots=True)
class Field:
    """How the adapter labels one field: a confusion matrix, and accuracy a bin of confidence."""

    name: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]  # [expected][told]
    reliability: tuple[tuple[float, float, int], ...]  # mean confidence, accuracy, cases


@dataclass(frozen=True, slots=True)
class Run:
    """What was run, where, and how often the sealed cases have been opened."""

    domain: str
    cases: str
    n: int
    openings: int
    chat: str
    weak_chat: bool  # so small that its rows check the pipeline and are no evidence
    command: str
    hardware: str
    made: str
    skipped: tuple[str, ...] = ()  # what was not measured, and what is missing for it: a sentence each


@dataclass(frozen=True, slots=True)
class Beside:
    """What is measured apart from the cases."""

    freshness: Sequence[Fresh] = ()  # of the modes
    consistency: Sequence[Consistent] = ()  # of label sources
    tries: Sequence[Try] = ()  # of prompts, where there is a chat model
    judged: JudgeSummary | None = None  # where a judge was asked for


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a comparison found."""

    run: Run
    arms: tuple[ArmFigures, ...]
    paired: tuple[Paired, ...]
    slices: tuple[Slice, ...]
    worst: Slice | None
    causes: dict[str, int]
    wrong: tuple[Wrong, ...]  # empty for sealed cases
    fields: tuple[Field, ...]
    freshness: tuple[Fresh, ...]
    consistency: tuple[Consistent, ...]
    tries: tuple[Try, ...]  # of prompts, on development cases
    judged: JudgeSummary | None
    currency: str
    prices: dict[str, float]  # the price list, as it was given
    swings: tuple[Swing, ...]  # what other prices would change
    interval_tickets: float
    break_even: dict[str, float | None]  # arm -> tickets an interval from which on hybrid is cheaper
    format: int = FORMAT

    def of(self, arm: str) -> ArmFigures | None:
        """The figures of an arm, if it ran."""
        return next((a for a in self.arms if a.arm == arm), None)

    def pair(self, ours: str, theirs: str, figure: str) -> Paired | None:
        """The comparison of two arms in a figure, if both ran."""
        return next((p for p in self.paired if (p.ours, p.theirs, p.figure) == (ours, theirs, figure)), None)

    def is_weak(self, arm: ArmFigures) -> bool:
        """Does it rest on a chat model that is too small for its row to be evidence?"""
        return self.run.weak_chat and arm.calls > 0

    @property
    def short(self) -> tuple[ArmFigures, ...]:
        """The rows of a short table."""
        rows = [arm for name in SHORT if (arm := self.of(name)) and not self.is_weak(arm)]
        return tuple(rows[:MOST_SHORT])

    @property
    def evidence(self) -> tuple[ArmFigures, ...]:
        """All arms but those that stand in the appendix."""
        return tuple(arm for arm in self.arms if not self.is_weak(arm))

    @property
    def appendix(self) -> tuple[ArmFigures, ...]:
        """The arms of a chat model that is too small to be evidence."""
        return tuple(arm for arm in self.arms if self.is_weak(arm))


def report(
    run: Run,
    arms: Sequence[Arm],
    cases: Sequence[Case],
    answered: Sequence[ArmAnswer],
    prices: Prices,
    labelled: int,
    beside: Beside,
) -> Report:
    """Compute a report.

    Args:
        run: what was run.
        arms: in the order in which they are shown.
        cases: all, in their order.
        answered: every arm's answer to every case.
        prices: see `evals.cost`.
        labelled: tickets that were labelled to learn from.
        beside: what was measured apart from the cases.
    """
    by_arm = {arm.name: [a for a in answered if a.arm == arm.name] for arm in arms}
    told = tuple(_figures(arm, by_arm[arm.name], cases, prices, labelled) for arm in arms)
    hybrid = by_arm.get(HYBRID, [])
    parts = _slices(cases, hybrid)
    costs = {a.arm: a.cost for a in told}
    return Report(
        run=run,
        arms=told,
        paired=tuple(_paired(by_arm)),
        slices=tuple(parts),
        worst=min((s for s in parts if s.cases >= _LEAST), key=lambda s: s.useful.value, default=None),
        causes=dict(Counter(c for case, row in zip(cases, hybrid, strict=False) if (c := cause(case, row)))),
        wrong=() if is_sealed(run.cases) else tuple(_wrong(cases, hybrid)),
        fields=tuple(_fields(cases, hybrid)),
        freshness=tuple(beside.freshness),
        consistency=tuple(beside.consistency),
        tries=tuple(beside.tries),
        judged=beside.judged,
        currency=prices.currency,
        prices=prices.model_dump(exclude={"currency"}),
        swings=tuple(
            swings({a.name: (a, by_arm[a.name]) for a in arms if a.name in (HYBRID, RAG)}, prices, labelled, len(cases))
        ),
        interval_tickets=next(iter(costs.values())).interval_tickets if costs else 0.0,
        break_even={n: break_even(costs[HYBRID], c) for n, c in costs.items() if HYBRID in costs and n != HYBRID},
    )


def _figures(arm: Arm, rows: Sequence[ArmAnswer], cases: Sequence[Case], prices: Prices, labelled: int) -> ArmFigures:
    fields = sorted({field for case in cases for field in case.expect.labels})
    f1 = {field: figures.macro_f1(rows, cases, field) for field in fields}
    refused = figures.refusal(rows)
    return ArmFigures(
        arm=arm.name,
        group=arm.group,
        about=arm.about,
        labels=arm.labels,
        answers=arm.answers,
        useful=figures.useful(rows),
        right_action=figures.right_action(rows),
        facts_correct=figures.facts_correct(rows),
        facts_correct_composed=figures.facts_correct(rows, composed=True),
        label_accuracy=figures.label_accuracy(rows),
        macro_f1={field: value for field, value in f1.items() if value is not None},
        harmful=figures.harmful(rows),
        harmful_composed=figures.harmful(rows, composed=True),
        misapplied=figures.misapplied(rows),
        leaks=figures.leaks(rows),
        unsupported_claims=figures.unsupported_claims(rows),
        citation_precision=figures.citation_precision(rows),
        citation_recall=figures.citation_recall(rows),
        refusal_precision=refused[0],
        refusal_recall=refused[1],
        useful_at_harm=figures.useful_at_harm(rows),
        needs_person=figures.needs_person(rows),
        calls=sum(r.usage.calls for r in rows),
        failed_calls=sum(r.failed for r in rows),
        schema_compliance=figures.schema_compliance(rows),
        seconds=figures.latency(rows),
        cpu_seconds=float(np.mean([r.usage.cpu_seconds for r in rows])),
        cost=cost(arm, rows, prices, labelled, len(cases)),
        risk_coverage=tuple(figures.risk_coverage(rows)),
    )


_FIGURES: Mapping[str, Callable[[ArmAnswer], bool]] = {
    "useful": lambda r: r.marks.useful,
    "right action": lambda r: r.marks.action_right,
}


def _paired(by_arm: Mapping[str, Sequence[ArmAnswer]]) -> list[Paired]:
    """All comparisons whose arms both ran; p-values are adjusted over all of them together."""
    there = [(a, b, f) for a, b in PAIRS if by_arm.get(a) and by_arm.get(b) for f in _FIGURES]
    marks = {(a, b, f): tuple(np.array([_FIGURES[f](r) for r in by_arm[arm]]) for arm in (a, b)) for a, b, f in there}
    ps = {" | ".join(pair): mcnemar(*marks[pair]) for pair in there}
    adjusted = holm(ps)
    found = []
    for pair in there:
        ours, theirs = marks[pair]
        apart, name = float(np.mean(ours != theirs)), " | ".join(pair)
        difference = of_difference([float(o) for o in ours], [float(t) for t in theirs])
        told = verdict(adjusted[name], difference.low, difference.high)
        needed = cases_needed(0.05, apart) if apart else None
        seen = detectable(len(ours), apart)
        found.append(Paired(*pair, difference, ps[name], adjusted[name], told, needed, seen))
    return found


def _slices(cases: Sequence[Case], rows: Sequence[ArmAnswer]) -> list[Slice]:
    parts: dict[tuple[str, str], list[float]] = {}
    for case, row in zip(cases, rows, strict=False):
        words = len(case.ticket.body.split())
        length = "short" if words <= _SHORT else "long" if words > _LONG else "medium"
        queue = case.expect.labels.get("queue")
        places = [("length", length), ("channel", case.ticket.channel or "not told"), *(("tag", t) for t in case.tags)]
        for place in [*places, ("queue", queue)] if queue else places:
            parts.setdefault((place[0], str(place[1])), []).append(float(row.marks.useful))
    return [Slice(by, name, len(told), of_mean(told)) for (by, name), told in sorted(parts.items())]


def _wrong(cases: Sequence[Case], rows: Sequence[ArmAnswer]) -> list[Wrong]:
    found = []
    for case, row in zip(cases, rows, strict=False):
        if why := cause(case, row):
            ticket = f"{case.ticket.subject}\n{case.ticket.body}".strip()
            expected = (
                f"{' or '.join(case.expect.actions)}: {', '.join(v for f in case.expect.facts for v in f.values)}"
            )
            got = f"{row.action} ({row.reason}): {row.text}"
            found.append(Wrong(case.id, case.tags, ticket, expected.strip(": "), got, row.quotes, why))
    return found


def _fields(cases: Sequence[Case], rows: Sequence[ArmAnswer]) -> list[Field]:
    found = []
    for name in sorted({field for row in rows for field in row.labels}):
        pairs = [
            (case.expect.labels[name], *row.labels[name])
            for case, row in zip(cases, rows, strict=False)
            if name in case.expect.labels and name in row.labels
        ]
        if pairs:
            labels = tuple(sorted({p[0] for p in pairs} | {p[1] for p in pairs}))
            counts = Counter((wanted, told) for wanted, told, _ in pairs)
            matrix = tuple(tuple(counts[wanted, told] for told in labels) for wanted in labels)
            found.append(Field(name, labels, matrix, tuple(_reliability(pairs))))
    return found


def _reliability(pairs: Sequence[tuple[str, str, float]]) -> list[tuple[float, float, int]]:
    """Mean confidence and accuracy in ten bins of equal width (Guo et al. 2017); empty bins are left out."""
    edges = np.linspace(0, 1, _BINS + 1)
    bins = []
    for low, high in pairwise(edges):
        inside = [(c, wanted == told) for wanted, told, c in pairs if low < c <= high or (low == 0 and c == 0)]
        if inside:
            bins.append((float(np.mean([c for c, _ in inside])), float(np.mean([r for _, r in inside])), len(inside)))
    return bins
