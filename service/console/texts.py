"""A document's text as lines, with headings told apart and a quote marked. No character is left out or added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"#{1,6} ")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `first`: the quote begins with it."""

    text: str
    quoted: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line in pieces."""

    heading: bool
    pieces: tuple[Piece, ...]


def lines(text: str, start: int = 0, end: int = 0) -> Iterator[TextLine]:
    """The lines of a text in which the code points from `start` to `end` are a quote; offsets beyond it are cut."""
    start, end = sorted(min(max(0, offset), len(text)) for offset in (start, end))
    at, begun = 0, False
    for line in text.split("\n"):
        a, b = (min(max(0, offset - at), len(line)) for offset in (start, end))
        parts = (Piece(line[:a]), Piece(line[a:b], quoted=True, first=not begun), Piece(line[b:]))
        yield TextLine(bool(_HEADING.match(line)), tuple(part for part in parts if part.text))
        at, begun = at + len(line) + 1, begun or a < b
