"""The journal: what was asked (scrubbed) and what was replied, under the request's id."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select

from domains.spec import NotFound
from retrieval.instants import now
from service.tables import journal


class Journal:
    """Append-only records of requests and replies."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, request_id: str, key_id: str, request: dict[str, Any], reply: dict[str, Any]) -> None:
        """Write one record."""
        row = {"request_id": request_id, "at": now(), "key_id": key_id, "request": request, "reply": reply}
        with self._engine.begin() as tx:
            tx.execute(journal.insert(), row)

    def read(self, request_id: str) -> dict[str, Any]:
        """The reply that was given.

        Raises:
            NotFound: no such request is on record.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(journal).where(journal.c.request_id == request_id)).first()
        if row is None:
            raise NotFound(f"There is no record of `{request_id[:40]}`.", "Request ids stand in every reply.")
        return dict(row.reply)
