"""The benchmark of refusal: does the score tell questions that some text answers from those that none does?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from adapters.data.judged import JudgedQuestion
from evals.benchmarks.corpus import Corpus
from evals.intervals import Interval, of_auroc
from retrieval.questions import Question
from retrieval.retriever import Fusion
from retrieval.slots import Slots

COSINE, FUSED, SUFFICIENCY = "highest cosine", "highest fused score", "sufficiency"
ARMS = (COSINE, FUSED, SUFFICIENCY)
_NOTHING: Slots = {}


@dataclass(frozen=True, slots=True)
class Refused:
    """The figures of one score: areas under the ROC curve, 0..1."""

    arm: str
    unanswerable: Interval | None  # answerable against unanswerable questions; None where there are none of these
    near_misses: Interval  # answerable against the same questions with what answers them taken out


def compare(
    shelf: Corpus,
    questions: Sequence[JudgedQuestion],
    arms: Sequence[str],
    track: Callable[[Sequence[JudgedQuestion]], Iterator[JudgedQuestion]],
) -> list[Refused]:
    """Score every question with each arm, and the answerable ones once more without what answers them."""
    with_it: dict[str, list[float]] = {arm: [] for arm in arms}
    without: dict[str, list[float]] = {arm: [] for arm in arms}
    for question in track(questions):
        for arm in arms:
            with_it[arm].append(score(shelf, question, arm))
            if question.relevant:
                without[arm].append(score(shelf.without(question.relevant), question, arm))
    answerable = [bool(q.relevant) for q in questions]
    return [_figures(arm, answerable, with_it[arm], without[arm]) for arm in arms]


def score(shelf: Corpus, question: JudgedQuestion, arm: str) -> float:
    """How sure an arm is that there is an answer."""
    if arm == SUFFICIENCY:
        return shelf.selector.select(shelf.view, Question(question.text, question.surroundings), _NOTHING).score
    fusion = Fusion(lexical=0) if arm == COSINE else Fusion()
    hits = shelf.search(question, replace(shelf.retriever, fusion=fusion))
    return max((hit.score for hit in hits), default=0.0)


def _figures(arm: str, answerable: Sequence[bool], scores: Sequence[float], without: Sequence[float]) -> Refused:
    right = [s for s, told in zip(scores, answerable, strict=True) if told]
    return Refused(
        arm,
        None if all(answerable) else of_auroc(answerable, scores),
        of_auroc([True] * len(right) + [False] * len(without), [*right, *without]),
    )
