"""The catalog, as it is written: versions, retractions, purges, each with its revision.

Every method takes the transaction that the caller opened with `writing`, so that whoever publishes can commit its own
records (audit, idempotency, journal) with it. Writers take turns: revision numbers are committed in their order, which
lets readers advance by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from filelock import FileLock
from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, text

from domains.spec import Domain, InvalidInput
from retrieval import readings, tables, vectors
from retrieval.contents import Published, VersionDraft
from retrieval.lexical import LexicalIndex, tokens
from retrieval.timeline import PURGED
from retrieval.timestamps import now
from retrieval.vectors import Vectors
from retrieval.versions import History, Version

# PostgreSQL's advisory locks: of those who write the catalog, and of those who publish from reading to indexing.
_WRITERS, _PUBLISHERS = 7_367_001, 7_367_002


@dataclass(frozen=True, slots=True)
class Erased:
    """What a purge took out of the catalog: `contents` are gone, `shared` ones other versions still hold."""

    versions: int
    contents: tuple[str, ...]
    shared: tuple[str, ...]
    passages: int
    sources: int


@dataclass(frozen=True, slots=True)
class Derived:
    """What models make of a draft before it is written: embeddings of its passages, readings of its units."""

    vectors: Vectors
    readings: readings.ByPlace


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Keep other replicas from publishing while the block runs."""
    if engine.dialect.name != "postgresql":  # a transaction of SQLite would hold up every write, not only publishers
        with FileLock(f"{engine.url.database}.publishing"):
            yield
        return
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _PUBLISHERS})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _PUBLISHERS})


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of the one writer; others wait."""
    with engine.begin() as tx:
        if engine.dialect.name == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITERS})
        yield tx


@dataclass(frozen=True, slots=True)
class Recorder:
    """Checks and writes changes.

    Args:
        domain: says which audiences exist and which of them include which.
        encoder: name under which embeddings are stored, see `Encoder.fingerprint`.
        reader: name under which readings are stored, see `Reader.name`.
    """

    domain: Domain
    encoder: str
    reader: str

    def resolve(
        self, draft: VersionDraft, history: History, held: frozenset[str]
    ) -> tuple[frozenset[str], Version | None]:
        """Settle the audience of a draft, and find the version that it equals, if any.

        Args:
            draft: what is to be published.
            history: what is recorded of its document.
            held: the audiences to which the publisher may publish.

        Raises:
            InvalidInput: dates in the wrong order, no audience, or one that the publisher lacks; for a draft that
                equals no version also another title, or an audience that widens.
        """
        if draft.effective_to is not None and draft.effective_to <= draft.effective_from:
            raise InvalidInput(
                "effective_to is not after effective_from.", "Give an end after the start, or none.", "effective_to"
            )
        audience = self._audience(draft, history.versions, held)
        wanted = _identity(draft, audience)
        standing = (v for v in history.versions if history.takes_effect(v) and not self._narrowed(v))
        same = next((v for v in standing if _identity(v, v.audience) == wanted), None)
        if draft.restrict_history and self._widest(history) - self.domain.reach(audience):
            same = None  # even if the text is known: the restriction is new
        if same is None:
            self._check_widening(draft, audience, history.versions)
            _check_title(draft, history.versions)
        return audience, same

    def publish(
        self, tx: Connection, draft: VersionDraft, audience: frozenset[str], derived: Derived, actor: str
    ) -> Published:
        """Write a version, its text, passages, postings, embeddings and readings."""
        log = tables.revisions  # its numbers outlive a purge, so that a citation never comes to mean another text
        last = tx.execute(select(func.max(log.c.version)).where(log.c.doc_id == draft.doc_id)).scalar()
        number = (last or 0) + 1
        revision = self._record(tx, actor, "published", draft.doc_id, number)
        self._write_content(tx, draft, derived)
        source = hashlib.sha256(draft.source).hexdigest()
        if tx.execute(select(tables.sources.c.source).where(tables.sources.c.source == source)).first() is None:
            tx.execute(tables.sources.insert(), {"source": source, "bytes": draft.source})
        tx.execute(
            tables.versions.insert(),
            {
                "doc_id": draft.doc_id,
                "version": number,
                "title": draft.title,
                "effective_from": draft.effective_from,
                "effective_to": draft.effective_to,
                "audience": sorted(audience),
                "precedence": draft.precedence,
                "supersedes": list(draft.supersedes),
                "content": draft.content,
                "source": source,
                "filename": draft.filename,
                "left_out": [[item.what, item.where] for item in draft.left_out] or None,
                "revision": revision,
            },
        )
        if draft.restrict_history:
            row = {"revision": revision, "doc_id": draft.doc_id, "audience": sorted(audience)}
            tx.execute(tables.restrictions.insert(), row)
        return Published(draft.doc_id, number, "published", len(draft.spans), revision, draft.left_out)

    def retract(self, tx: Connection, doc_id: str, at: datetime, actor: str) -> int:
        """End all versions known by now at `at`; history stays. Returns the new revision."""
        revision = self._record(tx, actor, "retracted", doc_id, None)
        tx.execute(tables.retractions.insert(), {"revision": revision, "doc_id": doc_id, "at": at})
        return revision

    def purge(self, tx: Connection, doc_id: str, version: int | None, actor: str) -> Erased:
        """Erase a version, or with None a document and all that was recorded of it, with its words."""
        table = tables.versions
        chosen: ColumnElement[bool] = table.c.doc_id == doc_id
        chosen = chosen if version is None else chosen & (table.c.version == version)
        gone = tx.execute(select(table.c.content, table.c.source).where(chosen)).all()
        tx.execute(delete(table).where(chosen))
        for of_the_document in (tables.retractions, tables.restrictions) if version is None else ():
            tx.execute(delete(of_the_document).where(of_the_document.c.doc_id == doc_id))
        contents, sources = {row.content for row in gone}, {row.source for row in gone}
        shared = set(tx.execute(select(table.c.content).where(table.c.content.in_(contents))).scalars())
        passages = sum(_erase_content(tx, content) for content in sorted(contents - shared))
        readings.erase_unowned(tx, shared)  # a reading holds its title, which may go while the content stays
        sources -= set(tx.execute(select(table.c.source).where(table.c.source.in_(sources))).scalars())
        tx.execute(delete(tables.sources).where(tables.sources.c.source.in_(sources)))
        self._record(tx, actor, PURGED, doc_id, None)
        return Erased(len(gone), tuple(sorted(contents - shared)), tuple(sorted(shared)), passages, len(sources))

    def _audience(self, draft: VersionDraft, before: Sequence[Version], held: frozenset[str]) -> frozenset[str]:
        if before and not before[-1].admits(held):
            raise InvalidInput(f"doc_id: `{draft.doc_id}` cannot be used with this key.", "Choose another.", "doc_id")
        audience = draft.audience or (before[-1].audience if before else frozenset())
        declared = f"Declared here: {', '.join(self.domain.audiences)}."
        if not audience:
            raise InvalidInput("audience: a new document needs one.", declared, "audience")
        if unknown := audience - set(self.domain.audiences):
            names = ", ".join(sorted(unknown))
            raise InvalidInput(f"audience: nobody declared {names}.", declared, "audience")
        if not audience <= held:
            raise InvalidInput(
                "audience: this key may not publish to all of these.", "Use a key that holds them.", "audience"
            )
        return audience

    def _check_widening(self, draft: VersionDraft, audience: frozenset[str], before: Sequence[Version]) -> None:
        if before and self.domain.widens(before[-1].audience, audience) and not draft.allow_widen:
            raise InvalidInput(
                "audience: this would widen who may read the document.", "Say allow_widen=true to mean it.", "audience"
            )

    def _narrowed(self, version: Version) -> bool:
        """Whether a restriction excludes readers whom the version's own audience admits."""
        return version.readers(self.domain.reach) != self.domain.reach(version.audience)

    def _widest(self, history: History) -> frozenset[str]:
        """The audiences that may read some version."""
        return frozenset().union(*(v.readers(self.domain.reach) for v in history.versions))

    def _record(self, tx: Connection, actor: str, change: str, doc_id: str, version: int | None) -> int:
        row = {"at": now(), "actor": actor, "change": change, "doc_id": doc_id, "version": version}
        key = tx.execute(tables.revisions.insert(), row).inserted_primary_key
        return int(key[0]) if key else 0

    def _write_content(self, tx: Connection, draft: VersionDraft, derived: Derived) -> None:
        content = draft.content
        if not tx.execute(select(tables.contents.c.content).where(tables.contents.c.content == content)).first():
            terms = [tokens(p.in_context) for p in draft.passages()]
            row = {"content": content, "text": draft.text, "passages": len(terms), "terms": sum(map(len, terms))}
            tx.execute(tables.contents.insert(), row)
            rows = [
                {"content": content, "ordinal": i, "start": s.start, "end": s.end, "heading": s.heading, "kind": s.kind}
                | {"cells": [[c.column, c.value] for c in s.cells] or None, "terms": len(terms[i])}
                for i, s in enumerate(draft.spans)
            ]
            tx.execute(tables.passages.insert(), rows)
            LexicalIndex.write(tx, content, terms)
        vectors.keep(tx, self.encoder, content, derived.vectors)
        readings.keep(tx, self.reader, content, draft.title, derived.readings)


def _identity(version: VersionDraft | Version, audience: frozenset[str]) -> tuple[object, ...]:
    """What makes two versions the same."""
    dates = (version.effective_from, version.effective_to)
    return (version.content, version.title, dates, audience, version.precedence, tuple(version.supersedes))


def _check_title(draft: VersionDraft, before: Sequence[Version]) -> None:
    """Another title under a known identifier is most often the wrong identifier."""
    if before and before[-1].title != draft.title and not draft.allow_retitle:
        raise InvalidInput(
            f"title: `{draft.doc_id}` has another title.",
            "Check the doc_id; say allow_retitle=true if the document was renamed.",
            "title",
        )


def _erase_content(tx: Connection, content: str) -> int:
    """Delete all that hangs on a content. Returns how many passages it had."""
    passages = tx.execute(delete(tables.passages).where(tables.passages.c.content == content)).rowcount
    for child in (tables.postings, tables.vectors, tables.readings, tables.contents):
        tx.execute(delete(child).where(child.c.content == content))
    return int(passages)
