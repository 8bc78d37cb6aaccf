"""Workbooks, made ready for docling: the visible cells are copied, with the text that the spreadsheet shows for them.

Hidden rows, columns and sheets are not copied, and of empty rows and columns between cells one is left: enough to
keep tables apart, however far they are from each other.
"""

from __future__ import annotations

import io
import zipfile
from bisect import bisect
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import openpyxl
from openpyxl.cell.cell import Cell as SheetCell

from domains.spec import InvalidInput
from ingest.archive import check_archive, counted
from ingest.blocks import Reading
from ingest.cell_text import cell_text
from ingest.limits import Limits
from ingest.sheet_xml import box_texts, lighten
from ingest.structure import blocks_of, convert
from retrieval.contents import LeftOut

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

_DRAWING = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/drawing"
_MOST_NAMED = 20  # cells named in one report
_MOST_CELLS = 2_000_000  # of a sheet's rectangle; docling looks at each of them


def read_xlsx(filename: str, data: bytes, limits: Limits) -> Reading:
    """A workbook: the visible cells and text boxes of its visible sheets, as they are shown."""
    check_archive(filename, data, limits)
    data, has_formulas = lighten(data)
    shown = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    formulas = openpyxl.load_workbook(io.BytesIO(data)) if has_formulas else None
    copy, left_out = openpyxl.Workbook(), list[LeftOut]()
    copy.remove(copy.worksheets[0])
    for sheet in shown.worksheets:
        if sheet.sheet_state == "visible":
            target = copy.create_sheet(sheet.title)
            missing = _copy_cells(sheet, target, shown, formulas)
            _copy_boxes(sheet, target, data)
            _check_size(filename, target)
            left_out += _left_out(sheet, missing)
    left_out += [LeftOut("chart", s.title) for s in shown.chartsheets]
    if not copy.worksheets:
        raise InvalidInput(f"{filename}: all of its sheets are hidden or empty.", "Show the sheet to publish.", "file")
    out = io.BytesIO()
    copy.save(out)
    return Reading(tuple(blocks_of(convert("xlsx", "workbook.xlsx", out.getvalue()), True)), tuple(left_out))


def _check_size(filename: str, target: Worksheet) -> None:
    cells = target.max_row * target.max_column
    if cells > _MOST_CELLS:
        raise InvalidInput(
            f"{filename}: the sheet {target.title} spans {cells:,} cells, more than {_MOST_CELLS:,}.",
            "Split it, or move its tables closer together.",
            "file",
        )


def _left_out(sheet: Worksheet, missing: list[str]) -> Iterator[LeftOut]:
    if missing:
        yield LeftOut("formula without a stored value", f"{sheet.title}: {', '.join(missing[:_MOST_NAMED])}")
    for what, found in (("image", vars(sheet)["_images"]), ("chart", vars(sheet)["_charts"])):
        if found:
            yield LeftOut(counted(len(found), what), sheet.title)


def _copy_cells(sheet: Worksheet, target: Worksheet, book: Workbook, formulas: Workbook | None) -> list[str]:
    """Copy the visible cells of a sheet, closed up, as text; returns the formulas that have no value."""
    hidden_rows, hidden_columns = _hidden_rows(sheet), _hidden_columns(sheet)
    # `iter_rows` would visit every place of the rectangle that the cells span, such as 17 billion of them.
    cells = [cell for cell in vars(sheet)["_cells"].values() if isinstance(cell, SheetCell)]
    cells = [cell for cell in cells if cell.row not in hidden_rows and cell.column not in hidden_columns]
    texts = {(cell.row, cell.column): text for cell in cells if (text := cell_text(cell, book))}
    merged = sheet.merged_cells.ranges
    rows = _places({row for row, _ in texts}.union(*(range(m.min_row, m.max_row + 1) for m in merged)), hidden_rows)
    columns = _places(
        {column for _, column in texts}.union(*(range(m.min_col, m.max_col + 1) for m in merged)), hidden_columns
    )
    for (row, column), text in sorted(texts.items()):
        target.cell(rows[row], columns[column], text).data_type = "s"
    _merge(sheet, target, rows, columns)
    empty = [cell.coordinate for cell in cells if (cell.row, cell.column) not in texts]
    return [] if formulas is None else [name for name in empty if formulas[sheet.title][name].data_type == "f"]


def _merge(sheet: Worksheet, target: Worksheet, rows: dict[int, int], columns: dict[int, int]) -> None:
    """Merge in the copy what is merged in the sheet, as far as it is visible."""
    for merged in sheet.merged_cells.ranges:
        down = [rows[r] for r in range(merged.min_row, merged.max_row + 1) if r in rows]
        across = [columns[c] for c in range(merged.min_col, merged.max_col + 1) if c in columns]
        if len(down) * len(across) > 1:
            target.merge_cells(None, down[0], across[0], down[-1], across[-1])


def _places(used: set[int], hidden: Collection[int]) -> dict[int, int]:
    """Visible row or column -> its place in the copy, from 1; of the empty ones between two, one is kept."""
    in_order, places, before, place = sorted(hidden), dict[int, int](), 0, 0
    for number in sorted(used.difference(hidden)):
        visible = number - before - (bisect(in_order, number) - bisect(in_order, before))
        place += min(visible, 2)
        places[number], before = place, number
    return places


def _hidden_rows(sheet: Worksheet) -> set[int]:
    return {number for number, row in sheet.row_dimensions.items() if row.hidden or row.height == 0}


def _hidden_columns(sheet: Worksheet) -> set[int]:
    """Hidden columns; one entry may be a range of them."""
    return {
        column
        for dimension in sheet.column_dimensions.values()
        if dimension.hidden or dimension.width == 0
        for column in range(dimension.min or 0, (dimension.max or 0) + 1)
    }


def _copy_boxes(sheet: Worksheet, target: Worksheet, data: bytes) -> None:
    """Write the text boxes of a sheet below its cells, each paragraph apart from what is above it."""
    relations = vars(sheet)["_rels"].find(_DRAWING)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        drawings = [archive.read(r.target) for r in relations if r.target in names]
    row = target.max_row if vars(target)["_cells"] else -1
    for text in (text for drawing in drawings for text in box_texts(drawing)):
        row += 2
        target.cell(row, 1, text).data_type = "s"
