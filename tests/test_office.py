"""Office files: what Word and Excel show is read, whatever elements it is wrapped in; what they hide is not."""

from __future__ import annotations

import io
from datetime import datetime

import docx
import openpyxl
import pytest
from docx.oxml import parse_xml

from domains.spec import InvalidInput
from ingest import docx as word
from ingest.readers import read
from tests.generators.docx import DECLARED
from tests.generators.xlsx import finished
from tests.hostile_files import HOSTILE, with_part

MARK = 'w:id="7" w:author="A" w:date="2026-01-05T10:00:00Z"'
OLD = f"<w:del {MARK}><w:r><w:delText>old</w:delText></w:r></w:del>"
STYLES = (
    '<w:style w:type="character" w:styleId="Raised"><w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style>',
    '<w:style w:type="character" w:styleId="RaisedToo"><w:basedOn w:val="Raised"/></w:style>',
    '<w:style w:type="character" w:styleId="Gone"><w:rPr><w:strike/></w:rPr></w:style>',
    '<w:style w:type="character" w:styleId="Hidden"><w:rPr><w:vanish/></w:rPr></w:style>',
    '<w:style w:type="paragraph" w:styleId="HiddenText"><w:rPr><w:vanish/></w:rPr></w:style>',
)


def run(text, properties=""):
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(inner, properties=""):
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def cell(text, properties=""):
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text if text.startswith('<') else run(text))}</w:tc>"


def table(*rows, columns=2):
    return f"<w:tbl><w:tblPr/><w:tblGrid>{'<w:gridCol/>' * columns}</w:tblGrid>{''.join(rows)}</w:tbl>{paragraph('')}"


def row(*cells, properties=""):
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(c if '<w:tc>' in c else cell(c) for c in cells)}</w:tr>"


def control(inner, properties=""):
    return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{inner}</w:sdtContent></w:sdt>"


def link_field(address, inner):
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    start = f'{mark.format("begin")}<w:r><w:instrText xml:space="preserve"> HYPERLINK "{address}" </w:instrText></w:r>'
    return f"{start}{mark.format('separate')}{inner}{mark.format('end')}"


def document(body):
    made, out = docx.Document(), io.BytesIO()
    for style in STYLES:
        made.styles.element.append(parse_xml(style.replace("<w:style ", f"<w:style {DECLARED} ", 1)))
    content = parse_xml(f"<w:body {DECLARED}>{body}</w:body>")
    for element in reversed(list(content)):
        made.element.body.insert(0, element)
    made.save(out)
    return out.getvalue()


def lines(name, data):
    return [block.line() for block in read(name, data).blocks]


