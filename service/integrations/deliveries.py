"""The table of deliveries: what a tool sent is kept here, scrubbed, before the tool is told that it was taken.

The table is the queue. A row that is tried is due again only after a lease, so that two processes do not try it at
once, and one that was killed over it gives it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Engine, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from domains.spec import Unavailable
from retrieval.catalog_writer import writing
from retrieval.timestamps import now
from service.db.tables import deliveries
from service.integrations.tool import Incoming

_LEASE = timedelta(minutes=15)  # longer than any try: the chat model's time limit and all calls with their retries
_KEPT = timedelta(days=30)  # how long a message is known again
_REVIVED = timedelta(days=1)  # what failed within this is tried again at the next start

Outcome = Literal["done", "failed"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that waits for its reply, and how often that was tried."""

    incoming: Incoming
    attempts: int


class Deliveries:
    """Takes messages in, hands them out one by one, keeps what became of them.

    Args:
        engine: the database.
        room: messages that may wait at once.
    """

    def __init__(self, engine: Engine, room: int) -> None:
        self._engine, self._room = engine, room

    def take(self, incoming: Incoming) -> bool:
        """Keep a message, whose ticket is scrubbed. False where it is known already.

        Raises:
            Unavailable: as many wait as there is room for.
        """
        row: dict[str, Any] = {"id": incoming.key, "tool": incoming.tool, "payload": incoming.stored()}
        row |= {"state": "waiting", "attempts": 0, "at": now(), "due": now(), "error": ""}
        try:
            with writing(self._engine) as tx:
                tx.execute(insert(deliveries), row)  # before counting: it takes the lock of the one writer
                if tx.execute(_number_of("waiting")).scalar_one() > self._room:
                    raise Unavailable(f"{self._room} messages wait already.", "Send this one again in a while.")
        except IntegrityError:
            return False
        return True

    def next(self) -> Delivery | None:
        """The message that has been due longest, leased to the caller; None where none is due."""
        moment, table = now(), deliveries.c
        query = (
            select(deliveries).where((table.state == "waiting") & (table.due <= moment)).order_by(table.due, table.at)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query.limit(1)).first()
        if row is None:
            return None
        with writing(self._engine) as tx:
            own = (table.id == row.id) & (table.attempts == row.attempts) & (table.state == "waiting")
            leased = update(deliveries).where(own).values(attempts=row.attempts + 1, due=moment + _LEASE)
            if not tx.execute(leased).rowcount:
                return None  # another process was first
        return Delivery(Incoming.restored(row.payload), row.attempts + 1)

    def finish(self, delivery: Delivery, outcome: Outcome, error: str = "") -> None:
        """Close a message; the words of one that has its reply are not kept."""
        values: dict[str, Any] = {"state": outcome, "error": error[:200], "at": now()}
        self._set(delivery, values | ({"payload": {}} if outcome == "done" else {}))

    def put_off(self, delivery: Delivery, seconds: float, error: str) -> None:
        """Try a message again, not before `seconds` have passed."""
        self._set(delivery, {"due": now() + timedelta(seconds=seconds), "error": error[:200]})

    def count(self, state: Literal["waiting", "failed"]) -> int:
        """How many messages are in a state."""
        with self._engine.connect() as connection:
            return connection.execute(_number_of(state)).scalar_one()

    def resume(self, alone: bool) -> None:
        """At a start: forget what is old, and give what failed lately another try; somebody may have mended the cause.

        Args:
            alone: no other process works on the table, so that no lease can still hold.
        """
        table, moment = deliveries.c, now()
        again = {"state": "waiting", "attempts": 0, "due": moment}
        with writing(self._engine) as tx:
            tx.execute(delete(deliveries).where((table.state != "waiting") & (table.at < moment - _KEPT)))
            lately = (table.state == "failed") & (table.at > moment - _REVIVED)
            tx.execute(update(deliveries).where(lately).values(again))
            if alone:
                tx.execute(update(deliveries).where(table.state == "waiting").values(due=moment))

    def _set(self, delivery: Delivery, values: dict[str, Any]) -> None:
        with writing(self._engine) as tx:
            tx.execute(update(deliveries).where(deliveries.c.id == delivery.incoming.key).values(values))


def _number_of(state: str) -> Select[int]:
    return select(func.count()).select_from(deliveries).where(deliveries.c.state == state)
