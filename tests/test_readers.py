"""Reading files: every type, and what each is refused for."""

from __future__ import annotations

import io
import zipfile
from itertools import pairwise

import docx
import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

from domains.spec import InvalidInput, UnsupportedMedia
from ingest.blocks import Block, cut, render, with_title
from ingest.readers import read
from retrieval.contents import passages_of
from retrieval.retriever import Hit
from retrieval.units import units_of
from tests.test_reply import VERSION

MARKDOWN = """---
title: Fees
---
# Fees

Reading *is* [free](http://x.example).
Writing costs 2 EUR.

| Plan | Price |
| --- | --- |
| Team | 12.00 |
| Solo |  |

- first
- second
"""


def lines(name, data):
    return [b.line() for b in read(name, data)]


def a_pdf() -> bytes:
    out, styles = io.BytesIO(), getSampleStyleSheet()
    table = Table([["Uptime", "Credit"], ["99.5 %", "10 %"]], style=[("GRID", (0, 0), (-1, -1), 1, colors.black)])
    text = Paragraph("Credits are not paid out. " * 9, styles["BodyText"])
    SimpleDocTemplate(out, pagesize=A4).build([Paragraph("Service levels", styles["Title"]), text, table])
    return out.getvalue()


def a_docx() -> bytes:
    out, document = io.BytesIO(), docx.Document()
    document.add_heading("Late payment", 0)
    document.add_heading("Reminders", 1)
    document.add_paragraph("We remind you.")
    document.add_paragraph("on day 3", style="List Bullet")
    table = document.add_table(rows=0, cols=2)
    for cells in (("Day", "What"), ("21", "read-only")):
        for cell, text in zip(table.add_row().cells, cells, strict=True):
            cell.text = text
    document.save(out)
    return out.getvalue()


def test_markdown():
    assert lines("a.md", MARKDOWN.encode()) == [
        "# Fees",
        "Reading is free. Writing costs 2 EUR.",
        "Plan: Team; Price: 12.00",
        "Plan: Solo",
        "- first",
        "- second",
    ]


def test_html_without_its_furniture():
    page = (
        b"<html><nav>Home</nav><main><h1>Links</h1><p>They <b>expire</b>.</p><script>x()</script>"
        b"<table><tr><th>Plan</th><th>Days</th></tr><tr><td>Solo</td><td>180</td></tr></table>"
        b"<ul><li>one<ul><li>two</li></ul></li></ul></main><footer>(c)</footer></html>"
    )
    assert lines("a.html", page) == ["# Links", "They expire.", "Plan: Solo; Days: 180", "- one", "- two"]


def test_csv_rows_name_their_columns():
    assert lines("a.csv", b"Plan;Price\nTeam;12.00\n") == ["Plan: Team; Price: 12.00"]


def test_docx():
    assert lines("a.docx", a_docx()) == [
        "# Late payment",
        "## Reminders",
        "We remind you.",
        "- on day 3",
        "Day: 21; What: read-only",
    ]


def test_pdf_headings_paragraphs_and_tables():
    found = lines("a.pdf", a_pdf())
    assert found[0] == "# Service levels"
    assert found[1].startswith("Credits are not paid out. Credits")
    assert found[-1] == "Uptime: 99.5 %; Credit: 10 %"


def test_text_in_an_old_encoding():
    assert lines("a.txt", "Die Gebühr beträgt zehn Euro für jede weitere Prüfung.".encode("cp1252")) == [
        "Die Gebühr beträgt zehn Euro für jede weitere Prüfung."
    ]


def encrypted_pdf() -> bytes:
    writer, out = PdfWriter(clone_from=PdfReader(io.BytesIO(a_pdf()))), io.BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def image_only_pdf() -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.rect(100, 100, 200, 200, fill=1)
    canvas.save()
    return out.getvalue()


def zip_without_a_document() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.md", b"  \n", "empty"),
        ("a.md", b"# Only a heading\n", "no words"),
        ("a.csv", b"12.00,13.00\n1,2\n", "names no columns"),
        ("a.csv", b"a,b\n1\n", "line 2 has 1 cells"),
        ("a.pdf", a_pdf()[:500], "damaged"),
        ("a.pdf", b"no pdf at all", "damaged"),
        ("a.pdf", encrypted_pdf(), "encrypted"),
        ("a.pdf", image_only_pdf(), "no words"),
        ("a.docx", b"no zip", "damaged"),
        ("a.docx", zip_without_a_document(), "damaged"),
        ("a.html", b"<html><nav>x</nav></html>", "no words"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_with_the_reason(name, data, reason):
    with pytest.raises(InvalidInput, match=reason) as raised:
        read(name, data)
    assert name in str(raised.value)


@pytest.mark.parametrize(("name", "data"), [("a.exe", b"MZ"), ("a", b"x"), ("a.txt", b"\x00\x01\x02\xff" * 50)])
def test_what_is_no_document_is_refused(name, data):
    with pytest.raises(UnsupportedMedia):
        read(name, data)


def test_passages_are_cut_at_headings_rows_and_length_and_offsets_hold():
    blocks = with_title(
        read("a.md", (MARKDOWN + "\n## Long\n\n" + "A sentence of six words here. " * 80).encode()), "t"
    )
    text, spans = render(blocks), cut(blocks)
    assert [s.kind for s in spans[:4]] == ["prose", "row", "row", "prose"]
    assert text[spans[1].start : spans[1].end] == "Plan: Team; Price: 12.00"
    assert spans[3].heading == "Fees"
    long = [s for s in spans if s.heading == "Fees > Long"]
    assert len(long) > 2
    assert all(len(text[s.start : s.end].split()) <= 120 for s in long)
    joined = " ".join(text[s.start : s.end] for s in long)
    assert joined.count("six words") == 80, "nothing is lost between passages"
    after = cut([*blocks, Block("heading", "Last", 2), Block("paragraph", "The end.")])
    assert all(one.end <= other.start for one, other in pairwise(after)), "a rest of a long section begins no heading"


def test_short_sections_are_one_passage_and_each_unit_keeps_its_headings():
    blocks = read(
        "a.md", b"# Vault\n\n## Price\n\nIt costs 41 EUR.\n\n### Tax\n\n- Not included.\n\n## Restores\n\nNine hours.\n"
    )
    text, spans = render(blocks), cut(blocks)
    (passage,) = passages_of("c", text, spans)
    assert passage.heading == "Vault"
    assert passage.text.startswith("## Price\nIt costs 41 EUR.")
    found = units_of(Hit(passage, VERSION, 1.0))
    assert [(u.heading, u.text) for u in found] == [
        ("Vault > Price", "It costs 41 EUR."),
        ("Vault > Price > Tax", "Not included."),
        ("Vault > Restores", "Nine hours."),
    ]
    assert all(text[u.start : u.end] == u.text for u in found)


def test_a_row_stands_in_no_other_passage():
    text = (
        "# Keys\n\n## Life\n\n| Key | Life |\n| --- | --- |\n| A | for ever |\n\nKeep it safe.\n\n## Loss\n\nTell us.\n"
    )
    blocks = read("a.md", text.encode())
    spans = cut(blocks)
    assert [s.kind for s in spans] == ["row", "prose", "prose"]
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert [s.heading for s in spans] == ["Keys > Life", "Keys > Life", "Keys > Loss"]


def test_a_file_without_a_heading_takes_its_title():
    assert render(with_title(read("a.csv", b"a,b\n1,2\n"), "Prices")) == "# Prices\na: 1; b: 2\n"
