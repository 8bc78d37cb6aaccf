"""Word documents: python-docx gives the package and its styles, the body is written as XML."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import docx as library
from docx.document import Document
from docx.opc.constants import RELATIONSHIP_TYPE as RELATION
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml

from tests.generators import tables
from tests.generators.content import Content, Generated

SPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "v": "urn:schemas-microsoft-com:vml",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
STYLES = (
    '<w:style w:type="character" w:customStyle="1" w:styleId="Quiet"><w:name w:val="Quiet"/><w:rPr><w:vanish/></w:rPr></w:style>',
    '<w:style w:type="character" w:customStyle="1" w:styleId="Quieter"><w:name w:val="Quieter"/><w:basedOn w:val="Quiet"/></w:style>',
    '<w:style w:type="paragraph" w:customStyle="1" w:styleId="QuietText"><w:name w:val="Quiet Text"/><w:rPr><w:vanish/></w:rPr></w:style>',
    '<w:style w:type="paragraph" w:customStyle="1" w:styleId="Section"><w:name w:val="Section name"/>'
    '<w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/></w:rPr></w:style>',
)
NUMBERING = (
    '<w:abstractNum w:abstractNumId="90"><w:multiLevelType w:val="multilevel"/>'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%2)"/></w:lvl></w:abstractNum>'
)
NOTE_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.{}+xml"


@dataclass
class Draft:
    """The document that is being written, and the notes that its text refers to."""

    content: Content
    document: Document | None  # None: a bare package without styles or relations
    footnotes: list[str] = field(default_factory=list)
    endnotes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def link(self, address: str) -> str:
        """The relation of a link's target."""
        assert self.document
        return self.document.part.relate_to(address, RELATION.HYPERLINK, is_external=True)


def run(text: str, properties: str = "") -> str:
    """A run; a line break or a tab in the text becomes one of the document."""
    inner = escape(text).replace("\n", "</w:t><w:br/><w:t>").replace("\t", '</w:t><w:tab/><w:t xml:space="preserve">')
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{inner}</w:t></w:r>'


