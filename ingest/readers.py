"""Reading files: a table maps endings to readers. A new format is a new row.

HTML, Markdown, DOCX, XLSX and CSV go through docling's declarative backends, PDF through pdfplumber and PDFium, mails
through the standard library; docs/documents.md says why. `ingest.guard` runs this in a process with limits.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath

from bs4.dammit import EncodingDetector

from domains.spec import InvalidInput, UnsupportedMedia
from ingest.blocks import Block, Reading, row_block
from ingest.docx import read_docx
from ingest.front_matter import body
from ingest.html import read_html, read_markdown
from ingest.limits import DEFAULTS, Limits
from ingest.mail import read_eml
from ingest.pdf import read_pdf
from ingest.structure import blocks_of, convert
from ingest.text import HOLE, decode, read_text, without_template_marks
from ingest.xlsx import read_xlsx
from retrieval.contents import LeftOut
from retrieval.sentences import sentence_spans

logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it warns about fonts that it reads all the same


def read(filename: str, data: bytes, limits: Limits = DEFAULTS) -> Reading:
    """Read a file.

    Raises:
        UnsupportedMedia: no reader for the ending, or bytes that are not what it says.
        InvalidInput: the file is empty, damaged or encrypted, or holds no words.
    """
    ending = PurePath(filename).suffix.lower()
    if ending not in READERS:
        raise UnsupportedMedia(
            f"{filename}: files that end in `{ending}` are not read.", f"Send one of {', '.join(sorted(READERS))}."
        )
    if not data.strip():
        raise InvalidInput(f"{filename}: the file is empty.", "Send a file with text in it.", "file")
    reader = READERS[ending]
    reading = _read(reader, filename, data, limits)
    blocks = tuple(b for b in reading.blocks if b.text)
    if not any(b.kind != "heading" for b in blocks):
        raise InvalidInput(f"{filename}: it holds no words{_instead(reading)}.", reader.remedy, "file")
    return replace(reading, blocks=blocks)


def warm() -> None:
    """Load the libraries of all formats."""
    read("warm.html", b"<p>warm</p>")


def _instead(reading: Reading) -> str:
    found = ", ".join(f"{item.what} ({item.where})" for item in reading.left_out[:3])
    return f", only {found}" if found else ""


@dataclass(frozen=True, slots=True)
class FileReader:
    """How the files of an ending are read.

    Attributes:
        kind: what such a file is called in messages.
        read: the reader.
        remedy: what to do if a file cannot be read.
    """

    kind: str
    read: Callable[[str, bytes, Limits], Reading]
    remedy: str = "Save it again and send that."


def _read(reader: FileReader, filename: str, data: bytes, limits: Limits) -> Reading:
    """Turn whatever a library raises over a file into one refusal; an error of memory, which it may wrap, stays one."""
    try:
        return reader.read(filename, data, limits)
    except (InvalidInput, UnsupportedMedia, MemoryError):
        raise
    except RecursionError:
        raise InvalidInput(f"{filename}: its parts are nested too deeply.", reader.remedy, "file") from None
    except Exception as error:
        if stems_from(error, MemoryError):
            raise MemoryError from error
        reason = f"it is damaged or not a {reader.kind}"
        raise InvalidInput(f"{filename}: {reason}.", reader.remedy, "file") from error


def stems_from(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an error is of a kind or was made of one: by its cause, context or arguments."""
    if error is None or isinstance(error, kind):
        return error is not None
    made_of = [e for e in (error.__cause__, error.__context__, *error.args) if isinstance(e, BaseException)]
    return any(stems_from(e, kind) for e in made_of)


def _of_text(read_as: Callable[[str, str, Limits], Reading]) -> Callable[[str, bytes, Limits], Reading]:
    """A reader of text from one of characters: bytes are decoded, a site generator's marks removed."""

    def reader(filename: str, data: bytes, limits: Limits) -> Reading:
        declared = EncodingDetector.find_declared_encoding(data, is_html=True, search_entire_document=False)
        text = decode(filename, data, declared)
        chosen = read_html if _is_page(text) else read_as
        text = text if chosen is read_html else body(text)
        return _without_holes(chosen(filename, without_template_marks(text), limits))

    return reader


def _is_page(text: str) -> bool:
    """Whether a text is a web page, whatever its name says."""
    return re.match(r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html)\b", text, re.I | re.S) is not None


def _without_holes(reading: Reading) -> Reading:
    """Leave out the sentences and cells in which a template's value is missing, and report them."""
    left_out = list(reading.left_out)
    blocks = [b for block in reading.blocks for b in _filled(block, left_out)]
    return replace(reading, blocks=tuple(blocks), left_out=tuple(left_out))


def _filled(block: Block, left_out: list[LeftOut]) -> Iterator[Block]:
    if HOLE not in block.text:
        yield block
        return
    where = block.text.replace(HOLE, "…")[:80]
    left_out.append(LeftOut("text with a value that the site's template would fill in", where))
    if block.cells:
        yield row_block([(c.column, c.value) for c in block.cells if HOLE not in str(c)], block.context)
    else:
        kept = [block.text[a:b] for a, b in sentence_spans(block.text) if HOLE not in block.text[a:b]]
        yield replace(block, text=" ".join(kept))


def _read_csv(filename: str, data: bytes, limits: Limits) -> Reading:
    text = re.sub(r"\r\n?", "\n", decode(filename, data))
    csv.field_size_limit(limits.file_bytes)
    return Reading(tuple(blocks_of(convert("csv", "table.csv", text.encode()), header_expected=True)))


_OFFICE = "Save it again in this format, without a password, and send that."
READERS: dict[str, FileReader] = {
    ".csv": FileReader("CSV file", _read_csv, "Check its quotes and separators."),
    ".docx": FileReader("DOCX file", read_docx, _OFFICE),
    ".eml": FileReader("mail", read_eml, "Save the text as a file."),
    ".htm": FileReader("web page", _of_text(read_html)),
    ".html": FileReader("web page", _of_text(read_html)),
    ".markdown": FileReader("Markdown file", _of_text(read_markdown)),
    ".md": FileReader("Markdown file", _of_text(read_markdown)),
    ".pdf": FileReader("PDF", read_pdf, "Send it unlocked, intact and with text: a scan needs text recognition first."),
    ".txt": FileReader("text file", _of_text(read_text)),
    ".xlsx": FileReader("XLSX file", read_xlsx, _OFFICE),
}
