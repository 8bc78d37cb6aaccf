"""The shadow: a candidate adapter labels the same tickets in the background, and only its agreement is kept.

It never delays or touches a reply: what does not fit into its queue is not seen.
"""

from __future__ import annotations

import threading
from queue import Empty, Full, Queue

import structlog
from sqlalchemy import Engine, insert, select, update

from adapters.classifier import Labels
from adapters.live import Live
from adapters.registry import Registry
from adapters.tables import LIVE, SHADOW, agreement
from domains.spec import FormfactError

_WAITING = 64  # tickets; a busy service shows the shadow a sample

log = structlog.get_logger()


class Shadow:
    """Compares the labels of live traffic with those of the adapter that the alias `shadow` names."""

    def __init__(self, engine: Engine, registry: Registry, live: Live) -> None:
        self._engine, self._registry, self._live = engine, registry, live
        self._queue: Queue[tuple[str, str, Labels]] = Queue(_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def see(self, text: str, live: str, labels: Labels) -> None:
        """Show it a scrubbed ticket with the labels that the reply went out with."""
        if self._registry.target(SHADOW) is None:
            return
        try:
            self._queue.put_nowait((text, live, labels))
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
                text, live, labels = self._queue.get(timeout=0.2)
            except Empty:
                continue
            try:
                self._compare(text, live, labels)
            except FormfactError as error:
                log.warning("shadow_failed", error=type(error).__name__)
            finally:
                self._queue.task_done()

    def _compare(self, text: str, live: str, labels: Labels) -> None:
        name = self._registry.target(SHADOW)
        if name is None or name == live:
            return
        own = self._live.load(name).label(text)
        with self._engine.begin() as tx:
            for field, label in labels.items():
                agreed = int((own[field].value, own[field].abstained) == (label.value, label.abstained))
                key = (agreement.c.shadow == name) & (agreement.c.live == live) & (agreement.c.field == field)
                seen = {"seen": agreement.c.seen + 1, "agreed": agreement.c.agreed + agreed}
                if not tx.execute(update(agreement).where(key).values(seen)).rowcount:
                    first = {"shadow": name, "live": live, "field": field, "seen": 1, "agreed": agreed}
                    tx.execute(insert(agreement).values(first))
