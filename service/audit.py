"""The audit log: who published, promoted, purged, made keys. Append-only, and each entry's hash covers the one before.

An entry is written in the transaction of what it tells of. Whoever can write the database can make the whole chain
anew; keep a hash elsewhere from time to time, and `formfact audit verify --expect HASH` says whether it still stands.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from retrieval.timestamps import now
from service.db.tables import audit, audit_head

_START = ""  # the hash before the first entry
_HEAD = audit_head.c.id == 1


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to what; `hash` is SHA-256, in hex, over the entry and the hash before it."""

    entry: int
    at: datetime
    actor: str
    event: str
    subject: str
    details: dict[str, Any]
    hash: str

    def expected(self, before: str) -> str:
        """The hash that it must have after another one."""
        told = [self.entry, self.at.isoformat(), self.actor, self.event, self.subject, self.details]
        return hashlib.sha256((before + json.dumps(told, sort_keys=True)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Chain:
    """What verifying found; `problem` is empty where every link holds."""

    entries: int
    head: str
    problem: str = ""


class Audit:
    """Adds to the log, reads it, verifies it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, tx: Connection, actor: str, event: str, subject: str, **details: Any) -> None:
        """Write an entry into the transaction of what it tells of; writers of entries take turns."""
        tx.execute(update(audit_head).where(_HEAD).values(entry=audit_head.c.entry + 1))
        number, before = tx.execute(select(audit_head.c.entry, audit_head.c.hash).where(_HEAD)).one()
        bare = Entry(number, now(), actor, event, subject, details, "")
        row = {"entry": number, "at": bare.at, "actor": actor, "event": event, "subject": subject, "details": details}
        tx.execute(audit.insert(), row | {"hash": bare.expected(before)})
        tx.execute(update(audit_head).where(_HEAD).values(hash=bare.expected(before)))

    def latest(self, limit: int) -> list[Entry]:
        """The newest entries, newest first."""
        with self._engine.connect() as connection:
            found = connection.execute(select(audit).order_by(audit.c.entry.desc()).limit(limit))
            return [_entry(row) for row in found]

    def verify(self, expect: str | None = None) -> Chain:
        """Follow the chain from its start; look whether a hash that was noted before still stands in it."""
        before, count, seen = _START, 0, expect is None
        with self._engine.connect() as connection:
            head = connection.execute(select(audit_head.c.entry, audit_head.c.hash).where(_HEAD)).one()
            # Entries that are added meanwhile belong to the next look.
            for row in connection.execute(select(audit).where(audit.c.entry <= head.entry).order_by(audit.c.entry)):
                entry, count = _entry(row), count + 1
                if entry.entry != count:
                    return Chain(count, before, f"Entry {count} is missing.")
                if entry.hash != entry.expected(before):
                    return Chain(count, before, f"Entry {count} was changed, or one before it was.")
                before, seen = entry.hash, seen or entry.hash == expect
        if (count, before) != tuple(head):
            return Chain(count, before, "The last entries are missing.")
        return Chain(count, before, "" if seen else "The hash that was expected is not in the chain.")


def _entry(row: Any) -> Entry:
    return Entry(row.entry, row.at, row.actor, row.event, row.subject, dict(row.details), row.hash)
