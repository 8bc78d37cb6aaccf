"""The catalog, as it is read: which versions a caller may see, and their words. The source of truth for facts.

Both indexes are derived from it and only propose; a passage counts after the catalog has placed it in the caller's
view. `retrieval.catalog_writer` writes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import Engine, func, select

from domains.spec import NotFound, StaleView
from retrieval import tables
from retrieval.contents import Cell, Key, Passage, Span, passages_of
from retrieval.timeline import Timeline, advance
from retrieval.versions import Version, View, readable

Result = TypeVar("Result")
_MANY = 500  # bound values in one statement
_ATTEMPTS = (
    3  # views taken for one reading: a purge takes tens of milliseconds, so that one retry is nearly always enough
)


class Catalog:
    """Reads the catalog. Safe to call from any thread; another process's publishing is seen with the next call.

    Args:
        engine: the one SQL engine of the process.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._timeline = Timeline()
        self._words = _Words(engine)
        self._forgetters: list[Callable[[], None]] = []

    def head(self) -> int:
        """The number of the latest revision, 0 for an empty catalog."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(tables.revisions.c.revision))).scalar() or 0

    def timeline(self) -> Timeline:
        """What is recorded now."""
        return self._current()[0]

    def on_erased(self, forget: Callable[[], None]) -> None:
        """Have `forget` called whenever words were erased, here or by another replica: it drops what it derived."""
        self._forgetters.append(forget)

    def forget(self) -> None:
        """Drop every cache of words and what was derived from them; later calls read the database again."""
        with self._lock:
            self._forget()

    def reading(
        self, take: Callable[[], View], read: Callable[[View], Result], keep: Callable[[Result], None] = lambda _: None
    ) -> Result:
        """Read through a view, and again through a new one if a purge erased words of the first meanwhile.

        Args:
            take: takes the view.
            read: makes the result; it may be called again, so it writes nothing.
            keep: stores the result, or raises `StaleView` if words of it were erased since.

        Raises:
            StaleView: purges erased words of every view that was taken.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                result = self._read_once(take(), read)
                keep(result)
                return result
            except StaleView:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def confirm(self, view: View) -> None:
        """Make sure that no words of a view were erased since it was taken.

        Whoever read through such a view may have filled caches after the purge emptied them: they are emptied again.

        Raises:
            StaleView: some were.
        """
        timeline = self.timeline()
        if timeline.purged_at <= view.taken_at:
            return
        recorded = {v.doc_id: {r.revision for r in timeline.history(v.doc_id).versions} for v in view.versions}
        if any(v.revision not in recorded[v.doc_id] for v in view.versions):
            with self._lock:
                self._forget()
            raise StaleView

    def view(self, audiences: frozenset[str], moment: datetime, revision: int | None = None) -> View:
        """What a caller with these audiences may read at `moment`, as known at `revision` (default: now)."""
        timeline, words = self._current()
        known = timeline.revision if revision is None else min(revision, timeline.revision)
        era = timeline.era(moment)
        if era is None:
            return View(moment, known, audiences, (), timeline.revision)
        return words.view(timeline, audiences, era, known)

    def lengths(self, view: View) -> Mapping[Key, int]:
        """Number of terms of each passage in the view."""
        return self._words.view_lengths(view)

    def text(self, content: str) -> str:
        """The stored canonical text of a content.

        Raises:
            StaleView: it was erased after the caller's view was taken.
        """
        return self._words.text(content)

    def passages(self, content: str) -> tuple[Passage, ...]:
        """All passages of a content, in order; raises like `text`."""
        return self._words.passages(content)

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

    def _current(self) -> tuple[Timeline, _Words]:
        """What is recorded now, and the caches that belong to it."""
        head = self.head()
        with self._lock:
            if self._timeline.revision < head:
                with self._engine.connect() as connection:
                    self._timeline, erased = advance(self._timeline, head, connection)
                if erased:  # here or by another replica
                    self._forget()
            return self._timeline, self._words

    def _read_once(self, view: View, read: Callable[[View], Result]) -> Result:
        try:
            result = read(view)
        except Exception:
            self.confirm(view)  # whatever failed may have failed for the words that are gone
            raise
        self.confirm(view)
        return result

    def _forget(self) -> None:
        """Drop everything derived from words. The caches are replaced: a reader at work fills those it began with."""
        self._words = _Words(self._engine)
        for forget in self._forgetters:
            forget()


class _Words:
    """Words and what follows from them, read from the catalog and cached until the next purge."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lengths: dict[str, tuple[int, ...]] = {}
        self.text = lru_cache(maxsize=512)(self._read_text)
        self.passages = lru_cache(maxsize=4096)(self._read_passages)
        self.view = lru_cache(maxsize=64)(_make_view)
        self.view_lengths = lru_cache(maxsize=16)(self._read_view_lengths)

    def _read_view_lengths(self, view: View) -> Mapping[Key, int]:
        missing = sorted(set(view.by_content) - set(self._lengths))
        table, texts = tables.passages, tables.contents
        for start in range(0, len(missing), _MANY):
            some = missing[start : start + _MANY]
            joined = texts.outerjoin(table, texts.c.content == table.c.content)
            query = select(texts.c.content, table.c.terms).select_from(joined).where(texts.c.content.in_(some))
            found: dict[str, list[int]] = {}
            with self._engine.connect() as connection:
                for row in connection.execute(query.order_by(texts.c.content, table.c.ordinal)):
                    found.setdefault(row.content, []).extend([] if row.terms is None else [row.terms])
            if len(found) < len(some):
                raise StaleView
            self._lengths |= {content: tuple(terms) for content, terms in found.items()}
        return {(c, i): n for c in view.by_content for i, n in enumerate(self._lengths[c])}

    def _read_text(self, content: str) -> str:
        with self._engine.connect() as connection:
            query = select(tables.contents.c.text).where(tables.contents.c.content == content)
            text = connection.execute(query).scalar()
        if text is None:
            raise StaleView
        return str(text)

    def _read_passages(self, content: str) -> tuple[Passage, ...]:
        table, texts, text = tables.passages, tables.contents, self.text(content)
        # With the text in one statement, so that passages missing because of a purge are told from none.
        joined = texts.outerjoin(table, texts.c.content == table.c.content)
        query = select(table).select_from(joined).where(texts.c.content == content).order_by(table.c.ordinal)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        if not rows:
            raise StaleView
        spans = [
            Span(r.start, r.end, r.heading, r.kind, tuple(Cell(*pair) for pair in r.cells or ()))
            for r in rows
            if r.ordinal is not None
        ]
        return passages_of(content, text, spans)


def not_found(doc_id: str) -> NotFound:
    """The one answer for what does not exist and for what the caller may not read."""
    return NotFound(f"There is no document `{doc_id}`.", "GET /v1/documents lists those that you may read.")


def _make_view(timeline: Timeline, audiences: frozenset[str], era: datetime, known: int) -> View:
    return readable(timeline.histories.values(), audiences, era, known, timeline.revision)
