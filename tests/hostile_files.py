"""Files that mean harm or were broken on the way: what strangers upload, made small enough to keep in code.

Each entry of `HOSTILE` is a file name and a function that makes the bytes. What a reader does with them is for
`tests/test_hostile_files.py`: it reads the file or refuses it by name, within its limits.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from email.message import EmailMessage, MIMEPart

import docx
import openpyxl

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
DEEP = 10_000


# --- office files


def with_part(data: bytes, name: str, part: bytes) -> bytes:
    """An archive with one part replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as copy:
        for entry in archive.namelist():
            if entry != name:
                copy.writestr(entry, archive.read(entry))
        copy.writestr(name, part)
    return out.getvalue()


def small_docx(text: str = "A locker costs 5 EUR.") -> bytes:
    document, out = docx.Document(), io.BytesIO()
    document.add_paragraph(text)
    document.save(out)
    return out.getvalue()


def small_xlsx(*rows: list[object]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows or (["Locker", "Price"], ["small", "5 EUR"]):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def docx_of(body: str) -> bytes:
    return with_part(
        small_docx(), "word/document.xml", f"<w:document {WORD}><w:body>{body}</w:body></w:document>".encode()
    )


def sheet_of(rows: str, after: str = "", size: str = "A1:A1") -> bytes:
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    xml = f'<worksheet {space}><dimension ref="{size}"/><sheetData>{rows}</sheetData>{after}</worksheet>'
    return with_part(small_xlsx(), "xl/worksheets/sheet1.xml", xml.encode())


def text_cell(name: str, text: str = "5 EUR") -> str:
    return f'<c r="{name}" t="inlineStr"><is><t>{text}</t></is></c>'


ROW = f'<row r="1">{text_cell("A1", "Locker")}{text_cell("B1", "Price")}</row>'


def zip_bomb(make: Callable[[], bytes], part: str) -> bytes:
    return with_part(make(), part, b"<a>" + b" " * 150_000_000)


def nested_bomb() -> bytes:
    """Archives in an archive, each of which unpacks to a hundred times its size."""
    inner = b"0" * 10_000_000
    for _ in range(3):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(4):
                archive.writestr(f"word/embeddings/{number}.docx", inner)
        inner = out.getvalue()
    return with_part(small_docx(), "word/embeddings/a.docx", inner)


def lying_archive() -> bytes:
    """An archive whose directory states a small size for a part that unpacks to a large one."""
    data = bytearray(with_part(small_docx(), "word/document.xml", b"<a>" + b" " * 80_000_000))
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"word/document.xml"))
    data[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    return bytes(data)


def many_parts() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(small_docx())) as archive, zipfile.ZipFile(out, "w") as copy:
        for entry in archive.namelist():
            copy.writestr(entry, archive.read(entry))
        for number in range(60_000):
            copy.writestr(f"word/media/{number}.png", b"")
    return out.getvalue()


def entities(element: str) -> str:
    """A declaration of entities that hold entities: a thousand million times `ha` in the end."""
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>{element}'


def laughing_docx() -> bytes:
    body = f"<w:document {WORD}><w:body><w:p><w:r><w:t>It costs 5 EUR &l9;</w:t></w:r></w:p></w:body></w:document>"
    return with_part(small_docx(), "word/document.xml", entities(body).encode())


def laughing_xlsx() -> bytes:
    strings = (
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        + "<si><t>&l9;</t></si>" * 4
        + "</sst>"
    )
    return with_part(small_xlsx(), "xl/sharedStrings.xml", entities(strings).encode())


def laughing_rels() -> bytes:
    part = "word/_rels/document.xml.rels"
    rels = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="&l9;"/></Relationships>'
    return with_part(small_docx(), part, entities(rels).encode())


def foreign_entity(path: str = "/etc/hostname") -> bytes:
    """An entity that stands for a file of the server."""
    body = f"<w:document {WORD}><w:body><w:p><w:r><w:t>It costs 5 EUR &x;</w:t></w:r></w:p></w:body></w:document>"
    xml = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY x SYSTEM "file://{path}">]>{body}'
    return with_part(small_docx(), "word/document.xml", xml.encode())


