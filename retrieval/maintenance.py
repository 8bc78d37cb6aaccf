"""Keeping the derived indexes true to the catalog: settle what was cut off, verify, rebuild, compact."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import structlog
from langchain_core.embeddings import Embeddings
from sqlalchemy import Connection, Engine, delete, func, select

from retrieval import readings
from retrieval.catalog import Catalog
from retrieval.catalog_writer import writing
from retrieval.contents import Cell, content_hash
from retrieval.dense import DenseIndex, settled
from retrieval.index import Generation
from retrieval.lexical import LexicalIndex, tokens
from retrieval.readings import Reader
from retrieval.tables import contents, passages, postings, sources, unsettled, versions
from retrieval.units import Unit, stating
from retrieval.vectors import Vectors, keep, load
from retrieval.versions import Version

log = structlog.get_logger()
Progress = Callable[[Sequence[str], str], Iterator[str]]  # contents and what is done with them, in words
Hashes = Callable[[Connection, str, str, str], Mapping[readings.Place, str]]  # see `readings.load_hashes`
_MOST_TOLD = 20
_SAME = 1e-5  # Chroma gives embeddings back as they came; a graph read from damaged bytes does not


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What `verify` compared and what it found wrong, in words; nothing found means clean."""

    versions: int
    contents: int
    passages: int
    problems: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Do catalog, dense and lexical index agree?"""
        return not self.problems


def silent(items: Sequence[str], _: str) -> Iterator[str]:
    """No progress is shown."""
    return iter(items)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Looks after the indexes of one catalog. Whoever calls it holds the publisher's lock, or is alone."""

    engine: Engine
    catalog: Catalog
    dense: DenseIndex
    embedder: Embeddings
    reader: Reader

    def start(self, progress: Progress = silent) -> None:
        """Finish or undo what a crash cut off; rebuild the dense index where it is missing, damaged or another's."""
        if self.dense.live() is None:
            self.rebuild_dense(progress)
        if found := self._settled_problems():
            log.warning("dense_index_rebuilt", reason=found[0], problems=len(found))
            self.dense.close()
            self.rebuild_dense(progress)
            self.settle()
        self.dense.sweep()
        self.read(progress)

    def settle(self, progress: Progress = silent) -> None:
        """Finish or undo each change that was noted; where words were erased, their bytes go too."""
        with self.engine.connect() as connection:
            left = {c: self.catalog.audiences_of(c) for c in connection.execute(select(unsettled.c.content)).scalars()}
        for content, audiences in left.items():
            self.dense.settle(content, audiences)
        if not all(left.values()):
            self.rebuild_dense(progress)  # what was deleted stays in the graph until it is made anew
        if left:
            self.shrink()
        with writing(self.engine) as tx:
            settled(tx, left)

    def verify(self) -> MaintenanceReport:
        """Compare catalog, dense and lexical index word by word and number by number."""
        with self.engine.connect() as connection:
            counts = [connection.execute(select(func.count()).select_from(t)).scalar() for t in (versions, contents)]
            total = connection.execute(select(func.count()).select_from(passages)).scalar()
        problems = (
            *self._catalog_problems(),
            *self._read_dense(),
            *self._lexical_problems(),
            *self._reading_problems(),
        )
        return MaintenanceReport(counts[0] or 0, counts[1] or 0, total or 0, problems)

    def rebuild(self, progress: Progress = silent) -> None:
        """Rebuild the indexes from the stored texts and embeddings, and make what is missing of the readings."""
        self.rebuild_dense(progress)
        with writing(self.engine) as tx:
            readings.erase_unowned(tx)
        self._read_missing(readings.undamaged_hashes, progress)
        with writing(self.engine) as tx:
            known = list(tx.execute(select(contents.c.content).order_by(contents.c.content)).scalars())
            tx.execute(delete(postings))
            for content in progress(known, "Rebuilding the lexical index"):
                LexicalIndex.write(tx, content, [tokens(p.in_context) for p in self.catalog.passages(content)])
        self.catalog.forget()  # caches may hold the damage for which somebody asked for the rebuild

    def rebuild_dense(self, progress: Progress = silent) -> None:
        """Make the dense index anew and swap; with it go the bytes of what was deleted."""

        def fill(fresh: Generation) -> None:
            audiences = self.catalog.audiences()
            for content in progress(known, "Rebuilding the dense index"):
                fresh.write(content, audiences[content], self._vectors(content))

        with self.engine.connect() as connection:
            known = list(connection.execute(select(contents.c.content).order_by(contents.c.content)).scalars())
        self.dense.replace(fill)

    def read(self, progress: Progress = silent) -> None:
        """Read the units whose reading is missing or stale: after an update, or with another reader."""
        self._read_missing(readings.load_hashes, progress)

    def shrink(self) -> None:
        """Give free pages of an embedded database back, and empty its write-ahead log: erased words stood in both."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                cursor = connection.connection.cursor()
                for pragma in ("incremental_vacuum", "wal_checkpoint(TRUNCATE)"):
                    cursor.execute(f"PRAGMA {pragma}").fetchall()  # each step frees a page, so all are taken
                cursor.close()

    def _vectors(self, content: str) -> Vectors:
        """The stored embeddings of a content; made and kept where the encoder is new to the catalog."""
        found = self._stored(content)
        if found is None:
            texts = [p.in_context for p in self.catalog.passages(content)]
            found = np.asarray(self.embedder.embed_documents(texts), dtype=np.float32)
            with writing(self.engine) as tx:
                keep(tx, self.dense.encoder, content, found)
        return found

    def _catalog_problems(self) -> Iterator[str]:
        with self.engine.connect() as connection:
            for row in connection.execute(select(contents)):
                query = select(passages).where(passages.c.content == row.content).order_by(passages.c.ordinal)
                cut = connection.execute(query).all()
                cells = ((p.start, [Cell(*pair) for pair in p.cells or ()]) for p in cut)
                if content_hash(row.text, cells) != row.content:
                    yield f"catalog: the text of {row.content[:12]} is not what was published"
                if len(cut) != row.passages or any(p.end > len(row.text) for p in cut):
                    yield f"catalog: the passages of {row.content[:12]} are incomplete"
            for row in connection.execute(select(sources)):
                if hashlib.sha256(row.bytes).hexdigest() != row.source:
                    yield f"catalog: the original file {row.source[:12]} is not what was published"

    def _settled_problems(self) -> list[str]:
        try:
            self.settle()
        except Exception:  # noqa: BLE001 -- what cannot be settled shows when it is read
            log.warning("dense_index_unsettled")
        return self._read_dense()

    def _read_dense(self) -> list[str]:
        try:
            return list(self._dense_problems())
        except Exception as error:  # noqa: BLE001 -- damaged files make Chroma raise whatever the damage leads to
            return [f"dense index: it cannot be read ({type(error).__name__})"]

    def _dense_problems(self) -> Iterator[str]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(contents.c.content, contents.c.passages))
            expected = {row.content: row.passages for row in rows}
            unfinished = connection.execute(select(func.count()).select_from(unsettled)).scalar()
        if unfinished:
            yield f"dense index: {unfinished} changes were cut off"
        seen: Counter[str] = Counter()
        audiences, stored = self.catalog.audiences(), lru_cache(maxsize=256)(self._stored)
        for (content, ordinal), flags, vector in self.dense.records():
            seen[content] += 1
            if content not in expected or ordinal >= expected[content]:
                yield f"dense index: passage {content[:12]}:{ordinal} is not in the catalog"
            elif flags != audiences[content]:
                yield f"dense index: the audiences of {content[:12]}:{ordinal} are not the catalog's"
            elif (kept := stored(content)) is None or not np.allclose(kept[ordinal], vector, atol=_SAME):
                yield f"dense index: the embedding of {content[:12]}:{ordinal} is not the catalog's"
        for content, count in expected.items():
            if seen[content] < count:
                yield f"dense index: {count - seen[content]} passages of {content[:12]} are missing"

    def _stored(self, content: str) -> Vectors | None:
        with self.engine.connect() as connection:
            return load(connection, self.dense.encoder, content)

    def _titled(self) -> dict[str, Version]:
        """For each content under each of its titles one version: what the reader reads."""
        histories = self.catalog.timeline().histories.values()
        return {f"{v.content} {v.title}": v for history in histories for v in history.versions}

    def _units(self, version: Version) -> list[Unit]:
        return stating(version, self.catalog.passages(version.content))

    def _is_read(self, version: Version, hashes: Hashes) -> bool:
        """Whether the database has a current reading of each unit, and no other of this reader."""
        with self.engine.connect() as connection:
            stored = hashes(connection, self.reader.name, version.content, version.title)
        return stored == readings.input_hashes(self._units(version))

    def _read_missing(self, hashes: Hashes, progress: Progress) -> None:
        """Store the readings of every version that lacks some. Readings that are stored are not computed again."""
        unread = {name: version for name, version in self._titled().items() if not self._is_read(version, hashes)}
        for name in progress(sorted(unread), "Reading documents"):
            version = unread[name]
            found = readings.made(self.engine, self.reader, self._units(version))
            with writing(self.engine) as tx:
                readings.replace(tx, self.reader.name, version.content, version.title, found)

    def _reading_problems(self) -> Iterator[str]:
        with self.engine.connect() as connection:
            if count := readings.count_unowned(connection):
                yield f"readings: {count} belong to no version"
        for version in self._titled().values():
            if not self._is_read(version, readings.undamaged_hashes):
                yield f"readings: those of {version.content[:12]} are not those of its units"

    def _lexical_problems(self) -> Iterator[str]:
        with self.engine.connect() as connection:
            known = list(connection.execute(select(contents.c.content)).scalars())
            strays = (
                select(func.count()).select_from(postings).where(postings.c.content.not_in(select(contents.c.content)))
            )
            if count := connection.execute(strays).scalar():
                yield f"lexical index: {count} postings belong to no text"
            for content in known:
                rows = connection.execute(select(postings).where(postings.c.content == content))
                stored = {(row.ordinal, row.term): row._mapping["count"] for row in rows}
                wanted = Counter((p.ordinal, t) for p in self.catalog.passages(content) for t in tokens(p.in_context))
                if stored != wanted:
                    yield f"lexical index: the postings of {content[:12]} are not those of its text"
