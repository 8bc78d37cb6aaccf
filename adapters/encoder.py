"""The encoder: one base model, held once, serves embeddings and, with an adapter merged into a copy, label features.

One worker thread owns torch. Callers on any thread put texts into a bounded queue and wait; what waits together is
run together, grouped by model. LangChain users get it as `Embeddings`.
"""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Hashable, Sequence
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
from adapters.compiled import compiler_for
from domains.spec import Unavailable

Vectors = npt.NDArray[np.float32]
_GATHERED_TEXTS = 128  # texts taken from the queue at once
_QUEUE_JOBS = 256  # jobs that may wait before new ones are refused


@dataclass(frozen=True, slots=True)
class _Job:
    kind: Hashable  # what is run together
    compute: Callable[[list[Any]], Any]
    items: tuple[Any, ...]
    result: Future[Any]


class Encoder(Embeddings):
    """Texts to vectors.

    Args:
        source: `all-MiniLM-L6-v2` (comes in a package), another hub id, or a path.

    Raises:
        NotConfigured: the model cannot be loaded from where the setting says.
    """

    def __init__(self, source: str) -> None:
        self.base = SentenceBase(source)
        self._compiler = compiler_for(self.base.network, self.base.tokenizer.model_input_names, self.base.device)
        self._network = self._compiled(self.base.network)
        self._queue: Queue[_Job] = Queue(_QUEUE_JOBS)
        threading.Thread(target=self._work, name="encoder", daemon=True).start()

    @property
    def fingerprint(self) -> str:
        """See `Base.fingerprint`."""
        return self.base.fingerprint

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of texts, for cosine similarity."""
        return [[float(x) for x in row] for row in self.unit(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of one text."""
        return self.embed_documents([text])[0]

    def unit(self, texts: list[str], network: nn.Module | None = None) -> Vectors:
        """Unit vectors of texts: (texts, dimensions)."""
        return unit(self.features(texts, network))

    def features(self, texts: list[str], network: nn.Module | None = None) -> Vectors:
        """Pooled, unnormalised features of texts: (texts, dimensions).

        Args:
            texts: any number.
            network: what `merged` returned; None: the bare base.

        Raises:
            Unavailable: the queue is full.
        """
        if not texts:
            return np.zeros((0, self.base.dimensions), dtype=np.float32)
        under = network or self._network
        found: Vectors = self.run(id(under), lambda some: features_under(self.base, under, some), texts)
        return found

    def run(self, kind: Hashable, compute: Callable[[list[Any]], Any], items: Sequence[Any]) -> Any:
        """Have the worker compute something of items, together with what waits and is of the same kind.

        Args:
            kind: of what is computed alike.
            compute: gives one result for each item, in their order.
            items: any number.

        Raises:
            Unavailable: the queue is full.
        """
        job = _Job(kind, compute, tuple(items), Future())
        try:
            self._queue.put_nowait(job)
        except Full:
            raise Unavailable("The encoder has more work waiting than it takes.", "Try again in a second.") from None
        return job.result.result()

    def merged(self, folder: Path) -> nn.Module:
        """A copy of the base with the PEFT adapter in `folder` merged into it, compiled like the base itself.

        Merging has changed what adapters compute (peft#1043): whoever asks for it compares golden outputs, see
        `Adapter.prove`.
        """
        return self._compiled(self.adapted(folder))

    def adapted(self, folder: Path) -> nn.Module:
        """The same as PyTorch's network, for other programs."""
        with warnings.catch_warnings():
            # transformers 5.23 warns of an attribute that peft 0.21 still reads
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            found: Any = PeftModel.from_pretrained(copy.deepcopy(self.base.network), str(folder)).eval()
        network: nn.Module = found.merge_and_unload()
        return network

    def _compiled(self, network: nn.Module) -> nn.Module:
        return self._compiler.compiled(network) if self._compiler else network

    def _work(self) -> None:
        while True:
            jobs = [self._queue.get()]
            try:
                while sum(len(job.items) for job in jobs) < _GATHERED_TEXTS:
                    jobs.append(self._queue.get_nowait())
            except Empty:
                pass
            for kind in {job.kind for job in jobs}:
                self._run([job for job in jobs if job.kind == kind])
            jobs.clear()  # the worker holds no text while it waits: it may be erased

    def _run(self, jobs: list[_Job]) -> None:
        try:
            found = jobs[0].compute([item for job in jobs for item in job.items])
            start = 0
            for job in jobs:
                job.result.set_result(found[start : start + len(job.items)])
                start += len(job.items)
        except Exception as error:  # noqa: BLE001 -- whatever failed belongs to the callers, not to the worker
            for job in jobs:
                if not job.result.done():
                    job.result.set_exception(error)
