"""One reader a file type: bytes to blocks. A table maps endings to readers; a new type is a new row.

Markdown by markdown-it, HTML by Beautiful Soup on lxml, PDF by pdfplumber (text with font sizes, ruled tables), DOCX
by python-docx, XLSX by openpyxl, CSV and EML by the standard library; docs/documents.md says why these. What a file is
refused for is told by name. `ingest.guard` calls this within limits, and for some formats in a process of its own.
"""

from __future__ import annotations

import csv
import io
import logging
import re
import statistics
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from email import message_from_bytes
from email.policy import default as mail_policy
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import docx
import openpyxl
import pdfplumber
from bs4 import BeautifulSoup, Tag
from charset_normalizer import from_bytes
from docx.table import Table as DocxTable
from docx.text.paragraph import Paragraph as DocxParagraph
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pdfminer.pdfdocument import PDFPasswordIncorrect

from domains.spec import InvalidInput, UnsupportedMedia
from ingest.blocks import Block, clean, row_block
from ingest.limits import DEFAULTS, Limits

logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it warns about fonts that it reads all the same

# What office software here still writes; among all that exist a short text fits too many.
_ENCODINGS = ["utf_16", "cp1252", "cp1250"]


def read(filename: str, data: bytes, limits: Limits = DEFAULTS) -> list[Block]:
    """Read a file into blocks.

    Raises:
        UnsupportedMedia: no reader for the ending, or bytes that are no text.
        InvalidInput: the file is empty, damaged, encrypted, or holds no words.
    """
    ending = PurePath(filename).suffix.lower()
    if ending not in READERS:
        raise UnsupportedMedia(
            f"{filename}: files that end in `{ending}` are not read.", f"Send one of {', '.join(sorted(READERS))}."
        )
    if not data.strip():
        raise InvalidInput(f"{filename}: the file is empty.", "Send a file with text in it.", "file")
    blocks = [b for b in READERS[ending](filename, data, limits) if b.text]
    if not any(b.kind != "heading" for b in blocks):
        raise InvalidInput(
            f"{filename}: there are no words in it.", "A scan needs text recognition before it is sent.", "file"
        )
    return blocks


