"""The XML of a workbook's parts, before and beside openpyxl.

openpyxl makes an object for every cell that a sheet mentions and for every one that a merged range covers: a sheet of
a million styled empty cells, or one merge over the whole sheet, would take minutes and gigabytes. So cells without a
value are dropped first, and ranges end where the values end. openpyxl does not read text boxes; they are read here.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from openpyxl.utils import column_index_from_string, get_column_letter

from ingest.archive import parse
from ingest.blocks import clean

_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.I)
_WITHOUT_PLACE = re.compile(rb"<(?:row|c)(?=[\s/>])(?![^>]*\sr=)")  # counted from the ones before: none can be dropped
_EMPTY_CELL = re.compile(rb"<c\s[^>]*/>|<c\s[^>/]*>\s*</c>")
_EMPTY_ROW = re.compile(rb"<row\s(?![^>]*(?:hidden|ht)=)[^>]*(?:/>|>\s*</row>)")
_CELL_PLACE = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d+)"')
_RANGE = re.compile(rb'(<(?:\w+:)?(?:mergeCell|hyperlink)\s[^>]*?\bref=")([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)"')
_MOST_COVERED = 100_000  # cells that the ranges of a sheet may cover before they are cut
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")

_XDR = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def lighten(data: bytes) -> tuple[bytes, bool]:
    """A workbook without empty cells and with ranges that end where the values end; and whether it has formulas."""
    out, has_formulas = io.BytesIO(), False
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        for name in dict.fromkeys(archive.namelist()):
            part = archive.read(name)
            if _SHEET.fullmatch(name):
                part = _cut_ranges(_without_empty_cells(part))
                has_formulas = has_formulas or _FORMULA.search(part) is not None
            copy.writestr(name, part)
    return out.getvalue(), has_formulas


def _without_empty_cells(sheet: bytes) -> bytes:
    if _WITHOUT_PLACE.search(sheet):
        return sheet
    return _EMPTY_ROW.sub(b"", _EMPTY_CELL.sub(b"", sheet))


def _cut_ranges(sheet: bytes) -> bytes:
    if sum(_area(found) for found in _RANGE.finditer(sheet)) <= _MOST_COVERED:
        return sheet
    places = {(column, int(row)) for column, row in _CELL_PLACE.findall(sheet)}
    last_column = max((column_index_from_string(c.decode()) for c in {c for c, _ in places}), default=1)
    last_row = max((row for _, row in places), default=1)

    def cut(found: re.Match[bytes]) -> bytes:
        first, top, last, bottom = _corners(found)
        last, bottom = max(first, min(last, last_column)), max(top, min(bottom, last_row))
        if (last - first + 1) * (bottom - top + 1) > _MOST_COVERED:
            last, bottom = first, top
        return b'%s%s%d:%s%d"' % (found[1], found[2], top, get_column_letter(last).encode(), bottom)

    return _RANGE.sub(cut, sheet)


def _corners(found: re.Match[bytes]) -> tuple[int, int, int, int]:
    first, last = (column_index_from_string(found[group].decode()) for group in (2, 4))
    return first, int(found[3]), last, int(found[5])


def _area(found: re.Match[bytes]) -> int:
    first, top, last, bottom = _corners(found)
    return max(0, last - first + 1) * max(0, bottom - top + 1)


def box_texts(drawing: bytes) -> Iterator[str]:
    """The paragraphs of the visible text boxes and shapes of a drawing part."""
    for shape in parse(drawing).iter(f"{_XDR}sp"):
        properties = next(shape.iter(f"{_XDR}cNvPr"), None)
        hidden = properties is not None and properties.get("hidden") in ("1", "true")
        old_copy = next(shape.iterancestors(f"{_MC}Fallback"), None) is not None
        if not hidden and not old_copy:
            yield from _paragraphs(shape)


def _paragraphs(shape: Any) -> Iterator[str]:
    for paragraph in shape.iterfind(f"{_XDR}txBody/{_A}p"):
        pieces = [" " if node.tag == f"{_A}br" else node.text or "" for node in paragraph.iter(f"{_A}t", f"{_A}br")]
        if text := clean("".join(pieces)):
            yield text
