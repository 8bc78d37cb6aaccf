"""Chat models behind LangChain's interface: any OpenAI-compatible endpoint, or a small model in this process.

Both take `response_format` with a JSON schema and answer in it: an endpoint by its own constrained decoding, the local
model by llguidance, which tells what the schema forces and masks what it does not allow. Decoding is greedy.
"""

from __future__ import annotations

import copy
import json
import threading
from pathlib import Path
from typing import Any

import llguidance
import llguidance.hf
import llguidance.numpy
import numpy as np
import torch
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import ConfigDict, PrivateAttr, SecretStr
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from adapters.pulled import gguf
from domains.spec import NotConfigured

ENDPOINT, LOCAL = "openai", "local"
_INSTRUCTIONS = 4  # whose reading is kept
_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


def chat_model(
    setting: str, models: Path, url: str = "", key: str = "", timeout: float = 20.0, max_tokens: int = 160
) -> BaseChatModel:
    """The chat model that a setting names.

    Args:
        setting: `openai:MODEL` or `local:NAME`.
        models: the folder of pulled models.
        url: of the endpoint, as `http://127.0.0.1:8001/v1`; empty: OpenAI's own.
        key: of the endpoint; many local servers want none.
        timeout: of one call to an endpoint, in seconds; failed calls are repeated twice, with growing pauses.
        max_tokens: of one answer.

    Raises:
        NotConfigured: the setting makes no sense, or the model has not been pulled.
    """
    kind, _, name = setting.partition(":")
    if kind == ENDPOINT and name:
        return ChatOpenAI(
            model=name,
            base_url=url or None,
            api_key=SecretStr(key or "none"),
            timeout=timeout,
            max_retries=2,
            max_tokens=max_tokens,
            temperature=0.0,
            seed=0,
        )
    if kind == LOCAL and name:
        return LocalChat.load(gguf(name, models), max_tokens)
    raise NotConfigured(f"FORMFACT_LLM: `{setting}` is not understood.", "Say openai:MODEL or local:smollm2.")


class LocalChat(BaseChatModel):
    """A small causal language model from a GGUF file; one call at a time.

    What it made of an instruction is kept: a taxonomy of a thousand tokens is read once, not with every ticket.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    network: Any
    tokenizer: Any
    grammar_tokenizer: Any
    max_tokens: int = 160
    _turn: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _read: dict[tuple[int, ...], DynamicCache] = PrivateAttr(default_factory=dict)  # in the order of their first use

    @classmethod
    def load(cls, path: Path, max_tokens: int = 160) -> LocalChat:
        """Read the model.

        Raises:
            NotConfigured: the file cannot be loaded.
        """
        try:
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
            network = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name).eval()
        except (OSError, ValueError, ImportError) as error:
            raise NotConfigured(f"The chat model {path} cannot be loaded: {error}", "Pull it again.") from error
        grammar_tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=network.config.vocab_size)
        return cls(network=network, tokenizer=tokenizer, grammar_tokenizer=grammar_tokenizer, max_tokens=max_tokens)

    @property
    def _llm_type(self) -> str:
        return "local"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        read = self._tokens(messages, add_generation_prompt=True)
        limit, form = int(kwargs.get("max_tokens", self.max_tokens)), kwargs.get("response_format")
        with self._turn, torch.inference_mode():
            cache = self._begun(messages)
            new = self._constrained(read["input_ids"], cache, form, limit) if form else self._free(read, cache, limit)
        usage = {"input_tokens": read["input_ids"].shape[1], "output_tokens": len(new)}
        usage["total_tokens"] = sum(usage.values())
        text = self.tokenizer.decode(new, skip_special_tokens=True)
        message = AIMessage(content=text, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _free(self, read: Any, cache: DynamicCache, limit: int) -> list[int]:
        """Tokens without a schema."""
        written = self.network.generate(
            **read,
            past_key_values=cache,
            max_new_tokens=limit,
            do_sample=False,
            pad_token_id=self.tokenizer.eos_token_id,
        )
        found: list[int] = written[0][read["input_ids"].shape[1] :].tolist()
        return found

    def _constrained(self, tokens: torch.Tensor, cache: DynamicCache, form: dict[str, Any], limit: int) -> list[int]:
        """Tokens under a JSON schema: what it forces is written without asking the network, the rest is masked."""
        schema = json.dumps(form["json_schema"]["schema"])
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
        matcher = llguidance.LLMatcher(self.grammar_tokenizer, grammar)
        written: list[int] = []
        pending: list[int] = tokens[0, cache.get_seq_length() :].tolist()  # what the network has not read yet
        while len(written) < limit and not matcher.is_stopped():
            if not (chosen := matcher.compute_ff_tokens()):
                logits = self.network(torch.tensor([pending]), past_key_values=cache, use_cache=True, logits_to_keep=1)
                chosen, pending = [self._best(logits.logits[0, -1], matcher)], []
            if chosen[-1] == self.tokenizer.eos_token_id:
                break
            matcher.consume_tokens(chosen)
            written += chosen
            pending += chosen
        return written[:limit]

    def _best(self, logits: torch.Tensor, matcher: llguidance.LLMatcher) -> int:
        """The likeliest token among those that the grammar allows next."""
        # llguidance.torch would bring torch.compile, and with it a C++ compiler, for these three lines.
        mask = llguidance.numpy.allocate_token_bitmask(1, logits.shape[-1])
        llguidance.numpy.fill_next_token_bitmask(matcher, mask, 0)
        allowed = np.unpackbits(mask.view(np.uint8), axis=1, count=logits.shape[-1], bitorder="little")[0]
        return int(logits.masked_fill(torch.from_numpy(allowed == 0), -torch.inf).argmax())

    def _tokens(self, messages: list[BaseMessage], **options: bool) -> Any:
        turns = [{"role": _ROLES[m.type], "content": str(m.content)} for m in messages]
        return self.tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True, **options)

    def _begun(self, messages: list[BaseMessage]) -> DynamicCache:
        """Keys and values of the instruction's tokens, to go on from; empty where there is none."""
        if messages[0].type != "system" or len(messages) == 1:
            return DynamicCache()
        tokens = self._tokens(messages[:1])["input_ids"]
        key = tuple(tokens[0].tolist())
        if key not in self._read:
            self._read = dict(list(self._read.items())[1 - _INSTRUCTIONS :])
            self._read[key] = self.network(tokens, past_key_values=DynamicCache(), use_cache=True).past_key_values
        return copy.deepcopy(self._read[key])
