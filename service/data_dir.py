"""The home: one folder of state, owned by one process. Light to import: clients of a running service use it too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from domains.spec import Unavailable
from service.settings import Settings

_PATIENCE = 1.0  # seconds; `owner` of another process holds the lock for an instant


@contextmanager
def owned(settings: Settings) -> Iterator[Path]:
    """Own the home while the block runs: Chroma and SQLite, embedded, bear one writing process.

    Raises:
        Unavailable: another process owns it; the message names it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    note, lock = settings.home / "service.json", FileLock(settings.home / "owner.lock", timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise Unavailable(
            f"{settings.home} is owned by {_told(_noted(note))}.",
            "Use its HTTP API, stop it, or set FORMFACT_HOME to another folder.",
        ) from None
    try:
        note.write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
        yield note
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def owner(settings: Settings) -> dict[str, Any] | None:
    """Process id and, once it serves, address of the process that owns the home; None where nobody does."""
    if not (settings.home / "owner.lock").exists():
        return None
    try:
        with FileLock(settings.home / "owner.lock", timeout=0):
            return None
    except Timeout:
        return _noted(settings.home / "service.json")


def _noted(note: Path) -> dict[str, Any]:
    try:
        noted: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"pid": "unknown"}  # it owns the lock and has not written its note yet
    return noted


def _told(noted: dict[str, Any]) -> str:
    return f"process {noted['pid']}" + (f" at {noted['url']}" if "url" in noted else "")
