"""Reading what strangers wrote: limits on every file, and a process of its own for the reading.

A file may refer to itself, unpack to gigabytes or keep a parser busy for hours. So files are read in a separate
process. It starts with the first file, stays for the next ones, and is replaced when it takes too long, dies or has
read many.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import resource
import signal
from functools import lru_cache
from pathlib import Path
from threading import Thread

from pebble import ProcessExpired, ProcessPool

from domains.spec import InvalidInput, TooLarge
from ingest.blocks import Reading
from ingest.limits import Limits

_MOST_FILES = 200  # read by one process, so that what a library leaks stays small


def read_within(limits: Limits, filename: str, data: bytes) -> Reading:
    """Read a file within limits, see `ingest.readers.read`.

    Raises:
        TooLarge: the file or its text is over a limit.
        InvalidInput: the file is wrong, or reading it took too long or too much memory, or ended the process.
    """
    if len(data) > limits.file_bytes:
        raise TooLarge(f"{filename}: larger than {limits.file_bytes:,} bytes.", "Split it.", "file")
    remedy = "Save it again with less in it, or split it."
    future = _pool(limits).schedule(_read, args=(filename, data, limits), timeout=limits.read_seconds)
    try:
        reading: Reading = future.result()
    except TimeoutError:
        took = f"it was not read within {limits.read_seconds:g} seconds"
        raise InvalidInput(f"{filename}: {took}.", remedy, "file") from None
    except MemoryError:
        took = f"reading it takes more than {limits.read_bytes:,} bytes of memory"
        raise InvalidInput(f"{filename}: {took}.", remedy, "file") from None
    except ProcessExpired as error:
        how = f"{signal.strsignal(-error.exitcode)}" if error.exitcode < 0 else f"status {error.exitcode}"
        raise InvalidInput(f"{filename}: the process that read it ended ({how}).", remedy, "file") from None
    if sum(len(block.text) for block in reading.blocks) > limits.text_characters:
        raise TooLarge(f"{filename}: more than {limits.text_characters:,} characters of text.", "Split it.", "file")
    return reading


@lru_cache(maxsize=4)
def _pool(limits: Limits) -> ProcessPool:
    """One process that reads; `spawn` gives it no thread or lock of this one."""
    pool = ProcessPool(
        max_workers=1,
        max_tasks=_MOST_FILES,
        initializer=_prepare,
        initargs=(limits.read_bytes,),
        context=multiprocessing.get_context("spawn"),
    )
    atexit.register(_end, pool)
    return pool


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _prepare(read_bytes: int) -> None:
    """In the new process: load the libraries, then limit the memory that reading may take beyond them."""
    from ingest.readers import warm  # noqa: PLC0415  # only the reading process needs these libraries

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for the reading
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    warm()
    pages = (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) if Path("/proc/self/statm").exists() else 0
    )
    limit = pages * resource.getpagesize() + read_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with_parent() -> None:
    """End at once if the process that waits for the reading is killed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _read(filename: str, data: bytes, limits: Limits) -> Reading:
    from ingest.readers import read  # noqa: PLC0415

    try:
        return read(filename, data, limits)
    except MemoryError:
        raise
    except InvalidInput as refusal:  # without the library's error that caused it, which may not travel
        raise refusal from None