def decode(filename: str, data: bytes) -> str:
    """Text of unknown encoding: UTF-8 where it is, else what charset-normalizer finds.

    Raises:
        UnsupportedMedia: the bytes are no text in any encoding.
    """
    refusal = UnsupportedMedia(f"{filename}: this is no text.", "Save it as UTF-8 text.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(data, cp_isolation=_ENCODINGS).best()
        if best is None:
            raise refusal from None
        text = str(best)
    if "\0" in text:
        raise refusal
    return text


def _read_markdown(filename: str, data: bytes, _: Limits) -> Iterator[Block]:
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(_body(decode(filename, data)))
    header: list[str] = []
    cells: list[str] = []
    depth = 0  # of lists
    for opener, token in pairwise(tokens):
        depth += {"list_open": 1, "list_close": -1}.get(token.type.partition("_")[2], 0)
        if token.type == "tr_open":
            cells = []
        elif token.type == "thead_close":
            header = cells
        elif token.type == "tr_close" and opener.type == "td_close":
            yield row_block(header, cells)
        elif token.type == "inline" and opener.type in ("th_open", "td_open"):
            cells.append(_markdown_text(token))
        elif token.type in ("inline", "fence", "code_block"):
            yield _markdown_block(token, opener, depth)


def _markdown_block(token: Token, opener: Token, depth: int) -> Block:
    if opener.type == "heading_open":
        return Block("heading", _markdown_text(token), int(opener.tag[1]))
    return Block("item" if depth else "paragraph", _markdown_text(token))


def _markdown_text(token: Token) -> str:
    if token.children is None:  # a block of code
        return clean(token.content)
    return clean("".join(" " if c.type in ("softbreak", "hardbreak") else c.content for c in token.children))


def _body(text: str) -> str:
    """The text behind a front matter, if there is one."""
    return FRONT_MATTER.sub("", text, count=1)


FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n", re.S)
_FURNITURE = ["nav", "header", "footer", "aside", "script", "style", "form", "noscript", "template"]
_HTML_BLOCKS = ["h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "tr", "blockquote", "pre", "dt", "dd"]


def _read_html(filename: str, data: bytes, _: Limits) -> Iterator[Block]:
    soup = BeautifulSoup(decode(filename, data), "lxml")
    root = soup.find("main") or soup.find("article") or soup.body or soup
    for furniture in root.find_all(_FURNITURE):
        furniture.decompose()
    for tag in root.find_all(_HTML_BLOCKS):
        if tag.name == "tr":
            yield from _html_row(tag)
        elif not tag.find(_HTML_BLOCKS) and not tag.find_parent(["tr", "li"]):
            yield _html_block(tag, clean(tag.get_text(" ")))
        elif tag.name == "li":
            yield Block("item", clean(" ".join(t.get_text(" ") if isinstance(t, Tag) else str(t) for t in _own(tag))))


def _html_block(tag: Tag, text: str) -> Block:
    text = re.sub(r" ([.,;:!?)])", r"\1", text)
    if tag.name[0] == "h" and tag.name[1:].isdigit():
        return Block("heading", text, int(tag.name[1]))
    return Block("item" if tag.name == "li" else "paragraph", text)


def _own(item: Tag) -> list[Any]:
    """What stands in a list item itself; nested items are blocks of their own."""
    return [child for child in item.children if not (isinstance(child, Tag) and child.name in ("ul", "ol"))]


def _html_row(row: Tag) -> Iterator[Block]:
    cells = [clean(cell.get_text(" ")) for cell in row.find_all(["th", "td"])]
    table = row.find_parent("table")
    first = table.find("tr") if table else None
    if not row.find("td") or row is first:
        return
    header = [clean(cell.get_text(" ")) for cell in first.find_all(["th", "td"])] if first else []
    yield row_block(header, cells)


def _read_csv(filename: str, data: bytes, _: Limits) -> Iterator[Block]:
    text = decode(filename, data)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = [row for row in csv.reader(io.StringIO(text), dialect) if any(cell.strip() for cell in row)]
    header = _header(filename, rows[0])
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise InvalidInput(
                f"{filename}: line {number} has {len(row)} cells, the header {len(header)}.", "Mend the line.", "file"
            )
        yield row_block(header, row)


def _header(filename: str, cells: Sequence[str]) -> list[str]:
    """The names of the columns, or a refusal where the first line names none."""
    header = [clean(cell) for cell in cells]
    if not all(header) or len(set(header)) < len(header) or any(re.fullmatch(r"[\d.,\s€$£%-]+", h) for h in header):
        raise InvalidInput(f"{filename}: the first line names no columns.", "Put a header line above the rows.", "file")
    return header


@contextmanager
def _library(filename: str, kind: str, remedy: str) -> Iterator[None]:
    """Turn whatever a library raises over a file into one refusal; want of memory, which it may wrap, stays that."""
    try:
        yield
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:
        if _stems_from(error, MemoryError):
            raise MemoryError from error
        reason = "it is encrypted" if _stems_from(error, PDFPasswordIncorrect) else f"it is damaged or no {kind}"
        raise InvalidInput(f"{filename}: {reason}.", remedy, "file") from None


def _stems_from(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Is an error of a kind, or made of one: by its cause, or what it was raised with or over?"""
    if error is None or isinstance(error, kind):
        return error is not None
    made_of = [e for e in (error.__cause__, error.__context__, *error.args) if isinstance(e, BaseException)]
    return any(_stems_from(e, kind) for e in made_of)


def _read_pdf(filename: str, data: bytes, limits: Limits) -> Iterator[Block]:
    with _library(filename, "PDF", "Send it unlocked and intact."), pdfplumber.open(io.BytesIO(data)) as pdf:
        if len(pdf.pages) > limits.pdf_pages:
            raise InvalidInput(
                f"{filename}: {len(pdf.pages)} pages; at most {limits.pdf_pages} are read.", "Split it.", "file"
            )
        lines = [line for page in pdf.pages for line in _pdf_lines(page)]
    yield from _pdf_blocks(lines)


def _pdf_lines(page: Any) -> list[tuple[str, float, float, Block | None]]:
    """Lines of a page in reading order: text, font size, gap to the line above in points, or a finished table row."""
    tables = page.find_tables()
    boxes = [t.bbox for t in tables]
    found: list[tuple[float, float, str, float, Block | None]] = []
    for table in tables:
        rows = [[cell or "" for cell in row] for row in table.extract()]
        for offset, row in enumerate(rows[1:]):
            found.append((table.bbox[1] + offset * 0.01, table.bbox[3], "", 0.0, row_block(rows[0], row)))
    outside = page.filter(lambda o: not any(_inside(o, box) for box in boxes))
    for line in outside.extract_text_lines(return_chars=True):
        size = statistics.median(c["size"] for c in line["chars"])
        found.append((line["top"], line["bottom"], line["text"], size, None))
    found.sort(key=lambda item: item[0])
    above = [0.0, *(bottom for _, bottom, *_ in found)]
    return [(text, size, top - above[i], row) for i, (top, _, text, size, row) in enumerate(found)]


def _inside(thing: Any, box: tuple[float, float, float, float]) -> bool:
    middle = (thing.get("top", 0) + thing.get("bottom", 0)) / 2
    return bool(box[1] <= middle <= box[3] and box[0] <= thing.get("x0", 0) <= box[2])


def _pdf_blocks(lines: list[tuple[str, float, float, Block | None]]) -> Iterator[Block]:
    """Lines to blocks: larger type is a heading, a wide gap or a bullet begins a paragraph."""
    sizes = [size for text, size, _, row in lines if row is None for _ in text.split()]
    body = statistics.median(sizes) if sizes else 0.0
    levels = {s: i for i, s in enumerate(sorted({round(s) for s in sizes if s > body * 1.1}, reverse=True), start=1)}
    paragraph: list[str] = []
    for text, size, gap, row in lines:
        level = levels.get(round(size), 0) if size > body * 1.1 else 0
        bullet = re.match(r"([•●▪–-]|\(cid:127\))\s*", text)
        if paragraph and (row or level or bullet or gap > body * 0.6):
            yield _paragraph(paragraph)
            paragraph = []
        if row:
            yield row
        elif level:
            yield Block("heading", clean(text), min(level, 6))
        elif not re.fullmatch(r"(page )?\d+( of \d+)?", text.strip(), re.I):
            paragraph.append(text)
    if paragraph:
        yield _paragraph(paragraph)


def _paragraph(lines: list[str]) -> Block:
    text = clean(" ".join(lines).replace("(cid:127)", "•"))  # how pdfminer reads the bullet of the standard fonts
    bullet = re.match(r"[•●▪–-]\s*", text)
    return Block("item", text[bullet.end() :]) if bullet else Block("paragraph", text)


def _read_docx(filename: str, data: bytes, limits: Limits) -> Iterator[Block]:
    with _library(filename, "DOCX", "Save it again as DOCX and send that."):
        _check_archive(filename, data, limits)
        document = docx.Document(io.BytesIO(data))
    for part in document.iter_inner_content():
        if isinstance(part, DocxTable):
            yield from _docx_rows(part)
        elif isinstance(part, DocxParagraph):
            yield _docx_block(part)


def _docx_rows(table: DocxTable) -> Iterator[Block]:
    rows = [[cell.text for cell in row.cells] for row in table.rows]
    yield from (row_block(rows[0], row) for row in rows[1:])


def _docx_block(paragraph: DocxParagraph) -> Block:
    style = (paragraph.style.name if paragraph.style else "") or ""
    text = clean(paragraph.text)
    if style == "Title":
        return Block("heading", text, 1)
    if style.startswith("Heading"):
        return Block("heading", text, int(style[-1]) + 1 if style[-1].isdigit() else 2)  # the title is level 1
    return Block("item" if style.startswith("List") else "paragraph", text)


def _check_archive(filename: str, data: bytes, limits: Limits) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > limits.unpacked_bytes:
            raise InvalidInput(f"{filename}: it unpacks to too much.", "Split the document.", "file")


def _read_xlsx(filename: str, data: bytes, limits: Limits) -> Iterator[Block]:
    """Each sheet is a heading and its rows; formulas give the value that was last computed."""
    with _library(filename, "XLSX", "Save it again as XLSX and send that."):
        _check_archive(filename, data, limits)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = [(s.title, [list(r) for r in s.iter_rows(values_only=True)]) for s in book.worksheets]
    for title, cells in sheets:
        rows = [[_cell(c) for c in row] for row in cells if any(c is not None for c in row)]
        if len(rows) > 1:
            width = max(i for row in rows for i, c in enumerate(row, start=1) if c)
            header = _header(f"{filename}, sheet {title}", rows[0][:width])
            yield Block("heading", clean(title), 2)
            yield from (row_block(header, row[:width]) for row in rows[1:])


def _cell(value: object) -> str:
    """A cell as a person reads it: a date without a time of day, a whole number without a decimal point."""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, float):
        return f"{value:.2f}" if round(value, 2) == value and value % 1 else f"{value:g}"
    return "" if value is None else str(value)


def _read_eml(filename: str, data: bytes, limits: Limits) -> Iterator[Block]:
    """A mail: its subject as a heading, then its text, or where there is none its HTML; attachments are left out."""
    mail = message_from_bytes(data, policy=mail_policy)
    body = mail.get_body(("plain", "html"))
    if not mail.keys() or body is None:
        raise InvalidInput(f"{filename}: it is no mail, or one without text.", "Save the text as a file.", "file")
    yield Block("heading", clean(str(mail.get("subject", ""))), 1)
    text = body.get_content()
    reader = _read_html if body.get_content_type() == "text/html" else _read_text
    yield from reader(filename, str(text).encode(), limits)


def _read_text(filename: str, data: bytes, _: Limits) -> Iterator[Block]:
    for paragraph in re.split(r"\n\s*\n", _body(decode(filename, data)).replace("\r\n", "\n")):
        yield Block("paragraph", clean(paragraph))


READERS: dict[str, Callable[[str, bytes, Limits], Iterator[Block]]] = {
    ".csv": _read_csv,
    ".docx": _read_docx,
    ".eml": _read_eml,
    ".html": _read_html,
    ".htm": _read_html,
    ".markdown": _read_markdown,
    ".md": _read_markdown,
    ".pdf": _read_pdf,
    ".txt": _read_text,
    ".xlsx": _read_xlsx,
}
