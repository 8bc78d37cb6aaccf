"""Reading what strangers wrote: limits on every file, and a process of its own for formats that can loop or swell.

A PDF may refer to itself, an office file may unpack to gigabytes: such files are read in a child process that is
stopped after a time and may take only so much memory. Plain text formats are bounded by their size alone.
"""

from __future__ import annotations

import multiprocessing
import resource
import threading
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import PurePath

from pebble import ProcessExpired, ProcessPool

from domains.spec import InvalidInput, TooLarge
from ingest.blocks import Block
from ingest.limits import DEFAULTS, Limits
from ingest.readers import read

CHILD = frozenset({".docx", ".pdf", ".xlsx"})


@dataclass(slots=True)
class Guard:
    """Reads files within limits. Safe to call from any thread; the child starts with the first file that needs it."""

    limits: Limits = DEFAULTS
    _pool: ProcessPool | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, filename: str, data: bytes) -> list[Block]:
        """Read a file into blocks, see `ingest.readers.read`.

        Raises:
            TooLarge: the file, its text or its number of passages is over a limit.
            InvalidInput: the file is wrong, or reading it took too long or too much memory.
        """
        if len(data) > self.limits.file_bytes:
            raise TooLarge(f"{filename}: larger than {self.limits.file_bytes:,} bytes.", "Split it.", "file")
        ending = PurePath(filename).suffix.lower()
        blocks = self._in_child(filename, data) if ending in CHILD else read(filename, data, self.limits)
        if sum(len(b.text) for b in blocks) > self.limits.text_characters:
            limit = f"{self.limits.text_characters:,} characters"
            raise TooLarge(f"{filename}: more than {limit} of text.", "Split it.", "file")
        return blocks

    def _in_child(self, filename: str, data: bytes) -> list[Block]:
        future = self._started().schedule(_read, args=(filename, data, self.limits), timeout=self.limits.read_seconds)
        try:
            found = future.result()
        except FutureTimeout:
            raise InvalidInput(
                f"{filename}: not read within {self.limits.read_seconds:g} seconds.",
                "Save it anew or split it.",
                "file",
            ) from None
        except (ProcessExpired, BrokenProcessPool):
            self.close()  # the next file gets a new child
            raise self._too_much(filename) from None
        if isinstance(found, MemoryError):
            raise self._too_much(filename)
        if isinstance(found, Exception):
            raise found
        return found

    @staticmethod
    def _too_much(filename: str) -> InvalidInput:
        return InvalidInput(f"{filename}: reading it takes too much memory.", "Save it anew or split it.", "file")

    def _started(self) -> ProcessPool:
        with self._lock:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPool(1, initializer=_bounded, initargs=(self.limits.read_bytes,), context=context)
            return self._pool

    def close(self) -> None:
        """Stop the child."""
        with self._lock:
            if self._pool is not None:
                self._pool.stop()  # type: ignore[no-untyped-call]
                self._pool.join()
            self._pool = None


def _bounded(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _read(filename: str, data: bytes, limits: Limits) -> list[Block] | Exception:
    """In the child: what was read, or why it was refused; a value, so that it travels whole."""
    try:
        return read(filename, data, limits)
    except (InvalidInput, MemoryError) as error:
        return error
