"""Contents: the words of document versions, cut into passages. Values alone; the catalog stores them.

A content is the canonical text of one or more versions, named by its hash, so that the same text published twice is
stored, embedded and indexed once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

_GIST_WORDS = 40  # of a cell

Key = tuple[str, int]  # (content, ordinal): what the indexes call a passage


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a table row and the name of its column, which is empty where the table names none."""

    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}: {self.value}" if self.column else self.value


@dataclass(frozen=True, slots=True)
class Span:
    """A passage as the reader of a file cuts it: offsets are Unicode code points, `end` exclusive."""

    start: int
    end: int
    heading: str
    kind: str  # "prose" or "row"
    cells: tuple[Cell, ...] = ()  # of a row


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Content that was knowingly not read: `what` it is (image, attachment, ...), and `where` it is in the file."""

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class VersionDraft:
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
    left_out: tuple[LeftOut, ...] = ()
    allow_widen: bool = False
    allow_retitle: bool = False
    restrict_history: bool = False

    @property
    def content(self) -> str:
        """What the catalog calls the words of this version, see `content_hash`."""
        return content_hash(self.text, ((s.start, s.cells) for s in self.spans))

    def passages(self) -> tuple[Passage, ...]:
        """The passages of the text, in order."""
        return passages_of(self.content, self.text, self.spans)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A sentence or row of a new version, and one of another document that states another figure."""

    text: str
    doc_id: str
    version: int
    other: str


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did."""

    doc_id: str
    version: int
    status: str  # "published" or "unchanged"
    passages: int
    revision: int
    left_out: tuple[LeftOut, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()


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
    cells: tuple[Cell, ...] = ()

    @property
    def key(self) -> Key:
        """What the indexes call it."""
        return self.content, self.ordinal

    @property
    def in_context(self) -> str:
        """The text with its headings before it: what is embedded and what terms are counted in."""
        return f"{self.heading}\n{self.gist}" if self.heading else self.gist

    @property
    def gist(self) -> str:
        """The text with long cells cut short: one long description must not outweigh the other cells of a row."""
        if not any(cell.value.count(" ") >= _GIST_WORDS for cell in self.cells):
            return self.text
        short = (Cell(c.column, " ".join(c.value.split()[:_GIST_WORDS])) for c in self.cells)
        return "; ".join(map(str, short))


def content_hash(text: str, passages: Iterable[tuple[int, Sequence[Cell]]]) -> str:
    """Sha256 in hex of a canonical text and the cells of its rows; each passage is given by its start and its cells."""
    rows = [[start, [[c.column, c.value] for c in cells]] for start, cells in passages if cells]
    structure = json.dumps(rows, ensure_ascii=False).encode() if rows else b""
    return hashlib.sha256(text.encode() + structure).hexdigest()


def passages_of(content: str, text: str, spans: Sequence[Span]) -> tuple[Passage, ...]:
    """The passages that spans cut out of a text, in their order."""
    return tuple(
        Passage(content, i, s.start, s.end, s.heading, s.kind, text[s.start : s.end], s.cells)
        for i, s in enumerate(spans)
    )
