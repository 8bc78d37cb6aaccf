"""The journal: what was asked (scrubbed) and what was replied, under the request's id."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from domains.spec import NotFound, StaleView
from retrieval.catalog_writer import writing
from retrieval.tables import versions
from service.auth.keys import Caller
from service.db.tables import feedback, journal, judgements, quoted, reviews

ERASED = "(erased)"


@dataclass(frozen=True, slots=True)
class Record:
    """A request that was answered: the scrubbed ticket with the options, and the reply as it left.

    `request` holds subject, body, channel, id, thread, customer, mode, as_of, revision, labels, facts, and `evidence`:
    for each question its text, score and hits (document, version, passage, score), or None where none was asked.
    """

    request_id: str
    at: datetime
    key_id: str
    request: dict[str, Any]
    reply: dict[str, Any]
    outputs: dict[str, Any] | None = None  # what a replay needs beside them, see service/use_cases/replay.py

    @property
    def audiences(self) -> frozenset[str]:
        """What the asker could read; nobody who reads less may see the record. Of old records: more than anybody."""
        return frozenset(self.outputs["audiences"] if self.outputs else {"(not recorded)"})


class Journal:
    """Append-only records of requests and replies; a purge alone changes them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, record: Record, within: Callable[[Connection], None] = lambda _: None) -> None:
        """Write one record, and what belongs to it.

        Raises:
            StaleView: a version that the reply quotes was erased while it was made; nothing is written.
        """
        sources = sorted({(c["doc_id"], c["version"]) for c in record.reply["citations"]})
        names = ("request_id", "at", "key_id", "request", "reply", "outputs")
        with writing(self._engine) as tx:
            tx.execute(journal.insert(), {name: getattr(record, name) for name in names})
            # Checked after the first write, which takes SQLite's lock: no purge commits between check and commit.
            if not all(_stands(tx, doc_id, version) for doc_id, version in sources):
                raise StaleView
            if sources:
                rows = [{"request_id": record.request_id, "doc_id": d, "version": v} for d, v in sources]
                tx.execute(quoted.insert(), rows)
            within(tx)

    def read(self, request_id: str, within: Connection | None = None) -> Record:
        """A request and its reply; whoever holds a connection hands it in, for nobody may need two.

        Raises:
            NotFound: no such request is on record.
        """
        with nullcontext(within) if within else self._engine.connect() as connection:
            row = connection.execute(select(journal).where(journal.c.request_id == request_id)).first()
        if row is None:
            raise unknown(request_id)
        return _record(row)

    def asked_by(self, caller: Caller, request_id: str, within: Connection | None = None) -> Record:
        """A request that the caller made; an administrator may look at those of others. Raises like `read`."""
        record = self.read(request_id, within)
        if record.key_id != caller.key_id and "admin" not in caller.scopes:
            raise unknown(request_id)
        return record

    def latest(self, limit: int, since: datetime | None = None) -> list[Record]:
        """The newest records, oldest of them first."""
        query = select(journal).order_by(journal.c.at.desc(), journal.c.request_id.desc()).limit(limit)
        query = query if since is None else query.where(journal.c.at >= since)
        with self._engine.connect() as connection:
            return [_record(row) for row in connection.execute(query)][::-1]

    def erase(self, tx: Connection, doc_id: str, version: int | None) -> int:
        """Blank what replies quote of a version, or with None of a document. Returns how many records were changed."""
        chosen = quoted.c.doc_id == doc_id
        chosen = chosen if version is None else chosen & (quoted.c.version == version)
        touched = list(tx.execute(select(quoted.c.request_id).where(chosen).distinct()).scalars())
        for request_id in touched:
            own = journal.c.request_id == request_id
            reply = tx.execute(select(journal.c.reply).where(own)).scalar_one()
            tx.execute(update(journal).where(own).values(reply=_blanked(reply, doc_id, version)))
            self._erase_comments(tx, request_id)
        return len(touched)

    @staticmethod
    def _erase_comments(tx: Connection, request_id: str) -> None:
        """What people said of a reply may repeat its words."""
        of_it = select(reviews.c.id).where(reviews.c.request_id == request_id)
        said = ((feedback, feedback.c.request_id == request_id), (judgements, judgements.c.review_id.in_(of_it)))
        for table, own in said:
            tx.execute(update(table).where(own, table.c.comment != "").values(comment=ERASED))


def unknown(request_id: str) -> NotFound:
    """The one answer to who asks for a request that is not there, or not for them."""
    return NotFound(f"There is no record of `{request_id[:40]}`.", "Request ids stand in every reply.")


def _record(row: Any) -> Record:
    return Record(row.request_id, row.at, row.key_id, dict(row.request), dict(row.reply), row.outputs)


def _stands(tx: Connection, doc_id: str, version: int) -> bool:
    own = (versions.c.doc_id == doc_id) & (versions.c.version == version)
    return tx.execute(select(versions.c.version).where(own)).first() is not None


def _blanked(reply: dict[str, Any], doc_id: str, version: int | None) -> dict[str, Any]:
    """A reply without the words that it took from a version; which version it cited stays."""
    gone = {c["n"] for c in reply["citations"] if c["doc_id"] == doc_id and version in (None, c["version"])}
    blank = {"quote": ERASED, "title": ERASED}
    citations = [c | blank if c["n"] in gone else c for c in reply["citations"]]
    answer = reply["answer"]
    claims = [c | {"text": ERASED} if gone.intersection(c["citations"]) else c for c in answer["claims"]]
    return reply | {"citations": citations, "answer": answer | {"text": ERASED, "claims": claims}}
