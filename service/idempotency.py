"""Idempotency keys: a write that is sent twice happens once, and both times gets the first answer.

The scope is API key, method and path; the fingerprint covers the parsed fields and the bytes of files. The record is
committed in the transaction of the write itself.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from domains.spec import Conflict
from retrieval.instants import now
from service.tables import idempotency


@dataclass(frozen=True, slots=True)
class Stored:
    """The first answer to a write."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a write; `scope` is None where the caller sent no Idempotency-Key."""

    scope: str | None
    fingerprint: str

    def keep(self, tx: Connection, status: int, body: dict[str, Any]) -> None:
        """Write the answer into the transaction of the write.

        Raises:
            Conflict: a request under the same key is being answered at this moment; this write is undone.
        """
        if self.scope:
            row = {"scope": self.scope, "fingerprint": self.fingerprint, "status": status, "body": body, "at": now()}
            try:
                tx.execute(idempotency.insert(), row)
            except IntegrityError:
                raise Conflict("The same request is under way.", "Repeat it: the first answer will be given.") from None


class Idempotency:
    """Finds the first answer to a write that is sent again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def attempt(
        self, where: tuple[str, str, str], key: str | None, fields: dict[str, Any], data: bytes = b""
    ) -> Attempt:
        """A try at the write `where` (API key id, method, path) with these fields and file bytes."""
        scope = hashlib.sha256("\0".join((*where, key)).encode()).hexdigest() if key else None
        told = json.dumps(fields, sort_keys=True, default=str).encode()
        return Attempt(scope, hashlib.sha256(told + b"\0" + data).hexdigest())

    def first_answer(self, attempt: Attempt) -> Stored | None:
        """The answer that the write got before, if it was made before.

        Raises:
            Conflict: another write was made under the same key.
        """
        if attempt.scope is None:
            return None
        with self._engine.connect() as connection:
            query = select(idempotency).where(idempotency.c.scope == attempt.scope)
            row = connection.execute(query).first()
        if row is None:
            return None
        if row.fingerprint != attempt.fingerprint:
            raise Conflict(
                "This Idempotency-Key was used for another request.",
                "Send a new key with what is new, or repeat the old.",
            )
        return Stored(row.status, dict(row.body))
