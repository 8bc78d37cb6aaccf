"""The encoder: one base model, held once, serves embeddings and, with an adapter merged into a copy, label features.

One worker thread owns torch. Callers on any thread put texts into a bounded queue and wait; what waits together is
run together, grouped by model. Many texts at once, such as a document's, go in one small piece after the other behind
whatever else waits: publishing delays a reply by a piece at most. LangChain users get it as `Embeddings`.
"""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import Full, PriorityQueue
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
_PIECE = 16  # texts; a reply asks for fewer, and what is more is bulk. 50 to 100 ms on two cores
_SECONDS = 120.0  # that a job may take, waiting included: far beyond any, so that a stuck worker is noticed
_URGENT, _BULK, _LAST = range(3)


@dataclass(frozen=True, slots=True, order=True)
class _Job:
    priority: int
    number: int  # in which jobs of a priority are taken
    kind: Hashable = field(compare=False)  # what is run together
    compute: Callable[[list[Any]], Any] = field(compare=False)
    items: tuple[Any, ...] = field(compare=False)
    result: Future[Any] = field(compare=False)


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
        self._queue: PriorityQueue[_Job] = PriorityQueue(_QUEUE_JOBS)
        self._numbers = count()
        self._closed = threading.Event()
        self._worker = threading.Thread(target=self._work, name="encoder", daemon=True)
        self._worker.start()

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
            Unavailable: the queue is full, the encoder is closed, or the worker does not answer.
        """
        if len(items) <= _PIECE:
            return self._submit(_URGENT, kind, compute, items)
        # Pieces of similar length waste no padding. One is queued at a time, so that bulk work takes one place.
        order = sorted(range(len(items)), key=lambda i: _length(items[i]))
        pieces = [order[start : start + _PIECE] for start in range(0, len(order), _PIECE)]
        batches = [self._submit(_BULK, kind, compute, [items[i] for i in piece]) for piece in pieces]
        results = [result for batch in batches for result in batch]
        original = sorted(range(len(order)), key=order.__getitem__)
        return np.stack(results)[original] if isinstance(batches[0], np.ndarray) else [results[i] for i in original]

    def close(self) -> None:
        """End the worker once what waits is done; more work is refused."""
        self._closed.set()
        self._queue.put(_Job(_LAST, next(self._numbers), None, lambda items: items, (), Future()))
        self._worker.join(timeout=_SECONDS)

    def _submit(self, priority: int, kind: Hashable, compute: Callable[[list[Any]], Any], items: Sequence[Any]) -> Any:
        if self._closed.is_set():
            raise Unavailable("The encoder is closed.", "The service is stopping: ask another replica.")
        job = _Job(priority, next(self._numbers), kind, compute, tuple(items), Future())
        try:
            self._queue.put_nowait(job)
            return job.result.result(_SECONDS)
        except Full:
            raise Unavailable("The encoder has more work waiting than it takes.", "Try again in a second.") from None
        except TimeoutError:
            if job.result.done():  # the model's own
                raise
            raise Unavailable(f"The encoder gave nothing in {_SECONDS:.0f} s.", "Restart the service.") from None

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
            if jobs[0].priority == _LAST:
                return
            # A piece of bulk work runs alone, so that an urgent job waits for one piece at most.
            while jobs[0].priority == _URGENT and sum(len(job.items) for job in jobs) < _GATHERED_TEXTS:
                with self._queue.mutex:
                    if not self._queue.queue or self._queue.queue[0].priority != _URGENT:
                        break
                jobs.append(self._queue.get())
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


def _length(item: Any) -> int:
    return len(item) if isinstance(item, str) else sum(map(_length, item)) if isinstance(item, tuple) else 0
