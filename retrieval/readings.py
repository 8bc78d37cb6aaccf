"""What the evidence reader makes of the units of documents: computed when a version is published, kept beside it.

A reading is bytes that only the reader understands, so that any model may serve: vectors of an adapter, or the words
themselves for a cross-encoder. It hangs on the words of a version and its title, and goes with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from sqlalchemy import Connection, Engine, select

from retrieval.contents import Draft
from retrieval.tables import readings as table
from retrieval.units import Unit, stating
from retrieval.vectors import Vectors
from retrieval.versions import Version

Pair = tuple[str, str]  # a text, and what it is read beside
Place = tuple[int, int]  # offsets of a unit in the text of its version
_MOST_KEPT = 1024  # contents whose readings stay in memory


class Reader(Protocol):
    """Judges which texts answer a question."""

    @property
    def name(self) -> str:
        """What readings are kept under."""
        ...

    @property
    def sufficient(self) -> float:
        """The probability from which on a text answers, 0..1."""
        ...

    def read(self, texts: Sequence[Pair]) -> list[bytes]:
        """What is kept of texts, so that a question need not wait for it."""
        ...

    def judge(self, question: Pair, readings: Sequence[bytes]) -> Vectors:
        """The probability that each text answers a question, 0..1: (texts,)."""
        ...


class Readings:
    """The readings of units, from the catalog's database or, where they are not there yet, made.

    Args:
        engine: of the catalog.
        reader: whose readings they are.
    """

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine, self.reader = engine, reader
        self.forget()

    def forget(self) -> None:
        """Drop what is kept in memory: words may have been erased."""
        self._known = lru_cache(maxsize=_MOST_KEPT)(self._load)

    def of(self, units: Sequence[Unit]) -> list[bytes]:
        """The reading of each unit, in their order."""
        known = [self._known(u.version.content, u.version.title) for u in units]
        new = [i for i, unit in enumerate(units) if _place(unit) not in known[i]]
        made = self.reader.read([(units[i].shown, units[i].surroundings) for i in new])
        for i, reading in zip(new, made, strict=True):
            known[i][_place(units[i])] = reading
        return [there[_place(unit)] for there, unit in zip(known, units, strict=True)]

    def _load(self, content: str, title: str) -> dict[Place, bytes]:
        with self._engine.connect() as connection:
            return load(connection, self.reader.name, content, title)


def made(reader: Reader, draft: Draft) -> dict[Place, bytes]:
    """The readings of all units of a draft that state something."""
    units = stating(Version.planned(draft), draft.passages())
    return made_of(reader, units)


def made_of(reader: Reader, units: Sequence[Unit]) -> dict[Place, bytes]:
    """The readings of units of one version."""
    found = reader.read([(unit.shown, unit.surroundings) for unit in units])
    return {_place(unit): reading for unit, reading in zip(units, found, strict=True)}


def load(connection: Connection, reader: str, content: str, title: str) -> dict[Place, bytes]:
    """The readings that are kept of a content under a title."""
    own = (table.c.content == content) & (table.c.title == title) & (table.c.reader == reader)
    rows = connection.execute(select(table.c.start, table.c.end, table.c.data).where(own))
    return {(row.start, row.end): bytes(row.data) for row in rows}


def keep(tx: Connection, reader: str, content: str, title: str, readings: dict[Place, bytes]) -> None:
    """Keep the readings of a content under a title, unless they are there."""
    there = load(tx, reader, content, title)
    same = {"content": content, "title": title, "reader": reader}
    rows = [
        same | {"start": start, "end": end, "data": data}
        for (start, end), data in readings.items()
        if (start, end) not in there
    ]
    if rows:
        tx.execute(table.insert(), rows)


def _place(unit: Unit) -> Place:
    return unit.start, unit.end
