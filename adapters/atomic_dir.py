"""Folders that are written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domains.spec import InvalidInput


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of `target` when the block ends well, and is gone when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        yield folder
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)


def need_room(folder: Path, megabytes: int) -> None:
    """Make the folder, and see that what is to be written below it fits.

    Raises:
        InvalidInput: it does not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free // 2**20) < megabytes:
        raise InvalidInput(f"{folder}: {free} MB are free, {megabytes} are needed.", "Make room first.")
