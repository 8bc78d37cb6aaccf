"""Chat models behind LangChain's interface: any provider that `init_chat_model` knows, or a small local model.

Models take `response_format` with a JSON schema and answer in it: a provider by its own constrained decoding, the local
one by llama.cpp, whose OpenAI-compatible server xllamacpp runs in this process. Decoding is greedy.
"""

from __future__ import annotations

import json
import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from adapters.model_download import gguf
from domains.spec import NotConfigured

if TYPE_CHECKING:
    import xllamacpp

LOCAL = "local"
_WINDOW = 8192  # tokens of instruction, ticket and answer


def chat_model(
    setting: str, models: Path, url: str = "", key: str = "", timeout: float = 20.0, max_tokens: int = 160
) -> BaseChatModel:
    """The chat model that a setting names.

    Args:
        setting: `PROVIDER:MODEL` as LangChain's `init_chat_model` reads it (`openai:MODEL` is any OpenAI-compatible
            endpoint), or `local:NAME`.
        models: the folder of pulled models.
        url: of the endpoint, as `http://127.0.0.1:8001/v1`; empty: the provider's own.
        key: of the endpoint; empty: where the provider looks for it itself, such as OPENAI_API_KEY.
        timeout: of one call to an endpoint, in seconds; failed calls are repeated twice, with growing pauses.
        max_tokens: of one answer.

    Raises:
        NotConfigured: the setting makes no sense, the model has not been pulled, or the provider's package or key is
            missing.
    """
    provider, _, name = setting.partition(":")
    options: dict[str, Any] = {"timeout": timeout, "max_retries": 2, "max_tokens": max_tokens, "temperature": 0.0}
    if not provider or not name:
        raise NotConfigured(f"FORMFACT_LLM: `{setting}` is not understood.", "Say openai:MODEL or local:smollm2.")
    if provider == LOCAL:
        server, key = _served(gguf(name, models))
        return LocalChat(
            model=name, base_url=f"{server.listening_address}/v1", api_key=SecretStr(key), **options | {"timeout": None}
        )
    if provider == "openai":
        options["seed"] = 0
        key = key or ("none" if url else "")  # many servers of one's own want no key, and the client insists on one
    options |= {name: value for name, value in (("base_url", url), ("api_key", key)) if value}
    try:
        found: BaseChatModel = init_chat_model(name, model_provider=provider, **options)
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        raise NotConfigured(
            f"FORMFACT_LLM: {setting} cannot be had: {str(error).splitlines()[0]}",
            "Install the provider's LangChain package, and set FORMFACT_LLM_KEY or the provider's own variable.",
        ) from error
    return found


class LocalChat(ChatOpenAI):
    """The client of the server in this process.

    llama.cpp decodes a schema that comes as `response_format` with line breaks and indents. Given to llguidance as a
    grammar without them, the labels of a ticket are 47 tokens in place of 125, and take a third of the time.
    """

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        form = kwargs.pop("response_format", None)
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if form:
            schema = {"x-guidance": {"whitespace_flexible": False}, **form["json_schema"]["schema"]}
            payload["extra_body"] = {"grammar": f"%llguidance {{}}\nstart: %json {json.dumps(schema)}"}
        return payload


@lru_cache(maxsize=1)
def _served(path: Path) -> tuple[xllamacpp.Server, str]:
    """A server on a free port of this machine, and its key; it ends with the process.

    Raises:
        NotConfigured: the package is missing, or the file cannot be loaded.
    """
    try:
        import xllamacpp  # noqa: PLC0415 -- 30 MB that only a local chat model needs
    except ImportError as error:
        raise NotConfigured("A local chat model needs xllamacpp.", "pip install 'formfact[local-llm]'") from error

    settings, key = xllamacpp.CommonParams(), secrets.token_urlsafe(24)
    settings.model.path, settings.n_ctx, settings.n_parallel = str(path), _WINDOW, 1
    settings.hostnames, settings.port, settings.api_keys = ["127.0.0.1"], 0, [key]
    settings.ui, settings.verbosity = False, -1
    try:
        return xllamacpp.Server(settings), key
    except RuntimeError as error:
        raise NotConfigured(f"The chat model {path} cannot be loaded: {error}", "Pull it again.") from error
