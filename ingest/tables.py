"""One model of tables for every format: a grid of cells becomes rows that name their columns.

Knows nothing of files. A reader gives the cells with their spans; this module decides which rows are titles, which are
the header, and which name a section, and fills what a merged cell covers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.blocks import Block, clean, row_block

# A bare number or amount, such as `48.00`, `€ 13.50`, `12 %`: never the name of a column, unless it is a year.
_AMOUNT = re.compile(r"[\W_]*\d[\d.,'\s]*[^\w\s]*\s*([A-Z]{3}|[%€$£¥])?[\W_]*")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell with its place: first row and column, counted from 0, and how many of each it covers."""

    row: int
    column: int
    text: str
    rows: int = 1
    columns: int = 1
    header: bool = False  # the file marks it as a column header


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a table.

    Attributes:
        cells: in any order; what no cell covers is empty.
        header_expected: the format's tables usually begin with a header (spreadsheets, CSV). Elsewhere, two columns
            without a marked header may as well be labels and values.
    """

    cells: tuple[GridCell, ...]
    header_expected: bool = False


def table_blocks(grid: Grid, captions: tuple[str, ...] = ()) -> Iterator[Block]:
    """The lines of a table: title rows as paragraphs, then one row block per row of data.

    `captions` belong to the context of all rows; they are lines of their own already.
    """
    rows = _filled(grid)
    if not rows:
        return
    if len(rows[0]) == 1:  # a box around text, not a table
        yield from (Block("paragraph", row[0].text) for row in rows if row[0].text)
        return
    titles = _title_count(rows)
    stated = tuple(row_text(row) for row in rows[:titles])
    yield from (Block("paragraph", title) for title in stated)
    context = captions + stated
    rows = rows[titles:]
    depth = _header_depth(rows, grid.header_expected)
    names = _column_names(rows[:depth], len(rows[0]))
    if names and not _all_used(names, rows[depth:]):
        yield Block("paragraph", "; ".join(name for name in names if name))
    yield from _data_blocks(rows[depth:], names, context)


def row_text(row: Sequence[GridCell]) -> str:
    """The distinct cells of a row, in their order, as one text."""
    return "; ".join(cell.text for cell in _distinct(row) if cell.text)


def _all_used(names: Sequence[str], rows: Sequence[Sequence[GridCell]]) -> bool:
    """Whether every named column has a value. The rows do not name one that has none: the header is a line then."""
    sections = _section_rows(rows)
    data = [row for number, row in enumerate(rows) if number not in sections]
    return all(any(row[i].text for row in data) for i, name in enumerate(names) if name)


def _data_blocks(
    rows: Sequence[Sequence[GridCell]], names: Sequence[str] | None, context: tuple[str, ...]
) -> Iterator[Block]:
    sections = _section_rows(rows)
    section: tuple[str, ...] = ()
    for number, row in enumerate(rows):
        if number in sections:
            section = (row_text(row),) if number + 1 < len(rows) else ()
            yield Block("paragraph", row_text(row))
        elif names is None:
            yield row_block(_labelled(row), context + section)
        else:
            yield row_block(_named(row, names), context + section)


def _named(row: Sequence[GridCell], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Column names and values; a cell that covers several columns is given once, under all of their names."""
    for cell in _distinct(row):
        covered = [names[i] for i, other in enumerate(row) if other is cell and names[i]]
        yield ", ".join(dict.fromkeys(covered)), cell.text


def _labelled(row: Sequence[GridCell]) -> list[tuple[str, str]]:
    """Without a header, the first of two cells is the label of the second; more cells have no names."""
    cells = [cell for cell in _distinct(row) if cell.text]
    if len(cells) == 2 and not _is_amount(cells[0].text):
        return [(cells[0].text.rstrip(" :"), cells[1].text)]
    return [("", cell.text) for cell in cells]


def _filled(grid: Grid) -> list[list[GridCell]]:
    """The grid row by row, merged cells in every place that they cover; empty rows and columns are dropped."""
    height = max((c.row + c.rows for c in grid.cells), default=0)
    width = max((c.column + c.columns for c in grid.cells), default=0)
    used_rows = {r for c in grid.cells if c.text for r in range(c.row, c.row + c.rows)}
    used_columns = {k for c in grid.cells if c.text for k in range(c.column, c.column + c.columns)}
    at = {
        (r, k): cell
        for cell in grid.cells
        for r in range(cell.row, cell.row + cell.rows)
        for k in range(cell.column, cell.column + cell.columns)
    }
    columns = [k for k in range(width) if k in used_columns]
    return [[at.get((r, k)) or GridCell(r, k, "") for k in columns] for r in range(height) if r in used_rows]


