"""The dense index as the rest of the code sees it: always the live generation, swapped for a fresh one in one step.

Deleted records of an HNSW graph stay in it as tombstones, its files are written in place, and an encoder may change:
so the index is never mended, it is made anew beside the live one and swapped. The catalog's database says which
generation is live, so that every replica asks the same one with its next question.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from sqlalchemy import Connection, Engine, delete, select, update

from domains.spec import Unavailable
from retrieval.catalog_writer import writing
from retrieval.contents import Key
from retrieval.index import Generation, Place
from retrieval.tables import generations, unsettled
from retrieval.timestamps import now
from retrieval.vectors import Vectors, load, load_many
from retrieval.versions import View

Fill = Callable[[Generation], None]
_VIEWS = 8  # whose embeddings are kept in memory


class DenseIndex:
    """Proposes passages near a vector; every process of one catalog asks the same generation.

    Args:
        engine: of the catalog.
        place: where generations live.
        encoder: fingerprint of the encoder; embeddings of another one are another index.
    """

    def __init__(self, engine: Engine, place: Place, encoder: str) -> None:
        self.encoder = encoder
        self._engine, self._place = engine, place
        self._lock = threading.Lock()
        self._open: Generation | None = None
        self._users: Counter[str] = Counter()
        self._retired: dict[str, tuple[Generation, Callable[[Generation], None]]] = {}
        # A view's passages with their kept embeddings, (passages, dimensions).
        self.of_view = lru_cache(maxsize=_VIEWS)(self._of_view)

    def live(self) -> str | None:
        """Name of the live generation, or None where none was made for this encoder."""
        own = generations.c.live & (generations.c.encoder == self.encoder)
        query = select(generations.c.name).where(own).order_by(generations.c.generation.desc()).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def count(self) -> int:
        """How many passages the live generation holds."""
        with self._using() as generation:
            return generation.count()

    def propose(self, vector: Vectors, audiences: Iterable[str], limit: int) -> list[tuple[Key, float]]:
        """The nearest passages with their cosine, see `Generation.propose`."""
        wanted = frozenset(audiences)
        with self._using() as generation:
            try:
                return generation.propose(vector, wanted, limit)
            except Exception:
                if self.live() == generation.name:
                    raise
        return self.propose(vector, wanted, limit)  # another replica has swapped the index meanwhile

    def embeddings(self, keys: Sequence[Key], dimensions: int) -> Vectors:
        """The kept embeddings of passages: (keys, dimensions); zeros where none is."""
        with self._engine.connect() as connection:
            kept = load_many(connection, self.encoder, {content for content, _ in keys})
        nothing = np.zeros(dimensions, dtype=np.float32)
        rows = [kept[content][ordinal] if content in kept else nothing for content, ordinal in keys]
        return np.stack(rows) if rows else np.zeros((0, dimensions), dtype=np.float32)

    def forget(self) -> None:
        """Drop the embeddings of views: their words may have been erased."""
        self.of_view.cache_clear()

    def _of_view(self, view: View, dimensions: int) -> tuple[tuple[Key, ...], Vectors]:
        contents = sorted(view.by_content)
        with self._engine.connect() as connection:
            kept = load_many(connection, self.encoder, contents)
        keys = tuple((content, ordinal) for content in contents for ordinal in range(len(kept.get(content, ()))))
        rows = [kept[content] for content in contents if content in kept]
        return keys, np.concatenate(rows) if rows else np.zeros((0, dimensions), dtype=np.float32)

    def records(self) -> Iterator[tuple[Key, frozenset[str], Vectors]]:
        """All that the live generation holds."""
        with self._using() as generation:
            yield from generation.records()

    def write(self, content: str, audiences: Iterable[str], vectors: Vectors) -> None:
        """Write the passages of one content; `unsettle` them first."""
        with self._using() as generation:
            generation.write(content, audiences, vectors)

    def settle(self, content: str, audiences: frozenset[str]) -> None:
        """Make the index hold of one content just what the catalog says; with no audience: nothing."""
        with self._engine.connect() as connection:
            vectors = load(connection, self.encoder, content)
        with self._using() as generation:
            generation.remove(content)
            if audiences and vectors is not None:
                generation.write(content, audiences, vectors)

    def replace(self, fill: Fill) -> None:
        """Make a generation, let `fill` write it, make it live, and drop the one before with all its bytes."""
        name = f"passages-{secrets.token_hex(8)}"
        with writing(self._engine) as tx:
            tx.execute(generations.insert(), {"name": name, "encoder": self.encoder, "live": False, "at": now()})
        fresh = self._place.open(name, make=True)
        try:
            fill(fresh)
        except BaseException:
            self._place.drop(fresh)
            raise
        with self._lock:  # whoever asks meanwhile finds either the old one, whole, or the new one
            self._promote(name)
            self._retire(self._place.drop)
            self._open = fresh
            self._end_retired()

    def sweep(self) -> None:
        """Remove what rebuilds that were cut off have left behind."""
        self._place.sweep(self.live())

    def close(self) -> None:
        """Let go of files and threads; the next question opens it again."""
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = None

    @contextmanager
    def _using(self) -> Iterator[Generation]:
        """The live generation, which is not closed while the block runs."""
        with self._lock:
            live = self.live()
            if self._open is None or self._open.name != live:
                self._retire(Generation.close)
                if live is None:
                    raise Unavailable("The dense index was never made.", "`formfact documents rebuild` makes it.")
                self._open = self._place.open(live)
            generation = self._open
            self._users[generation.name] += 1
        try:
            yield generation
        finally:
            with self._lock:
                self._users[generation.name] -= 1
                self._end_retired()

    def _promote(self, name: str) -> None:
        own = generations.c.encoder == self.encoder
        with writing(self._engine) as tx:
            tx.execute(delete(generations).where(own, generations.c.name != name))
            tx.execute(update(generations).where(generations.c.name == name).values(live=True))

    def _retire(self, end: Callable[[Generation], None]) -> None:
        if self._open is not None:
            self._retired[self._open.name] = (self._open, end)
        self._open = None

    def _end_retired(self) -> None:
        for name in [n for n in self._retired if not self._users[n]]:
            generation, end = self._retired.pop(name)
            end(generation)
            del self._users[name]


def unsettle(engine: Engine, contents: Iterable[str]) -> None:
    """Note, before the index is touched, that it may come to differ from the catalog on these contents."""
    with writing(engine) as tx:
        known = set(tx.execute(select(unsettled.c.content)).scalars())
        if rows := [{"content": content} for content in contents if content not in known]:
            tx.execute(unsettled.insert(), rows)


def settled(tx: Connection, contents: Iterable[str]) -> None:
    """The index holds of these contents what the catalog says, from the commit of this transaction on."""
    tx.execute(delete(unsettled).where(unsettled.c.content.in_(list(contents))))