def paragraph(inner: str, style: str = "", properties: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{properties}</w:pPr>{inner}</w:p>"


def split(content: Content, sentence: str) -> str:
    """A sentence as runs that begin and end inside words."""
    out, rest = [], sentence
    properties = ["<w:b/>", "<w:i/>", "", "<w:u w:val='single'/>", "<w:highlight w:val='yellow'/>", "<w:caps/>"]
    between = [
        "",
        "",
        "<w:proofErr w:type='spellStart'/>",
        "<w:bookmarkStart w:id='1' w:name='x'/><w:bookmarkEnd w:id='1'/>",
    ]
    between += ["<w:r><w:softHyphen/></w:r>", "<w:r><w:lastRenderedPageBreak/></w:r>"]
    while rest:
        length = content.random.randrange(3, 30)
        out.append(run(rest[:length], content.random.choice(properties)))
        rest = rest[length:]
        inside = rest[:1].isalpha() and out[-1][-13:-12].isalpha()  # a soft hyphen belongs inside a word
        out.append(content.random.choice(between if inside else between[:2]))
    return "".join(out)


def sentence(content: Content, **options: bool) -> str:
    """A visible sentence as runs."""
    return split(content, content.whole(content.sentence(), **options))


# --- features: each returns block elements


def heading(d: Draft) -> str:
    style = d.content.random.choice(["Heading1", "Heading2", "Heading3", "Section"])
    return paragraph(split(d.content, d.content.whole(d.content.name())), style)


def paragraphs(d: Draft) -> str:
    c = d.content
    return "".join(paragraph(sentence(c) + run(" ") + sentence(c)) for _ in range(c.random.randrange(1, 4)))


def breaks(d: Draft) -> str:
    """Line, page and column breaks, and the old carriage return, inside a paragraph."""
    kinds = ["<w:br/>", '<w:br w:type="page"/>', '<w:br w:type="column"/>', "<w:cr/>", "<w:tab/>"]
    lines = [sentence(d.content) for _ in range(3)]
    return paragraph(f"<w:r>{d.content.random.choice(kinds)}</w:r>".join(lines))


def tabs(d: Draft) -> str:
    """A price list with tabs: label and price of a line are together."""
    out = []
    for _ in range(3):
        label, price = d.content.name(), d.content.price()
        d.content.show(f"{label} {price}")
        d.content.rows.append(tables.Fact((label,), (), price))
        out.append(paragraph(run(f"{label}\t{price}")))
    return "".join(out)


def hard_hyphens(d: Draft) -> str:
    first, second = d.content.token(), d.content.token()
    d.content.whole(f"A {first}-{second} is a {first}")
    return paragraph(f"{run(f'A {first}')}<w:r><w:noBreakHyphen/></w:r>{run(f'{second} is a {first}')}")


def footnote_marks(d: Draft) -> str:
    """A raised digit behind an amount, typed by hand."""
    amount, name = d.content.amount(), d.content.token()
    d.content.show(f"A {name} costs {amount}")
    d.content.spare("1")
    d.content.show("EUR")
    raised = d.content.random.choice(
        ['<w:vertAlign w:val="superscript"/>', '<w:position w:val="8"/><w:sz w:val="14"/>']
    )
    return paragraph(run(f"A {name} costs {amount}") + run("1", raised) + run(" EUR"))


def list_of_conditions(d: Draft) -> str:
    out = []
    for _ in range(2):
        out.append(
            paragraph(split(d.content, d.content.whole(f"On the {d.content.name()} plan:", repeats=True)), "ListBullet")
        )
        out += [paragraph(sentence(d.content), "ListBullet2") for _ in range(2)]
    return "".join(out)


def numbered(d: Draft) -> str:
    """Numbers and letters that the document's numbering gives."""
    d.content.spare("1 2 3 4 5 6 a b c")
    level = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="90"/></w:numPr>'
    return "".join(paragraph(sentence(d.content), "", level.format(depth)) for depth in (0, 1, 1, 0))


def table(d: Draft) -> str:
    return table_markup(d.content, tables.table(d.content)) + paragraph("")


def table_markup(content: Content, grid: tables.Grid) -> str:
    """A grid as a table: cells merged downwards go on as empty ones."""
    rows: list[list[tuple[int, str]]] = [[] for _ in grid.rows]
    repeat = content.maybe()
    for y, x, cell in grid.placed():
        for dy in range(cell.rows):
            merge = "" if cell.rows == 1 else f"<w:vMerge{'' if dy else ' w:val=' + chr(34) + 'restart' + chr(34)}/>"
            span = f'<w:gridSpan w:val="{cell.columns}"/>' if cell.columns > 1 else ""
            rows[y + dy].append((x, cell_markup(cell_text(content, cell) if dy == 0 else paragraph(""), span + merge)))
    columns = "<w:gridCol/>" * grid.width
    out = []
    for number, row in enumerate(rows):
        named = "<w:trPr><w:tblHeader/></w:trPr>" if repeat and number < grid.heads else ""
        out.append(f"<w:tr>{named}{''.join(cell for _, cell in sorted(row))}</w:tr>")
    return f"<w:tbl><w:tblPr/><w:tblGrid>{columns}</w:tblGrid>{''.join(out)}</w:tbl>"


def cell_markup(inner: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner}</w:tc>"


def cell_text(content: Content, cell: tables.Cell) -> str:
    if content.maybe():
        return paragraph(run(cell.text))
    return "".join(paragraph(run(line, "<w:b/>" if cell.head else "")) for line in cell.text.split("\n"))


def simple_table(rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are markup already."""
    lines = "".join(f"<w:tr>{''.join(cell_markup(cell) for cell in row)}</w:tr>" for row in rows)
    return f"<w:tbl><w:tblPr/><w:tblGrid>{'<w:gridCol/>' * len(rows[0])}</w:tblGrid>{lines}</w:tbl>"


def nested_table(d: Draft) -> str:
    """A table in a cell: its values belong to the row that the cell is in."""
    c = d.content
    column, inner = c.name(), c.name()
    rows = [[paragraph(run(c.cell(c.name()))), paragraph(run(c.cell(column)))]]
    for _ in range(2):
        label, price, value = c.name(), c.price(), c.price()
        c.cell(f"{label} {price} {inner} {value}")
        c.rows += [tables.Fact((label,), (column,), price), tables.Fact((label,), (inner,), value)]
        within = simple_table([[paragraph(run(inner)), paragraph(run(value))]])
        rows.append([paragraph(run(label)), paragraph(run(price)) + within + paragraph("")])
    return simple_table(rows) + paragraph("")


def lists_in_cells(d: Draft) -> str:
    c = d.content
    rows = [[paragraph(run(c.cell(c.name()))) for _ in range(2)]]
    label, first, second = c.name(), c.token(), c.price()
    c.cell(f"{label} {first} {second}")
    c.rows += [tables.Fact((label,), (), first), tables.Fact((label,), (), second)]
    items = paragraph(run(first), "ListBullet") + paragraph(run(second), "ListBullet")
    return simple_table([*rows, [paragraph(run(label)), items]]) + paragraph("")


def late_rows(d: Draft) -> str:
    """A row that begins in the second column."""
    c = d.content
    columns = [c.name() for _ in range(3)]
    rows = [[paragraph(run(c.cell(name))) for name in columns]]
    label, values = c.name(), [c.price() for _ in range(2)]
    late = [c.price() for _ in range(2)]
    for text in (label, *values, *late):
        c.cell(text)
    level = (tuple(columns),)
    c.rows += [tables.Fact((label,), (columns[i + 1],), v, level) for i, v in enumerate(values)]
    c.rows += [tables.Fact((), (columns[i + 1],), v, level) for i, v in enumerate(late)]
    rows.append([paragraph(run(text)) for text in (label, *values)])
    cells = "".join(cell_markup(paragraph(run(v))) for v in late)
    last = f'<w:tr><w:trPr><w:gridBefore w:val="1"/></w:trPr>{cells}</w:tr></w:tbl>'
    return simple_table(rows).removesuffix("</w:tbl>") + last + paragraph("")


def struck(d: Draft) -> str:
    c = d.content
    name, old, new = c.token(), c.amount(), c.amount()
    c.show(f"The {name} costs")
    c.spare(old)
    c.show(f"{new} EUR")
    return paragraph(
        run(f"The {name} costs ") + run(f"{old} ", c.random.choice(["<w:strike/>", "<w:dstrike/>"])) + run(f"{new} EUR")
    )


MARK = 'w:id="7" w:author="A" w:date="2026-01-05T10:00:00Z"'
HIDDEN = (
    "<w:r><w:rPr><w:vanish/></w:rPr><w:t>{}</w:t></w:r>",
    '<w:r><w:rPr><w:vanish w:val="true"/></w:rPr><w:t>{}</w:t></w:r>',
    '<w:r><w:rPr><w:rStyle w:val="Quiet"/></w:rPr><w:t>{}</w:t></w:r>',
    '<w:r><w:rPr><w:rStyle w:val="Quieter"/></w:rPr><w:t>{}</w:t></w:r>',
    f"<w:del {MARK}><w:r><w:delText>{{}}</w:delText></w:r></w:del>",
    f"<w:moveFrom {MARK}><w:r><w:t>{{}}</w:t></w:r></w:moveFrom>",
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> COMMENTS {} </w:instrText></w:r>'
    '<w:r><w:fldChar w:fldCharType="end"/></w:r>',
    f"<w:del {MARK}><w:r><w:rPr><w:b/></w:rPr><w:delText>{{}}</w:delText><w:tab/></w:r></w:del>",
)


def hidden(d: Draft) -> str:
    """Hidden text inside a sentence, and a paragraph of it by its style."""
    c = d.content
    words_ = c.whole(c.sentence()).split(" ")
    at = c.random.randrange(1, len(words_))
    kinds = HIDDEN if d.document else tuple(k for k in HIDDEN if "rStyle" not in k)
    inside = c.random.choice(kinds).format(c.hide())
    out = paragraph(run(" ".join(words_[:at]) + " ") + inside + run(" ".join(words_[at:])))
    if d.document and c.maybe():
        out += paragraph(run(c.hide()), "QuietText")
    return out + paragraph(sentence(c))


def seems_hidden(d: Draft) -> str:
    """Text that a style hides and the run shows again, and inserted or moved text."""
    c = d.content
    out = [
        f"<w:p><w:pPr/>{run(c.whole(c.sentence()), '<w:vanish w:val=' + chr(34) + '0' + chr(34) + '/>')}</w:p>",
        paragraph(f"<w:ins {MARK}>{sentence(c)}</w:ins>"),
        paragraph(f"<w:moveTo {MARK}>{sentence(c)}</w:moveTo>"),
        paragraph(run(c.whole(c.sentence()), "<w:webHidden/>")),
    ]
    return "".join(out)


def tracked_rows(d: Draft) -> str:
    """A row that was deleted, one that was inserted, and one that is hidden."""
    c = d.content
    column = c.name()
    out = simple_table([[paragraph(run(c.cell(c.name()))), paragraph(run(c.cell(column)))]]).removesuffix("</w:tbl>")
    gone = paragraph(f"<w:del {MARK}><w:r><w:delText>{c.hide()}</w:delText></w:r></w:del>")
    out += f"<w:tr><w:trPr><w:del {MARK}/></w:trPr>{cell_markup(gone)}{cell_markup(gone)}</w:tr>"
    label, price = c.name(), c.price()
    c.cell(f"{label} {price}")
    c.rows.append(tables.Fact((label,), (column,), price))
    new = [paragraph(f"<w:ins {MARK}>{run(text)}</w:ins>") for text in (label, price)]
    out += f"<w:tr><w:trPr><w:ins {MARK}/></w:trPr>{''.join(cell_markup(cell) for cell in new)}</w:tr>"
    unseen = paragraph(run(c.hide(), "<w:vanish/>"))
    out += f"<w:tr><w:trPr><w:hidden/></w:trPr>{cell_markup(unseen)}{cell_markup(unseen)}</w:tr>"
    return f"{out}</w:tbl>" + paragraph("")


def text_box(d: Draft) -> str:
    """A box on the page, with the copy that it carries for old programs."""
    c = d.content
    beside = sentence(c)
    inside = paragraph(sentence(c, loose=True)) + paragraph(sentence(c, loose=True))
    alt = c.spare(c.token())
    box = (
        '<wp:anchor distT="0" distB="0" distL="0" distR="0" simplePos="0" relativeHeight="1" behindDoc="0" locked="0"'
        ' layoutInCell="1" allowOverlap="1"><wp:simplePos x="0" y="0"/><wp:positionH relativeFrom="column"><wp:posOffset>0'
        '</wp:posOffset></wp:positionH><wp:positionV relativeFrom="paragraph"><wp:posOffset>0</wp:posOffset></wp:positionV>'
        f'<wp:extent cx="2000000" cy="900000"/><wp:wrapNone/><wp:docPr id="9" name="Box 9" descr="{alt}"/><wp:cNvGraphicFramePr/>'
        f'<a:graphic><a:graphicData uri="{SPACES["wps"]}"><wps:wsp><wps:cNvSpPr txBox="1"/><wps:spPr/><wps:txbx><w:txbxContent>'
        f"{inside}</w:txbxContent></wps:txbx><wps:bodyPr/></wps:wsp></a:graphicData></a:graphic></wp:anchor>"
    )
    old = f'<w:pict><v:shape id="s" style="width:90pt"><v:textbox><w:txbxContent>{inside}</w:txbxContent></v:textbox></v:shape></w:pict>'
    if c.maybe(0.3):  # as old programs write it
        return paragraph(f"{beside}<w:r>{old}</w:r>")
    both = f'<mc:AlternateContent><mc:Choice Requires="wps"><w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback>{old}</mc:Fallback></mc:AlternateContent>'
    return paragraph(f"{beside}<w:r>{both}</w:r>")


def controls(d: Draft) -> str:
    """Content controls around a word, a paragraph, a cell and a row, and a ticked box."""
    c = d.content
    start, word, end = c.noun(), c.token(), c.token()
    c.whole(f"The {start} is called {word} by {end}")
    control = f'<w:sdt><w:sdtPr><w:alias w:val="{c.spare(c.token())}"/><w:text/></w:sdtPr><w:sdtContent>{{}}</w:sdtContent></w:sdt>'
    out = paragraph(run(f"The {start} is called ") + control.format(run(word)) + run(f" by {end}"))
    out += control.format(paragraph(sentence(c)))
    box = '<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val="1"/></w14:checkbox></w:sdtPr><w:sdtContent><w:r><w:t>☒</w:t></w:r></w:sdtContent></w:sdt>'
    out += paragraph(box + run(" ") + sentence(c))
    column, label, price = c.name(), c.name(), c.price()
    first = [paragraph(run(c.cell(c.name()))), paragraph(run(c.cell(column)))]
    c.cell(f"{label} {price}")
    c.rows.append(tables.Fact((label,), (column,), price))
    row = cell_markup(paragraph(run(label))) + control.format(cell_markup(paragraph(run(price))))
    return (
        out
        + simple_table([first]).removesuffix("</w:tbl>")
        + control.format(f"<w:tr>{row}</w:tr>")
        + "</w:tbl>"
        + paragraph("")
    )


def wrappers(d: Draft) -> str:
    """Elements that only wrap text: smart tags, custom XML, directions, simple fields."""
    c = d.content
    first, second, third, fourth = (c.token() for _ in range(4))
    c.whole(f"From {first} to {second} by {third} or {fourth}")
    inner = (
        run("From ")
        + f'<w:smartTag w:uri="u" w:element="e">{run(first)}</w:smartTag>'
        + run(" to ")
        + f'<w:customXml w:uri="u" w:element="e">{run(second)}</w:customXml>'
        + run(" by ")
        + f'<w:fldSimple w:instr=" REF x ">{run(third)}</w:fldSimple>'
        + run(" or ")
        + f'<w:dir w:val="ltr">{run(fourth)}</w:dir>'
    )
    return paragraph(inner) + f'<w:customXml w:uri="u" w:element="e">{paragraph(sentence(c))}</w:customXml>'


def field_results(d: Draft) -> str:
    """A complex field: its result is text, its instruction is not."""
    c = d.content
    name, value = c.token(), c.price()
    c.whole(f"The {name} costs {value} today")
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    inner = f"{mark.format('begin')}<w:r><w:instrText> DOCPROPERTY {c.hide(c.token())} </w:instrText></w:r>{mark.format('separate')}"
    return paragraph(run(f"The {name} costs ") + inner + run(value) + mark.format("end") + run(" today"))


def links(d: Draft) -> str:
    """Links by relation and by field."""
    c = d.content
    first, second = c.token(), c.token()
    c.show(f"See the {first} page and the {second} page")
    one = f'<w:hyperlink r:id="{d.link(c.address())}">{run(f"{first} page")}</w:hyperlink>'
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    other = f'{mark.format("begin")}<w:r><w:instrText xml:space="preserve"> HYPERLINK "{c.address()}" </w:instrText></w:r>{mark.format("separate")}'
    return paragraph(run("See the ") + one + run(" and the ") + other + run(f"{second} page") + mark.format("end"))


def notes(d: Draft) -> str:
    """A footnote and an endnote behind an amount, and a reviewer's comment that is not part of the text."""
    c = d.content
    first, second, name = c.amount(), c.amount(), c.token()
    c.show(f"The {name} costs {first}")
    c.show(f"EUR or {second}")
    c.show("USD")
    c.spare("1 2 3 4 5 6 7 8 9 i ii iii")
    d.footnotes.append(sentence(c, loose=True))
    d.endnotes.append(sentence(c, loose=True))
    d.comments.append(c.hide())
    style = "<w:rPr><w:vertAlign w:val='superscript'/></w:rPr>"
    foot = f'<w:r>{style}<w:footnoteReference w:id="{len(d.footnotes) + 1}"/></w:r>'
    end = f'<w:r>{style}<w:endnoteReference w:id="{len(d.endnotes) + 1}"/></w:r>'
    remark = f'<w:r><w:commentReference w:id="{len(d.comments)}"/></w:r>'
    return paragraph(run(f"The {name} costs {first}") + foot + run(f" EUR or {second}") + end + remark + run(" USD"))


def drop_cap(d: Draft) -> str:
    """A large first letter, which Word keeps in a paragraph of its own."""
    text = d.content.whole(d.content.token().capitalize() + " is " + d.content.sentence().lower())
    frame = '<w:keepNext/><w:framePr w:dropCap="drop" w:lines="3" w:wrap="around" w:vAnchor="text" w:hAnchor="text"/>'
    return paragraph(run(text[0], '<w:sz w:val="90"/>'), "", frame) + paragraph(run(text[1:]))


def equation(d: Draft) -> str:
    c = d.content
    name, amount = c.token(), c.amount()
    c.show(f"The fee is {name} {amount}")
    part = "<m:r><m:t>{}</m:t></m:r>"
    return paragraph(
        run("The fee is ") + f"<m:oMath>{part.format(name)}{part.format('=')}{part.format(amount)}</m:oMath>"
    )


def captions(d: Draft) -> str:
    c = d.content
    above = paragraph(split(c, c.whole(f"All prices in {c.token()} without tax")), "Caption")
    return above + table_markup(c, tables.table(c, (tables.plain,))) + paragraph("")


def scripts(d: Draft) -> str:
    return "".join(paragraph(run(d.content.whole(d.content.foreign()))) for _ in range(2))


BARE: tuple[Callable[[Draft], str], ...] = (
    paragraphs,
    breaks,
    tabs,
    hard_hyphens,
    footnote_marks,
    table,
    table,
    table,
    table,
    nested_table,
    late_rows,
    struck,
    hidden,
    hidden,
    seems_hidden,
    tracked_rows,
    text_box,
    controls,
    wrappers,
    field_results,
    equation,
    scripts,
)
FEATURES = (*BARE, heading, heading, list_of_conditions, numbered, lists_in_cells, links, notes, drop_cap, captions)


def write_body(d: Draft, features: Sequence[Callable[[Draft], str]]) -> str:
    out = []
    for feature in d.content.random.choices(features, k=d.content.random.randrange(3, 10)):
        d.content.feature = feature.__name__
        out.append(feature(d))
    return "".join(out)


def generate(seed: object) -> Generated:
    """A document."""
    content = Content(f"docx {seed}")
    data = bare(content) if content.maybe(0.1) else styled(content)
    return content.made(f"document-{seed}.docx", data)


def bare(content: Content) -> bytes:
    """A package with nothing but its text, as small programs write it."""
    content.feature = "frame"
    title = paragraph(run(content.whole(content.name())))
    body = title + write_body(Draft(content, None), BARE)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        types = "http://schemas.openxmlformats.org/package/2006/content-types"
        main = NOTE_TYPE.format("document.main")
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{types}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        )
        rels = "http://schemas.openxmlformats.org/package/2006/relationships"
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{SPACES["r"]}/officeDocument" Target="word/document.xml"/></Relationships>',
        )
        archive.writestr("word/document.xml", f"<w:document {DECLARED}><w:body>{body}</w:body></w:document>")
    return out.getvalue()


