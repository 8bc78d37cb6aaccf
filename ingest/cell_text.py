"""The text that a spreadsheet shows for a cell, by its number format.

xlfmt does the formatting. What it gets wrong is handled here: dots in dates (0.1.0 drops them), names of months in
other languages than English, and formats that are damaged.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from openpyxl.cell.cell import Cell as SheetCell
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from xlfmt import format_value

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

_DATE_OF_LOCALE = ("mm-dd-yy", "m/d/yy h:mm", "m/d/yyyy", "m/d/yyyy h:mm")  # shown as the reader's system writes dates
_LITERAL = r'\\.|"[^"]*"|\[[^\[\]]*\]|[_*].'  # escaped, quoted, in brackets (locale, colour), white space and filling
_DOT = re.compile(rf"{_LITERAL}|\.(?!0)", re.S)  # before zeros, a dot begins the fractions of a second
_LOCALE = re.compile(r"\[\$[^\]-]*-([0-9A-Fa-f]+)[^\]]*\]")
_ENGLISH = 0x09  # the primary language, the low ten bits of a locale's number
_LONGEST_FORMAT = 255  # characters; what Excel allows


def cell_text(cell: SheetCell, book: Workbook) -> str:
    """The text that the spreadsheet shows for a cell, with the address of its link."""
    value: Any = cell.value
    if value is None or value == "":
        return ""
    if isinstance(value, timedelta):
        value = value / timedelta(days=1)
    text = _formatted(value, _usable_format(cell), book.epoch == CALENDAR_MAC_1904)
    link = cell.hyperlink.target if cell.hyperlink else None
    shown = (link or "").removeprefix("mailto:")
    return f"{text} ({shown})" if shown and ":" in (link or "") and shown not in text else text


def _formatted(value: Any, number_format: str, is_1904: bool) -> str:
    try:
        text = str(format_value(value, number_format, date1904=is_1904)).strip()
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return str(value)
    if not text and value and not re.search('[;"]', number_format):  # nothing in it hides the value; `#` hides zero
        return str(format_value(value, "General", date1904=is_1904)).strip()
    return text


def _usable_format(cell: SheetCell) -> str:
    number_format = cell.number_format or "General"
    if len(number_format) > _LONGEST_FORMAT or re.search(r'[\["]', re.sub(_LITERAL, "", number_format, flags=re.S)):
        return "General"  # damaged: a bracket or quote is never closed
    if not cell.is_date:
        return number_format
    if number_format in _DATE_OF_LOCALE or _names_in_other_language(number_format):
        return "yyyy-mm-dd hh:mm" if "h" in re.sub(_LITERAL, "", number_format, flags=re.S) else "yyyy-mm-dd"
    return _DOT.sub(lambda found: '"."' if found.group() == "." else found.group(), number_format)


def _names_in_other_language(number_format: str) -> bool:
    """Whether a date is shown with the name of its month or weekday, in a language that is not English."""
    locale = _LOCALE.search(number_format)
    named = re.search("mmm|ddd|aaa", re.sub(_LITERAL, "", number_format, flags=re.S), re.I)
    return locale is not None and named is not None and int(locale[1], 16) & 0x3FF != _ENGLISH
