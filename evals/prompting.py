"""The prompted arms get their best: examples like the ticket, and the best of five prompts on development cases.

Labels and answers have the same budget: five prompts each, on the same twenty cases. The taxonomy is told in five
formats (their spread is part of a prompted row's figure, Sclar et al. 2024); answers are asked for with the five
instructions of the domain's `prompts/answer*.md`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from adapters.baselines import Embed
from adapters.data.rows import Row
from adapters.prompted import Examples, Prompted, taxonomy
from adapters.scrub import Scrubber
from domains.spec import Domain, Unavailable
from evals.arms import ARMS, RAG_CHAT
from evals.cases import Case
from service.reply import RespondRequest
from service.ticket import received

if TYPE_CHECKING:
    from evals.pipelines import Pipelines

_SHOWN = 3  # labelled tickets before the one that is asked about
_LONGEST = 400  # characters of an example
BUDGET = 5  # prompts for each of labels and answers


def nearest(rows: Sequence[Row], embed: Embed) -> Examples:
    """The labelled tickets nearest to a ticket, out of what the adapter was trained on; the nearest stands last."""
    bank = embed([row.text for row in rows])

    def examples(ticket: str) -> Sequence[tuple[str, Mapping[str, str]]]:
        found = np.argsort(bank @ embed([ticket])[0], kind="stable")[-_SHOWN:]
        return [(rows[i].text[:_LONGEST], rows[i].labels) for i in found]

    return examples


def _names_alone(domain: Domain) -> str:
    return "\n".join(f"{name}: {', '.join(field.labels)}" for name, field in domain.fields.items())


def _as_questions(domain: Domain) -> str:
    asked = []
    for name, field in domain.fields.items():
        choices = "\n".join(f"  {label} - {spec.description}" for label, spec in field.labels.items())
        asked.append(f'"{name}": {field.description} Choose one:\n{choices}')
    return "\n".join(asked)


def _as_table(domain: Domain) -> str:
    rows = [f"| {n} | {label} | {s.description} |" for n, f in domain.fields.items() for label, s in f.labels.items()]
    return "\n".join(["| field | label | when |", "|---|---|---|", *rows])


def _as_json(domain: Domain) -> str:
    told = {n: {label: s.description for label, s in f.labels.items()} for n, f in domain.fields.items()}
    return json.dumps(told, ensure_ascii=False, indent=1)


FORMATS: Mapping[str, Callable[[Domain], str]] = {
    "list": taxonomy,
    "names alone": _names_alone,
    "questions": _as_questions,
    "table": _as_table,
    "JSON": _as_json,
}


@dataclass(frozen=True, slots=True)
class Try:
    """What one prompt is worth on the cases that prompts are chosen on.

    `right`: of labels the share of expected labels, of answers the share of cases that state every required value as
    composed; 0..1. `decisions`: how many of them.
    """

    part: Literal["labels", "answers"]
    name: str
    decisions: int
    right: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The prompts that the arms use: a format of the taxonomy, and a file of the domain's `prompts/`."""

    labels: str = "list"
    answers: str = "answer"

    @staticmethod
    def best(tries: Sequence[Try]) -> Chosen:
        """The best of each part, the first of equals; what is written first where nothing was tried."""
        found = {
            part: max((t for t in tries if t.part == part), key=lambda t: t.right) for part in {t.part for t in tries}
        }
        return Chosen(**{part: best.name for part, best in found.items()})


def answer_prompts(domain: Domain) -> tuple[str, ...]:
    """Names of the domain's prompts for answers, `answer` first."""
    there = sorted(path.stem for path in (domain.folder / "prompts").glob("answer*.md"))
    return tuple(there[:BUDGET])


def measured(
    pipelines: Pipelines, cases: Sequence[Case], track: Callable[[Sequence[Chosen]], Iterator[Chosen]]
) -> tuple[Try, ...]:
    """What every prompt is worth on some cases; a call that fails is wrong in all that it was to give."""
    labels, answers = list(FORMATS)[:BUDGET], answer_prompts(pipelines.domain)
    found: list[Try] = []
    for chosen in track([*(Chosen(labels=name) for name in labels), *(Chosen(answers=name) for name in answers)]):
        place = len(found)
        arm = pipelines.with_prompts(chosen)
        found.append(
            _labels(arm, cases, labels[place]) if place < len(labels) else _answers(arm, cases, chosen.answers)
        )
    return tuple(found)


def _labels(pipelines: Pipelines, cases: Sequence[Case], name: str) -> Try:
    right, prompted, scrub = [], pipelines.prompted(), pipelines.services.pipeline.scrub
    for case in cases:
        labels = _labelled(prompted, case, scrub)
        right += [labels.get(field) == value for field, value in case.expect.labels.items()]
    return Try("labels", name, len(right), float(np.mean(right)) if right else 0.0)


def _labelled(prompted: Prompted, case: Case, scrub: Scrubber) -> Mapping[str, str]:
    ticket = received(RespondRequest(ticket=case.ticket).as_ticket(), scrub).ticket
    try:
        return {field: label.value for field, label in prompted.label(ticket.model_text).items()}
    except Unavailable:
        return {}


def _answers(pipelines: Pipelines, cases: Sequence[Case], name: str) -> Try:
    arm = next(arm for arm in ARMS if arm.name == RAG_CHAT)
    told = []
    for case in cases:
        result, failed = pipelines.answer(arm, case)
        if (complete := result.as_composed.facts_complete) is not None:
            told.append(complete and not failed)  # of a call that failed the draft is another composer's
    return Try("answers", name, len(told), float(np.mean(told)) if told else 0.0)