def styled(content: Content) -> bytes:
    """A document with styles, numbering, notes, and lines that run on every page."""
    document = library.Document()
    for style in STYLES:
        document.styles.element.append(parse_xml(style.replace("<w:style ", f"<w:style {DECLARED} ", 1)))
    numbering = document.part.numbering_part.element
    numbering.insert(0, parse_xml(NUMBERING.replace("<w:abstractNum ", f"<w:abstractNum {DECLARED} ", 1)))
    numbering.append(parse_xml(f'<w:num {DECLARED} w:numId="90"><w:abstractNumId w:val="90"/></w:num>'))
    draft = Draft(content, document)
    content.feature = "frame"
    document.sections[0].header.paragraphs[0].text = content.spare(content.name())
    document.sections[0].footer.paragraphs[0].text = content.spare(f"Page 1 {content.token()}")
    title = paragraph(run(content.whole(content.name())), content.random.choice(["Title", "Heading1"]))
    body = parse_xml(f"<w:body {DECLARED}>{title}{write_body(draft, FEATURES)}</w:body>")
    place = document.element.body
    for element in reversed(list(body)):
        place.insert(0, element)
    for kind, texts in (("footnote", draft.footnotes), ("endnote", draft.endnotes), ("comment", draft.comments)):
        if texts:
            add_notes(document, kind, texts)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def add_notes(document: Document, kind: str, texts: Sequence[str]) -> None:
    """The part with the footnotes, endnotes or comments."""
    first = 1 if kind == "comment" else 2
    rows = [
        f'<w:{kind} w:id="{n}" w:author="A">{paragraph(text if kind != "comment" else run(text))}</w:{kind}>'
        for n, text in enumerate(texts, first)
    ]
    if kind != "comment":  # the lines between text and notes, which Word keeps as notes too
        rows.insert(0, f'<w:{kind} w:type="separator" w:id="0"><w:p><w:r><w:separator/></w:r></w:p></w:{kind}>')
    xml = f"<?xml version='1.0' encoding='UTF-8'?><w:{kind}s {DECLARED}>{''.join(rows)}</w:{kind}s>"
    part = Part(PackURI(f"/word/{kind}s.xml"), NOTE_TYPE.format(f"{kind}s"), xml.encode(), document.part.package)
    document.part.relate_to(part, f"{SPACES['r']}/{kind}s")
