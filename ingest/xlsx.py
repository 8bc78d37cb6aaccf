"""Office files: DOCX and XLSX, made ready for docling so that only what a person sees is left.

A DOCX loses its character formatting, since a word that is partly bold is one word; struck text goes, raised figures
become raised digits. Of an XLSX the visible cells are copied with the text that the spreadsheet shows for them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import openpyxl
from openpyxl.cell.cell import Cell as SheetCell
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from xlfmt import format_value

from domains.spec import InvalidInput
from ingest.archive import check_archive
from ingest.blocks import Reading
from ingest.limits import Limits
from ingest.structure import blocks_of, convert
from retrieval.contents import LeftOut

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_OFF = ("0", "false", "none")
_DATE_OF_LOCALE = ("mm-dd-yy", "m/d/yy h:mm", "m/d/yyyy", "m/d/yyyy h:mm")  # shown as the reader's system writes dates
_MOST_NAMED = 20  # cells named in one report


def read_xlsx(filename: str, data: bytes, limits: Limits) -> Reading:
    """A workbook: the visible cells of its visible sheets, as they are shown."""
    check_archive(filename, data, limits)
    shown = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    formulas = openpyxl.load_workbook(io.BytesIO(data))
    copy, left_out = openpyxl.Workbook(), list[LeftOut]()
    copy.remove(copy.worksheets[0])
    for sheet in shown.worksheets:
        if sheet.sheet_state == "visible":
            left_out += _copied(sheet, formulas[sheet.title], copy, shown)
    left_out += [LeftOut("chart", s.title) for s in shown.chartsheets]
    if not copy.worksheets:
        raise InvalidInput(f"{filename}: all of its sheets are hidden or empty.", "Show the sheet to publish.", "file")
    out = io.BytesIO()
    copy.save(out)
    return Reading(tuple(blocks_of(convert("xlsx", "workbook.xlsx", out.getvalue()), True)), tuple(left_out))


def _copied(sheet: Worksheet, formulas: Worksheet, copy: Workbook, book: Workbook) -> Iterator[LeftOut]:
    """Copy the visible cells of a sheet, closed up, as text; report what has no value or is no cell."""
    rows = _places(sheet.max_row, lambda row: _row_is_hidden(sheet, row))
    columns = _places(sheet.max_column, _hidden_columns(sheet).__contains__)
    target, missing = copy.create_sheet(sheet.title), list[str]()
    for cell in (cell for row in sheet.iter_rows() for cell in row if isinstance(cell, SheetCell)):
        if cell.row in rows and cell.column in columns:
            if text := _shown(cell, book):
                target.cell(rows[cell.row], columns[cell.column], text).data_type = "s"
            elif formulas[cell.coordinate].data_type == "f":
                missing.append(cell.coordinate)
    _merge(sheet, target, rows, columns)
    if missing:
        yield LeftOut("formula without a stored value", f"{sheet.title}: {', '.join(missing[:_MOST_NAMED])}")
    for what, found in (("image", vars(sheet)["_images"]), ("chart", vars(sheet)["_charts"])):
        if found:
            yield LeftOut(f"{len(found)} {what}{'s' if len(found) > 1 else ''}", sheet.title)


def _merge(sheet: Worksheet, target: Worksheet, rows: dict[int, int], columns: dict[int, int]) -> None:
    """Merge in the copy what is merged in the sheet, as far as it is visible."""
    for merged in sheet.merged_cells.ranges:
        down = [rows[r] for r in range(merged.min_row, merged.max_row + 1) if r in rows]
        across = [columns[c] for c in range(merged.min_col, merged.max_col + 1) if c in columns]
        if len(down) * len(across) > 1:
            target.merge_cells(None, down[0], across[0], down[-1], across[-1])


def _places(last: int, is_hidden: Callable[[int], bool]) -> dict[int, int]:
    """Row or column -> its place when the hidden ones are closed up; both counted from 1."""
    return {n: place for place, n in enumerate((n for n in range(1, last + 1) if not is_hidden(n)), 1)}


def _row_is_hidden(sheet: Worksheet, row: int) -> bool:
    dimension = sheet.row_dimensions.get(row)
    return dimension is not None and bool(dimension.hidden or dimension.height == 0)


def _hidden_columns(sheet: Worksheet) -> set[int]:
    """Hidden columns; one entry may stand for a range of them."""
    return {
        column
        for dimension in sheet.column_dimensions.values()
        if dimension.hidden or dimension.width == 0
        for column in range(dimension.min or 0, (dimension.max or 0) + 1)
    }


def _shown(cell: SheetCell, book: Workbook) -> str:
    """The text that the spreadsheet shows for a cell."""
    value: Any = cell.value
    if value is None or value == "":
        return ""
    if isinstance(value, timedelta):
        value = value / timedelta(days=1)
    number_format = cell.number_format or "General"
    if number_format == ";;;":  # a format that shows nothing
        return ""
    if cell.is_date and number_format in _DATE_OF_LOCALE:
        number_format = "yyyy-mm-dd hh:mm" if "h" in number_format else "yyyy-mm-dd"
    try:
        text = str(format_value(value, number_format, date1904=book.epoch == CALENDAR_MAC_1904)).strip()
    except (TypeError, ValueError):
        text = str(value)
    link = cell.hyperlink.target if cell.hyperlink else None
    shown = (link or "").removeprefix("mailto:")
    return f"{text} ({shown})" if shown and ":" in (link or "") and shown not in text else text
