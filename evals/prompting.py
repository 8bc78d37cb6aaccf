"""What is done for the prompted arms, so that they are no straw men: examples like the ticket, and five formats.

The effort is written down in `docs/evals.md`: prompts and the number of examples were chosen on development cases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from adapters.baselines import Embed
from adapters.data.rows import Row
from adapters.prompted import Examples, taxonomy
from domains.spec import Domain

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
