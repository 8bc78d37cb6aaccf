"""Publishing: one file becomes one document version, whole or not at all.

The dense index is written first, then catalog, postings and whatever the caller commits with it, in one SQL
transaction. Until that commits nobody sees the version, since a passage counts only when the catalog confirms it. What
the index may hold beyond the catalog is noted before it is touched, and settled when the process starts again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from langchain_core.embeddings import Embeddings
from sqlalchemy import Connection, Engine

from domains.spec import Domain
from ingest.contradictions import contradictions
from ingest.drafting import Submission, drafted, states_start
from ingest.limits import DEFAULTS, Limits
from retrieval.catalog import Catalog
from retrieval.catalog_writer import Derived, Erased, Recorder, alone, writing
from retrieval.contents import Contradiction, Published, VersionDraft
from retrieval.dense import DenseIndex, settled, unsettle
from retrieval.maintenance import Upkeep
from retrieval.readings import Reader, made
from retrieval.timestamps import now
from retrieval.units import stating
from retrieval.vectors import Vectors, load
from retrieval.versions import History, Version

Within = Callable[[Connection, Published], None]  # what the caller commits in the same transaction


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes, retracts and purges; the one writer of catalog and indexes."""

    domain: Domain
    engine: Engine
    catalog: Catalog
    dense: DenseIndex
    embedder: Embeddings
    reader: Reader
    limits: Limits = DEFAULTS
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def recorder(self) -> Recorder:
        """Writes the catalog."""
        return Recorder(self.domain, self.dense.encoder, self.reader.name)

    @property
    def upkeep(self) -> Upkeep:
        """Looks after the indexes; take a `turn` while it works."""
        return Upkeep(self.engine, self.catalog, self.dense, self.embedder, self.reader)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else writes catalog or indexes while the block runs: no thread, and no other replica."""
        with self._lock, alone(self.engine):
            yield

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
            InvalidInput: the file, its metadata or its dates; see `ingest.readers` and `Recorder.resolve`.
        """
        draft = drafted(submission, self.domain, self.limits)
        # Models run before the turn, so that other publishers do not wait for them, and only for a new version.
        dated, audience, same = self._resolved(draft, submission, held)
        derived = self._derived(draft) if same is None else None
        found = self._contradictions(dated, audience, held, derived.vectors) if derived else ()
        with self.turn():
            dated, audience, same = self._resolved(draft, submission, held)
            if same is None:
                # Nothing is derived yet if the equal version was purged or replaced since: rare, so others wait.
                return self._publish_version(dated, audience, derived or self._derived(draft), found, actor, within)
            with writing(self.engine) as tx:
                published = _unchanged(same, dated, self.catalog.head())
                if within:
                    within(tx, published)
        return published

    def would(self, submission: Submission, held: frozenset[str]) -> Published:
        """What `publish` would do, without doing it; the number is the version's."""
        draft = drafted(submission, self.domain, self.limits)
        dated, audience, same = self._resolved(draft, submission, held)
        revision = self.catalog.head()
        if same is not None:
            return _unchanged(same, dated, revision)
        last = max((v.version for v in self._history(draft.doc_id).versions), default=0)
        found = self._contradictions(dated, audience, held, self._embedded(draft))
        return Published(dated.doc_id, last + 1, "published", len(dated.spans), revision, dated.left_out, found)

    def retract(
        self, doc_id: str, at: datetime, actor: str, within: Callable[[Connection, int], None] | None = None
    ) -> int:
        """End all versions of a document at `at`; history stays. Returns the new revision."""
        with self.turn(), writing(self.engine) as tx:
            revision = self.recorder.retract(tx, doc_id, at, actor)
            if within:
                within(tx, revision)
        return revision

    def purge(
        self,
        doc_id: str,
        version: int | None,
        actor: str,
        within: Callable[[Connection, Erased], None] | None = None,
    ) -> Erased:
        """Erase a version, or with None a document, from catalog and indexes, down to the bytes of the index."""
        with self.turn():
            history = self._history(doc_id).versions
            unsettle(self.engine, {v.content for v in history if version in (None, v.version)})
            with writing(self.engine) as tx:
                erased = self.recorder.purge(tx, doc_id, version, actor)
                if within:
                    within(tx, erased)
            self.catalog.timeline()  # takes notice, and forgets what it kept of the words
            self.upkeep.settle()
        return erased

    def _publish_version(
        self,
        draft: VersionDraft,
        audience: frozenset[str],
        derived: Derived,
        found: tuple[Contradiction, ...],
        actor: str,
        within: Within | None,
    ) -> Published:
        """Write a new version to the dense index, then to the catalog."""
        self._index(draft.content, audience, derived.vectors)
        with writing(self.engine) as tx:
            published = replace(self.recorder.publish(tx, draft, audience, derived, actor), contradictions=found)
            settled(tx, [draft.content])
            if within:
                within(tx, published)
        return published

    def _resolved(
        self, draft: VersionDraft, submission: Submission, held: frozenset[str]
    ) -> tuple[VersionDraft, frozenset[str], Version | None]:
        history = self._history(draft.doc_id)
        dated = self._dated(draft, submission, history, held)
        return dated, *self.recorder.resolve(dated, history, held)

    def _history(self, doc_id: str) -> History:
        return self.catalog.timeline().history(doc_id)

    def _dated(
        self, draft: VersionDraft, submission: Submission, history: History, held: frozenset[str]
    ) -> VersionDraft:
        """Date a draft: without a stated start it takes that of the equal version in force or planned, else now.

        An equal version that another has replaced is history: its text takes effect again, from now.
        """
        if states_start(submission):
            return draft
        for version in reversed(history.versions):
            same_words = (version.content, version.title) == (draft.content, draft.title)
            readable = draft.audience in (None, version.audience) and version.admits(held)
            if same_words and readable and _in_force(version, draft, history):
                return replace(draft, effective_from=version.effective_from)
        return draft

    def _derived(self, draft: VersionDraft) -> Derived:
        """Embeddings and readings of a draft; the models compute only what the database does not hold yet."""
        with self.engine.connect() as connection:
            vectors = load(connection, self.dense.encoder, draft.content)
        readings = made(self.engine, self.reader, stating(Version.planned(draft), draft.passages()))
        return Derived(self._embedded(draft) if vectors is None else vectors, readings)

    def _embedded(self, draft: VersionDraft) -> Vectors:
        """The embeddings of the passages: (passages, dimensions)."""
        return np.asarray(self.embedder.embed_documents([p.in_context for p in draft.passages()]), dtype=np.float32)

    def _contradictions(
        self, draft: VersionDraft, audience: frozenset[str], held: frozenset[str], vectors: Vectors
    ) -> tuple[Contradiction, ...]:
        """What a draft says differently from documents that the publisher may read and that hold when it starts."""
        planned = replace(Version.planned(draft), audience=audience)
        view = self.catalog.view(held, max(draft.effective_from, now()))
        return contradictions(planned, draft.passages(), vectors, view, self.catalog, self.dense, self.embedder)

    def contradicted_by(self, version: Version, held: frozenset[str]) -> tuple[Contradiction, ...]:
        """The same of a version that was published."""
        with self.engine.connect() as connection:
            vectors = load(connection, self.dense.encoder, version.content)
        if vectors is None:
            return ()
        view, passages = (
            self.catalog.view(held, max(version.effective_from, now())),
            self.catalog.passages(version.content),
        )
        return contradictions(version, passages, vectors, view, self.catalog, self.dense, self.embedder)

    def _index(self, content: str, audience: frozenset[str], vectors: Vectors) -> None:
        """Write the passages to the dense index, unless it holds them for these audiences already."""
        held = self.catalog.audiences_of(content)
        if not audience <= held:
            unsettle(self.engine, [content])
            self.dense.write(content, audience | held, vectors)


def _in_force(version: Version, draft: VersionDraft, history: History) -> bool:
    """Whether a version holds when the draft would start.

    A planned version, and one whose draft has ended already, is looked at from its own start.
    """
    start = draft.effective_from
    ended = draft.effective_to is not None and draft.effective_to <= start
    at = version.effective_from if ended or version.effective_from > start else start
    return history.holding(at, history.revision) == version


def _unchanged(same: Version, draft: VersionDraft, revision: int) -> Published:
    return Published(same.doc_id, same.version, "unchanged", len(draft.spans), revision, draft.left_out)
