"""What the evidence reader makes of the units of documents: computed at publish, stored with the version.

A reading is bytes that only the reader understands, so that any model may serve: vectors of an adapter, or the words
themselves for a cross-encoder. It depends on the words of a version and its title, and is erased with them. A hash of
the text that was read shows when an update of the program cuts or surrounds a unit differently: such a reading is
stale, and is made again. By the same hash a unit that another version has too is read only once. A reading whose bytes
are not those that were stored counts as missing.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, Row, bindparam, delete, exists, func, select

from retrieval.tables import readings as table
from retrieval.tables import versions
from retrieval.units import Unit
from retrieval.vectors import Vectors

Pair = tuple[str, str]  # a text, and what it is read beside
Place = tuple[int, int]  # offsets of a unit in the text of its version
Titled = tuple[str, str]  # content and title: what determines the readings of a version
_HASHES_PER_QUERY = 500  # SQLite takes some thousand values in a statement
_UNITS_PER_JOB = 128  # the one model worker finishes a job before it takes the next, which may be a question's
_CACHE_BYTES = 256 * 2**20
_OVERHEAD_BYTES = 416  # of a cached reading beside its data: offsets, hash and their places in a dict (CPython 3.12)


class StoredReading(NamedTuple):
    """A reading, and the hash of the text that was read, see `input_hash`."""

    input_hash: str
    data: bytes


ByPlace = Mapping[Place, StoredReading]


class Reader(Protocol):
    """Judges which texts answer a question."""

    @property
    def name(self) -> str:
        """What readings are kept under."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names reader and calibration together: what its judgements depend on."""
        ...

    @property
    def sufficient(self) -> float:
        """The probability from which on a text answers, 0..1."""
        ...

    @property
    def sufficient_unlabelled(self) -> float:
        """The same where no label says what the customer wants, 0..1."""
        ...

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        """What is kept of texts, so that a question need not wait for it."""
        ...

    def judge(
        self, question: Pair, readings: Sequence[bytes], record: str = "", groups: Sequence[Hashable] = ()
    ) -> Vectors:
        """The probability that each text answers a question, 0..1: (texts,).

        Args:
            question: with what surrounds it.
            readings: of the texts.
            record: what is known of the asker.
            groups: the group of each text; texts of one group are no rivals of each other.
        """
        ...


class Readings:
    """The readings of units, from memory, else from the catalog's database, else made. Safe to call from any thread.

    Args:
        engine: of the catalog.
        reader: whose readings they are.
        cache_bytes: how much stays in memory at most; the least recently used versions go first.
    """

    def __init__(self, engine: Engine, reader: Reader, cache_bytes: int = _CACHE_BYTES) -> None:
        self._engine, self.reader, self._cache_bytes = engine, reader, cache_bytes
        self.forget()

    def forget(self) -> None:
        """Drop what is kept in memory: words may have been erased."""
        # A new cache: a call at work may still hold erased words, and fills the one it began with.
        self._cache = _Cache(self._cache_bytes)

    def of(self, units: Sequence[Unit]) -> list[bytes]:
        """The reading of each unit, in their order."""
        cache = self._cache
        stored = {titled: self._stored(cache, titled) for titled in dict.fromkeys(map(_titled, units))}
        found = [_current(stored[_titled(unit)], unit) for unit in units]
        missing = [unit for unit, reading in zip(units, found, strict=True) if reading is None]
        fresh: dict[Titled, dict[Place, StoredReading]] = {}
        for unit, reading in zip(missing, _read(self.reader, missing), strict=True):
            fresh.setdefault(_titled(unit), {})[_place(unit)] = reading
        for titled, readings in fresh.items():
            cache.add(titled, stored[titled], readings)
        return [
            reading.data if reading is not None else fresh[_titled(unit)][_place(unit)].data
            for unit, reading in zip(units, found, strict=True)
        ]

    def _stored(self, cache: _Cache, titled: Titled) -> ByPlace:
        if (known := cache.get(titled)) is not None:
            return known
        with self._engine.connect() as connection:
            loaded = load(connection, self.reader.name, *titled)
        cache.add(titled, loaded)
        return loaded


