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
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, SimpleDocTemplate, Table

from domains.spec import InvalidInput, UnsupportedMedia
from ingest.blocks import Block, render, with_title
from ingest.passages import cut
from ingest.readers import read
from retrieval.contents import passages_of
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
    return [b.line() for b in read(name, data).blocks]


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
        "Reading is free (http://x.example). Writing costs 2 EUR.",
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
    assert lines("a.html", page) == ["# Links", "They expire.", "Plan: Solo; Days: 180", "- one: two", "(c)"]


TABLES = [
    # (name, file, lines that must be there)
    ("two header rows", "a.html", "<table><tr><th rowspan=2>Room<th colspan=2>Weekend</tr><tr><th>Half day<th>Full day</tr>"
     "<tr><td>Blue<td>130<td>225</tr></table>", ["Room: Blue; Weekend, Half day: 130; Weekend, Full day: 225"]),
    ("a cell over two rows", "a.html", "<table><tr><th>Zone<th>Day<th>Fee</tr><tr><td rowspan=2>Port<td>Sat<td>2</tr>"
     "<tr><td>Sun<td>1</tr></table>", ["Zone: Port; Day: Sat; Fee: 2", "Zone: Port; Day: Sun; Fee: 1"]),
    ("labels and values", "a.html", "<table><tr><td>Notice<td>6 weeks</tr><tr><td>Pets<td>by consent</tr></table>",
     ["Notice: 6 weeks", "Pets: by consent"]),
    ("labels that are marked", "a.html", "<table><tr><th>Notice<td>6 weeks</tr><tr><th>Pets<td>no</tr></table>",
     ["Notice: 6 weeks", "Pets: no"]),
    ("values alone", "a.csv", "12.00,13.00\n1,2\n", ["12.00; 13.00", "1; 2"]),
    ("titles above the header", "a.csv", "Prices,,\nfrom May,,\nCourse,Price,Evenings\nTango,139,8\n",
     ["Prices", "from May", "Course: Tango; Price: 139; Evenings: 8"]),
    ("sections", "a.csv", "Item,Day,Week\nBoats,,\nCanoe,12,60\nBikes,,\nTandem,30,150\n",
     ["Boats", "Item: Canoe; Day: 12; Week: 60", "Bikes", "Item: Tandem; Day: 30; Week: 150"]),
    ("years as names", "a.csv", "Club,2025,2026\nRowing,210,235\n", ["Club: Rowing; 2025: 210; 2026: 235"]),
    ("a row that is too short", "a.csv", "Item,Fee,Note\nPot,40\n", ["Item; Fee; Note", "Item: Pot; Fee: 40"]),
    ("one name twice", "a.csv", "Name,Name,Fee\nA,B,3\n", ["Name: A; Name: B; Fee: 3"]),
    ("a table in a cell", "a.html", "<table><tr><th>Meal<th>Details</tr><tr><td>Lunch<td><table><tr><td>Price<td>18.50"
     "</tr><tr><td>Guests<td>25</tr></table></tr></table>", ["Meal: Lunch; Details: Price: 18.50; Guests: 25"]),
    ("a box around text", "a.html", "<table><tr><td><p>Open until 9.</p><p>Free entry.</p></td></tr></table>",
     ["Open until 9.", "Free entry."]),
    ("a line break in a cell", "a.md", "| Hall | Fee |\n| --- | --- |\n| North | 310 EUR<br>with cleaning |\n",
     ["Hall: North; Fee: 310 EUR with cleaning"]),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "expected"), [t[1:] for t in TABLES], ids=[t[0] for t in TABLES])
def test_every_row_of_a_table_names_its_columns(file, text, expected):
    assert lines(file, text.encode()) == expected


def test_cells_are_kept_as_they_are_and_the_rows_know_their_section():
    rows = read("a.csv", b"Hall,Fee,Note\nOld town,,\nElm,70,nice; Fee: 10\n").blocks
    assert [(c.column, c.value) for c in rows[-1].cells] == [("Hall", "Elm"), ("Fee", "70"), ("Note", "nice; Fee: 10")]
    (row,) = [span for span in cut(with_title(rows, "Halls")) if span.kind == "row"]
    assert row.heading == "Halls > Old town"
    assert row.cells == rows[-1].cells


