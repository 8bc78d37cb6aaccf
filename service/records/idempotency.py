"""Idempotency keys: a write that is sent twice happens once, and both times gets the first answer.

The scope is API key, method and path; the fingerprint covers the parsed fields and the bytes of files. The record is
committed in the transaction of the write itself, and kept for 24 hours.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import IntegrityError

from domains.spec import Conflict
from retrieval.timestamps import now
from service.db.tables import idempotency

KEPT = timedelta(hours=24)
T_contra = TypeVar("T_contra", contravariant=True)


class Repeated(Exception):
    """The write was made before: this is what it was answered."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"answered before: {status}")
        self.status, self.body = status, body


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
            tx.execute(delete(idempotency).where(idempotency.c.at < now() - KEPT))
            try:
                tx.execute(idempotency.insert(), row)
            except IntegrityError:
                raise Conflict("The same request is under way.", "Repeat it: the first answer will be given.") from None


class Keep(Protocol[T_contra]):
    """Writes what belongs to a write into its transaction, such as the answer that it gets."""

    def __call__(self, tx: Connection, done: T_contra, /) -> None: ...


class Idempotency:
    """Finds the first answer to a write that is sent again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def attempt(
        self, where: tuple[str, str, str], key: str | None, fields: dict[str, Any], data: bytes = b""
    ) -> Attempt:
        """A try at the write `where` (API key id, method, path) with these fields and file bytes.

        Raises:
            Repeated: the write was made before, and this is its answer.
            Conflict: another write was made under the same key.
        """
        told = json.dumps(fields, sort_keys=True, default=str).encode()
        fingerprint = hashlib.sha256(told + b"\0" + data).hexdigest()
        if key is None:
            return Attempt(None, fingerprint)
        made = Attempt(hashlib.sha256("\0".join((*where, key)).encode()).hexdigest(), fingerprint)
        self._answer_again(made)
        return made

    def _answer_again(self, attempt: Attempt) -> None:
        known = (idempotency.c.scope == attempt.scope) & (idempotency.c.at >= now() - KEPT)
        with self._engine.connect() as connection:
            row = connection.execute(select(idempotency).where(known)).first()
        if row is None:
            return
        if row.fingerprint != attempt.fingerprint:
            raise Conflict(
                "This Idempotency-Key was used for another request.",
                "Send a new key with what is new, or repeat the old.",
            )
        raise Repeated(row.status, dict(row.body))
