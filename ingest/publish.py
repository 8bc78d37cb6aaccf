"""Publishing: one file becomes one document version, whole or not at all.

Chroma is written first, then catalog, postings and whatever the caller commits with it, in one SQL transaction. Until
that commits nobody sees the version, since a passage counts only when the catalog confirms it; what a failure leaves
in Chroma is proposed to nobody and is overwritten by the next try, since identifiers are derived from the content.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from langchain_core.embeddings import Embeddings
from sqlalchemy import Connection, Engine

from domains.spec import Domain, InvalidInput
from ingest.blocks import cut, render, with_title
from ingest.metadata import Metadata, derived, front_matter
from ingest.readers import read
from retrieval.catalog import Catalog, Draft, Published, passages_of
from retrieval.index import DenseIndex
from retrieval.instants import now, parse_instant
from retrieval.versions import Version

Within = Callable[[Connection, Published], None]  # what the caller commits in the same transaction


@dataclass(frozen=True, slots=True)
class Submission:
    """A file as it came, and what its sender states about it."""

    filename: str
    data: bytes
    stated: Metadata = Metadata()
    allow_widen: bool = False


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes, retracts and purges; the one writer of catalog and indexes."""

    domain: Domain
    engine: Engine
    catalog: Catalog
    dense: DenseIndex
    embedder: Embeddings
    lock: AbstractContextManager[object] = nullcontext()

    def publish(
        self, submission: Submission, actor: str, held: frozenset[str], within: Within | None = None
    ) -> Published:
        """Publish a file, or find that an equal version stands already.

        Args:
            submission: the file and what is stated about it.
            actor: who publishes, for the log.
            held: the audiences to which the actor may publish.
            within: called with the open transaction before it commits, also where nothing changed.

        Raises:
            InvalidInput: the file, its metadata or its dates; see `ingest.readers` and `Catalog.resolve`.
        """
        draft = self.prepare(submission)
        with self.lock:
            dated = self._dated(draft, submission, held)
            audience, same = self.catalog.resolve(dated, held)
            if same is None:
                self._embed(dated, audience)
            with self.engine.begin() as tx:
                if same is None:
                    published = self.catalog.publish(tx, dated, audience, actor)
                else:
                    published = _unchanged(same, len(dated.spans), self.catalog.head())
                if within:
                    within(tx, published)
        return published

    def prepare(self, submission: Submission) -> Draft:
        """Read a file into a draft; no model, database or index is touched."""
        name, data = submission.filename, submission.data
        meta = submission.stated.over(front_matter(name, data))
        found = read(name, data)
        title = found[0].text if found[0].kind == "heading" else ""
        meta = meta.over(derived(name, title)) if not (meta.doc_id and meta.title) else meta
        if not meta.doc_id:
            raise InvalidInput(f"{name}: doc_id: there is none and the name gives none.", "State one.", "doc_id")
        blocks = with_title(found, meta.title or meta.doc_id)
        return Draft(
            doc_id=meta.doc_id,
            title=meta.title or meta.doc_id,
            effective_from=self._instant(meta.effective_from, "effective_from") or now(),
            effective_to=self._instant(meta.effective_to, "effective_to"),
            audience=meta.audience,
            precedence=50 if meta.precedence is None else meta.precedence,
            supersedes=meta.supersedes or (),
            text=render(blocks),
            spans=cut(blocks),
            source=data,
            filename=name[:300],
            allow_widen=submission.allow_widen,
        )

    def retract(self, doc_id: str, at: datetime, actor: str, within: Callable[[Connection], None] | None = None) -> int:
        """End all versions of a document at `at`; history stays. Returns the new revision."""
        with self.lock, self.engine.begin() as tx:
            revision = self.catalog.retract(tx, doc_id, at, actor)
            if within:
                within(tx)
        return revision

    def purge(self, doc_id: str, actor: str, within: Callable[[Connection], None] | None = None) -> list[str]:
        """Erase a document's words from catalog and indexes. Returns the erased contents."""
        with self.lock:
            with self.engine.begin() as tx:
                erased = self.catalog.purge(tx, doc_id, actor)
                if within:
                    within(tx)
            for content in erased:
                self.dense.remove(content)
            self.catalog.forget(erased)
        return erased

    def _instant(self, text: str | None, field: str) -> datetime | None:
        return parse_instant(text, self.domain.zone, field) if text else None

    def _dated(self, draft: Draft, submission: Submission, held: frozenset[str]) -> Draft:
        """A file sent again without a date is not a new version: it takes the date of the one that it equals."""
        if submission.stated.over(front_matter(submission.filename, submission.data)).effective_from:
            return draft
        history = self.catalog.timeline().histories.get(draft.doc_id)
        for version in reversed(history.versions if history else ()):
            same_words = (version.content, version.title) == (draft.content, draft.title)
            if same_words and draft.audience in (None, version.audience) and version.admits(held):
                return replace(draft, effective_from=version.effective_from)
        return draft

    def _embed(self, draft: Draft, audience: frozenset[str]) -> None:
        """Write the passages to Chroma; embeddings of a content that is already there are kept."""
        known = self.dense.embeddings(draft.content, len(draft.spans))
        if known is None:
            texts = [p.in_context for p in passages_of(draft.content, draft.text, draft.spans)]
            known = np.asarray(self.embedder.embed_documents(texts), dtype=np.float32)
        self.dense.write(draft.content, audience | self.catalog.audiences_of(draft.content), known)


def new_lock() -> AbstractContextManager[object]:
    """The lock of the one writer, shared by all threads of a process."""
    return threading.RLock()


def _unchanged(version: Version, passages: int, revision: int) -> Published:
    return Published(version.doc_id, version.version, "unchanged", passages, revision)
