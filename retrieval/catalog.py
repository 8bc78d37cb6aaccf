"""The catalog: document versions, texts, passages and the log of revisions. The source of truth for facts.

Both indexes are derived from it and only propose; a passage counts after the catalog has placed it in the caller's
view. Writes go through a transaction that the caller opens, so that whoever publishes can commit its own records
(audit, idempotency) with it.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from sqlalchemy import Connection, Engine, Row, delete, func, select

from domains.spec import Domain, InvalidInput, NotFound
from retrieval import tables
from retrieval.instants import now
from retrieval.lexical import LexicalIndex, tokens
from retrieval.versions import History, Retraction, Version, View, readable


@dataclass(frozen=True, slots=True)
class Span:
    """A passage as the reader of a file cuts it: offsets are Unicode code points, `end` exclusive."""

    start: int
    end: int
    heading: str
    kind: str  # "prose" or "row"


@dataclass(frozen=True, slots=True)
class Draft:
    """A document version before it has a number. `audience` None means: inherit the one before."""

    doc_id: str
    title: str
    effective_from: datetime
    effective_to: datetime | None
    audience: frozenset[str] | None
    precedence: int
    supersedes: tuple[str, ...]
    text: str
    spans: tuple[Span, ...]
    source: bytes
    filename: str
    allow_widen: bool = False

    @property
    def content(self) -> str:
        """The content hash: sha256 of the canonical text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did."""

    doc_id: str
    version: int
    status: str  # "published" or "unchanged"
    passages: int
    revision: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a content; `text` is `content.text[start:end]`, verbatim."""

    content: str
    ordinal: int
    start: int
    end: int
    heading: str
    kind: str
    text: str

    @property
    def key(self) -> tuple[str, int]:
        """What the indexes call it."""
        return self.content, self.ordinal

    @property
    def in_context(self) -> str:
        """The text with its headings before it: what is embedded and what terms are counted in."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text


@dataclass(frozen=True, eq=False)
class Timeline:
    """Everything about versions that was recorded up to one revision; immutable, made anew when the revision moves."""

    revision: int
    histories: Mapping[str, History]

    @cached_property
    def boundaries(self) -> list[datetime]:
        """The instants at which some answer may change, ascending."""
        return sorted({b for history in self.histories.values() for b in history.boundaries()})

    def era(self, moment: datetime) -> datetime | None:
        """The last boundary at or before `moment`: two moments of one era see the same versions."""
        position = bisect_right(self.boundaries, moment)
        return self.boundaries[position - 1] if position else None


class Catalog:
    """Reads and writes the catalog.

    Args:
        engine: the one SQL engine of the process.
        domain: says which audiences exist and which of them include which.
    """

    def __init__(self, engine: Engine, domain: Domain) -> None:
        self._engine = engine
        self._domain = domain
        self._lock = threading.Lock()
        self._timeline = Timeline(-1, {})
        self._lengths: dict[str, tuple[int, ...]] = {}
        self._text = lru_cache(maxsize=512)(self._read_text)
        self._passages = lru_cache(maxsize=4096)(self._read_passages)
        self._view = lru_cache(maxsize=64)(self._make_view)

    # Reading

    def head(self) -> int:
        """The number of the latest revision, 0 for an empty catalog."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(tables.revisions.c.revision))).scalar() or 0

    def timeline(self) -> Timeline:
        """What is recorded now. Another process's publishing is seen at once, by its revision number."""
        head = self.head()
        with self._lock:
            if self._timeline.revision != head:
                self._timeline = self._read_timeline(head)
            return self._timeline

    def view(self, audiences: frozenset[str], moment: datetime, revision: int | None = None) -> View:
        """What a caller with these audiences may read at `moment`, as known at `revision` (default: now)."""
        timeline = self.timeline()
        known = timeline.revision if revision is None else min(revision, timeline.revision)
        era = timeline.era(moment)
        if era is None:
            return View(moment, known, audiences, ())
        return self._view(timeline, audiences, era, known)

    def lengths(self, view: View) -> dict[tuple[str, int], int]:
        """Number of terms of each passage in the view."""
        return {(c, i): n for c in view.by_content for i, n in enumerate(self._lengths[c])}

    def text(self, content: str) -> str:
        """The stored canonical text of a content."""
        return self._text(content)

    def passages(self, content: str) -> tuple[Passage, ...]:
        """All passages of a content, in order."""
        return self._passages(content)

    def version(self, view: View, doc_id: str, number: int) -> Version:
        """A version of a document as the caller of `view` may see it, holding or not.

        Raises:
            NotFound: there is none, or its audience does not admit the caller.
        """
        history = self.timeline().histories.get(doc_id, History())
        for version in history.versions:
            if version.version == number and version.admits(view.audiences) and version.revision <= view.revision:
                return version
        raise not_found(doc_id)

    def history(self, view: View, doc_id: str) -> tuple[Version, ...]:
        """The versions of a document that the caller may see.

        Raises:
            NotFound: the document does not exist, or nothing of it is for the caller.
        """
        history = self.timeline().histories.get(doc_id, History())
        seen = tuple(v for v in history.versions if v.admits(view.audiences) and v.revision <= view.revision)
        if not seen:
            raise not_found(doc_id)
        return seen

    def audiences_of(self, content: str) -> frozenset[str]:
        """The audiences of all versions that share a content."""
        histories = self.timeline().histories.values()
        return frozenset(a for h in histories for v in h.versions if v.content == content for a in v.audience)

    # Writing

    def resolve(self, draft: Draft, held: frozenset[str]) -> tuple[frozenset[str], Version | None]:
        """Settle the audience of a draft, and find the version that it equals, if any.

        Args:
            draft: what is to be published.
            held: the audiences to which the publisher may publish.

        Raises:
            InvalidInput: dates in the wrong order, no audience, one that the publisher lacks, or one that widens.
        """
        if draft.effective_to is not None and draft.effective_to <= draft.effective_from:
            raise InvalidInput(
                "effective_to is not after effective_from.", "Give an end after the start, or none.", "effective_to"
            )
        before = self.timeline().histories.get(draft.doc_id, History()).versions
        audience = self._audience(draft, before, held)
        same = (v for v in before if (v.content, v.title, v.audience) == (draft.content, draft.title, audience))
        dates = (draft.effective_from, draft.effective_to)
        return audience, next((v for v in same if (v.effective_from, v.effective_to) == dates), None)

    def publish(self, tx: Connection, draft: Draft, audience: frozenset[str], actor: str) -> Published:
        """Write a version, its text, passages and postings in the open transaction."""
        last = select(func.max(tables.versions.c.version)).where(tables.versions.c.doc_id == draft.doc_id)
        number = (tx.execute(last).scalar() or 0) + 1
        revision = self._record(tx, actor, "published", draft.doc_id, number)
        self._write_content(tx, draft)
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
                "revision": revision,
            },
        )
        return Published(draft.doc_id, number, "published", len(draft.spans), revision)

    def retract(self, tx: Connection, doc_id: str, at: datetime, actor: str) -> int:
        """End all versions known by now at `at`; history stays. Returns the new revision."""
        revision = self._record(tx, actor, "retracted", doc_id, None)
        tx.execute(tables.retractions.insert(), {"revision": revision, "doc_id": doc_id, "at": at})
        return revision

    def purge(self, tx: Connection, doc_id: str, actor: str) -> list[str]:
        """Erase a document with its texts. Returns the contents that no other document shares and that are gone."""
        table = tables.versions
        gone = tx.execute(select(table.c.content, table.c.source).where(table.c.doc_id == doc_id)).all()
        tx.execute(delete(table).where(table.c.doc_id == doc_id))
        tx.execute(delete(tables.retractions).where(tables.retractions.c.doc_id == doc_id))
        erased = sorted({row.content for row in gone} - set(self._still_used(tx, table.c.content)))
        for child in (tables.postings, tables.passages, tables.contents):
            tx.execute(delete(child).where(child.c.content.in_(erased)))
        sources = {row.source for row in gone} - set(self._still_used(tx, table.c.source))
        tx.execute(delete(tables.sources).where(tables.sources.c.source.in_(sources)))
        self._record(tx, actor, "purged", doc_id, None)
        return erased

    def forget(self, contents: Iterable[str]) -> None:
        """Drop what is cached of erased contents."""
        for content in contents:
            self._lengths.pop(content, None)
        self._text.cache_clear()
        self._passages.cache_clear()

    # Inside

    def _audience(self, draft: Draft, before: Sequence[Version], held: frozenset[str]) -> frozenset[str]:
        if before and not before[-1].admits(held):
            raise InvalidInput(f"doc_id: `{draft.doc_id}` cannot be used with this key.", "Choose another.", "doc_id")
        audience = draft.audience or (before[-1].audience if before else frozenset())
        if not audience:
            declared = ", ".join(self._domain.audiences)
            raise InvalidInput("audience: a new document needs one.", f"Declared here: {declared}.", "audience")
        if unknown := audience - set(self._domain.audiences):
            declared = ", ".join(self._domain.audiences)
            raise InvalidInput(
                f"audience: nobody declared {', '.join(sorted(unknown))}.", f"Declared here: {declared}.", "audience"
            )
        if not audience <= held:
            raise InvalidInput(
                "audience: this key may not publish to all of these.", "Use a key that holds them.", "audience"
            )
        if before and self._domain.widens(before[-1].audience, audience) and not draft.allow_widen:
            raise InvalidInput(
                "audience: this would widen who may read the document.", "Say allow_widen=true to mean it.", "audience"
            )
        return audience

    def _record(self, tx: Connection, actor: str, change: str, doc_id: str, version: int | None) -> int:
        row = {"at": now(), "actor": actor, "change": change, "doc_id": doc_id, "version": version}
        key = tx.execute(tables.revisions.insert(), row).inserted_primary_key
        return int(key[0]) if key else 0

    def _write_content(self, tx: Connection, draft: Draft) -> None:
        content = draft.content
        if tx.execute(select(tables.contents.c.content).where(tables.contents.c.content == content)).first():
            return
        found = passages_of(content, draft.text, draft.spans)
        terms = [tokens(p.in_context) for p in found]
        row = {"content": content, "text": draft.text, "passages": len(found), "terms": sum(map(len, terms))}
        tx.execute(tables.contents.insert(), row)
        rows = [
            {"content": content, "ordinal": i, "start": s.start, "end": s.end, "heading": s.heading, "kind": s.kind}
            | {"terms": len(terms[i])}
            for i, s in enumerate(draft.spans)
        ]
        if rows:
            tx.execute(tables.passages.insert(), rows)
        LexicalIndex.write(tx, content, terms)

    @staticmethod
    def _still_used(tx: Connection, column: object) -> list[str]:
        return list(tx.execute(select(column)).scalars())  # type: ignore[call-overload]

    def _read_timeline(self, head: int) -> Timeline:
        versions: dict[str, list[Version]] = {}
        retractions: dict[str, list[Retraction]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(select(tables.versions).order_by(tables.versions.c.revision)):
                versions.setdefault(row.doc_id, []).append(_version(row))
            for row in connection.execute(select(tables.retractions).order_by(tables.retractions.c.revision)):
                retractions.setdefault(row.doc_id, []).append(Retraction(row.doc_id, row.at, row.revision))
            self._read_lengths(connection)
        histories = {d: History(tuple(vs), tuple(retractions.get(d, ()))) for d, vs in versions.items()}
        return Timeline(head, histories)

    def _read_lengths(self, connection: Connection) -> None:
        known = set(connection.execute(select(tables.contents.c.content)).scalars())
        table = tables.passages
        for content in known - set(self._lengths):
            rows = connection.execute(select(table.c.terms).where(table.c.content == content).order_by(table.c.ordinal))
            self._lengths[content] = tuple(rows.scalars())

    @staticmethod
    def _make_view(timeline: Timeline, audiences: frozenset[str], era: datetime, known: int) -> View:
        return readable(timeline.histories.values(), audiences, era, known)

    def _read_text(self, content: str) -> str:
        with self._engine.connect() as connection:
            query = select(tables.contents.c.text).where(tables.contents.c.content == content)
            return str(connection.execute(query).scalar_one())

    def _read_passages(self, content: str) -> tuple[Passage, ...]:
        table = tables.passages
        with self._engine.connect() as connection:
            rows = connection.execute(select(table).where(table.c.content == content).order_by(table.c.ordinal)).all()
        spans = [Span(row.start, row.end, row.heading, row.kind) for row in rows]
        return passages_of(content, self.text(content), spans)


def passages_of(content: str, text: str, spans: Sequence[Span]) -> tuple[Passage, ...]:
    """The passages that spans cut out of a text, in their order."""
    return tuple(
        Passage(content, i, s.start, s.end, s.heading, s.kind, text[s.start : s.end]) for i, s in enumerate(spans)
    )


def not_found(doc_id: str) -> NotFound:
    """The one answer for what does not exist and for what the caller may not read."""
    return NotFound(f"There is no document `{doc_id}`.", "GET /v1/documents lists those that you may read.")


def _version(row: Row[tuple[object, ...]]) -> Version:
    return Version(
        doc_id=row.doc_id,
        version=row.version,
        title=row.title,
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        audience=frozenset(row.audience),
        precedence=row.precedence,
        supersedes=tuple(row.supersedes),
        content=row.content,
        revision=row.revision,
    )
