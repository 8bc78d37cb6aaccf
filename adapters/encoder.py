"""The encoder: one base model, held once, serves embeddings and, with an adapter merged into a copy, label features.

One worker thread owns torch. Callers on any thread put texts into a bounded queue and wait; what waits together is
run together, grouped by model. LangChain users get it as `Embeddings`.
"""

from __future__ import annotations

import copy
import threading
import warnings
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings
from peft import PeftModel
from torch import nn

from adapters.base import SentenceBase, features_under, unit
from domains.spec import Unavailable

Vectors = npt.NDArray[np.float32]
_GATHERED_TEXTS = 128  # texts taken from the queue at once
_QUEUE_JOBS = 256  # jobs that may wait before new ones are refused


@dataclass(frozen=True, slots=True)
class _Job:
    network: nn.Module
    texts: tuple[str, ...]
    result: Future[Vectors]
    bulk: bool  # in bfloat16: 2.4 times as fast on a CPU that has it, cosine to float32 > 0.9999


class Encoder(Embeddings):
    """Texts to vectors.

    Args:
        source: `all-MiniLM-L6-v2` (comes in a package), another hub id, or a path.

    Raises:
        NotConfigured: the model cannot be loaded from where the setting says.
    """

    def __init__(self, source: str) -> None:
        self.base = SentenceBase(source)
        self._queue: Queue[_Job] = Queue(_QUEUE_JOBS)
        threading.Thread(target=self._work, name="encoder", daemon=True).start()

    @property
    def fingerprint(self) -> str:
        """See `Base.fingerprint`."""
        return self.base.fingerprint

    @property
    def words(self) -> frozenset[str]:
        """The whole words of the tokenizer's vocabulary: the common words of its languages, spelt right."""
        return frozenset(w for w in self.base.tokenizer.get_vocab() if w.isalpha())

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of texts, for cosine similarity."""
        return [[float(x) for x in row] for row in self.unit(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of one text."""
        return self.embed_documents([text])[0]

    @property
    def passages(self) -> Embeddings:
        """Embeds what is stored once and looked for often: faster, and not to the last bit the same in every batch."""
        return _Side(self, bulk=True)

    def under(self, folder: Path) -> Embeddings:
        """Embeds by the encoder with the PEFT adapter in `folder` merged into a copy of it."""
        return _Side(self, self.merged(folder))

    def unit(self, texts: list[str], network: nn.Module | None = None, bulk: bool = False) -> Vectors:
        """Unit vectors of texts: (texts, dimensions)."""
        return unit(self.features(texts, network, bulk))

    def features(self, texts: list[str], network: nn.Module | None = None, bulk: bool = False) -> Vectors:
        """Pooled, unnormalised features of texts: (texts, dimensions).

        Args:
            texts: any number.
            network: what `merged` returned; None: the bare base.
            bulk: faster, and not to the last bit the same in every batch.

        Raises:
            Unavailable: the queue is full.
        """
        if not texts:
            return np.zeros((0, self.base.dimensions), dtype=np.float32)
        job = _Job(network or self.base.network, tuple(texts), Future(), bulk)
        try:
            self._queue.put_nowait(job)
        except Full:
            raise Unavailable("The encoder has more work waiting than it takes.", "Try again in a second.") from None
        return job.result.result()

    def merged(self, folder: Path) -> nn.Module:
        """A copy of the base with the PEFT adapter in `folder` merged into it.

        Merging has changed what adapters compute (peft#1043): whoever asks for it compares golden outputs, see
        `Adapter.prove`.
        """
        with warnings.catch_warnings():
            # transformers 5.23 warns of an attribute that peft 0.21 still reads
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            adapted: Any = PeftModel.from_pretrained(copy.deepcopy(self.base.network), str(folder)).eval()
        network: nn.Module = adapted.merge_and_unload()
        return network

    def _work(self) -> None:
        while True:
            jobs = [self._queue.get()]
            try:
                while sum(len(job.texts) for job in jobs) < _GATHERED_TEXTS:
                    jobs.append(self._queue.get_nowait())
            except Empty:
                pass
            for kind in {(id(job.network), job.bulk) for job in jobs}:
                self._run([job for job in jobs if (id(job.network), job.bulk) == kind])
            jobs.clear()  # the worker holds no text while it waits: it may be erased

    def _run(self, jobs: list[_Job]) -> None:
        try:
            texts = [text for job in jobs for text in job.texts]
            vectors = features_under(self.base, jobs[0].network, texts, half=jobs[0].bulk)
            start = 0
            for job in jobs:
                job.result.set_result(vectors[start : start + len(job.texts)])
                start += len(job.texts)
        except Exception as error:  # noqa: BLE001 -- whatever failed belongs to the callers, not to the worker
            for job in jobs:
                if not job.result.done():
                    job.result.set_exception(error)


class _Side(Embeddings):
    """The encoder in bulk, or under another network, as LangChain knows embeddings."""

    def __init__(self, encoder: Encoder, network: nn.Module | None = None, bulk: bool = False) -> None:
        self._encoder, self._network, self._bulk = encoder, network, bulk

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors = self._encoder.unit(texts, self._network, self._bulk)
        return [[float(x) for x in row] for row in vectors]

    def embed_query(self, text: str) -> list[float]:
        return [float(x) for x in self._encoder.unit([text], self._network)[0]]