TEXTS = [
    ("struck and hidden text", "a.html", "<style>.x{display:none}</style><p>Costs <s>15</s> 12 EUR.<span class=x>margin 40</span>"
     "<!-- secret --></p><p hidden>no</p><p style='visibility:hidden'>no</p>", ["Costs 12 EUR."]),
    ("words that markup splits", "a.html", "<p><b>3</b><b>:00</b> pm, <i>un</i>available in Jan<wbr>uary</p>",
     ["3:00 pm, unavailable in January"]),
    ("footnote marks and cents", "a.html", "<p>3<sup>1</sup> EUR or &euro;12<sup>.99</sup>, the 1<sup>st</sup></p>",
     ["3¹ EUR or €12.99, the 1st"]),
    ("text in any element", "a.html", "<div>One <section>two</section><details><summary>Three?</summary>Four.</details></div>",
     ["One", "two", "Three?", "Four."]),
    ("terms and definitions", "a.html", "<dl><dt>Sushi<dd>69.00<dt>Pasta<dd>54.00</dl>", ["- Sushi: 69.00", "- Pasta: 54.00"]),
    ("conditions of nested lists", "a.md", "- On Bronze:\n  - 14 days\n- On Silver:\n  - 45 days\n",
     ["- On Bronze: 14 days", "- On Silver: 45 days"]),
    ("numbered steps", "a.md", "1. Pack.\n2. Label.\n", ["1.\tPack.", "2.\tLabel."]),
    ("HTML in Markdown", "a.md", "<details><summary>Free?</summary>\n\nYes. <kbd>P</kbd>\n\n</details>\n<!-- no -->\n",
     ["Free?", "Yes. P"]),
    ("a site's template marks", "a.md", ":::note\nOn Friday.\n:::\n\n{% x %}It costs {{ fee }} EUR. {{< y >}}Wait.{{< /y >}}\n",
     ["On Friday.", "Wait."]),
    ("addresses of links", "a.md", "See [the plan](https://x.example/p), <a@x.example>.", ["See the plan (https://x.example/p), a@x.example."]),
    ("front matter of other tools", "a.md", "+++\ntitle = 'A'\ndate = 2026-01-01\n+++\nText.\n", ["Text."]),
    ("a rule at the head", "a.md", "---\n\nMonday.\n\n---\n\nMay.\n", ["Monday.", "May."]),
    ("leader dots", "a.txt", "Duvet ........ 17.00\nShirt ... 2.90\n", ["Duvet: 17.00", "Shirt: 2.90"]),
    ("wrapped lines", "a.txt", "The fee is\n90 EUR a metre, and the inter-\nnational one is 95.\n",
     ["The fee is 90 EUR a metre, and the international one is 95."]),
    ("lines of their own", "a.txt", "Sauna 12 EUR\nPool 8 EUR\n", ["Sauna 12 EUR", "Pool 8 EUR"]),
    ("a page under another name", "a.txt", "<html><body><p>Open at 6.</p></body></html>", ["Open at 6."]),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "expected"), [t[1:] for t in TEXTS], ids=[t[0] for t in TEXTS])
def test_what_a_person_sees_is_what_is_stored(file, text, expected):
    assert lines(file, text.encode()) == expected


def test_what_is_left_out_is_reported():
    page = "<nav>Home</nav><p>Text.</p><img src=x alt='our map'><iframe src=y></iframe>"
    assert [(i.what, i.where) for i in read("a.html", page.encode()).left_out] == [
        ("1 image", "our map"),
        ("1 embedded page", ""),
        ("navigation or notice", "Home"),
    ]
    told = read("a.md", b"It costs {{ fee }} EUR.\n\nIt is red.\n")
    assert [b.text for b in told.blocks] == ["It is red."]
    assert "template" in told.left_out[0].what


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


BODY = getSampleStyleSheet()["BodyText"]
ITEM = ParagraphStyle("item", parent=BODY, leftIndent=24, bulletIndent=4)


def in_frames(story, *frames: Frame) -> bytes:
    """A PDF whose text flows through frames (in points: left, bottom, width, height)."""
    out = io.BytesIO()
    template = BaseDocTemplate(out, pagesize=A4)
    template.addPageTemplates([PageTemplate("page", list(frames) or [Frame(60, 60, 475, 720)])])
    template.build(list(story))  # building empties the list
    return out.getvalue()


def drawn(draw) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    draw(canvas)
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize("count", [2, 3])
def test_pdf_columns_are_read_one_after_the_other(count):
    sentences = [
        f"Course {n} opens at {n}:30 and costs €{n}.50 for members of the rowing club." for n in range(100, 160)
    ]
    width = 480 / count
    frames = [Frame(50 + (width + 10) * n, 60, width, 400) for n in range(count)]
    found = lines("a.pdf", in_frames([Paragraph(" ".join(sentences), BODY)], *frames))
    assert " ".join(found) == " ".join(sentences)
    assert [s for s in sentences if not any(s in line for line in found)] == []


