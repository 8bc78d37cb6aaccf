"""A fresh home made ready: tables, local key, shipped documents. A second time it finds all done."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from ingest.commands import ingest_folder
from ingest.metadata import Metadata
from service.build import Services


def prepare(services: Services, console: Console) -> None:
    """Mend what a crash left, make the local key, ingest the domain's documents unless these were ingested before."""
    with services.publisher.turn():
        services.publisher.upkeep.start(
            lambda items, what: iter(track(items, what, console=console, transient=True, disable=not items))
        )
    folder, mark = services.domain.folder / "documents", services.settings.home / "shipped-documents.sha256"
    services.local_key  # noqa: B018 -- made on the first look
    wanted = _fingerprint(folder)
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return
    publish = partial(services.publisher.publish, actor="setup", held=held(services))
    outcomes = ingest_folder(folder, publish, Metadata(), services.settings.limits, console)
    if not any(o.refusal for o in outcomes):
        mark.write_text(wanted, encoding="utf-8")


def held(services: Services) -> frozenset[str]:
    """All audiences: what the owner of the machine may publish to and read."""
    return frozenset(services.domain.audiences)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
