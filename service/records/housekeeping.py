"""What a service does beside its work: forget requests that are older than they may be kept, and answers to repeats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import SQLAlchemyError

from adapters.tables import differences
from retrieval.catalog_writer import writing
from retrieval.timestamps import now
from service.db.tables import deliveries, feedback, idempotency, journal, judgements, links, quoted, reviews, sessions
from service.records.idempotency import KEPT

_EVERY = 3600.0  # seconds
log = structlog.get_logger()


@contextmanager
def housekeeping(engine: Engine, journal_days: int) -> Iterator[None]:
    """Forget what is too old, now and every hour while the block runs."""
    stop = threading.Event()

    def work() -> None:
        while True:
            try:
                forget(engine, journal_days)
            except SQLAlchemyError as error:
                log.warning("housekeeping_failed", kind=type(error).__name__)
            if stop.wait(_EVERY):
                return

    thread = threading.Thread(target=work, name="housekeeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def forget(engine: Engine, journal_days: int) -> int:
    """Delete requests older than so many days, with all that hangs on them. Returns how many there were."""
    with writing(engine) as tx:
        old = select(journal.c.request_id).where(journal.c.at < now() - timedelta(days=journal_days))
        of_old = reviews.c.request_id.in_(old)
        tx.execute(delete(judgements).where(judgements.c.review_id.in_(select(reviews.c.id).where(of_old))))
        for table in (reviews, feedback, quoted, differences):
            tx.execute(delete(table).where(table.c.request_id.in_(old)))
        tx.execute(delete(deliveries).where(deliveries.c.at < now() - timedelta(days=journal_days)))
        tx.execute(delete(idempotency).where(idempotency.c.at < now() - KEPT))
        for table in (sessions, links):
            tx.execute(delete(table).where(table.c.expires_at < now()))
        return tx.execute(delete(journal).where(journal.c.request_id.in_(old))).rowcount