def test_pdf_list_items_with_a_hanging_indent_are_items_in_columns_too():
    marks = ["a)", "b)", "c)"] * 5
    texts = [f"Item {n} of the list goes on over the end of its line, which is narrow." for n in range(len(marks))]
    story = [Paragraph(text, ITEM, bulletText=mark) for mark, text in zip(marks, texts, strict=True)]
    expected = [f"{mark}\t{text}" for mark, text in zip(marks, texts, strict=True)]
    assert lines("a.pdf", in_frames(story)) == expected
    assert lines("a.pdf", in_frames(story, Frame(60, 60, 230, 260), Frame(300, 60, 230, 260))) == expected


def test_pdf_a_font_may_change_inside_a_word():
    text = Paragraph("The <b>moor</b>ing costs €554<i>.36</i> from 2030<b>-02-16</b>.", BODY)
    assert lines("a.pdf", in_frames([text])) == ["The mooring costs €554.36 from 2030-02-16."]


def test_pdf_text_drawn_twice_is_read_once():
    def draw(canvas):
        for shift in (0, 0.3):
            canvas.drawString(60 + shift, 700, "A locker will be allotted to all.")

    assert lines("a.pdf", drawn(draw)) == ["A locker will be allotted to all."]


def test_pdf_link_addresses_are_written_unless_the_text_shows_them():
    link = '<link href="{}">{}</link>'
    page = link.format("https://club.example/fees", "the list of fees")
    mail = link.format("mailto:desk@club.example?subject=x", "write to us")
    shown = link.format("https://club.example", "https://club.example")
    other = link.format("file:///etc/passwd", "this")
    found = lines("a.pdf", in_frames([Paragraph(f"See {page}, {mail}, {shown} or {other}.", BODY)]))
    expected = "See the list of fees (https://club.example/fees), write to us (desk@club.example), https://club.example or this."
    assert found == [expected]


def test_pdf_invisible_text_is_dropped_and_the_words_around_it_stay_whole():
    def draw(canvas):
        for y, mode, words in ((700, 0, "The price"), (680, 3, "is secret"), (660, 0, "of a kiosk")):
            canvas.saveState()
            text = canvas.beginText(60, y)
            text.setTextRenderMode(mode)
            text.setWordSpace(6)
            text.textOut(words[:-2])
            text.setFont("Helvetica-Oblique", 12)
            text.textOut(words[-2:])
            canvas.drawText(text)
            canvas.restoreState()

    assert lines("a.pdf", drawn(draw)) == ["The price of a kiosk"]


def test_pdf_wrapped_cells_of_a_table_without_rules_are_one_row():
    rows = [("Solo", "One seat with mail support on working days and storage", "4.00"), ("Team", "Ten seats", "9.00")]
    cells = [[Paragraph(text, BODY) for text in row] for row in rows]
    table = Table(
        [["Plan", "Includes", "Price"], *cells], colWidths=[80, 180, 80], style=[("VALIGN", (0, 0), (-1, -1), "TOP")]
    )
    assert lines("a.pdf", in_frames([table])) == [
        "; ".join(f"{name}: {text}" for name, text in zip(("Plan", "Includes", "Price"), row, strict=True))
        for row in rows
    ]


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
    long_text = MARKDOWN + "\n## Long\n\n" + "A sentence of six words here. " * 80
    blocks = with_title(read("a.md", long_text.encode()).blocks, "t")
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
    page = b"# Vault\n\n## Price\n\nIt costs 41 EUR.\n\n### Tax\n\n- Not included.\n\n## Restores\n\nNine hours.\n"
    blocks = read("a.md", page).blocks
    text, spans = render(blocks), cut(blocks)
    (passage,) = passages_of("c", text, spans)
    assert passage.heading == "Vault"
    assert passage.text.startswith("## Price\nIt costs 41 EUR.")
    found = units_of(VERSION, passage)
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
    blocks = read("a.md", text.encode()).blocks
    spans = cut(blocks)
    assert [s.kind for s in spans] == ["row", "prose", "prose"]
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert [s.heading for s in spans] == ["Keys > Life", "Keys > Life", "Keys > Loss"]


def test_a_file_without_a_heading_takes_its_title():
    assert render(with_title(read("a.csv", b"a,b\n1,2\n").blocks, "Prices")) == "# Prices\na: 1; b: 2\n"
