"""Consistency: is each label decision right however the ticket is worded, misspelt or laid out?

Right in every variant counts, not alike: an answer that is always the same is consistent, and does not win.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from adapters.classifier import Classifier
from adapters.data.rows import model_text
from adapters.scrub import Scrubber
from domains.spec import Domain
from evals.cases import Case, records
from evals.figures import pass_all
from service.reply import TicketIn

TRIALS = 5
_TYPOS = 0.08  # share of words with two letters swapped


class _Wording(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    body: str
    subject: str = ""


class Paraphrased(BaseModel):
    """A case told by five other people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    texts: Annotated[tuple[_Wording, ...], Field(min_length=TRIALS, max_length=TRIALS)]


@dataclass(frozen=True, slots=True)
class Consistent:
    """How steady one source of labels is; shares of label decisions, 0..1."""

    source: str
    decisions: int
    as_written: float  # right on the case itself
    paraphrased: float  # right under all five paraphrases: pass^5
    misspelt: float  # … in all five misspelt copies
    reordered: float  # … with subject and message in either order
    in_all: float  # … in all of them


def load(domain: Domain) -> tuple[Paraphrased, ...]:
    """The paraphrases of a domain's development cases.

    Raises:
        InvalidInput: the file is missing, a line is wrong, or there are not five texts.
    """
    return tuple(records(domain.folder / "cases" / "paraphrases.jsonl", Paraphrased, "evals/consistency.py"))


def measure(
    classifier: Classifier, cases: Sequence[Case], paraphrases: Sequence[Paraphrased], scrub: Scrubber
) -> Consistent:
    """Label every variant of the cases that are paraphrased.

    Raises:
        Unavailable: a chat model labels and does not answer.
    """
    by_id = {case.id: case for case in cases}
    told: list[dict[str, list[bool]]] = []
    for one in paraphrases:
        case = by_id[one.case]
        variants = {kind: scrub(texts) for kind, texts in _variants(case.ticket, one).items()}
        texts = [text for group in variants.values() for text in group]
        labelled = iter(classifier.label_all(texts))
        found = {kind: [next(labelled) for _ in group] for kind, group in variants.items()}
        for field, value in case.expect.labels.items():
            told.append({k: [labels[field].value == value for labels in group] for k, group in found.items()})
    share = {kind: pass_all([decision[kind] for decision in told]) for kind in told[0]} if told else {}
    every = pass_all([[right for group in decision.values() for right in group] for decision in told])
    return Consistent(classifier.id, len(told), **share, in_all=every)


def misspelt(text: str, seed: int) -> str:
    """The text with neighbouring letters swapped in some words, always the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 -- no secret depends on it

    def slip(match: re.Match[str]) -> str:
        word = match.group()
        if draw.random() >= _TYPOS:
            return word
        at = draw.randrange(1, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return re.sub(r"[^\W\d_]{4,}", slip, text)


def _variants(ticket: TicketIn, paraphrased: Paraphrased) -> dict[str, list[str]]:
    subject, body = ticket.subject, ticket.body
    thread = [message.text for message in ticket.thread]
    return {
        "as_written": [model_text(subject, body, thread)],
        "paraphrased": [model_text(t.subject, t.body, thread) for t in paraphrased.texts],
        "misspelt": [model_text(misspelt(subject, n), misspelt(body, n), thread) for n in range(TRIALS)],
        "reordered": [model_text(body, subject, thread)],
    }
