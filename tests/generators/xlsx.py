"""Workbooks, by openpyxl; what it cannot write (computed values, text boxes, inline strings) is put into the XML after it."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from xml.sax.saxutils import escape

import openpyxl
from lxml import etree
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.table import Table
from openpyxl.worksheet.worksheet import Worksheet

from tests.generators import tables
from tests.generators.content import Content, Generated, Unread

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@dataclass
class Draft:
    """The workbook that is being written, and what is put into its XML afterwards."""

    content: Content
    book: openpyxl.Workbook
    sheet: Worksheet
    top: int = 1  # where the next block begins
    left: int = 1
    results: dict[tuple[str, str], float | str] = field(default_factory=dict)  # (sheet, cell) -> computed value
    boxes: dict[str, str] = field(default_factory=dict)  # sheet -> text of a box on it

    def put(self, row: int, column: int, value: object, number_format: str = "") -> str:
        """Write a cell of the block that begins at `top` and `left`; returns its name."""
        cell = self.sheet.cell(self.top + row, self.left + column)
        cell.value = value
        if number_format:
            cell.number_format = number_format
        return cell.coordinate


# --- values as they are shown: (value, format, shown, other ways to write it)

Shown = tuple[object, str, str, tuple[str, ...]]


def _amount(c: Content) -> float:
    return float(c.amount().replace(",", ""))


def plain_ways(number: float) -> tuple[str, ...]:
    """A number without separators."""
    return (f"{number:.2f}", repr(number), f"{number:g}", f"{number:,}")


def money(c: Content) -> Shown:
    """A currency before or behind the number, by its format alone."""
    number = _amount(c)
    formats = {
        '#,##0.00\\ "€"': "{} €",
        "[$€-407]\\ #,##0.00": "€ {}",
        '"CHF"\\ #,##0.00': "CHF {}",
        "$#,##0.00": "${}",
        "[$£-809]#,##0.00": "£{}",
        '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-': "{} €",
        "#,##0.00\\ [$EUR]": "{} EUR",
    }
    number_format = c.random.choice(list(formats))
    return number, number_format, formats[number_format].format(f"{number:,.2f}"), plain_ways(number)


def percent(c: Content) -> Shown:
    shown = c.unique(lambda: f"{c.random.randrange(1, 99)}.{c.random.randrange(1, 10)}")
    return float(shown) / 100, "0.0%", f"{shown}%", (f"{shown}0",)


def whole_percent(c: Content) -> Shown:
    number = c.random.randrange(2, 99)
    return number / 100, "0%", f"{number}%", (f"{number}.0", f"{number}.00")


def thousands(c: Content) -> Shown:
    number = int(c.unique(lambda: str(c.random.randrange(1000, 9_000_000))))
    return number, "#,##0", f"{number:,}", (str(number), f"{number}.00")


def rounded(c: Content) -> Shown:
    number = _amount(c) + 0.001234
    return number, "0.00", f"{number:.2f}", (repr(number), f"{number:g}")


def general(c: Content) -> Shown:
    """A number without a format, some with the error in the last binary digits that sums have."""
    number = _amount(c)
    shown = f"{number:.2f}".rstrip("0").rstrip(".")
    value = math.nextafter(math.nextafter(number, math.inf), math.inf) if c.maybe() else number
    return value, "General", shown, plain_ways(number)


def large(c: Content) -> Shown:
    number = int(c.unique(lambda: str(c.random.randrange(10_000_000, 90_000_000))))
    return float(number), "General", str(number), (f"{number:,}", f"{number}.00", f"{number}.0")


def small(c: Content) -> Shown:
    digits = c.unique(lambda: f"0.00{c.random.randrange(1, 10)}{c.random.randrange(1, 10)}")
    return float(digits), "General", digits, ()


def negative(c: Content) -> Shown:
    number = -_amount(c)
    if c.maybe():
        return (
            number,
            "#,##0.00;(#,##0.00)",
            f"({-number:,.2f})",
            (f"{number:.2f}", f"{number:,.2f}", f"({-number:.2f})"),
        )
    return number, "#,##0.00", f"{number:,.2f}", plain_ways(number)


def zero(c: Content) -> Shown:
    return (0, "General", "0", ()) if c.maybe() else (0.0, "0.00", "0.00", ("0",))


def day(c: Content) -> Shown:
    drawn = date.fromisoformat(c.unique(c.date))
    formats = {
        "dd.mm.yyyy": f"{drawn:%d.%m.%Y}",
        "yyyy-mm-dd": f"{drawn:%Y-%m-%d}",
        "d\\ mmm\\ yyyy": f"{drawn.day} {drawn:%b %Y}",
        "mm/dd/yyyy": f"{drawn:%m/%d/%Y}",
        "dd/mm/yy": f"{drawn:%d/%m/%y}",
        "mmmm\\ yyyy": f"{drawn:%B %Y}",
    }
    number_format = c.random.choice(list(formats))
    return drawn, number_format, formats[number_format], (drawn.isoformat(), f"{drawn:%d %B %Y}")


def clock(c: Content) -> Shown:
    drawn = time(c.random.randrange(24), c.random.randrange(60))
    if c.maybe():
        shown = f"{drawn.hour % 12 or 12}:{drawn:%M %p}"
        return drawn, "h:mm\\ AM/PM", shown, (f"{drawn:%H:%M}", f"{drawn:%H:%M:%S}", f"{drawn.hour}:{drawn:%M}")
    return drawn, "hh:mm", f"{drawn:%H:%M}", (f"{drawn:%H:%M:%S}",)


def moment(c: Content) -> Shown:
    drawn = datetime.fromisoformat(f"{c.unique(c.date)}T{c.random.randrange(10, 24)}:{c.random.randrange(10, 60)}:00")
    return (
        drawn,
        "yyyy-mm-dd\\ hh:mm",
        f"{drawn:%Y-%m-%d %H:%M}",
        (f"{drawn:%Y-%m-%d %H:%M:%S}", f"{drawn:%Y-%m-%dT%H:%M}"),
    )


def duration(c: Content) -> Shown:
    minutes = c.random.randrange(25 * 60, 90 * 60)
    return timedelta(minutes=minutes), "[h]:mm", f"{minutes // 60}:{minutes % 60:02}", ()


def truth(c: Content) -> Shown:
    value = c.maybe()
    return value, "General", str(value).upper(), ("yes",) if value else ("no",)


def padded(c: Content) -> Shown:
    """A postcode: its zeros in front come from the format."""
    number = int(c.unique(lambda: str(c.random.randrange(1000, 9999))))
    return number, "00000", f"{number:05}", ()


def unit(c: Content) -> Shown:
    number = c.number()
    template = c.random.choice(["{} days", "{} kg", "from {}", "max. {} EUR"])
    before, after = template.split("{}")
    return (
        number,
        (f'"{before}"' if before else "") + "0" + (f'"{after}"' if after else ""),
        template.format(number),
        (),
    )


def text_digits(c: Content) -> Shown:
    number = c.unique(lambda: f"00{c.random.randrange(1000, 9999)}")
    return number, "@", number, ()


def scientific(c: Content) -> Shown:
    number = c.random.randrange(100, 999) * 10_000
    return float(number), "0.00E+00", f"{number:.2E}", (str(number), f"{number:,}", f"{number:.1f}")


SHOWN: tuple[Callable[[Content], Shown], ...] = (
    money,
    money,
    percent,
    whole_percent,
    thousands,
    rounded,
    general,
    large,
    small,
    negative,
    zero,
    day,
    clock,
    moment,
    duration,
    truth,
    padded,
    unit,
    text_digits,
    scientific,
)


def record(c: Content, shown: str, others: tuple[str, ...]) -> None:
    """Record a number in a cell as one that may be written in other ways."""
    c.cell(shown)
    if others:
        c.equal(shown, *others)


def fact(c: Content, label: str, columns: list[str], column: int, shown: str, others: tuple[str, ...]) -> None:
    c.rows.append(tables.Fact((label,), (columns[column],), shown, (tuple(columns),), others))


# --- features: each writes a block and returns how many rows it takes


def grid_table(d: Draft) -> int:
    grid = tables.table(d.content)
    bold = d.content.maybe()
    for y, x, cell in grid.placed():
        name = d.put(y, x, cell.text or None)
        d.sheet[name].font = Font(bold=cell.head and bold)
        if cell.columns > 1 or cell.rows > 1:
            first = d.sheet[name]
            d.sheet.merge_cells(
                None, first.row, first.column, first.row + cell.rows - 1, first.column + cell.columns - 1
            )
    return len(grid.rows)


def typed_table(d: Draft) -> int:
    """A table whose values are numbers, dates and the like."""
    c = d.content
    kinds = c.random.sample(SHOWN, 4)
    columns = [c.name() for _ in kinds]
    for column, name in enumerate([c.name(), *columns]):
        d.put(0, column, c.cell(name))
    height = c.random.randrange(2, 5)
    blamed = c.feature
    for row in range(1, height + 1):
        c.feature = blamed
        label = c.cell(c.name())
        d.put(row, 0, label)
        for column, kind in enumerate(kinds):
            c.feature = f"{blamed}: {kind.__name__}"
            value, number_format, shown, others = kind(c)
            d.put(row, column + 1, value, number_format)
            record(c, shown, others)
            fact(c, label, columns, column, shown, others)
    return height + 1


def excel_table(d: Draft) -> int:
    """A table that the workbook declares as one, with a filter."""
    c = d.content
    grid = tables.table(c, (tables.plain,))
    for y, x, cell in grid.placed():
        d.put(y, x, cell.text)
    last = f"{get_column_letter(d.left + grid.width - 1)}{d.top + len(grid.rows) - 1}"
    d.sheet.add_table(Table(displayName=f"T{c.token()}", ref=f"{get_column_letter(d.left)}{d.top}:{last}"))
    return len(grid.rows)


def formulas(d: Draft) -> int:
    """A column that is computed, and one whose values were never stored."""
    c = d.content
    columns = [c.name() for _ in range(3)]
    for column, name in enumerate([c.name(), *columns]):
        d.put(0, column, c.cell(name))
    for row in (1, 2):
        label, net = c.cell(c.name()), _amount(c)
        d.put(row, 0, label)
        first = d.put(row, 1, net, "0.00")
        record(c, f"{net:.2f}", plain_ways(net))
        fact(c, label, columns, 0, f"{net:.2f}", plain_ways(net))
        gross = round(net * 2, 2)
        name = d.put(row, 2, f"={first}*2", "0.00")
        d.results[d.sheet.title, name] = gross
        record(c, f"{gross:.2f}", plain_ways(gross))
        fact(c, label, columns, 1, f"{gross:.2f}", plain_ways(gross))
        name = d.put(row, 3, f'="{c.spare(c.token())}"&A1')
        if c.maybe():
            text = c.cell(c.token())
            d.results[d.sheet.title, name] = text
            fact(c, label, columns, 2, text, ())
    return 3


def not_computed(d: Draft) -> int:
    """A formula without a stored value, as programs write it that do not compute: its value is found, or its lack reported."""
    c = d.content
    columns = [c.name() for _ in range(2)]
    for column, name in enumerate([c.name(), *columns]):
        d.put(0, column, c.cell(name))
    label, net = c.cell(c.name()), float(c.number())
    d.put(1, 0, label)
    first = d.put(1, 1, net, "0.00")
    record(c, f"{net:.2f}", plain_ways(net))
    name = d.put(1, 2, f"={first}*1.25", "0.00")
    value = f"{net * 1.25:.2f}"
    c.spare(" ".join((value, *plain_ways(net * 1.25))))
    c.unread.append(Unread(value, (name, "formula")))
    return 2


def prose(d: Draft) -> int:
    """Lines of text, one in bold letters in the middle of a word."""
    c = d.content
    count = c.random.randrange(1, 4)
    for row in range(count):
        text = c.whole(c.sentence())
        at = len(text) // 2
        rich = CellRichText(text[:at], TextBlock(InlineFont(b=True), text[at:]))
        d.put(row, 0, rich if c.maybe(0.3) else text)
    return count


def links(d: Draft) -> int:
    c = d.content
    name = d.put(0, 0, c.whole(f"See the {c.token()} page"))
    d.sheet[name].hyperlink = c.address()
    return 1


def remarks(d: Draft) -> int:
    """A cell with a note that shows when the pointer is on it, and a cell in error."""
    c = d.content
    name = d.put(0, 0, c.whole(c.sentence()))
    d.sheet[name].comment = Comment(c.spare(f"{c.token()} {c.token()}"), "A")
    d.put(0, 1, "=1/0")
    d.results[d.sheet.title, d.sheet.cell(d.top, d.left + 1).coordinate] = "#DIV/0!"
    c.spare("#DIV/0!")
    return 1


def side_by_side(d: Draft) -> int:
    """Two tables next to each other, with an empty column between."""
    first = tables.table(d.content, (tables.plain,))
    second = tables.table(d.content, (tables.plain,))
    for shift, grid in ((0, first), (first.width + 1, second)):
        for y, x, cell in grid.placed():
            d.put(y, x + shift, cell.text)
    return max(len(first.rows), len(second.rows))


def hidden_rows(d: Draft) -> int:
    """A hidden row, and a value that its format does not show."""
    c = d.content
    columns = [c.name() for _ in range(2)]
    for column, name in enumerate([c.name(), *columns]):
        d.put(0, column, c.cell(name))
    for row in range(1, 4):
        if row == 2:
            for column in range(3):
                d.put(row, column, c.hide())
            d.sheet.row_dimensions[d.top + row].hidden = True
            continue
        label, values = c.cell(c.name()), [c.price() for _ in columns]
        d.put(row, 0, label)
        for column, value in enumerate(values):
            d.put(row, column + 1, c.cell(value))
            fact(c, label, columns, column, value, ())
    unseen = c.unique(lambda: f"{c.random.randrange(10_000, 99_000)}.75")
    c.hide(unseen)
    d.put(1, 4, float(unseen), ";;;")
    return 4


STACKED: tuple[Callable[[Draft], int], ...] = (
    grid_table,
    grid_table,
    grid_table,
    grid_table,
    typed_table,
    typed_table,
    typed_table,
    excel_table,
    formulas,
    not_computed,
    prose,
    prose,
    links,
    remarks,
    side_by_side,
    hidden_rows,
)


# --- features that take a sheet of their own


def hidden_columns(d: Draft) -> None:
    """One hidden column, or a group of two, inside a table."""
    c = d.content
    columns = [c.name() for _ in range(2)]
    width = c.random.choice([1, 2])
    d.put(0, 0, c.cell(c.name()))
    d.put(0, 1, c.cell(columns[0]))
    for n in range(width):
        d.put(0, 2 + n, c.hide())
    d.put(0, 2 + width, c.cell(columns[1]))
    for row in (1, 2):
        label, values = c.cell(c.name()), [c.price() for _ in columns]
        d.put(row, 0, label)
        d.put(row, 1, c.cell(values[0]))
        for n in range(width):
            d.put(row, 2 + n, c.hide())
        d.put(row, 2 + width, c.cell(values[1]))
        for column in (0, 1):
            fact(c, label, columns, column, values[column], ())
    first = d.left + 2
    if width == 1:
        d.sheet.column_dimensions[get_column_letter(first)].hidden = True
    else:
        d.sheet.column_dimensions.group(get_column_letter(first), get_column_letter(first + 1), hidden=True)


def hidden_sheet(d: Draft) -> None:
    d.sheet.sheet_state = d.content.random.choice(["hidden", "veryHidden"])
    for row in range(3):
        d.put(row, 0, d.content.hide())
        d.put(row, 1, d.content.hide())


def text_box(d: Draft) -> None:
    """A box that lies on the sheet."""
    c = d.content
    d.put(0, 0, c.whole(c.sentence()))
    d.boxes[d.sheet.title] = c.whole(c.sentence(), loose=True)


def running_lines(d: Draft) -> None:
    c = d.content
    d.put(0, 0, c.whole(c.sentence()))
    d.sheet.oddHeader.center.text = c.spare(c.token())
    d.sheet.oddFooter.center.text = c.spare(f"Page {c.token()}")


def far_away(d: Draft) -> None:
    """Text far from the first cell."""
    d.put(d.content.random.randrange(50, 900), d.content.random.randrange(5, 60), d.content.whole(d.content.sentence()))


ALONE = (hidden_columns, hidden_columns, hidden_sheet, hidden_sheet, text_box, running_lines, far_away)


def generate(seed: object) -> Generated:
    """A workbook."""
    c = Content(f"xlsx {seed}")
    book = openpyxl.Workbook()
    book.remove(book.active)
    if c.maybe(0.1):
        book.epoch = CALENDAR_MAC_1904
    drafts: list[Draft] = []
    for number in range(c.random.randrange(1, 4)):
        drafts.append(Draft(c, book, book.create_sheet(c.spare(f"{c.noun().capitalize()} {c.token()}"))))
        if number and c.maybe(0.5):
            feature = c.random.choice(ALONE)
            c.feature = feature.__name__
            feature(drafts[-1])
        else:
            stacked(drafts[-1])
    out = io.BytesIO()
    book.save(out)
    results = {place: value for d in drafts for place, value in d.results.items()}
    boxes = {title: text for d in drafts for title, text in d.boxes.items()}
    return c.made(
        f"workbook-{seed}.xlsx", finished(out.getvalue(), book.sheetnames, results, boxes, inline=c.maybe(0.2))
    )


def stacked(d: Draft) -> None:
    """Blocks below each other, with empty rows between."""
    d.top, d.left = d.content.random.choice([(1, 1), (1, 1), (3, 2)])
    for feature in d.content.random.choices(STACKED, k=d.content.random.randrange(1, 4)):
        d.content.feature = feature.__name__
        d.top += feature(d) + d.content.random.randrange(1, 3)


# --- what openpyxl does not write


def finished(
    data: bytes,
    names: list[str],
    results: dict[tuple[str, str], float | str],
    boxes: dict[str, str],
    *,
    inline: bool,
) -> bytes:
    """Put computed values, text boxes and inline strings into a workbook."""
    source, out = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    parts = {name: source.read(name) for name in source.namelist()}
    for number, name in enumerate(names, start=1):
        path = f"xl/worksheets/sheet{number}.xml"
        sheet = etree.fromstring(parts[path])
        for cell in sheet.iter(f"{MAIN}c"):
            compute(cell, results.get((name, cell.get("r"))))
        if inline and "xl/sharedStrings.xml" in parts:
            write_inline(sheet, parts["xl/sharedStrings.xml"])
        if name in boxes:
            add_box(sheet, parts, number, boxes[name])
        parts[path] = etree.tostring(sheet, xml_declaration=True, encoding="UTF-8", standalone=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, body in parts.items():
            archive.writestr(part, body)
    return out.getvalue()


def compute(cell: etree._Element, result: float | str | None) -> None:
    """Store the value of a formula."""
    value = cell.find(f"{MAIN}v")
    if result is None or value is None:
        return
    value.text = str(result)
    if isinstance(result, str):
        cell.set("t", "e" if result.startswith("#") else "str")


def write_inline(sheet: etree._Element, shared: bytes) -> None:
    """Move the shared strings into their cells."""
    strings = list(etree.fromstring(shared))
    for cell in sheet.iter(f"{MAIN}c"):
        if cell.get("t") == "s":
            value = cell.find(f"{MAIN}v")
            inside = etree.SubElement(cell, f"{MAIN}is")
            for part in strings[int(value.text)]:
                inside.append(etree.fromstring(etree.tostring(part)))
            cell.remove(value)
            cell.set("t", "inlineStr")


def add_box(sheet: etree._Element, parts: dict[str, bytes], number: int, text: str) -> None:
    """Put a text box on a sheet that has no other drawing."""
    etree.SubElement(sheet, f"{MAIN}drawing").set(f"{{{OFFICE}}}id", "rId1")
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts[f"xl/worksheets/_rels/sheet{number}.xml.rels"] = (
        f'<Relationships xmlns="{package}"><Relationship Id="rId1" Type="{OFFICE}/drawing" Target="/xl/drawings/drawing{number}.xml"/></Relationships>'
    ).encode()
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
    corner = "<xdr:col>{0}</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>{0}</xdr:row><xdr:rowOff>0</xdr:rowOff>"
    parts[f"xl/drawings/drawing{number}.xml"] = (
        f'<xdr:wsDr xmlns:xdr="{drawing}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><xdr:twoCellAnchor>'
        f"<xdr:from>{corner.format(4)}</xdr:from><xdr:to>{corner.format(9)}</xdr:to>"
        '<xdr:sp macro="" textlink=""><xdr:nvSpPr><xdr:cNvPr id="2" name="Box 1"/><xdr:cNvSpPr txBox="1"/></xdr:nvSpPr><xdr:spPr/>'
        f"<xdr:txBody><a:bodyPr/><a:p><a:r><a:t>{escape(text)}</a:t></a:r></a:p></xdr:txBody></xdr:sp><xdr:clientData/>"
        "</xdr:twoCellAnchor></xdr:wsDr>"
    ).encode()
    override = f'<Override PartName="/xl/drawings/drawing{number}.xml" ContentType="application/vnd.openxmlformats-officedocument.drawing+xml"/></Types>'
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", override.encode())
