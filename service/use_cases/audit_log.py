"""The audit log as callers see it: behind the HTTP API, the console and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from retrieval.timestamps import show_instant

if TYPE_CHECKING:
    from service.build import Services


class EntryOut(BaseModel):
    """An entry of the audit log; see `service/audit.py`."""

    entry: int
    at: str
    actor: str
    event: str
    subject: str
    details: dict[str, Any]
    hash: str


class AuditOut(BaseModel):
    """The newest entries, newest first, and whether the whole chain holds; `problem` says where it does not."""

    clean: bool
    entries: int
    head: str
    problem: str
    latest: list[EntryOut]


def audited(services: Services, limit: int, expect: str | None = None) -> AuditOut:
    """The newest entries, and whether the whole chain holds; with a hash noted before, whether it is still in it."""
    chain, zone = services.audit.verify(expect), services.domain.zone
    latest = [
        EntryOut.model_validate(asdict(entry) | {"at": show_instant(entry.at, zone)})
        for entry in services.audit.latest(limit)
    ]
    return AuditOut(clean=not chain.problem, **asdict(chain), latest=latest)
