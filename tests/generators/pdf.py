"""PDF files, by reportlab: flowing text in frames, and what has no paragraph drawn by its place."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib
from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from tests.generators import tables
from tests.generators.content import Content, Generated, Unread

WIDE = "DejaVuSans"  # letters outside Latin; matplotlib brings the font
STYLES = getSampleStyleSheet()
BODY = ParagraphStyle("body", parent=STYLES["BodyText"], spaceBefore=4, spaceAfter=6)
JUSTIFIED = ParagraphStyle("justified", parent=BODY, alignment=TA_JUSTIFY)
WIDTH = 460  # of a table on a page
SMALL = ParagraphStyle("small", parent=BODY, fontSize=7, leading=9)
OTHER = ParagraphStyle("other", parent=BODY, fontName=WIDE)
SCRIPTS = ("Cyrillic", "Greek", "Polish")  # those that need no shaping


def register_fonts() -> None:
    if WIDE not in pdfmetrics.getRegisteredFontNames():
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        pdfmetrics.registerFont(TTFont(WIDE, folder / "DejaVuSans.ttf"))


class Drawn(Flowable):
    """A box of the flow that is drawn by a function."""

    def __init__(self, height: float, draw: Callable[[Canvas], None]) -> None:
        super().__init__()
        self.width, self.height, self.drawing = 0.0, height, draw

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return width, self.height

    def draw(self) -> None:
        self.drawing(self.canv)


def split(content: Content, sentence: str) -> str:
    """A sentence as markup whose font changes inside words."""
    out = []
    for word in sentence.split(" "):
        if len(word) < 5 or content.maybe(0.8):
            out.append(escape(word))
            continue
        at = content.random.randrange(2, len(word) - 1)
        pattern = content.random.choice(["<b>{}</b>{}", "{}<i>{}</i>", '<font color="blue">{}</font>{}'])
        out.append(pattern.format(escape(word[:at]), escape(word[at:])))
    return " ".join(out)


def sentence(content: Content) -> str:
    return split(content, content.whole(content.sentence()))


def paragraph_of(content: Content, count: int, style: ParagraphStyle = BODY) -> Paragraph:
    """Sentences that belong together, over lines, columns and pages."""
    texts = [content.whole(content.sentence()) for _ in range(count)]
    return Paragraph(" ".join(split(content, text) for text in texts), style)


# --- features: each returns flowables


def heading(c: Content) -> list[Flowable]:
    return [Paragraph(c.whole(c.name()), STYLES[c.random.choice(["Heading1", "Heading2", "Heading3"])])]


def paragraphs(c: Content) -> list[Flowable]:
    style = c.random.choice([BODY, JUSTIFIED])
    return [paragraph_of(c, c.random.randrange(1, 5), style) for _ in range(c.random.randrange(1, 4))]


def bullets(c: Content) -> list[Flowable]:
    style = ParagraphStyle("item", parent=BODY, leftIndent=18, bulletIndent=6)
    mark = c.random.choice(["•", "-", "–"])
    return [Paragraph(sentence(c), style, bulletText=mark) for _ in range(3)]


def numbered(c: Content) -> list[Flowable]:
    """Steps with numbers or letters, which are text in a PDF."""
    marks = c.random.choice([["1.", "2.", "3."], ["a)", "b)", "c)"], ["(i)", "(ii)", "(iii)"], ["1.1", "1.2", "1.3"]])
    style = ParagraphStyle("step", parent=BODY, leftIndent=24, bulletIndent=4)
    out = []
    for mark in marks:
        c.show(mark)
        out.append(Paragraph(sentence(c), style, bulletText=mark))
    return out


def table(c: Content) -> list[Flowable]:
    return [*ruled(c, tables.table(c)), Spacer(1, 10)]


def ruled(c: Content, grid: tables.Grid, style: Sequence[tuple[object, ...]] = ()) -> list[Flowable]:
    """A grid with lines around its cells."""
    matrix: list[list[object]] = [[""] * grid.width for _ in grid.rows]
    commands: list[tuple[object, ...]] = [
        ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *style,
    ]
    width = WIDTH / grid.width
    wrapped = c.maybe() or not fits(grid, width)
    for y, x, cell in grid.placed():
        matrix[y][x] = wrapped_cell(cell, 9) if wrapped else cell.text
        if cell.columns > 1 or cell.rows > 1:
            commands.append(("SPAN", (x, y), (x + cell.columns - 1, y + cell.rows - 1)))
        if cell.head and c.maybe(0.3):
            commands.append(("BACKGROUND", (x, y), (x, y), colors.lightgrey))
    return [KeepTogether([Table(matrix, style=commands, colWidths=[width] * grid.width)])]


def fits(grid: tables.Grid, width: float) -> bool:
    """Does every cell fit its column on one line? Text that does not would be drawn over the next column."""
    texts = [line for row in grid.rows for cell in row for line in cell.text.split("\n")]
    return all(pdfmetrics.stringWidth(text, "Helvetica", 10) < width - 14 for text in texts)


def wrapped_cell(cell: tables.Cell, size: int) -> Paragraph:
    style = ParagraphStyle("cell", parent=BODY, fontSize=size, leading=size + 2, spaceBefore=0, spaceAfter=0)
    text = escape(cell.text).replace("\n", "<br/>")
    return Paragraph(f"<b>{text}</b>" if cell.head else text, style)


def long_table(c: Content) -> list[Flowable]:
    """A table over two pages; its header is repeated on the second, or not."""
    columns, corner = [c.name() for _ in range(2)], c.name()
    repeated = int(c.maybe())
    rows = [[corner, *columns]]
    c.cell(" ".join(rows[0]))
    for _ in range(60):
        label, values = c.name(), [c.price() for _ in columns]
        rows.append([label, *values])
        c.cell(" ".join(rows[-1]))
        c.rows += [tables.Fact((label,), (n,), v, (tuple(columns),)) for n, v in zip(columns, values, strict=True)]
    made = Table(rows, repeatRows=repeated, style=[("GRID", (0, 0), (-1, -1), 0.5, colors.black)], colWidths=[150] * 3)
    return [made, Spacer(1, 10)]


def unruled_table(c: Content) -> list[Flowable]:
    """Columns without lines: label and values of a row are on one line."""
    grid = tables.plain(c)
    c.rows = [f if f not in c.rows[-_facts(grid) :] else tables.Fact(f.row, (), f.value) for f in c.rows]
    tables.record(c, grid)
    width = 110 if grid.width < 5 else 97
    matrix = [[cell.text for cell in row] for row in grid.rows]
    size = 10 if fits(grid, width) else 7
    return [
        KeepTogether([Table(matrix, colWidths=[width] * grid.width, style=[("FONTSIZE", (0, 0), (-1, -1), size)])]),
        Spacer(1, 10),
    ]


def _facts(grid: tables.Grid) -> int:
    return (len(grid.rows) - 1) * (grid.width - 1)


def leaders(c: Content) -> list[Flowable]:
    """A price list with dots between label and price."""
    out: list[Flowable] = []
    for _ in range(4):
        label, price = c.name(), c.price()
        c.show(f"{label} {price}")
        c.rows.append(tables.Fact((label,), (), price))

        def draw(canvas: Canvas, label: str = label, price: str = price) -> None:
            canvas.setFont("Helvetica", 10)
            canvas.drawString(0, 2, f"{label} ")
            start, end = (
                canvas.stringWidth(f"{label} ", "Helvetica", 10),
                440 - canvas.stringWidth(price, "Helvetica", 10),
            )
            canvas.drawString(start, 2, "." * int((end - start) / canvas.stringWidth(".", "Helvetica", 10) - 1))
            canvas.drawString(end, 2, price)

        out.append(Drawn(14, draw))
    return [*out, Spacer(1, 10)]


def hyphens(c: Content) -> list[Flowable]:
    """A paragraph whose words are divided at the ends of its lines."""
    lines = divided(" ".join(c.whole(c.sentence()) for _ in range(4)), c.random.randrange(50, 80))

    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(0, 12 * len(lines))
        text.setFont("Helvetica", 10)
        text.setLeading(12)
        for line in lines:
            text.textLine(line)
        canvas.drawText(text)

    return [Spacer(1, 10), Drawn(12 * len(lines) + 12, draw), Spacer(1, 10)]


def divided(text: str, width: int) -> list[str]:
    """Lines of about so many characters; a word that does not fit goes on in the next line behind a hyphen."""
    lines = [""]
    for word in text.split(" "):
        room = width - len(lines[-1]) - 2
        if room >= len(word):
            lines[-1] = f"{lines[-1]} {word}".strip()
        elif word.isalpha() and len(word) > 6 and room > 3:
            at = min(room, len(word) - 3)
            lines[-1] += f" {word[:at]}-"
            lines.append(word[at:])
        else:
            lines.append(word)
    return lines


def footnote_marks(c: Content) -> list[Flowable]:
    amount, name = c.amount(), c.token()
    c.show(f"A {name} costs {amount}")
    c.spare("1")
    c.show("EUR")
    text = f"A {name} costs {amount}<super>1</super> EUR"
    note = c.whole(c.sentence())
    return [Paragraph(text, BODY), Paragraph(f"<super>1</super> {escape(note)}", SMALL)]


def links(c: Content) -> list[Flowable]:
    name = c.token()
    c.show(f"See the {name} page")
    return [Paragraph(f'See the <link href="{c.address()}" color="blue">{name} page</link>', BODY)]


def hidden(c: Content) -> list[Flowable]:
    """Text that is drawn invisibly, and text outside the page, between lines that are seen."""
    secret, outside = c.hide(), c.hide()

    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(0, 4)
        text.setTextRenderMode(3)
        text.textLine(secret)
        text.setTextRenderMode(0)
        canvas.drawText(text)
        canvas.drawString(2000, 4, outside)

    return [Paragraph(sentence(c), BODY), Drawn(14, draw), Paragraph(sentence(c), BODY)]


def spaced(c: Content) -> list[Flowable]:
    """Letters set wide, words placed one by one without a space sign, and letters that are kerned apart."""
    wide, placed = c.whole(c.name()), c.whole(c.sentence())

    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(0, 20)
        text.setFont("Helvetica", 11)
        text.setCharSpace(1.5)
        text.textLine(wide)
        text.setCharSpace(0)
        canvas.drawText(text)
        x = 0.0
        for word in placed.split(" "):
            canvas.drawString(x, 2, word)
            x += canvas.stringWidth(word, "Helvetica", 11) + 3.2

    return [Spacer(1, 8), Drawn(36, draw), Spacer(1, 8)]


def twice(c: Content) -> list[Flowable]:
    """A line that is drawn twice, a little apart, to look bold."""
    text = c.whole(c.sentence())

    def draw(canvas: Canvas) -> None:
        canvas.drawString(0, 2, text)
        canvas.drawString(0.3, 2, text)

    return [Spacer(1, 6), Drawn(16, draw), Spacer(1, 6)]


def notice(c: Content) -> list[Flowable]:
    """A frame around a paragraph."""
    text = paragraph_of(c, 2)
    return [Table([[text]], style=[("BOX", (0, 0), (-1, -1), 1, colors.black)], colWidths=[WIDTH]), Spacer(1, 8)]


def scripts(c: Content) -> list[Flowable]:
    return [Paragraph(escape(c.whole(c.foreign(SCRIPTS))), OTHER) for _ in range(2)]


def signs(c: Content) -> list[Flowable]:
    text = c.whole(f"“{c.token()}” – {c.amount()} € für Café {c.token()}…")
    return [Paragraph(escape(text), BODY)]


def over_the_page(c: Content) -> list[Flowable]:
    """A sentence that goes on over the page."""
    return [paragraph_of(c, 45, c.random.choice([BODY, JUSTIFIED]))]


def side_by_side(c: Content) -> list[Flowable]:
    """Two tables next to each other, each with its own header."""
    pair = [tables.table(c, (tables.plain,)) for _ in range(2)]
    style = [
        ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
    ]
    made = []
    for grid in pair:
        rows = [[wrapped_cell(cell, 6) for cell in row] for row in grid.rows]
        made.append(Table(rows, style=style, colWidths=[215 / grid.width] * grid.width))
    return [
        KeepTogether([Table([made], colWidths=[235, 225], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])]),
        Spacer(1, 10),
    ]


FEATURES: tuple[Callable[[Content], list[Flowable]], ...] = (
    heading,
    heading,
    paragraphs,
    paragraphs,
    bullets,
    numbered,
    table,
    table,
    table,
    table,
    long_table,
    unruled_table,
    leaders,
    hyphens,
    footnote_marks,
    links,
    hidden,
    spaced,
    twice,
    notice,
    scripts,
    signs,
    over_the_page,
    side_by_side,
)
NARROW = (heading, paragraphs, paragraphs, bullets, numbered, over_the_page)  # what fits half a page


def columns(c: Content) -> list[Flowable]:
    """A page of two columns, read one after the other."""
    c.feature = "columns"
    title = Paragraph(c.whole(c.name()), STYLES["Heading1"])
    out: list[Flowable] = [NextPageTemplate("two"), PageBreak(), title]
    for feature in c.random.choices(NARROW, k=c.random.randrange(3, 7)):
        c.feature = f"columns: {feature.__name__}"
        out += feature(c)
    return [*out, NextPageTemplate("one"), PageBreak()]


def scan(c: Content) -> list[Flowable]:
    """A page without text, which a reader reports."""
    c.unread.append(Unread(c.token(), ("page", "scan", "image")))
    return [PageBreak(), Drawn(200, lambda canvas: canvas.drawInlineImage(_picture(), 0, 0, 300, 180)), PageBreak()]


def _picture() -> object:
    from PIL import Image

    return Image.new("RGB", (60, 40), "grey")


def generate(seed: object) -> Generated:
    """A PDF."""
    register_fonts()
    c = Content(f"pdf {seed}")
    c.feature = "frame"
    lines = [c.spare(c.token()), c.spare(c.token())] if c.maybe(0.6) else []
    c.spare(" ".join(str(n) for n in range(1, 30)) + " page of")
    story: list[Flowable] = [Paragraph(c.whole(c.name()), STYLES["Title"])]
    for feature in c.random.choices(FEATURES, k=c.random.randrange(3, 9)):
        c.feature = feature.__name__
        story += [CondPageBreak(60), *feature(c)]
    if c.maybe(0.3):
        story += columns(c)
    if c.maybe(0.1):
        c.feature = "scan"
        story += scan(c)
    c.feature = "end"
    story.append(Paragraph(sentence(c), BODY))
    return c.made(f"file-{seed}.pdf", built(story, lines, compressed=c.maybe()))


def built(story: list[Flowable], lines: list[str], *, compressed: bool) -> bytes:
    """The file, with lines that run on every page."""
    width, height = A4
    whole = Frame(60, 60, width - 120, height - 120, id="whole")
    half = (width - 140) / 2
    left, right = Frame(60, 60, half, height - 120, id="left"), Frame(80 + half, 60, half, height - 120, id="right")

    def running(canvas: Canvas, document: BaseDocTemplate) -> None:
        if lines:
            canvas.setFont("Helvetica", 8)
            canvas.drawString(60, height - 40, f"{lines[0]}")
            canvas.drawString(60, 30, f"{lines[1]}")
            canvas.drawRightString(width - 60, 30, f"Page {document.page}")

    out = io.BytesIO()
    document = BaseDocTemplate(out, pagesize=A4, pageCompression=int(compressed), invariant=1)
    document.addPageTemplates(
        [PageTemplate("one", [whole], onPage=running), PageTemplate("two", [left, right], onPage=running)]
    )
    document.build(story)
    return out.getvalue()
