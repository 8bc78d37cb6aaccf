"""Reading what strangers wrote: limits on every file, and a process of its own for formats that can loop or swell.

A PDF may refer to itself, an office file may unpack to gigabytes: such a file is read in a child process that is
stopped after a time and may take only so much memory. It costs most of a second for each such file. Plain text formats
are bounded by their size alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path, PurePath

from domains.spec import InvalidInput, TooLarge
from ingest.blocks import Block
from ingest.limits import Limits
from ingest.readers import read

IN_A_CHILD = frozenset({".docx", ".pdf", ".xlsx"})
_ROOT = str(Path(__file__).parents[1])


def read_within(limits: Limits, filename: str, data: bytes) -> list[Block]:
    """Read a file into blocks, see `ingest.readers.read`.

    Raises:
        TooLarge: the file or its text is over a limit.
        InvalidInput: the file is wrong, or reading it took too long or too much memory.
    """
    if len(data) > limits.file_bytes:
        raise TooLarge(f"{filename}: larger than {limits.file_bytes:,} bytes.", "Split it.", "file")
    child = PurePath(filename).suffix.lower() in IN_A_CHILD
    blocks = _in_a_child(limits, filename, data) if child else read(filename, data, limits)
    if sum(len(block.text) for block in blocks) > limits.text_characters:
        raise TooLarge(f"{filename}: more than {limits.text_characters:,} characters of text.", "Split it.", "file")
    return blocks


def _in_a_child(limits: Limits, filename: str, data: bytes) -> list[Block]:
    command = [sys.executable, "-m", "ingest.child", filename.replace("\0", ""), json.dumps(asdict(limits))]
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.read_seconds,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
    except subprocess.TimeoutExpired:
        took = f"not read within {limits.read_seconds:g} seconds"
        raise InvalidInput(f"{filename}: {took}.", "Save it anew or split it.", "file") from None
    if done.returncode:  # it died: of memory, or of what the file did to a library
        raise InvalidInput(f"{filename}: reading it takes too much memory.", "Save it anew or split it.", "file")
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise InvalidInput(*answer["refused"])
    return [Block(*block) for block in answer["blocks"]]
