"""The benchmark of retrieval: the same questions through each index alone, both, and the ordering by evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from adapters.data.judged import JudgedQuestion
from evals.benchmarks.corpus import Corpus
from evals.intervals import Interval, of_mean
from retrieval.questions import Question
from retrieval.retriever import Fusion, Hit

_RANK_CONSTANT = 60  # Cormack, Clarke & Büttcher 2009
LEXICAL, DENSE, RANKS, ALONE, FUSED, RERANKED = (
    "lexical",
    "dense",
    "fused by reciprocal rank",
    "fused, the question alone",
    "fused",
    "fused, then by evidence",
)
ARMS = (LEXICAL, DENSE, RANKS, ALONE, FUSED, RERANKED)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The figures of one arm over questions; shares 0..1."""

    arm: str
    hit_at_5: Interval  # some relevant text is among the first five
    recall_at_5: Interval  # share of the relevant texts among the first five, mean of questions
    recall_at_10: Interval


def compare(
    shelf: Corpus,
    questions: Sequence[JudgedQuestion],
    arms: Sequence[str],
    track: Callable[[Sequence[JudgedQuestion]], Iterator[JudgedQuestion]],
) -> list[Retrieved]:
    """Ask every question that some text answers of every arm."""
    found: dict[str, list[list[str]]] = {arm: [] for arm in arms}
    for question in track(questions):
        for arm in arms:
            found[arm].append(ranked(shelf, question, arm))
    return [_figures(arm, questions, rankings) for arm, rankings in found.items()]


def ranked(shelf: Corpus, question: JudgedQuestion, arm: str) -> list[str]:
    """The texts in the order of an arm, best first."""
    fusions = {LEXICAL: Fusion(dense=0), DENSE: Fusion(lexical=0)}
    if arm in fusions:
        return shelf.found(shelf.search(question, replace(shelf.retriever, fusion=fusions[arm])))
    if arm == RANKS:
        return reciprocal([ranked(shelf, question, LEXICAL), ranked(shelf, question, DENSE)])
    if arm == ALONE:
        return shelf.found(shelf.search(replace(question, context="", thread=())))
    hits = shelf.search(question)
    return shelf.found(hits if arm == FUSED else _by_evidence(shelf, question, hits))


def reciprocal(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Reciprocal rank fusion, k = 60; ties in the order of the identifiers."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, text in enumerate(ranking, start=1):
            scores[text] = scores.get(text, 0.0) + 1 / (_RANK_CONSTANT + rank)
    return sorted(scores, key=lambda text: (-round(scores[text], 9), text))


def _by_evidence(shelf: Corpus, question: JudgedQuestion, hits: Sequence[Hit]) -> Sequence[Hit]:
    asked = Question(question.text, question.surroundings)
    best = {u.passage.key: u.score for u in reversed(shelf.selector.units(asked, hits, {}))}
    return sorted(hits, key=lambda hit: -best.get(hit.passage.key, 0.0))


def _figures(arm: str, questions: Sequence[JudgedQuestion], rankings: Sequence[Sequence[str]]) -> Retrieved:
    pairs = [(q.relevant, ranking) for q, ranking in zip(questions, rankings, strict=True)]
    return Retrieved(
        arm,
        of_mean([float(not wanted.isdisjoint(ranking[:5])) for wanted, ranking in pairs]),
        of_mean([len(wanted & set(ranking[:5])) / len(wanted) for wanted, ranking in pairs]),
        of_mean([len(wanted & set(ranking[:10])) / len(wanted) for wanted, ranking in pairs]),
    )
