"""The shadow: a candidate adapter labels the same tickets in the background, and only its agreement is kept.

It never delays or touches a reply: it sees a share of the tickets, and what fits neither into its queue nor into its
budget of time is not seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Full, Queue

import structlog
from sqlalchemy import Connection, Engine, func, insert, select, update

from adapters.active import Live
from adapters.classifier import Label, Labels
from adapters.data.rows import share_of
from adapters.registry import Registry
from adapters.tables import LIVE, SHADOW, agreement, differences

_WAITING = 64  # tickets; a busy service shows the shadow a sample
_MINUTE = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """A ticket that was labelled: what the model read, by which adapter, what it said, in which journalled request."""

    text: str
    live: str
    labels: Labels
    request_id: str | None = None


class Shadow:
    """Compares the labels of live traffic with those of the adapter that the alias `shadow` names.

    Args:
        engine: keeps what was compared.
        registry: names the shadow.
        live: loads it.
        share: of the tickets that it sees, 0..1.
        seconds: that it may compute in any minute.
        differed: told of each journalled request in which it said something else.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        live: Live,
        share: float = 1.0,
        seconds: float = 60.0,
        differed: Callable[[Connection, str], None] = lambda _tx, _request: None,
    ) -> None:
        self._engine, self._registry, self._live = engine, registry, live
        self._share, self._differed = share, differed
        self._budget = _Budget(seconds)
        self._queue: Queue[Seen] = Queue(_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many tickets are in its queue."""
        return self._queue.qsize()

    def see(self, seen: Seen) -> None:
        """Show it a scrubbed ticket with the labels that the reply went out with."""
        if share_of(seen.text) >= self._share or self._registry.target(SHADOW) is None:
            return
        try:
            self._queue.put_nowait(seen)
        except Full:
            log.info("shadow_skipped_a_ticket")

    def compared(self) -> dict[str, dict[str, float | int]]:
        """What is known of the present shadow against the present live adapter: field -> seen, agreed (share)."""
        aliases = self._registry.aliases()
        wanted = select(agreement).where(
            agreement.c.shadow == aliases.get(SHADOW, ""), agreement.c.live == aliases.get(LIVE, "")
        )
        with self._engine.connect() as connection:
            found = connection.execute(wanted).all()
        return {row.field: {"seen": row.seen, "agreed": round(row.agreed / row.seen, 3)} for row in found}

    def seen(self, adapter: str) -> int:
        """How many tickets an adapter has looked on at, beside what is live now."""
        own = (agreement.c.shadow == adapter) & (agreement.c.live == self._registry.target(LIVE))
        with self._engine.connect() as connection:
            return connection.scalar(select(func.max(agreement.c.seen)).where(own)) or 0

    def wait(self) -> None:
        """Until everything that was shown is compared."""
        self._queue.join()

    def close(self) -> None:
        """Stop comparing; what waits is dropped."""
        self._closing.set()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                seen = self._queue.get(timeout=0.2)
            except Empty:
                continue
            try:
                with self._budget.spent() as allowed:
                    if allowed:
                        self._compare(seen)
            except Exception as error:  # noqa: BLE001 -- whatever a candidate does, the next ticket is seen
                log.warning("shadow_failed", error=type(error).__name__)
            finally:
                self._queue.task_done()

    def _compare(self, seen: Seen) -> None:
        name = self._registry.target(SHADOW)
        if name is None or name == seen.live:
            return
        own = self._live.load(name).label(seen.text)
        with self._engine.begin() as tx:
            differing = [f for f, label in seen.labels.items() if not _count(tx, name, seen.live, f, own[f], label)]
            if differing and seen.request_id:
                rows = [_difference(seen, name, f, own[f]) for f in differing]
                tx.execute(insert(differences), rows)
                self._differed(tx, seen.request_id)

    def differences(self, request_id: str) -> dict[str, str]:
        """What a shadow said otherwise in a request: field -> value."""
        wanted = select(differences).where(differences.c.request_id == request_id)
        with self._engine.connect() as connection:
            return {row.field: row.shadow_value for row in connection.execute(wanted)}


class _Budget:
    """Seconds that may be spent in each minute; used by one thread."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._begun, self._used = seconds, 0.0, 0.0

    @contextmanager
    def spent(self) -> Iterator[bool]:
        """Counts the time of the block; False: there is none left in this minute."""
        now = time.monotonic()
        if now - self._begun >= _MINUTE:
            self._begun, self._used = now, 0.0
        try:
            yield self._used < self._seconds
        finally:
            self._used += time.monotonic() - now


def _count(tx: Connection, shadow: str, live: str, field: str, own: Label, label: Label) -> bool:
    """Add to the count of a field; tells whether the two agreed."""
    agreed = (own.value, own.abstained) == (label.value, label.abstained)
    key = (agreement.c.shadow == shadow) & (agreement.c.live == live) & (agreement.c.field == field)
    more = {"seen": agreement.c.seen + 1, "agreed": agreement.c.agreed + int(agreed)}
    if not tx.execute(update(agreement).where(key).values(more)).rowcount:
        first = {"shadow": shadow, "live": live, "field": field, "seen": 1, "agreed": int(agreed)}
        tx.execute(insert(agreement).values(first))
    return agreed


def _difference(seen: Seen, shadow: str, field: str, own: Label) -> dict[str, str | None]:
    told = {"request_id": seen.request_id, "shadow": shadow, "field": field, "live": seen.live}
    return told | {"live_value": seen.labels[field].value, "shadow_value": own.value}
