"""The layout of a page: from words with places to lines, columns and tables without rules, in reading order.

Columns are found by a recursive XY-cut (Nagy and Seth, 1984): a page is parted at a vertical line that no text crosses
and that has running text on both sides, and each part is treated as a page. Places are in points from the top left
corner. Knows nothing of PDF.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.tables import Grid, GridCell

_GAP = 1.0  # of the type size: a wider gap between words parts a line into segments
_FAR = 4.0  # of the type size: rows further apart do not belong to one table
_PROSE_WORDS = 3.0  # words in a segment, on average: columns of text have more, cells of a table fewer
_PROSE_WIDTH = 10.0  # of the type size: columns of text are wider, columns of figures are not
_FEW_LINES = 3  # fewer lines are too few to judge a column by them: the last lines of a text that fills the other
_MANY_LINES, _FULL_WORDS = 8, 5.0  # lines, and words in a line, that show that such a neighbour is a column of text
_PROSE_ROWS = 3  # in fewer rows, wide gaps that are aligned are an accident of justified text
_ROW_SPACE = 0.3  # of the type size: how much more space is between the rows of a table than between wrapped lines
# A bullet, `1.`, `2)`, `1.1`, `a)`, `(iv)`: with a wide gap behind it, the text of a list item follows.
_MARKER = re.compile(r"[•◦▪▫●○■□‣⁃∙·–—*o-]|\d{1,3}[.)]|\(\d{1,3}\)|\d{1,2}(\.\d{1,2})+\.?|\(?([a-z]|[ivx]{1,4})\)")


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
class PdfLine:
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

    def segments(self) -> list[PdfLine]:
        """The line parted at wide gaps."""
        parts: list[list[Word]] = [[self.words[0]]]
        for word in self.words[1:]:
            if word.x0 - parts[-1][-1].x1 > _GAP * word.size:
                parts.append([])
            parts[-1].append(word)
        return [PdfLine(tuple(part)) for part in parts]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page: lines of text, or a table."""

    top: float
    bottom: float
    x0: float
    x1: float
    lines: tuple[PdfLine, ...] = ()
    grid: Grid | None = None


_Row = Sequence[PdfLine | Region]
_Columns = list[tuple[float, float]]  # left and right edge of each


