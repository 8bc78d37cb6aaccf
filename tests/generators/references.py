"""Independent opinions on what a generated file shows, to check the generators against.

Nothing here is used by the readers: Chromium's `innerText` for web pages, a plain walk over the XML for DOCX and XLSX,
PDFium for PDF.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2
from lxml import etree
from openpyxl.utils import column_index_from_string

from tests.generators.content import Generated
from tests.generators.words import words

# innerText has no sign for raised text: `45` with a raised 1 would read 451.
_SHOWN = """() => {
    for (const mark of document.querySelectorAll("sup, [style*=super]"))
        if (/^\\d+$/.test(mark.textContent)) mark.prepend(" ");
    return document.body.innerText;
}"""


@contextmanager
def chromium() -> Iterator[Callable[[bytes], str]]:
    """What Chromium shows for the bytes of a page."""
    from tests.console import browser  # it imports the whole service, which nothing else here needs

    with browser() as launched, tempfile.TemporaryDirectory() as folder:
        tab = launched.new_page()
        file = Path(folder) / "page.html"

        def shown(page: bytes) -> str:
            file.write_bytes(page)
            tab.goto(file.as_uri())
            return str(tab.evaluate(_SHOWN))

        yield shown


def differences(generated: Generated, shown: str) -> list[str]:
    """Where a generator and a reference disagree."""
    seen, claimed = Counter(words(shown)), Counter(generated.visible)
    claimed.subtract(generated.folded)
    known = generated.optional | set(generated.visible) | set(words(" ".join(generated.addresses)))
    found = [f"not shown: {w} ({generated.features.get(w, 'common word')})" for w, n in claimed.items() if n > seen[w]]
    found += [f"shown: {w} ({generated.features.get(w, '?')})" for w in seen if w not in known]
    found += [f"shown twice: {w} ({generated.features.get(w, 'common word')})" for w in generated.once if seen[w] > 1]
    return found + [
        f"shown though hidden: {w} ({generated.features.get(w, 'common word')})" for w in generated.hidden if seen[w]
    ]


WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
UNSEEN = {WORD + name for name in ("del", "moveFrom", "instrText", "delText")}
UNSEEN.add("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback")


def shown(generated: Generated) -> str:
    """What an independent reader of the format sees in a file."""
    return {".docx": docx_text, ".xlsx": xlsx_text, ".pdf": pdf_text}[Path(generated.filename).suffix](generated.data)


def docx_text(data: bytes) -> str:
    """The text of a document and its notes, by a walk over the XML that leaves out what is deleted or hidden."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    styles = etree.fromstring(archive.read("word/styles.xml")) if "word/styles.xml" in archive.namelist() else None
    hidden = _hidden_styles(styles) if styles is not None else set()
    names = [n for n in ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml") if n in archive.namelist()]
    return "\n".join("".join(_docx_pieces(etree.fromstring(archive.read(name)), hidden)) for name in names)


def _hidden_styles(styles: etree._Element) -> set[str]:
    """The styles that hide their text, and those that are based on one."""
    found: set[str] = set()
    for _ in range(3):  # as deep as the generated styles go
        for style in styles.iter(f"{WORD}style"):
            base = style.find(f"{WORD}basedOn")
            if style.find(f"{WORD}rPr/{WORD}vanish") is not None or (
                base is not None and base.get(f"{WORD}val") in found
            ):
                found.add(str(style.get(f"{WORD}styleId")))
    return found


def _docx_pieces(node: etree._Element, hidden: set[str]) -> Iterator[str]:
    if node.tag in UNSEEN or _docx_hides(node, hidden):
        return
    signs = {"br": " ", "cr": " ", "tab": " ", "noBreakHyphen": "-", "p": "\n", "tc": "\n"}
    yield signs.get(str(node.tag).removeprefix(WORD), "")
    if node.tag in (f"{WORD}t", f"{MATH}t"):
        raised = node.getparent().find(f"{WORD}rPr/{WORD}vertAlign")
        small = node.getparent().find(f"{WORD}rPr/{WORD}position")
        yield f" {node.text} " if raised is not None or small is not None else node.text or ""
        yield " " if node.tag == f"{MATH}t" else ""
    for child in node:
        yield from _docx_pieces(child, hidden)


def _docx_hides(node: etree._Element, hidden: set[str]) -> bool:
    if node.tag == f"{WORD}tr":
        return any(node.find(f"{WORD}trPr/{WORD}{name}") is not None for name in ("del", "hidden"))
    properties = node.find(f"{WORD}rPr" if node.tag == f"{WORD}r" else f"{WORD}pPr")
    if node.tag not in (f"{WORD}r", f"{WORD}p") or properties is None:
        return False
    switch, style = (
        properties.find(f"{WORD}vanish"),
        properties.find(f"{WORD}{'r' if node.tag == f'{WORD}r' else 'p'}Style"),
    )
    if switch is not None:
        return switch.get(f"{WORD}val") not in ("0", "false")
    return style is not None and style.get(f"{WORD}val") in hidden


def xlsx_text(data: bytes) -> str:
    """The strings of a workbook's visible cells, from the XML; numbers, whose look depends on formats, are left out."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    book = etree.fromstring(archive.read("xl/workbook.xml"))
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        shared = ["".join(s.itertext()) for s in etree.fromstring(archive.read("xl/sharedStrings.xml"))]
    out = []
    for number, entry in enumerate(book.iter(f"{main}sheet"), start=1):
        if entry.get("state", "visible") == "visible":
            sheet = etree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
            unseen = [
                (int(c.get("min")), int(c.get("max")))
                for c in sheet.iter(f"{main}col")
                if c.get("hidden") in ("1", "true")
            ]
            for row in sheet.iter(f"{main}row"):
                if row.get("hidden") not in ("1", "true"):
                    out += [_xlsx_cell(c, main, shared) for c in row if not _in_columns(c, unseen)]
    return "\n".join([*out, *_xlsx_boxes(archive)])


def _in_columns(cell: etree._Element, spans: list[tuple[int, int]]) -> bool:
    column = column_index_from_string(str(cell.get("r")).rstrip("0123456789"))
    return any(first <= column <= last for first, last in spans)


def _xlsx_cell(cell: etree._Element, main: str, shared: list[str]) -> str:
    if cell.get("t") == "s":
        return shared[int(cell.findtext(f"{main}v"))]
    if cell.get("t") == "inlineStr":
        return "".join(cell.find(f"{main}is").itertext())
    return cell.findtext(f"{main}v") or "" if cell.get("t") == "str" else ""


def _xlsx_boxes(archive: zipfile.ZipFile) -> list[str]:
    drawings = [n for n in archive.namelist() if n.startswith("xl/drawings/drawing")]
    text = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
    return ["".join(t.text or "" for t in etree.fromstring(archive.read(name)).iter(text)) for name in drawings]


def pdf_text(data: bytes) -> str:
    """The text of a PDF as PDFium finds it on the pages; it does not know which text is drawn invisibly."""
    pages = pypdfium2.PdfDocument(data)
    return "\n".join(page.get_textpage().get_text_bounded() for page in pages)
