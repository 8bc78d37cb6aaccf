"""Sealed files: data that is opened to report and never to tune, held to a checksum in `SEAL.json` beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from domains.spec import IntegrityError

SEALS = "SEAL.json"


def fingerprint(path: Path) -> str:
    """`sha256:…`, the first sixteen hex digits over a file's bytes: its name in cards and provenance."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def seal(path: Path) -> str:
    """Write a file's checksum into `SEAL.json` beside it. Sealing anew is a change that a reviewer sees."""
    seals = _seals(path) | {path.name: fingerprint(path)}
    (path.parent / SEALS).write_text(json.dumps(seals, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return seals[path.name]


def open_sealed(path: Path) -> Path:
    """The path of a sealed file, after its checksum has been compared.

    Raises:
        IntegrityError: the file was changed after it was sealed, or was never sealed.
    """
    if _seals(path).get(path.name) != fingerprint(path):
        raise IntegrityError(f"{path} is not the file that was sealed.", "Restore it, or seal it anew and say so.")
    return path


def _seals(path: Path) -> dict[str, str]:
    note = path.parent / SEALS
    return dict(json.loads(note.read_text(encoding="utf-8"))) if note.is_file() else {}
