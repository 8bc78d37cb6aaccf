"""Contents: the words of document versions, cut into passages. Values alone; the catalog stores them.

A content is the canonical text of one or more versions, named by its sha256, so that the same text published twice is
stored, embedded and indexed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

Key = tuple[str, int]  # (content, ordinal): what the indexes call a passage


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
    allow_retitle: bool = False
    restrict_history: bool = False

    @property
    def content(self) -> str:
        """The content hash: sha256 of the canonical text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def passages(self) -> tuple[Passage, ...]:
        """The passages of the text, in order."""
        return passages_of(self.content, self.text, self.spans)


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
    def key(self) -> Key:
        """What the indexes call it."""
        return self.content, self.ordinal

    @property
    def in_context(self) -> str:
        """The text with its headings before it: what is embedded and what terms are counted in."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text


def passages_of(content: str, text: str, spans: Sequence[Span]) -> tuple[Passage, ...]:
    """The passages that spans cut out of a text, in their order."""
    return tuple(
        Passage(content, i, s.start, s.end, s.heading, s.kind, text[s.start : s.end]) for i, s in enumerate(spans)
    )
