"""Chat calls kept in a file of JSON lines: asked again, the same answer comes, with the tokens and the time it took.

A run that was cut off goes on where it was; arms that make the same call share it; and the answers of a model that
somebody has can be replayed by everybody, without its key. A call that failed is not kept: it is tried again.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, PrivateAttr

from adapters.data.judged import json_lines
from domains.spec import InvalidInput, NotConfigured
from evals.jsonl import drop_torn_line
from service.build import chat_of
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what was said, what it took."""

    key: str
    model: str
    text: str
    input_tokens: int
    output_tokens: int
    seconds: float
    cpu_seconds: float  # of this process: what a model in it takes


@dataclass(frozen=True, slots=True)
class Taken:
    """A call that somebody asked for: made now, or repeated with what it took when it was made."""

    call: Call
    repeated: bool


class Recorded(BaseChatModel):
    """A chat model that remembers; without a model behind it, it only repeats."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: BaseChatModel | None
    name: str  # of the model; another's answers are not repeated
    path: Path
    _calls: dict[str, Call] = PrivateAttr(default_factory=dict)
    _taken: list[Taken] = PrivateAttr(default_factory=list)
    _turn: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    def model_post_init(self, context: Any, /) -> None:
        """Read what is there.

        Raises:
            InvalidInput: a line of the file is broken.
        """
        super().model_post_init(context)
        if self.model is not None:
            drop_torn_line(self.path)
        if self.path.is_file():
            for row in json_lines(self.path, tuple(Call.__slots__)):
                self._calls[row["key"]] = Call(**{name: row[name] for name in Call.__slots__})

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def taken(self) -> tuple[Taken, ...]:
        """The calls since it was asked last."""
        with self._turn:
            found, self._taken = tuple(self._taken), []
        return found

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        key = self._key(messages, kwargs)
        with self._turn:
            known = self._calls.get(key)
        call = known or self._asked(key, messages, kwargs)
        with self._turn:
            self._taken.append(Taken(call, known is not None))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=call.text))])

    def _key(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> str:
        asked = [self.name, [(m.type, m.content) for m in messages], kwargs]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]

    def _asked(self, key: str, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Call:
        if self.model is None:
            raise NotConfigured(f"{self.path} holds no answer to this call.", "Set FORMFACT_LLM to ask a model for it.")
        begun, busy = time.perf_counter(), time.process_time()
        said = self.model.invoke(messages, **kwargs)
        usage = said.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
        took = round(time.perf_counter() - begun, 3), round(time.process_time() - busy, 3)
        call = Call(key, self.name, str(said.content), usage["input_tokens"], usage["output_tokens"], *took)
        with self._turn, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(call), ensure_ascii=False) + "\n")
            self._calls[key] = call
        return call


def recorded(settings: Settings, path: Path) -> Recorded | None:
    """The chat model of the settings, remembering in a file; None where none is set.

    Raises:
        NotConfigured: the model cannot be had.
        InvalidInput: a line of the file is broken.
    """
    if (model := chat_of(settings)) is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    return Recorded(model=model, name=f"{settings.llm}, {settings.llm_max_tokens} tokens", path=path)


def replayed(path: Path) -> Recorded:
    """The answers of one model that somebody kept, without the model.

    Raises:
        InvalidInput: there are none, a line is broken, or they are of several models.
    """
    names = {str(row["model"]) for row in json_lines(path, tuple(Call.__slots__))}
    if len(names) != 1:
        raise InvalidInput(f"{path} holds answers of {len(names)} models.", "Keep a file for each.", "replay")
    return Recorded(model=None, name=names.pop(), path=path)
