"""Sealed files: data that is opened to report and never to tune, held to a checksum in `SEAL.json` beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from domains.spec import IntegrityError

SEALS, OPENED = "SEAL.json", "OPENED.json"


def fingerprint(path: Path) -> str:
    """`sha256:…`, the first sixteen hex digits over a file's bytes: its name in cards and provenance."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def fingerprint_of(paths: Iterable[Path], root: Path) -> str:
    """The SHA-256, in hex, over the bytes of the files among some paths, and their names under a folder."""
    digest = hashlib.sha256()
    for path in sorted(p for p in paths if p.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def seal(path: Path) -> str:
    """Write a file's checksum into `SEAL.json` beside it: other bytes are another file, which nobody has opened yet."""
    if (mark := fingerprint(path)) != _seals(path).get(path.name):
        _count(path, 0)
    seals = _seals(path) | {path.name: mark}
    (path.parent / SEALS).write_text(json.dumps(seals, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return seals[path.name]


def open_sealed(path: Path) -> Path:
    """The path of a sealed file, after its checksum has been compared and its opening noted in `OPENED.json`.

    Raises:
        IntegrityError: the file was changed after it was sealed, or was never sealed.
    """
    if _seals(path).get(path.name) != fingerprint(path):
        raise IntegrityError(f"{path} is not the file that was sealed.", "Restore it, or seal it anew and say so.")
    _count(path, openings(path) + 1)
    return path


def openings(path: Path) -> int:
    """How often a sealed file has been opened since its openings are noted: cards tell it."""
    note = path.parent / OPENED
    return int(json.loads(note.read_text(encoding="utf-8")).get(path.name, 0)) if note.is_file() else 0


def _count(path: Path, times: int) -> None:
    note = path.parent / OPENED
    counts = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    note.write_text(json.dumps({**counts, path.name: times}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def refuse_sealed(path: Path) -> None:
    """Make sure that a file to learn from is no sealed one, under this name or another.

    Raises:
        IntegrityError: its name or its bytes are those of a file that was sealed beside it.
    """
    seals = _seals(path)
    if path.name in seals or (path.is_file() and fingerprint(path) in seals.values()):
        raise IntegrityError(f"{path} is sealed: nothing learns from it.", "Train on other tickets.")


def _seals(path: Path) -> dict[str, str]:
    note = path.parent / SEALS
    return dict(json.loads(note.read_text(encoding="utf-8"))) if note.is_file() else {}