HEAD = row("Plan", "Price")
SOLO = "Plan: Solo; Price: 5.00"
POSITION = '<w:position w:val="8"/><w:sz w:val="14"/>'
DROP_CAP = '<w:framePr w:dropCap="drop" w:lines="3"/>'
EQUATION = (
    "<m:oMath><m:r><m:t>a=</m:t></m:r><m:f><m:num><m:r><m:t>b+1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r>"
    "</m:den></m:f></m:oMath>"
)
WORD_CASES = {
    "inserted cells": (
        table(HEAD, row(f"<w:ins {MARK}>{run('Solo')}</w:ins>", "5.00", properties=f"<w:ins {MARK}/>")),
        [SOLO],
    ),
    "a deleted row": (
        table(HEAD, row(OLD, OLD, properties=f"<w:del {MARK}/>"), row("Solo", "5.00")),
        [SOLO],
    ),
    "a deleted cell": (table(HEAD, row("Solo", cell("old", f"<w:cellDel {MARK}/>"), "5.00")), [SOLO]),
    "moved text": (
        paragraph(f"<w:moveFrom {MARK}>{run('old')}</w:moveFrom>{run('It is ')}<w:moveTo {MARK}>{run('5')}</w:moveTo>"),
        ["It is 5"],
    ),
    "a deleted end of a paragraph": (
        paragraph(run("It costs "), f"<w:rPr><w:del {MARK}/></w:rPr>") + paragraph(run("5 EUR.")),
        ["It costs 5 EUR."],
    ),
    "an inserted paragraph": (f"<w:ins {MARK}>{paragraph(run('It is 5'))}</w:ins>", ["It is 5"]),
    "a control around a row": (table(HEAD, control(row(control(cell("Solo")), "5.00"))), [SOLO]),
    "a control with its placeholder": (
        paragraph(run("Name:") + control(run(" click here"), "<w:showingPlcHdr/>")),
        ["Name:"],
    ),
    "directions": (
        paragraph(f'<w:dir w:val="ltr">{run("It ")}<w:bdo w:val="rtl">{run("is 5")}</w:bdo></w:dir>'),
        ["It is 5"],
    ),
    "a wrapped paragraph": (
        f'<w:customXml w:uri="u" w:element="e"><w:customXmlPr/>{paragraph(run("It is 5"))}</w:customXml>',
        ["It is 5"],
    ),
    "a link as a field": (
        paragraph(link_field("https://x.example/a", run("the page")) + run(" today")),
        ["the page (https://x.example/a) today"],
    ),
    "a link as a simple field": (
        paragraph(f"<w:fldSimple w:instr=' HYPERLINK \"https://x.example\" '>{run('here')}</w:fldSimple>"),
        ["here (https://x.example)"],
    ),
    "a link that shows its address": (
        paragraph(link_field("https://x.example/", run("https://x.example"))),
        ["https://x.example"],
    ),
    "raised by position": (paragraph(run("2.68") + run("1", POSITION) + run(" EUR")), ["2.68¹ EUR"]),
    "raised, but not smaller": (paragraph(run("2.6") + run("8", '<w:position w:val="2"/>')), ["2.68"]),
    "raised by a style": (paragraph(run("2.68") + run("1", '<w:rStyle w:val="RaisedToo"/>')), ["2.68¹"]),
    "struck by a style": (paragraph(run("9 ", '<w:rStyle w:val="Gone"/>') + run("5 EUR")), ["5 EUR"]),
    "hidden by a style": (paragraph(run("9 ", '<w:rStyle w:val="Hidden"/>') + run("5 EUR")), ["5 EUR"]),
    "shown again": (
        paragraph(run("9 ") + run("5 EUR", '<w:vanish w:val="0"/>'), '<w:pStyle w:val="HiddenText"/>'),
        ["5 EUR"],
    ),
    "a drop cap": (paragraph(run("A"), DROP_CAP) + paragraph(run("nnual fee")), ["Annual fee"]),
    "an equation": (paragraph(run("Let ") + EQUATION), ["Let a=(b+1)/2"]),
    "more cells than columns": (table(HEAD, row("Solo", "5.00"), columns=1), [SOLO]),
    "a column without values": (
        table(row("Plan", "Price", "Note"), row("Solo", "5.00", "")),
        ["Plan; Price; Note", SOLO],
    ),
}


@pytest.mark.parametrize("name", WORD_CASES)
def test_a_word_document_is_read_as_it_is_shown(name):
    body, expected = WORD_CASES[name]
    assert lines("a.docx", document(body)) == expected


def test_a_document_of_too_many_paragraphs_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr(word, "_MOST_PARAGRAPHS", 3)
    with pytest.raises(InvalidInput, match=r"a\.docx: it has more than 3 paragraphs"):
        read("a.docx", document(paragraph(run("x")) * 4))


