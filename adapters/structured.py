"""A chat model that answers in a schema, and is left alone for a while once it has stopped answering."""

from __future__ import annotations

from typing import Any, TypeVar

import pybreaker
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ValidationError

from domains.spec import NotConfigured, Unavailable

_FAILURES, _PAUSE = 3, 30  # after so many calls in a row that failed, seconds without another
T = TypeVar("T", bound=BaseModel)


class Structured:
    """Asks a chat model for JSON.

    Args:
        model: any LangChain chat model that takes `response_format`.
        name: as it is told in replies and errors.
    """

    def __init__(self, model: BaseChatModel, name: str) -> None:
        self.name = name
        self._model = model
        self._breaker = pybreaker.CircuitBreaker(fail_max=_FAILURES, reset_timeout=_PAUSE, exclude=[NotConfigured])

    def ask(self, instruction: str, asked: str, schema: dict[str, Any], read: type[T]) -> T:
        """One answer, decoded under `schema` and read as `read`.

        Raises:
            Unavailable: the model does not answer, or not in the schema.
            NotConfigured: there is no model to ask.
        """
        model = self._model.bind(response_format=schema_format(read.__name__.strip("_").lower(), schema))
        try:
            said = self._breaker.call(model.invoke, [SystemMessage(instruction), HumanMessage(asked)])
            return read.model_validate_json(str(said.content))
        except NotConfigured:
            raise
        except ValidationError:
            raise Unavailable(f"{self.name} did not answer in the schema.", "Raise FORMFACT_LLM_MAX_TOKENS?") from None
        except Exception as error:  # clients raise what they like; the caller does without
            raise Unavailable(f"{self.name} does not answer: {type(error).__name__}.", "Is it up?") from error


def schema_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema as `response_format`, for `model.bind(response_format=…)`."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}
