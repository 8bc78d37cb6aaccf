"""What is done for the prompted arms, so that they are no straw men: examples like the ticket, and five formats.

The effort is written down in `docs/evals.md`: prompts and the number of examples were chosen on development cases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.baselines import Embed
from adapters.data.rows import Row
from adapters.prompted import Examples, Prompted, taxonomy
from adapters.scrub import Scrubber
from adapters.structured import Structured
from domains.spec import Domain, Unavailable
from evals.cases import Case
from service.reply import RespondRequest
from service.ticket import received

_SHOWN = 3  # labelled tickets before the one that is asked about
_LONGEST = 400  # characters of an example


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


# How the taxonomy is told. The spread over formats is part of a prompted row's figure (Sclar et al. 2024).
FORMATS: Mapping[str, Callable[[Domain], str]] = {
    "list": taxonomy,
    "names alone": _names_alone,
    "questions": _as_questions,
    "table": _as_table,
    "JSON": _as_json,
}


@dataclass(frozen=True, slots=True)
class Format:
    """How right prompted labels are under one format; share of expected labels, 0..1."""

    name: str
    decisions: int
    right: float


def measured(
    domain: Domain,
    chat: Structured,
    cases: Sequence[Case],
    scrub: Scrubber,
    track: Callable[[Sequence[str]], Iterator[str]],
) -> tuple[Format, ...]:
    """Label the same cases under every format; a call that fails is wrong in all its labels."""
    return tuple(_measured(name, Prompted(domain, chat, FORMATS[name]), cases, scrub) for name in track(list(FORMATS)))


def _measured(name: str, prompted: Prompted, cases: Sequence[Case], scrub: Scrubber) -> Format:
    right = []
    for case in cases:
        try:
            labels = prompted.label(received(RespondRequest(ticket=case.ticket).as_ticket(), scrub).ticket.model_text)
        except Unavailable:
            labels = {}
        right += [field in labels and labels[field].value == value for field, value in case.expect.labels.items()]
    return Format(name, len(right), float(np.mean(right)) if right else 0.0)
