"""A chat model that answers from memory: the arm without passages, which shows what retrieval is worth."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from adapters.structured import Structured
from domains.spec import Domain
from evals.score import Said

_LONGEST = 300  # characters of an answer
_READ = 4000  # … and of a ticket
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"can_answer": {"type": "boolean"}, "answer": {"type": "string", "maxLength": _LONGEST}},
    "required": ["can_answer", "answer"],
    "additionalProperties": False,
}


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    can_answer: bool
    answer: str


def from_memory(domain: Domain, chat: Structured, ticket: str) -> Said:
    """What the model says without having read anything; a hand-off where it says that it cannot answer.

    Raises:
        NotConfigured: the domain has no `prompts/alone.md`.
        Unavailable: the model does not answer.
    """
    told = chat.ask(domain.prompt("alone"), ticket[:_READ], _SCHEMA, _Reply)
    if not told.can_answer:
        return Said("handoff", "", (), 0, {})
    return Said("answer", told.answer, (), 1, {})
