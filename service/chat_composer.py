"""The chat-model composer: a model words the claims, bound to a schema and to the citations that were found.

What it writes is a draft like any other: `service/verify.py` decides whether it leaves. An endpoint that fails three
times in a row is left alone for half a minute, so that a dead one does not slow every reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pybreaker
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.chat import schema_format
from domains.spec import Domain, NotConfigured, Unavailable
from retrieval.evidence import Evidence, Finding, Unit
from service.compose import Claim, Draft, Layout, Numbers
from service.route import Decision

_MOST_STATEMENTS = 3
_LONGEST = 300  # characters of a statement
_FAILURES, _PAUSE = 3, 30  # after so many calls in a row that failed, seconds without another


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
        domain: its prompt stands in `prompts/answer.md`.
        model: any LangChain chat model that takes `response_format`.
        name: as it stands in a reply's provenance.

    Raises:
        NotConfigured: the domain has no prompt.
    """

    def __init__(self, domain: Domain, model: BaseChatModel, name: str) -> None:
        self.name = name
        self._layout, self._model = Layout(domain), model
        self._breaker = pybreaker.CircuitBreaker(fail_max=_FAILURES, reset_timeout=_PAUSE)
        prompt = domain.folder / "prompts" / "answer.md"
        if not prompt.is_file():
            raise NotConfigured(f"{prompt} is not there.", "Write the prompt, or leave FORMFACT_LLM empty.")
        self._prompt = prompt.read_text(encoding="utf-8")

    def compose(self, decision: Decision, evidence: Evidence | None) -> Draft:
        """See `service.compose.Composer`.

        Raises:
            Unavailable: the model does not answer, or not in the schema.
        """
        return self._layout.draft(decision, evidence, self._claims)

    def _claims(self, finding: Finding, units: Sequence[Unit], numbers: Numbers) -> list[Claim]:
        sources = {numbers[u.version.doc_id, u.version.version, u.start]: u for u in units}
        quoted = "\n".join(f"[{n}] {u.version.title}, {u.in_context}" for n, u in sources.items())
        asked = f"Sources:\n{quoted}\n\nQuestion: {f'{finding.question.context} {finding.question.text}'.strip()}"
        answer = self._ask(asked, _schema(list(sources)))
        stated = [Claim(" ".join(s.text.split()), tuple(dict.fromkeys(s.sources))) for s in answer.statements]
        if not any(claim.text for claim in stated):
            raise Unavailable(f"{self.name} stated nothing.", "Another composer has to.")
        return [claim for claim in stated if claim.text]

    def _ask(self, asked: str, schema: dict[str, Any]) -> _Answer:
        model = self._model.bind(response_format=schema_format("answer", schema))
        try:
            said = self._breaker.call(model.invoke, [SystemMessage(self._prompt), HumanMessage(asked)])
            return _Answer.model_validate_json(str(said.content))
        except ValidationError:
            raise Unavailable(f"{self.name} did not answer in the schema.", "Raise FORMFACT_LLM_MAX_TOKENS?") from None
        except Exception as error:  # clients raise what they like; the caller falls back
            raise Unavailable(f"{self.name} does not answer: {type(error).__name__}.", "Is it up?") from error


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