def wrapped(inner: str, start: str, end: str, times: int) -> str:
    return start * times + inner + end * times


PARAGRAPH = "<w:p><w:r><w:t>It costs 5 EUR.</w:t></w:r></w:p>"
NESTED_TABLE = ("<w:tbl><w:tblGrid><w:gridCol/></w:tblGrid><w:tr><w:tc>", "<w:p/></w:tc></w:tr></w:tbl>")


def wide_cell(count: int) -> str:
    cell = f'<w:tc><w:tcPr><w:gridSpan w:val="{count}"/></w:tcPr>{PARAGRAPH}</w:tc>'
    return f"<w:tbl><w:tblGrid><w:gridCol/></w:tblGrid><w:tr>{cell}</w:tr><w:tr>{cell}</w:tr></w:tbl>{PARAGRAPH}"


OFFICE: dict[str, Callable[[], bytes]] = {
    "bomb.docx": lambda: zip_bomb(small_docx, "word/document.xml"),
    "bomb.xlsx": lambda: zip_bomb(small_xlsx, "xl/worksheets/sheet1.xml"),
    "bombs in bombs.docx": nested_bomb,
    "lies.docx": lying_archive,
    "60,000 parts.docx": many_parts,
    "laughs.docx": laughing_docx,
    "laughs.xlsx": laughing_xlsx,
    "laughing relations.docx": laughing_rels,
    "nested controls.docx": lambda: docx_of(
        wrapped(PARAGRAPH, "<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>", DEEP)
    ),
    "nested tables.docx": lambda: docx_of(wrapped(PARAGRAPH, *NESTED_TABLE, 300)),
    "wide cell.docx": lambda: docx_of(wide_cell(2_000_000_000)),
    "negative span.docx": lambda: docx_of(wide_cell(-5)),
    "span in words.docx": lambda: docx_of(wide_cell("many")),
    "100,000 runs.docx": lambda: docx_of(f"<w:p>{'<w:r><w:t>a </w:t></w:r>' * 100_000}</w:p>"),
    "50,000 rows.docx": lambda: docx_of(
        f"<w:tbl><w:tblGrid><w:gridCol/><w:gridCol/></w:tblGrid>{'<w:tr><w:tc><w:p/></w:tc><w:tc><w:p/></w:tc></w:tr>' * 50_000}</w:tbl>{PARAGRAPH}"
    ),
    "not xml.docx": lambda: with_part(small_docx(), "word/document.xml", b"\x00\xff"),
    "no body.docx": lambda: with_part(small_docx(), "word/document.xml", f"<w:document {WORD}/>".encode()),
    "styles in a ring.docx": lambda: with_part(
        small_docx(),
        "word/styles.xml",
        f'<w:styles {WORD}><w:style w:type="paragraph" w:default="1" w:styleId="A"><w:basedOn w:val="B"/></w:style>'
        f'<w:style w:type="paragraph" w:styleId="B"><w:basedOn w:val="A"/></w:style></w:styles>'.encode(),
    ),
    "10,000 columns.xlsx": lambda: small_xlsx(
        [f"Column {n}" for n in range(10_000)], [f"{n} EUR" for n in range(10_000)]
    ),
    "a million empty rows.xlsx": lambda: sheet_of(ROW + "".join(f'<row r="{n}"/>' for n in range(2, 1_000_001))),
    "a million styled cells.xlsx": lambda: sheet_of(
        ROW + "".join(f'<row r="{n}"><c r="A{n}" s="0"/><c r="B{n}" s="0"/></row>' for n in range(2, 500_001))
    ),
    "far cell.xlsx": lambda: sheet_of(ROW + f'<row r="1048576">{text_cell("XFD1048576")}</row>', size="A1:XFD1048576"),
    "merged all.xlsx": lambda: sheet_of(ROW, '<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
    "huge row number.xlsx": lambda: sheet_of(ROW + f'<row r="99999999999">{text_cell("A99999999999")}</row>'),
    "sheet in a ring.xlsx": lambda: with_part(
        small_xlsx(),
        "xl/_rels/workbook.xml.rels",
        b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="/xl/workbook.xml"/></Relationships>',
    ),
    "number format.xlsx": lambda: with_part(
        small_xlsx(["A", "B"], ["x", 5.5]),
        "xl/styles.xml",
        b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="1"><numFmt numFmtId="164" formatCode="'
        + b"[" * 20_000
        + b'"/></numFmts><cellXfs count="1"><xf numFmtId="164" applyNumberFormat="1"/></cellXfs></styleSheet>',
    ),
    "no archive.xlsx": lambda: b"PK\x03\x04 not an archive",
    "old format.xlsx": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 3000,
}


# --- web pages and Markdown


def page(body: str, head: str = "") -> bytes:
    return f"<html><head>{head}</head><body><p>A locker costs 5 EUR.</p>{body}</body></html>".encode()


def spans(name: str, count: int) -> bytes:
    row = f'<tr><td {name}="{count}">5 EUR</td><td>6 EUR</td></tr>'
    return page(f"<table><tr><th>Locker</th><th>Price</th></tr>{row * 3}</table>")


def many_rules() -> bytes:
    """Style rules and elements, each of which is to be matched against all of the others."""
    rules = "".join(f".a{n} > div:nth-child({n}) b{{display:none}}" for n in range(3_000))
    return page("<div><b>x</b></div>" * 3_000, f"<style>{rules}</style>")


def css(text: str) -> bytes:
    return page("", f"<style>{text}</style>")


HTML: dict[str, Callable[[], bytes]] = {
    "deep divs.html": lambda: page(wrapped("6 EUR", "<div>", "</div>", DEEP)),
    "deep lists.html": lambda: page(wrapped("6 EUR", "<ul><li>", "</li></ul>", DEEP)),
    "deep quotes.html": lambda: page(wrapped("6 EUR", "<blockquote>", "</blockquote>", DEEP)),
    "deep tables.html": lambda: page(wrapped("6 EUR", "<table><tr><td>", "</td></tr></table>", 3_000)),
    "deep letters.html": lambda: page(wrapped("6 EUR", "<b><i>", "</i></b>", DEEP)),
    "unclosed.html": lambda: page("<div><b><table>" * 5_000),
    "misnested.html": lambda: page("<b><i><p></b></i>" * 3_000),
    "100,000 cells.html": lambda: page("<table>" + ("<tr>" + "<td>1</td>" * 100 + "</tr>") * 1_000 + "</table>"),
    "colspan.html": lambda: spans("colspan", 1_000_000_000),
    "rowspan.html": lambda: spans("rowspan", 1_000_000_000),
    "negative span.html": lambda: spans("rowspan", -3),
    "span zero.html": lambda: spans("rowspan", 0),
    "many rules.html": many_rules,
    "broken style.html": lambda: css("p{" * 50_000 + "@media (" * 5_000),
    "one long attribute.html": lambda: page(f'<p class="{"a " * 500_000}">6 EUR</p>'),
    "100,000 attributes.html": lambda: page("<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">6 EUR</p>"),
    "entities.html": lambda: page("&#xD800; &#xDFFF; &#0; &#x110000; &nosuch; &amp" * 100),
    "null.html": lambda: page("6\x00 EUR <p\x00>x</p>"),
    "surrogates.html": lambda: page("6 EUR").replace(b"6 EUR", b"\xed\xa0\x80 6 EUR"),
    "comment.html": lambda: page("<!--" * 50_000),
    "only brackets.html": lambda: b"<" * 500_000,
}
MARKDOWN: dict[str, Callable[[], bytes]] = {
    "deep quotes.md": lambda: b"It costs 5 EUR.\n\n" + b">" * DEEP + b" 6 EUR\n",
    "deep lists.md": lambda: b"".join(b" " * (2 * n) + b"- a\n" for n in range(1_000)),
    "deep one-line lists.md": lambda: b"- " * DEEP + b"5 EUR\n",
    "emphasis.md": lambda: b"It costs 5 EUR. " + b"*a **b _c __d " * 8_000,
    "stars.md": lambda: b"a" + b"*" * 100_000 + b"b",
    "mixed marks.md": lambda: b"It costs 5 EUR.\n\n" + b"a**b" + b"c* " * 20_000,
    "backticks.md": lambda: b"It costs 5 EUR. " + b" ".join(b"`" * (n % 500 + 1) + b"a" for n in range(4_000)),
    "brackets.md": lambda: b"It costs 5 EUR. " + b"[" * 50_000 + b"a" + b"](b" * 50_000,
    "pictures.md": lambda: b"It costs 5 EUR. " + b"![a](" * 20_000,
    "links in links.md": lambda: b"It costs 5 EUR. " + b"[a](" * 5_000 + b"x" + b")" * 5_000,
    "angles.md": lambda: b"It costs 5 EUR. " + b"<a " * 50_000,
    "comments.md": lambda: b"It costs 5 EUR. " + b"<!-- a " * 20_000,
    "references.md": lambda: (
        b"It costs 5 EUR.\n\n" + b"".join(b"[a%d]: http://x.example\n" % n for n in range(20_000)) + b"[a1]" * 2_000
    ),
    "footnotes.md": lambda: b"It costs 5 EUR[^1].\n\n[^1]: See[^1]. And[^2].\n[^2]: See[^1].\n",
    "10,000 columns.md": lambda: (
        b"|".join(b"a%d" % n for n in range(10_000))
        + b"\n"
        + b"|".join([b"---"] * 10_000)
        + b"\n"
        + b"|".join([b"5"] * 10_000)
    ),
    "aliases.md": lambda: (
        b"---\na: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(8))
        + b"---\n\nIt costs 5 EUR.\n"
    ),
    "template.md": lambda: b"It costs 5 EUR. " + b"{{ a {% b " * 30_000,
    "null.md": lambda: b"It costs 5\x00 EUR.\n",
    "surrogates.md": lambda: b"It costs 5 EUR.\n\n\xed\xa0\x80\xed\xb0\x80 &#xD800; &#0;\n",
    "tabs.md": lambda: b"- a\n" + b"\t" * 100_000 + b"b 5 EUR\n",
}


# --- PDF


def pdf_of(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of objects, numbered from 1; the first is the catalogue."""
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(
        b"%010d 00000 n \n" % o for o in offsets
    )
    return out + b"trailer << /Root 1 0 R /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)


CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> /XObject << /X 6 0 R >> >> >>"
TEXT = b"BT /F 12 Tf 20 100 Td (It costs 5 EUR.) Tj ET"


def stream(data: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), extra, data)


def one_page(content: bytes, size: bytes = b"300 200", form: bytes = b"null") -> bytes:
    return pdf_of([CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", PAGE % size, content, FONT, form])


def packed_spaces(megabytes: int) -> bytes:
    """So many megabytes of spaces, compressed without ever holding them."""
    packer, piece = zlib.compressobj(1), b" " * 1_000_000
    return b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()


def inflating() -> bytes:
    """A page whose content unpacks to 1 GB."""
    return one_page(stream(packed_spaces(1_000), b"/Filter /FlateDecode"))


def inflating_twice() -> bytes:
    return one_page(stream(zlib.compress(packed_spaces(1_000), 9), b"/Filter [/FlateDecode /FlateDecode]"))


def ring_of_pages() -> bytes:
    return pdf_of(
        [CATALOGUE, b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>", PAGE % b"300 200", stream(TEXT), FONT, b"null"]
    )


def forms_in_forms() -> bytes:
    form = stream(
        b"/X Do " * 9, b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >>"
    )
    return one_page(stream(TEXT + b" /X Do"), form=form)


def crossing_lines() -> bytes:
    """A page of thousands of lines, each of which could be the edge of a table's cell."""
    lines = b"".join(
        b"%d 0 m %d 200 l S 0 %d m 300 %d l S " % (n % 300, n % 300, n % 200, n % 200) for n in range(20_000)
    )
    return one_page(stream(TEXT + b" " + lines))


PDF: dict[str, Callable[[], bytes]] = {
    "ring of pages.pdf": ring_of_pages,
    "pages of pages.pdf": lambda: pdf_of(
        [CATALOGUE, *[b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (n + 3) for n in range(5_000)], b"null"]
    ),
    "huge count.pdf": lambda: pdf_of(
        [
            CATALOGUE,
            b"<< /Type /Pages /Kids [3 0 R] /Count 999999999 >>",
            PAGE % b"300 200",
            stream(TEXT),
            FONT,
            b"null",
        ]
    ),
    "100,000 kids.pdf": lambda: pdf_of(
        [
            CATALOGUE,
            b"<< /Type /Pages /Kids [" + b"3 0 R " * 100_000 + b"] /Count 100000 >>",
            PAGE % b"300 200",
            stream(TEXT),
            FONT,
            b"null",
        ]
    ),
    "huge page.pdf": lambda: one_page(stream(TEXT), b"99999999999 99999999999"),
    "page of nothing.pdf": lambda: one_page(stream(TEXT), b"0 0"),
    "odd page.pdf": lambda: one_page(stream(TEXT), b"/a (b)"),
    "forms in forms.pdf": forms_in_forms,
    "inflating.pdf": inflating,
    "inflating twice.pdf": inflating_twice,
    "previous table is this one.pdf": lambda: pdf_of([CATALOGUE, b"<< >>"], b"/Prev 9"),
    "crossing lines.pdf": crossing_lines,
    "unbalanced.pdf": lambda: one_page(stream(b"q " * 100_000 + TEXT + b" Q" * 200_000)),
    "deep arrays.pdf": lambda: one_page(stream(b"[" * 100_000 + TEXT)),
    "huge font.pdf": lambda: one_page(stream(TEXT.replace(b"12 Tf", b"99999999999999 Tf"))),
    "not numbers.pdf": lambda: one_page(stream(TEXT.replace(b"20 100 Td", b"(a) /b Td"))),
    "no root.pdf": lambda: b"%PDF-1.7\ntrailer << >>\nstartxref\n0\n%%EOF",
    "only its name.pdf": lambda: b"%PDF-1.7\n",
}


# --- mails


def nested_parts(count: int) -> bytes:
    """Parts in parts; written by hand, since the library would write each part once for every level."""
    start = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(count))
    end = "".join(f"\n--b{n}--\n" for n in reversed(range(count)))
    return f"From: a@x.example\nSubject: Lockers\nMIME-Version: 1.0\n{start}Content-Type: text/plain\n\nA locker costs 5 EUR.\n{end}".encode()


def nested_mails(count: int) -> bytes:
    start = "".join(f"Subject: Mail {n}\nContent-Type: message/rfc822\n\n" for n in range(count))
    return f"From: a@x.example\nMIME-Version: 1.0\n{start}Subject: last\n\nA locker costs 5 EUR.\n".encode()


def many_siblings() -> bytes:
    mail = EmailMessage()
    mail["Subject"] = "Lockers"
    mail.make_mixed()
    for number in range(5_000):
        part = MIMEPart()
        part.set_content(f"Part {number} costs {number} EUR.")
        mail.attach(part)
    return bytes(mail)


def mail(headers: str, body: bytes = b"A locker costs 5 EUR.\n") -> bytes:
    return f"From: a@x.example\n{headers}\n\n".encode() + body


EML: dict[str, Callable[[], bytes]] = {
    "1,000 nested parts.eml": lambda: nested_parts(1_000),
    "1,000 nested mails.eml": lambda: nested_mails(1_000),
    "5,000 siblings.eml": many_siblings,
    "part of itself.eml": lambda: mail(
        'Content-Type: multipart/mixed; boundary="a"',
        b'--a\nContent-Type: multipart/mixed; boundary="a"\n\n--a\n\n5 EUR\n--a--\n',
    ),
    "100,000 headers.eml": lambda: mail("\n".join(f"X-{n}: a" for n in range(100_000))),
    "long subject.eml": lambda: mail("Subject: " + "=?utf-8?b?QQ==?= " * 20_000),
    "odd subject.eml": lambda: mail(
        "Subject: =?utf-8?q?=ED=A0=80?= =?no-such?b?////?= \udcff".encode("utf-8", "replace").decode()
    ),
    "odd address.eml": lambda: mail("To: " + "<" * 20_000 + "," * 20_000),
    "odd date.eml": lambda: mail("Date: Mon, 99 Foo 99999 99:99:99 +9999\nSubject: Lockers"),
    "no charset of this name.eml": lambda: mail("Content-Type: text/plain; charset=\x01no-such"),
    "charset that is no text.eml": lambda: mail("Content-Type: text/plain; charset=base64"),
    "broken base64.eml": lambda: mail("Content-Transfer-Encoding: base64\nSubject: Lockers", b"====!!!QUJD=QUJ"),
    "odd encoding.eml": lambda: mail(
        "Content-Transfer-Encoding: x-uuencode\nSubject: Lockers", b"begin 666 a\n#0V%T\n"
    ),
    "quoted to the end.eml": lambda: mail("Content-Transfer-Encoding: quoted-printable", b"5 EUR =E2=8"),
    "deep quotes.eml": lambda: mail("Subject: Lockers", b"".join(b">" * n + b" 5 EUR\n" for n in range(2_000))),
    "wrote wrote.eml": lambda: mail("Subject: Lockers", b"On a b wrote:\n" * 20_000),
    "one long line.eml": lambda: mail("Subject: Lockers", b"On " + b"a " * 300_000 + b" wrote: 5 EUR\n"),
    "deep page.eml": lambda: mail("Content-Type: text/html", page(wrapped("6 EUR", "<div>", "</div>", DEEP))),
    "null.eml": lambda: mail("Subject: a\x00b", b"It costs 5\x00 EUR.\n"),
    "surrogates.eml": lambda: mail("Content-Type: text/plain; charset=utf-8", b"It costs 5 EUR. \xed\xa0\x80\n"),
    "utf-7.eml": lambda: mail("Content-Type: text/plain; charset=utf-7", b"It costs 5 EUR. +2AA-\n"),
}


# --- plain text and CSV

TEXT_FILES: dict[str, Callable[[], bytes]] = {
    "10,000 columns.csv": lambda: (
        b",".join(b"Column %d" % n for n in range(10_000)) + b"\n" + b",".join(b"%d" % n for n in range(10_000))
    ),
    "open quote.csv": lambda: b'Locker,Price\n"small,5\n' + b"a,b\n" * 100_000,
    "only quotes.csv": lambda: b'"' * 500_000,
    "only commas.csv": lambda: b"," * 500_000,
    "one long cell.csv": lambda: b"Locker,Price\nsmall," + b"a" * 500_000,
    "null.csv": lambda: b"Locker,Price\nsmall,5\x00\n",
    "surrogates.csv": lambda: b"Locker,Price\nsmall,5 \xed\xa0\x80\n",
    "one long line.txt": lambda: b"It costs 5 EUR " * 100_000,
    "dots.txt": lambda: b"It costs . . . . . 5 EUR\n" + b". " * 200_000,
    "empty lines.txt": lambda: b"It costs 5 EUR.\n" + b"\n \t" * 300_000 + b"6 EUR",
    "marks.txt": lambda: "".join(chr(c) for c in range(0x300, 0x370)).encode() * 500 + b" It costs 5 EUR.",
    "directions.txt": ("\u202e" * 1000 + "It costs 5 EUR.\u2066").encode,
    "binary.txt": lambda: bytes(range(256)) * 500,
    "utf-16 cut.txt": lambda: "It costs 5 EUR.".encode("utf-16")[:-1],
}

HOSTILE: dict[str, Callable[[], bytes]] = {**OFFICE, **HTML, **MARKDOWN, **PDF, **EML, **TEXT_FILES}
