"""Files that lines are added to: a process that was killed may leave the last one torn."""

from __future__ import annotations

from pathlib import Path


def drop_torn_line(path: Path) -> None:
    """Take away what stands behind the last line's end; a file that is not there stays so."""
    if not path.is_file():
        return
    data = path.read_bytes()
    if (whole := data.rfind(b"\n") + 1) < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