class _Cache:
    """The readings of the most recently used versions, up to a number of bytes.

    An entry is replaced, never changed: another thread may be reading it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[Titled, ByPlace] = OrderedDict()
        self._most_bytes, self._bytes = most_bytes, 0

    def get(self, titled: Titled) -> ByPlace | None:
        with self._lock:
            if titled in self._entries:
                self._entries.move_to_end(titled)
            return self._entries.get(titled)

    def add(self, titled: Titled, loaded: ByPlace, fresh: ByPlace | None = None) -> None:
        """Add readings to those of a version, or to the `loaded` ones where it has no entry (any more)."""
        with self._lock:
            before = self._entries.pop(titled, None)
            self._bytes -= 0 if before is None else _size(before)
            after = {**(loaded if before is None else before), **(fresh or {})}
            self._entries[titled] = after
            self._bytes += _size(after)
            while self._bytes > self._most_bytes:
                _, oldest = self._entries.popitem(last=False)
                self._bytes -= _size(oldest)


def input_hash(unit: Unit) -> str:
    """A hash of what a reader reads of a unit: its text and its surroundings. 32 hexadecimal digits."""
    return hashlib.blake2b(f"{unit.shown}\0{unit.surroundings}".encode(), digest_size=16).hexdigest()


def input_hashes(units: Iterable[Unit]) -> dict[Place, str]:
    """The hash of each unit of one version: what `load_hashes` finds where all of them are read."""
    return {_place(unit): input_hash(unit) for unit in units}


def made(engine: Engine, reader: Reader, units: Sequence[Unit]) -> ByPlace:
    """The readings of units; none is made that the database holds, whatever version it belongs to.

    Args:
        engine: of the catalog.
        reader: makes what is missing.
        units: of one version.
    """
    hashes = {_place(unit): input_hash(unit) for unit in units}
    with engine.connect() as connection:
        known = _known(connection, reader.name, sorted(set(hashes.values())))
    missing = {hashes[_place(unit)]: unit for unit in units if hashes[_place(unit)] not in known}
    known |= {reading.input_hash: reading for reading in _read(reader, list(missing.values()))}
    return {place: known[input_] for place, input_ in hashes.items()}


def load(connection: Connection, reader: str, content: str, title: str) -> ByPlace:
    """The undamaged readings that are stored of a content under a title, stale ones too."""
    query = select(table).where(_OWN)
    rows = connection.execute(query, _own(reader, content, title))
    return {(row.start, row.end): StoredReading(row.input_hash, bytes(row.data)) for row in rows if _is_sound(row)}


def load_hashes(connection: Connection, reader: str, content: str, title: str) -> dict[Place, str]:
    """The hashes of what was read, without the readings; damage to these does not show."""
    query = select(table.c.start, table.c.end, table.c.input_hash)
    rows = connection.execute(query.where(_OWN), _own(reader, content, title))
    return {(row.start, row.end): row.input_hash for row in rows}


def undamaged_hashes(connection: Connection, reader: str, content: str, title: str) -> dict[Place, str]:
    """The hashes of what was read, of the readings that are undamaged."""
    return {place: reading.input_hash for place, reading in load(connection, reader, content, title).items()}


def keep(tx: Connection, reader: str, content: str, title: str, readings: ByPlace) -> None:
    """Store the readings of all units of a content under a title, unless they are stored already."""
    wanted = {place: reading.input_hash for place, reading in readings.items()}
    if load_hashes(tx, reader, content, title) != wanted:
        replace(tx, reader, content, title, readings)


def replace(tx: Connection, reader: str, content: str, title: str, readings: ByPlace) -> None:
    """Store the readings of all units of a content under a title, in place of what is stored."""
    tx.execute(delete(table).where(_OWN), _own(reader, content, title))
    same = {"content": content, "title": title, "reader": reader}
    rows = [
        same | {"start": start, "end": end, "checksum": zlib.crc32(reading.data)} | reading._asdict()
        for (start, end), reading in readings.items()
    ]
    if rows:
        tx.execute(table.insert(), rows)


def erase_unowned(tx: Connection, contents: Collection[str] | None = None) -> None:
    """Erase the readings, of any reader, whose content no version has under their title.

    Args:
        tx: the writer's transaction.
        contents: the contents to look at; None: all.
    """
    statement = delete(table).where(_unowned())
    tx.execute(statement if contents is None else statement.where(table.c.content.in_(contents)))


def count_unowned(connection: Connection) -> int:
    """How many readings `erase_unowned` would erase."""
    return connection.execute(select(func.count()).select_from(table).where(_unowned())).scalar() or 0


# Values are given when a statement runs: SQLAlchemy keeps those of a statement's first run in its cache, titles too.
_OWN = (
    (table.c.content == bindparam("own_content"))
    & (table.c.title == bindparam("own_title"))
    & (table.c.reader == bindparam("own_reader"))
)


def _own(reader: str, content: str, title: str) -> dict[str, str]:
    return {"own_reader": reader, "own_content": content, "own_title": title}


def _known(connection: Connection, reader: str, hashes: Sequence[str]) -> dict[str, StoredReading]:
    """By its hash, each of these readings that is stored with any version."""
    found: dict[str, StoredReading] = {}
    for start in range(0, len(hashes), _HASHES_PER_QUERY):
        some = table.c.input_hash.in_(hashes[start : start + _HASHES_PER_QUERY])
        rows = connection.execute(select(table).where(table.c.reader == reader, some))
        found |= {row.input_hash: StoredReading(row.input_hash, bytes(row.data)) for row in rows if _is_sound(row)}
    return found


def _is_sound(row: Row[Any]) -> bool:
    return bool(zlib.crc32(row.data) == row.checksum)


def _unowned() -> ColumnElement[bool]:
    return ~exists().where(versions.c.content == table.c.content, versions.c.title == table.c.title)


def _read(reader: Reader, units: Sequence[Unit]) -> list[StoredReading]:
    """Have the reader read units, a slice at a time."""
    found: list[StoredReading] = []
    for start in range(0, len(units), _UNITS_PER_JOB):
        some = units[start : start + _UNITS_PER_JOB]
        data = reader.read([(unit.shown, unit.surroundings) for unit in some])
        found += [StoredReading(input_hash(unit), read) for unit, read in zip(some, data, strict=True)]
    return found


def _current(readings: ByPlace, unit: Unit) -> StoredReading | None:
    """The reading of a unit, unless it is missing or stale."""
    reading = readings.get(_place(unit))
    return reading if reading is not None and reading.input_hash == input_hash(unit) else None


def _size(readings: ByPlace) -> int:
    """What an entry of the cache takes, in bytes; one without readings takes something too."""
    return sum(len(reading.data) + _OVERHEAD_BYTES for reading in readings.values()) + _OVERHEAD_BYTES


def _titled(unit: Unit) -> Titled:
    return unit.version.content, unit.version.title


def _place(unit: Unit) -> Place:
    return unit.start, unit.end
