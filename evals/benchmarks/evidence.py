"""The benchmark of evidence: does the reader put the sentence that answers first, and does it know when none does?

The questions are those of the development cases, among the units of the passages that are found for them, or those of
organisations whose documents the reader has never seen, among all texts of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.data.judged import JudgedSet
from evals.cases import UNANSWERABLE, Case
from evals.intervals import Interval, of_auroc, of_mean
from evals.run import caller_of, request_of
from evals.score import holds
from retrieval.evidence import Selector
from retrieval.readings import Reader
from retrieval.timestamps import parse_instant
from service.build import Services
from service.ticket import received

_DEPTHS = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class Ordered:
    """The figures of one reader; shares and areas 0..1."""

    reader: str
    top_1: Interval  # cases: everything wanted is in the best unit of some question; organisations: the best answers
    top_3: Interval
    top_5: Interval
    auroc: Interval  # of the best score: answerable against unanswerable
    answered: Interval  # share of the answerable whose best score is sufficient
    declined: Interval  # share of the unanswerable whose best score is not
    wrong: Interval  # of those whose best score is sufficient, the share that the best unit does not answer


@dataclass(frozen=True, slots=True)
class _Asked:
    """One case or question: where all was found (None: not), the best score, whether there is an answer."""

    depth: int | None
    best: float
    answerable: bool


def on_cases(
    services: Services, selectors: Mapping[str, Selector], cases: Sequence[Case], track: Track
) -> list[Ordered]:
    """Order the units of each case by each selector."""
    told: dict[str, list[_Asked]] = {name: [] for name in selectors}
    for case in track([c for c in cases if c.expect.facts or UNANSWERABLE in c.tags]):
        for name, selector in selectors.items():
            told[name].append(_case(services, selector, case))
    return [_figures(name, found, selectors[name].reader.sufficient) for name, found in told.items()]


def on_organisations(
    reader: Reader, organisations: Sequence[JudgedSet], track: Callable[..., Iterator[JudgedSet]]
) -> Ordered:
    """Order all texts of organisations by a reader."""
    told: list[_Asked] = []
    for shelf in track(organisations):
        readings = reader.read([(text.text, text.title) for text in shelf.texts])
        for question in shelf.questions:
            scores = reader.judge((question.text, question.surroundings), readings)
            order = (-scores).argsort()[: max(_DEPTHS)]
            ranks = [n for n, i in enumerate(order, start=1) if shelf.texts[int(i)].id in question.relevant]
            told.append(_Asked(ranks[0] if ranks else None, float(scores.max()), bool(question.relevant)))
    return _figures(f"{reader.name}, unseen organisations", told, reader.sufficient)


Track = Callable[[Sequence[Case]], Iterator[Case]]


def _case(services: Services, selector: Selector, case: Case) -> _Asked:
    caller, pipeline = caller_of(services, case), services.pipeline
    got = received(request_of(case, "hybrid").as_ticket(), pipeline.scrub)
    view = services.catalog.view(caller.audiences, parse_instant(case.as_of, services.domain.zone))
    given = pipeline.given(got.ticket)
    ranked = [selector.units(asked, selector.hits(view, asked), given) for asked in pipeline.enquiry(got).questions]
    wanted = [value for fact in case.expect.facts for value in fact.values]

    def found(depth: int) -> bool:
        return all(any(holds(u.text, value) for units in ranked for u in units[:depth]) for value in wanted)

    best = max((units[0].score for units in ranked if units), default=0.0)
    return _Asked(next(filter(found, range(1, max(_DEPTHS) + 1)), None), best, bool(wanted))


def _figures(name: str, told: Sequence[_Asked], sufficient: float) -> Ordered:
    there = [t for t in told if t.answerable]
    first, third, fifth = (of_mean([float((t.depth or depth + 1) <= depth) for t in there]) for depth in _DEPTHS)
    return Ordered(
        name,
        first,
        third,
        fifth,
        of_auroc([t.answerable for t in told], [t.best for t in told]),
        of_mean([float(t.best >= sufficient) for t in there]),
        of_mean([float(t.best < sufficient) for t in told if not t.answerable]),
        of_mean([float(t.depth != 1) for t in told if t.best >= sufficient] or [0.0]),
    )