def workbook(*rows, formats=()):
    """Rows from the first cell on; `formats` are (cell, number format)."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "Prices"
    for values in rows:
        book.active.append(values)
    for name, number_format in formats:
        book.active[name].number_format = number_format
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("number_format", "shown"),
    [
        ("dd.mm.yyyy", "20.10.2021"),
        ("d.m.yy", "20.10.21"),
        ("dd.mm.yyyy;@", "20.10.2021"),
        ("dd/mm/yyyy", "20/10/2021"),
        ("yyyy-mm-dd", "2021-10-20"),
        ("d. mmmm yyyy", "20. October 2021"),
        ("[$-407]d. mmmm yyyy", "2021-10-20"),  # German names are not known: no English ones in their place
        ("[$-409]mmmm d, yyyy", "October 20, 2021"),
        ("hh:mm", "18:05"),
        ("dd.mm.yyyy hh:mm", "20.10.2021 18:05"),
        ("hh:mm:ss.000", "18:05:00.000"),
        ('d"."m"."yyyy', "20.10.2021"),
    ],
)
def test_a_date_is_shown_in_its_format(number_format, shown):
    data = workbook(["Plan", "From"], ["Solo", datetime(2021, 10, 20, 18, 5)], formats=[("B2", number_format)])
    assert lines("a.xlsx", data) == [f"Plan: Solo; From: {shown}"]


@pytest.mark.parametrize("number_format", ["[" * 300, "[" * 20, '0.00"', "[Red]"])
def test_a_damaged_number_format_does_not_lose_the_value(number_format):
    data = workbook(["Plan", "Price"], ["Solo", 5.5], formats=[("B2", number_format)])
    assert lines("a.xlsx", data) == ["Plan: Solo; Price: 5.5"]


def test_a_format_may_hide_a_value():
    data = workbook(["Plan", "Price"], ["Solo", 5], ["Duo", 6], formats=[("B3", ";;;")])
    assert lines("a.xlsx", data) == ["Plan: Solo; Price: 5", "Plan: Duo"]


def test_a_text_box_of_a_sheet_is_a_paragraph():
    data = finished(workbook(["Plan", "Price"], ["Solo", 5]), ["Prices"], {}, {"Prices": "Without tax."}, inline=False)
    assert lines("a.xlsx", data) == ["Plan: Solo; Price: 5", "Without tax."]


def test_a_column_of_formulas_without_values_keeps_its_name_and_is_reported():
    reading = read("a.xlsx", workbook(["Plan", "Net", "Gross"], ["Solo", 5, "=B2*2"]))
    assert [b.line() for b in reading.blocks] == ["Plan; Net; Gross", "Plan: Solo; Net: 5"]
    assert [(gone.what, gone.where) for gone in reading.left_out] == [("formula without a stored value", "Prices: C2")]


def test_tables_stay_apart_and_hidden_rows_close_up():
    book, out = openpyxl.Workbook(), io.BytesIO()
    for place, value in {"A1": "Plan", "B1": "Price", "A2": "old", "B2": 1, "A3": "Solo", "B3": 5}.items():
        book.active[place] = value
    book.active["XFD1048576"] = "far away"
    book.active.row_dimensions[2].hidden = True
    book.save(out)
    assert lines("a.xlsx", out.getvalue()) == ["Plan: Solo; Price: 5", "far away"]


def test_cells_without_a_place_are_counted_from_the_ones_before():
    value = "<c t='inlineStr'><is><t>{}</t></is></c>"
    rows = "".join(
        f"<row>{value.format(a)}<c/>{value.format(b)}</row>" for a, b in [("Plan", "Price"), ("Solo", "5 EUR")]
    )
    sheet = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>'
    data = with_part(workbook(["x"]), "xl/worksheets/sheet1.xml", sheet.encode())
    assert lines("a.xlsx", data) == ["Plan", "Solo", "Price", "5 EUR"]  # an empty column between two tables


@pytest.mark.slow
@pytest.mark.parametrize("name", ["far cell.xlsx", "merged all.xlsx", "a million styled cells.xlsx", "wide cell.docx"])
def test_extreme_files_are_read(name):
    assert read(name, HOSTILE[name]()).blocks
