"""The layout of a page: from words with places to lines, columns and tables without rules, in reading order.

Places are in points from the top left corner. Knows nothing of PDF.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.tables import Grid, GridCell

_GAP = 1.0  # of the type size: a wider gap between words parts a line into segments
_FAR = 4.0  # of the type size: rows further apart do not belong to one table or column
_PROSE_WORDS = 3.0  # words a segment: columns of prose have more, cells of a table fewer


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its place."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Words on one line, or a segment of it."""

    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def x0(self) -> float:
        return self.words[0].x0

    @property
    def x1(self) -> float:
        return self.words[-1].x1

    @property
    def top(self) -> float:
        return min(word.top for word in self.words)

    @property
    def bottom(self) -> float:
        return max(word.bottom for word in self.words)

    @property
    def size(self) -> float:
        return statistics.median(word.size for word in self.words)

    @property
    def bold(self) -> bool:
        return all(word.bold for word in self.words)

    def segments(self) -> list[Line]:
        """The line parted at wide gaps."""
        parts: list[list[Word]] = [[self.words[0]]]
        for word in self.words[1:]:
            if word.x0 - parts[-1][-1].x1 > _GAP * word.size:
                parts.append([])
            parts[-1].append(word)
        return [Line(tuple(part)) for part in parts]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page: lines of text, or a table."""

    top: float
    bottom: float
    x0: float
    x1: float
    lines: tuple[Line, ...] = ()
    grid: Grid | None = None

    def without(self, gone: set[int]) -> Region:
        """The region without the lines of these identities (`id`)."""
        return replace(self, lines=tuple(line for line in self.lines if id(line) not in gone))


def lines_of(words: Iterable[Word]) -> list[Line]:
    """Words by line, from top to bottom and left to right; words of one line overlap by half of their height."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: ((w.top + w.bottom) / 2, w.x0)):
        middle = (word.top + word.bottom) / 2
        if rows and rows[-1][0].top <= middle <= rows[-1][0].bottom:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [Line(tuple(sorted(row, key=lambda w: w.x0))) for row in rows]


def regions_of(lines: Sequence[Line], ruled: Sequence[Region]) -> list[Region]:
    """The regions of a page in reading order: ruled tables at their places, the text between them by columns."""
    found: list[Region] = []
    waiting = sorted(ruled, key=lambda r: (r.top, r.x0))
    held: list[Line] = []

    def close() -> None:
        found.extend(_text_regions(held))
        held.clear()

    for line in lines:
        while waiting and waiting[0].top <= line.top:
            close()
            found.append(waiting.pop(0))
        held.append(line)
    close()
    return found + waiting


def _text_regions(lines: Sequence[Line]) -> list[Region]:
    found: list[Region] = []
    number, plain = 0, list[Line]()
    rows = [line.segments() for line in lines]
    while number < len(rows):
        end = _aligned_until(rows, number)
        if end > number:
            found += _plain(plain) + _aligned(rows[number:end])
            plain, number = [], end
        else:
            plain.append(lines[number])
            number += 1
    return found + _plain(plain)


def _plain(lines: Sequence[Line]) -> list[Region]:
    if not lines:
        return []
    box = (lines[0].top, lines[-1].bottom, min(x.x0 for x in lines), max(x.x1 for x in lines))
    return [Region(*box, lines=tuple(lines))]


def _aligned_until(rows: Sequence[Sequence[Line]], start: int) -> int:
    """The end of the run of rows that begins at `start` and keeps to the same columns; `start` if there is none."""
    columns: list[tuple[float, float]] = [(s.x0, s.x1) for s in rows[start]]
    if len(columns) < 2:
        return start
    end, parted = start + 1, 1
    while end < len(rows) and (merged := _merged(columns, rows[end])) and _is_near(rows[end - 1], rows[end]):
        columns, end, parted = merged, end + 1, parted + (len(rows[end]) > 1)
    while end > start and len(rows[end - 1]) == 1 and not _is_prose(rows[start:end], columns):
        end -= 1  # what follows a table at its left is not a row of it
    return end if parted > 1 and end - start > 1 else start


def _is_near(upper: Sequence[Line], lower: Sequence[Line]) -> bool:
    return min(s.top for s in lower) - max(s.bottom for s in upper) < _FAR * lower[0].size


def _merged(columns: Sequence[tuple[float, float]], row: Sequence[Line]) -> list[tuple[float, float]] | None:
    """The columns widened by a row, or None if a segment of it covers more than one."""
    wide = list(columns)
    for segment in row:
        hit = [i for i, (x0, x1) in enumerate(wide) if segment.x0 < x1 and segment.x1 > x0]
        if len(hit) > 1:
            return None
        if hit:
            x0, x1 = wide[hit[0]]
            wide[hit[0]] = (min(x0, segment.x0), max(x1, segment.x1))
        else:
            wide.append((segment.x0, segment.x1))
    wide.sort()
    apart = all(a[1] <= b[0] for a, b in pairwise(wide))
    return wide if apart else None


def _column(columns: Sequence[tuple[float, float]], segment: Line) -> int:
    return next(i for i, (x0, x1) in enumerate(columns) if segment.x0 < x1 and segment.x1 > x0)


def _is_prose(rows: Sequence[Sequence[Line]], columns: Sequence[tuple[float, float]]) -> bool:
    """Whether every column holds running text."""
    words: list[list[int]] = [[] for _ in columns]
    for row in rows:
        for segment in row:
            words[_column(columns, segment)].append(len(segment.words))
    return all(statistics.mean(counts) >= _PROSE_WORDS for counts in words if counts)


def _aligned(rows: Sequence[Sequence[Line]]) -> list[Region]:
    columns: list[tuple[float, float]] = []
    for row in rows:
        columns = _merged(columns, row) or columns
    if _is_prose(rows, columns):
        return [
            region
            for i in range(len(columns))
            for region in _text_regions([s for row in rows for s in row if _column(columns, s) == i])
        ]
    cells: list[GridCell] = []
    for number, texts in enumerate(_without_wraps(rows, columns)):
        cells += [GridCell(number, column, text) for column, text in texts.items()]
    top, bottom = min(s.top for s in rows[0]), max(s.bottom for s in rows[-1])
    return [Region(top, bottom, columns[0][0], columns[-1][1], grid=Grid(tuple(cells), header_expected=True))]


def _without_wraps(rows: Sequence[Sequence[Line]], columns: Sequence[tuple[float, float]]) -> list[dict[int, str]]:
    """Rows as column -> text; a line without a first cell goes on with the cells above it."""
    found: list[dict[int, str]] = []
    for row in rows:
        cells = {_column(columns, segment): segment.text for segment in row}
        if found and 0 not in cells and len(found) > 1:
            for column, text in cells.items():
                found[-1][column] = f"{found[-1].get(column, '')} {text}".strip()
        else:
            found.append(cells)
    return found
