"""The prompt-only baseline: a chat model reads the taxonomy and the ticket, and names a label for every field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import RootModel

from adapters.classifier import Label, Labels
from adapters.structured import Structured
from adapters.tables import PROMPT
from domains.spec import Domain

_LONGEST = 4000  # characters of a ticket that the model reads: its window is small


def _none(ticket: str) -> Sequence[tuple[str, Mapping[str, str]]]:
    return ()


class _Named(RootModel[dict[str, str]]):
    """Field -> the label that was named."""


Examples = Callable[[str], Sequence[tuple[str, Mapping[str, str]]]]  # a ticket -> labelled tickets like it


class Prompted:
    """Labels by a chat model. It names labels and no probabilities: each is told with confidence 1 and never abstains.

    Args:
        domain: its instruction stands in `prompts/labels.md`; the taxonomy is put below it.
        chat: answers under the schema, so that every label is one of its field.
        told: how the taxonomy is told.
        examples: labelled tickets that are shown before the ticket.

    Raises:
        NotConfigured: the domain has no such prompt.
    """

    id = PROMPT
    dataset = "none"

    def __init__(
        self, domain: Domain, chat: Structured, told: Callable[[Domain], str] | None = None, examples: Examples = _none
    ) -> None:
        self.base_model, self._chat = chat.name, chat
        self._schema = schema(domain)
        self._instruction = f"{domain.prompt('labels')}\n\n{(told or taxonomy)(domain)}"
        self._examples = examples

    def label(self, text: str) -> Labels:
        """Labels of one ticket.

        Raises:
            Unavailable: the model does not answer.
        """
        shown = [f"Ticket:\n{ticket}\n{json.dumps(dict(labels))}\n\n" for ticket, labels in self._examples(text)]
        asked = "".join([*shown, "Ticket:\n" if shown else "", text[:_LONGEST]])
        named = self._chat.ask(self._instruction, asked, self._schema, _Named).root
        return {field: Label(value, 1.0, False, ()) for field, value in named.items()}

    def label_all(self, texts: list[str]) -> list[Labels]:
        """Labels of many tickets, in their order; see `label`."""
        return [self.label(text) for text in texts]


def taxonomy(domain: Domain) -> str:
    """Every field with its labels, as a model reads them."""
    return "\n\n".join(
        "\n".join([f"{name}: {field.description}", *(f"- {n}: {spec.description}" for n, spec in field.labels.items())])
        for name, field in domain.fields.items()
    )


def schema(domain: Domain) -> dict[str, Any]:
    """One label of each field, and nothing else."""
    return {
        "type": "object",
        "properties": {name: {"enum": list(field.labels)} for name, field in domain.fields.items()},
        "required": list(domain.fields),
        "additionalProperties": False,
    }
