"""The catalog, as it is read: which versions a caller may see, and their words. The source of truth for facts.

Both indexes are derived from it and only propose; a passage counts after the catalog has placed it in the caller's
view. `retrieval.recorder` writes it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Engine, func, select

from domains.spec import NotFound, Unavailable
from retrieval import tables
from retrieval.contents import Cell, Key, Passage, Span, passages_of
from retrieval.timeline import Timeline, advance
from retrieval.versions import Version, View, readable

_MANY = 500  # bound values in one statement


class Catalog:
    """Reads the catalog. Safe to call from any thread; another process's publishing is seen with the next call.

    Args:
        engine: the one SQL engine of the process.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._timeline = Timeline()
        self._lengths: dict[str, tuple[int, ...]] = {}
        self._text = lru_cache(maxsize=512)(self._read_text)
        self._passages = lru_cache(maxsize=4096)(self._read_passages)
        self._view = lru_cache(maxsize=64)(_make_view)
        self._view_lengths = lru_cache(maxsize=16)(self._read_view_lengths)

    def head(self) -> int:
        """The number of the latest revision, 0 for an empty catalog."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(tables.revisions.c.revision))).scalar() or 0

    def timeline(self) -> Timeline:
        """What is recorded now."""
        head = self.head()
        with self._lock:
            if self._timeline.revision < head:
                with self._engine.connect() as connection:
                    self._timeline, erased = advance(self._timeline, head, connection)
                if erased:  # here or by another replica
                    self._forget()
            return self._timeline

    def view(self, audiences: frozenset[str], moment: datetime, revision: int | None = None) -> View:
        """What a caller with these audiences may read at `moment`, as known at `revision` (default: now)."""
        timeline = self.timeline()
        known = timeline.revision if revision is None else min(revision, timeline.revision)
        era = timeline.era(moment)
        if era is None:
            return View(moment, known, audiences, ())
        return self._view(timeline, audiences, era, known)

    def lengths(self, view: View) -> Mapping[Key, int]:
        """Number of terms of each passage in the view."""
        return self._view_lengths(view)

    def text(self, content: str) -> str:
        """The stored canonical text of a content.

        Raises:
            Unavailable: it was erased after the caller's view was taken.
        """
        return self._text(content)

    def passages(self, content: str) -> tuple[Passage, ...]:
        """All passages of a content, in order; raises like `text`."""
        return self._passages(content)

    def version(self, view: View, doc_id: str, number: int) -> Version:
        """A version of a document as the caller of `view` may see it, holding or not.

        Raises:
            NotFound: there is none, or its audience does not admit the caller.
        """
        for version in self.timeline().history(doc_id).versions:
            if version.version == number and version.admits(view.audiences) and version.revision <= view.revision:
                return version
        raise not_found(doc_id)

    def history(self, view: View, doc_id: str) -> tuple[Version, ...]:
        """The versions of a document that the caller may see.

        Raises:
            NotFound: the document does not exist, or nothing of it is for the caller.
        """
        versions = self.timeline().history(doc_id).versions
        seen = tuple(v for v in versions if v.admits(view.audiences) and v.revision <= view.revision)
        if not seen:
            raise not_found(doc_id)
        return seen

    def audiences_of(self, content: str) -> frozenset[str]:
        """The audiences of all versions that share a content."""
        table = tables.versions
        with self._engine.connect() as connection:
            rows = connection.execute(select(table.c.audience).where(table.c.content == content)).scalars()
            return frozenset(name for audience in rows for name in audience)

    def audiences(self) -> Mapping[str, frozenset[str]]:
        """Content -> the audiences of all versions that share it, for all contents."""
        table = tables.versions
        found: dict[str, frozenset[str]] = {}
        with self._engine.connect() as connection:
            for content, audience in connection.execute(select(table.c.content, table.c.audience)):
                found[content] = found.get(content, frozenset()) | frozenset(audience)
        return found

    def _forget(self) -> None:
        """Drop what is cached of words."""
        self._lengths = {}
        for cache in (self._text, self._passages, self._view, self._view_lengths):
            cache.cache_clear()

    def _read_view_lengths(self, view: View) -> Mapping[Key, int]:
        missing = sorted(set(view.by_content) - set(self._lengths))
        table = tables.passages
        for start in range(0, len(missing), _MANY):
            some = missing[start : start + _MANY]
            query = select(table.c.content, table.c.terms).where(table.c.content.in_(some))
            found: dict[str, list[int]] = {content: [] for content in some}
            with self._engine.connect() as connection:
                for row in connection.execute(query.order_by(table.c.content, table.c.ordinal)):
                    found[row.content].append(row.terms)
            self._lengths |= {content: tuple(terms) for content, terms in found.items()}
        return {(c, i): n for c in view.by_content for i, n in enumerate(self._lengths[c])}

    def _read_text(self, content: str) -> str:
        with self._engine.connect() as connection:
            query = select(tables.contents.c.text).where(tables.contents.c.content == content)
            text = connection.execute(query).scalar()
        if text is None:
            raise Unavailable("A document was erased while this was answered.", "Ask again.")
        return str(text)

    def _read_passages(self, content: str) -> tuple[Passage, ...]:
        table = tables.passages
        with self._engine.connect() as connection:
            rows = connection.execute(select(table).where(table.c.content == content).order_by(table.c.ordinal)).all()
        spans = [Span(r.start, r.end, r.heading, r.kind, tuple(Cell(*pair) for pair in r.cells or ())) for r in rows]
        return passages_of(content, self.text(content), spans)


def not_found(doc_id: str) -> NotFound:
    """The one answer for what does not exist and for what the caller may not read."""
    return NotFound(f"There is no document `{doc_id}`.", "GET /v1/documents lists those that you may read.")


def _make_view(timeline: Timeline, audiences: frozenset[str], era: datetime, known: int) -> View:
    return readable(timeline.histories.values(), audiences, era, known)