def _distinct(row: Sequence[GridCell]) -> list[GridCell]:
    return list({id(cell): cell for cell in row}.values())


def _says_one_thing(row: Sequence[GridCell]) -> bool:
    return len([cell for cell in _distinct(row) if cell.text]) == 1


def _title_count(rows: Sequence[Sequence[GridCell]]) -> int:
    """How many rows at the top hold a single text above fuller rows."""
    count = next((i for i, row in enumerate(rows) if not _says_one_thing(row)), 0)
    return count if any(len([c for c in _distinct(r) if c.text]) > 1 for r in rows[count:]) else 0


def _section_rows(rows: Sequence[Sequence[GridCell]]) -> frozenset[int]:
    """The rows that name a section of the table: one text across it, or alone in its first column.

    A single text that is not merged may be a row whose values are missing; it counts as a section in tables of three
    columns or more, where a fuller row follows, and where it comes first or is not the only one.
    """
    merged, alone = set(), set()
    for number, row in enumerate(rows):
        if not _says_one_thing(row):
            continue
        cells = _distinct(row)
        if len(cells) == 1:
            merged.add(number)
        elif len(row) > 2 and row[0].text and number + 1 < len(rows) and not _says_one_thing(rows[number + 1]):
            alone.add(number)
    return frozenset(merged | (alone if len(alone) > 1 or 0 in alone else set()))


def _header_depth(rows: Sequence[Sequence[GridCell]], expected: bool) -> int:
    """How many rows at the top name the columns; 0 for a table of labels and values or of values alone."""
    marked = next((i for i, row in enumerate(rows) if not _is_marked(row)), len(rows))
    if not marked and not _names_columns(rows, expected):
        return 0
    depth = max(marked, 1)
    while depth < len(rows) and _header_goes_on(rows[:depth], rows[depth]):
        depth += 1
    return depth if depth < len(rows) else 0


def _is_marked(row: Sequence[GridCell]) -> bool:
    """Whether the file marks the row as a header; a marked first cell alone is the label of a row."""
    with_text = [cell for cell in _distinct(row) if cell.text]
    return (
        bool(with_text)
        and all(cell.header for cell in with_text)
        and (len(with_text) > 1 or row[0] is not with_text[0])
    )


def _names_columns(rows: Sequence[Sequence[GridCell]], expected: bool) -> bool:
    """Whether an unmarked first row reads like names: it holds no amount.

    Where a header is not expected, two columns count as labels and values unless one of them holds figures throughout
    and the text above them holds none.
    """
    if len(rows) < 2 or any(_is_amount(cell.text) for cell in rows[0]):
        return False
    if len(rows[0]) > 2:
        return True
    first = rows[0][1].text
    if re.search(r"\d", first) and not _YEAR.fullmatch(first):
        return False
    below = rows[1:]
    figures = all(re.search(r"\d", row[1].text) for row in below) or all(_is_amount(row[0].text) for row in below)
    return expected or figures


def _is_amount(text: str) -> bool:
    return _AMOUNT.fullmatch(text) is not None and not _YEAR.fullmatch(text)


def _header_goes_on(header: Sequence[Sequence[GridCell]], row: Sequence[GridCell]) -> bool:
    """Whether the row below a header belongs to it: a header cell reaches into it, or one above is split up in it."""
    above = header[-1]
    reaches = any(cell is other and cell.text for cell, other in zip(above, row, strict=True))
    split = any(
        sum(other is cell for other in above) > 1
        and len({id(row[i]) for i, other in enumerate(above) if other is cell and row[i].text}) > 1
        for cell in _distinct(above)
        if cell.text
    )
    return (reaches or split) and not any(_is_amount(cell.text) for cell in row)


def _column_names(header: Sequence[Sequence[GridCell]], width: int) -> list[str] | None:
    if not header:
        return None
    return [clean(", ".join(dict.fromkeys(row[i].text for row in header if row[i].text))) for i in range(width)]