def lines_of(words: Iterable[Word]) -> list[PdfLine]:
    """Words by line, from top to bottom and left to right; words of one line overlap by half of their height."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: ((w.top + w.bottom) / 2, w.x0)):
        middle = (word.top + word.bottom) / 2
        if rows and rows[-1][0].top <= middle <= rows[-1][0].bottom:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [PdfLine(tuple(sorted(row, key=lambda w: w.x0))) for row in rows]


def regions_of(words: Sequence[Word], ruled: Sequence[Region]) -> list[Region]:
    """The regions of a page in reading order: column by column, with ruled tables at their places."""
    rows: list[_Row] = [_items_whole(line.segments()) for line in lines_of(words)]
    rows = sorted([*rows, *([table] for table in ruled)], key=_top)
    gutter = _gutter(rows)
    if gutter is None:
        return _by_rows(lines_of(words), ruled)
    above, below = _boxes(rows[: gutter.start]), _boxes(rows[gutter.end :])
    parts = (above, *_sides(rows[gutter.start : gutter.end], gutter.x), below)
    return [region for part in parts for region in regions_of(_words_in(part), _tables_in(part))]


@dataclass(frozen=True, slots=True)
class _Gutter:
    """A vertical line between two columns, and the rows that it parts."""

    x: float
    start: int
    end: int


def _words_in(boxes: Iterable[PdfLine | Region]) -> list[Word]:
    return [word for box in boxes if isinstance(box, PdfLine) for word in box.words]


def _tables_in(boxes: Iterable[PdfLine | Region]) -> list[Region]:
    return [box for box in boxes if isinstance(box, Region)]


def _top(row: _Row) -> float:
    return min(box.top for box in row)


def _bottom(row: _Row) -> float:
    return max(box.bottom for box in row)


def _items_whole(segments: Sequence[PdfLine]) -> list[PdfLine]:
    """The segments of a line; the marker of a list item is one with its text."""
    whole: list[PdfLine] = []
    for segment in segments:
        if whole and _MARKER.fullmatch(whole[-1].text):
            whole[-1] = PdfLine((*whole[-1].words, *segment.words))
        else:
            whole.append(segment)
    return whole


def _gutter(rows: Sequence[_Row]) -> _Gutter | None:
    """The gutter that parts the most lines, if the rows are in columns."""
    # Text is aligned at the left edge of its column: a gutter is just left of some segment.
    places = sorted({int(box.x0) for row in rows for box in row})
    found = [gutter for x in places for run in _runs(rows, x) if (gutter := _columns_at(rows, x, run))]
    return max(found, key=lambda g: len(_boxes(rows[g.start : g.end])), default=None)


def _runs(rows: Sequence[_Row], x: float) -> Iterator[tuple[int, int]]:
    """The longest ranges of rows that do not cross a vertical line."""
    start = 0
    for number, row in enumerate(rows):
        if any(box.x0 < x < box.x1 for box in row):
            if number > start:
                yield start, number
            start = number + 1
    if start < len(rows):
        yield start, len(rows)


def _columns_at(rows: Sequence[_Row], x: float, run: tuple[int, int]) -> _Gutter | None:
    """The gutter at a place, if there are columns of text beside each other at both sides."""
    left, right = _sides(rows[slice(*run)], x)
    if not left or not right:
        return None
    top, bottom = max(_top(left), _top(right)), min(_bottom(left), _bottom(right))
    if top >= bottom:
        return None
    start, end = _trimmed(rows, run, top, bottom)
    left, right = _sides(rows[start:end], x)
    return _Gutter(x, start, end) if left and right and _are_columns(left, right) else None


def _sides(rows: Sequence[_Row], x: float) -> tuple[list[PdfLine | Region], list[PdfLine | Region]]:
    boxes = _boxes(rows)
    return [box for box in boxes if box.x1 <= x], [box for box in boxes if box.x1 > x]


def _boxes(rows: Sequence[_Row]) -> list[PdfLine | Region]:
    return [box for row in rows for box in row]


def _trimmed(rows: Sequence[_Row], run: tuple[int, int], top: float, bottom: float) -> tuple[int, int]:
    """The run without the short lines of the text across the page above and below it.

    Such a line is on one side only, and does not cross the gutter: the last line of a paragraph, or a heading. The
    widest space between it and the part with text at both sides (from `top` to `bottom`) shows where it belongs.
    """
    start, end = run
    first = next(i for i in range(start, end) if _bottom(rows[i]) > top)
    last = next(i for i in reversed(range(start, end)) if _top(rows[i]) < bottom)

    def space_above(number: int) -> tuple[int, int]:
        return round(_top(rows[number]) - _bottom(rows[number - 1])), number

    if start > 0:
        start = max(range(start, first + 1), key=space_above)
    if end < len(rows):
        end = max(range(last + 1, end + 1), key=space_above)
    return start, end


def _are_columns(left: _Row, right: _Row) -> bool:
    """Whether both sides hold running text or ruled tables."""
    few, many = sorted((left, right), key=len)
    lines = [box for box in few if isinstance(box, PdfLine)]
    if len(lines) == len(few) < _FEW_LINES:
        return few is right and _ends_in_right_column(lines, [box for box in many if isinstance(box, PdfLine)])
    return _is_text(left) and _is_text(right)


def _ends_in_right_column(lines: Sequence[PdfLine], left: Sequence[PdfLine]) -> bool:
    """Whether a few lines at the top of the right side are the end of a long text at the left."""
    if len(left) < _MANY_LINES or statistics.mean(len(line.words) for line in left) < _FULL_WORDS:
        return False
    at_top = lines[0].top - left[0].top < lines[0].size
    return at_top and all(lower.top - upper.bottom < upper.size for upper, lower in pairwise(lines))


def _is_text(side: _Row) -> bool:
    lines = [box for box in side if isinstance(box, PdfLine)]
    if not lines:
        return True  # ruled tables
    width = max(line.x1 for line in lines) - min(line.x0 for line in lines)
    return _is_prose(lines) and width >= _PROSE_WIDTH * statistics.median(line.size for line in lines)


def _is_prose(segments: Sequence[PdfLine]) -> bool:
    return statistics.mean(len(segment.words) for segment in segments) >= _PROSE_WORDS


def _by_rows(lines: Sequence[PdfLine], ruled: Sequence[Region]) -> list[Region]:
    """The regions of one column from top to bottom."""
    found: list[Region] = []
    waiting = sorted(ruled, key=lambda r: (r.top, r.x0))
    held: list[PdfLine] = []

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


def _text_regions(lines: Sequence[PdfLine]) -> list[Region]:
    found: list[Region] = []
    number, plain = 0, list[PdfLine]()
    rows = [line.segments() for line in lines]
    while number < len(rows):
        end, columns = _aligned_until(rows, number)
        if _is_table(rows[number:end], columns):
            found += [*_plain(plain), _table(rows[number:end], columns)]
            plain = []
        else:
            end = max(end, number + 1)
            plain += lines[number:end]
        number = end
    return found + _plain(plain)


def _plain(lines: Sequence[PdfLine]) -> list[Region]:
    if not lines:
        return []
    box = (lines[0].top, lines[-1].bottom, min(x.x0 for x in lines), max(x.x1 for x in lines))
    return [Region(*box, lines=tuple(lines))]


def _aligned_until(rows: Sequence[Sequence[PdfLine]], start: int) -> tuple[int, _Columns]:
    """The end of the run of rows that begins at `start` and keeps to the same columns, and these columns."""
    columns = [(s.x0, s.x1) for s in rows[start]]
    if len(columns) < 2:
        return start, columns
    end = start + 1
    while end < len(rows) and (merged := _merged(columns, rows[end])) and _is_near(rows[end - 1], rows[end]):
        columns, end = merged, end + 1
    while len(rows[end - 1]) == 1:
        end -= 1  # what follows a table at its left is not a row of it
    return end, columns


def _is_table(rows: Sequence[Sequence[PdfLine]], columns: _Columns) -> bool:
    """Whether aligned rows are a table: not the items of a list, and not justified text."""
    parted = [row for row in rows if len(row) > 1]
    if len(parted) < 2:
        return False
    if len(columns) == 2 and all(_MARKER.fullmatch(row[0].text) for row in parted):
        return False
    return len(rows) >= _PROSE_ROWS or not all(_is_prose(cells) for cells in _by_column(rows, columns))


def _by_column(rows: Sequence[Sequence[PdfLine]], columns: _Columns) -> list[list[PdfLine]]:
    segments = [segment for row in rows for segment in row]
    cells = [[s for s in segments if _column(columns, s) == i] for i in range(len(columns))]
    return [column for column in cells if column]


def _is_near(upper: Sequence[PdfLine], lower: Sequence[PdfLine]) -> bool:
    return min(s.top for s in lower) - max(s.bottom for s in upper) < _FAR * lower[0].size


def _merged(columns: _Columns, row: Sequence[PdfLine]) -> _Columns | None:
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


def _column(columns: _Columns, segment: PdfLine) -> int:
    """The column that a segment overlaps the most."""
    return max(range(len(columns)), key=lambda i: min(columns[i][1], segment.x1) - max(columns[i][0], segment.x0))


def _table(rows: Sequence[Sequence[PdfLine]], columns: _Columns) -> Region:
    cells: list[GridCell] = []
    for number, texts in enumerate(_without_wraps(rows, columns)):
        cells += [GridCell(number, column, text) for column, text in texts.items()]
    top, bottom = min(s.top for s in rows[0]), max(s.bottom for s in rows[-1])
    return Region(top, bottom, columns[0][0], columns[-1][1], grid=Grid(tuple(cells), header_expected=True))


def _without_wraps(rows: Sequence[Sequence[PdfLine]], columns: _Columns) -> list[dict[int, str]]:
    """Rows as column -> text, with the lines of wrapped cells joined."""
    found: list[dict[int, str]] = []
    for group in _spaced_groups(rows):
        lines = [{_column(columns, segment): segment.text for segment in row} for row in group]
        is_one = sum(0 in cells for cells in lines) == 1
        for number, cells in enumerate(lines):
            # A line without a first cell goes on with the cells above it; the header is not wrapped.
            if (is_one and number) or (0 not in cells and len(found) > 1 and not is_one):
                for column, text in cells.items():
                    found[-1][column] = f"{found[-1].get(column, '')} {text}".strip()
            else:
                found.append(cells)
    return found


def _spaced_groups(rows: Sequence[Sequence[PdfLine]]) -> list[list[Sequence[PdfLine]]]:
    """Rows parted where the space between them is wider than the narrowest: lines of one cell are closer than rows."""
    spaces = [_top(lower) - _bottom(upper) for upper, lower in pairwise(rows)]
    limit = min(spaces, default=0.0) + _ROW_SPACE * rows[0][0].size
    groups = [[rows[0]]]
    for row, space in zip(rows[1:], spaces, strict=True):
        if space > limit:
            groups.append([])
        groups[-1].append(row)
    return groups
