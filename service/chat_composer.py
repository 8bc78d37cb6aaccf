"""The chat-model composer: a model words the claims, bound to a schema and to the citations that were found.

What it writes is a draft like any other: `service/verify.py` decides whether it leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from adapters.structured import Structured
from domains.spec import Domain, Unavailable
from retrieval.evidence import Evidence, Finding
from retrieval.units import Unit
from service.compose import Claim, Draft, Layout, Numbers, place
from service.route import Decision

_MOST_STATEMENTS = 3
_LONGEST = 300  # characters of a statement


class _Statement(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    sources: list[int]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    statements: list[_Statement]


class ChatComposer:
    """Claims are a chat model's words.

    Args:
        domain: whose formats and prompts are used.
        chat: the model; its name stands in a reply's provenance.
        prompt: name of a file of the domain's `prompts/`.

    Raises:
        NotConfigured: the domain has no prompt.
    """

    def __init__(self, domain: Domain, chat: Structured, prompt: str = "answer") -> None:
        self.name, self._chat = chat.name, chat
        self._layout = Layout(domain)
        self._prompt = domain.prompt(prompt)

    def compose(self, decision: Decision, evidence: Evidence | None) -> Draft:
        """See `service.compose.Composer`.

        Raises:
            Unavailable: the model does not answer, or not in the schema.
        """
        return self._layout.draft(decision, evidence, self._claims)

    def _claims(self, finding: Finding, units: Sequence[Unit], numbers: Numbers) -> list[Claim]:
        sources = {numbers[place(u)]: u for u in units}
        quoted = "\n".join(f"[{n}] {u.version.title}, {u.in_context}" for n, u in sources.items())
        asked = f"Sources:\n{quoted}\n\nQuestion: {f'{finding.question.context} {finding.question.text}'.strip()}"
        answer = self._chat.ask(self._prompt, asked, _schema(list(sources)), _Answer)
        stated = [Claim(" ".join(s.text.split()), tuple(dict.fromkeys(s.sources))) for s in answer.statements]
        if not any(claim.text for claim in stated):
            raise Unavailable(f"{self.name} stated nothing.", "Another composer has to.")
        return [claim for claim in stated if claim.text]


def _schema(sources: list[int]) -> dict[str, Any]:
    """An answer that can cite these sources and no others."""
    statement = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": _LONGEST},
            "sources": {"type": "array", "items": {"enum": sources}, "minItems": 1, "maxItems": len(sources)},
        },
        "required": ["text", "sources"],
        "additionalProperties": False,
    }
    statements = {"type": "array", "items": statement, "minItems": 1, "maxItems": _MOST_STATEMENTS}
    return {
        "type": "object",
        "properties": {"statements": statements},
        "required": ["statements"],
        "additionalProperties": False,
    }
