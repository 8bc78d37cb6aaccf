"""PDF: from characters with places to blocks.

PDFium (pypdfium2) opens the file, finds invisible text and merges form fields and notes into the page; pdfplumber gives
characters, links and ruled tables. What remains is layout, which a PDF does not state: columns, tables without rules,
headings, lists, running headers, and what goes on over a page break.
"""

from __future__ import annotations

import io
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from ctypes import c_double
from dataclasses import dataclass, replace
from typing import Any

import pdfplumber
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from domains.spec import InvalidInput
from ingest.blocks import Block, Reading, clean
from ingest.limits import Limits
from ingest.pdf_chars import Char, Link, Place, is_inside, turned_words, visible_chars, words_of
from ingest.pdf_layout import PdfLine, Region, Word, lines_of, regions_of
from ingest.tables import Grid, GridCell, table_blocks
from ingest.text import join_wrapped, line_blocks
from retrieval.contents import LeftOut

_INVISIBLE = (pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP)
_MARGIN = 0.12  # of the page's height: where running headers and footers are
_APART = 1.0  # of the type size: the least space between them and the text
_HEADING_SIZE = 1.1  # of the body's size
_LONGEST_TITLE = 8  # words; a longer text that ends in a full stop is not a heading
_PARAGRAPH_GAP = 0.6  # of the body's size, between lines
_SPACE = 0.2  # of the type size: the narrowest space between words
_OPEN_LINES = 3  # fewer lines do not show how wide their column is
_RUNNING_WORDS, _RUNNING_WIDTH = 5, 0.7  # words, and share of the region's width, of a line of running text


def read_pdf(filename: str, data: bytes, limits: Limits) -> Reading:
    """A PDF as blocks.

    Raises:
        InvalidInput: it is encrypted, or has more pages than the limit.
    """
    prepared, hidden, left_out = _prepared(filename, data, limits)
    links = _links(data)
    with pdfplumber.open(io.BytesIO(prepared)) as pdf:
        pages = [_page(*given) for given in zip(pdf.pages, links, hidden, strict=True)]
    return Reading(tuple(_blocks(_without_running_lines(pages))), tuple(left_out))


@dataclass(frozen=True, slots=True)
class _Page:
    """What is on a page, before its layout is known."""

    height: float
    words: tuple[Word, ...]  # outside ruled tables
    ruled: tuple[Region, ...]
    turned: tuple[Region, ...]  # text that runs up or down the page
    sizes: tuple[float, ...]  # type size of each word, in points

    def regions(self) -> list[Region]:
        """The regions of the page, in reading order."""
        return [*regions_of(self.words, self.ruled), *self.turned]


def _links(data: bytes) -> list[list[Link]]:
    """The links of each page; they are annotations, which the prepared file no longer has."""
    with pdfplumber.open(io.BytesIO(data), raise_unicode_errors=False) as pdf:
        return [
            [(link["uri"], (link["x0"], link["top"], link["x1"], link["bottom"])) for link in page.hyperlinks]
            for page in pdf.pages
        ]


def _prepared(filename: str, data: bytes, limits: Limits) -> tuple[bytes, list[list[Place]], list[LeftOut]]:
    """The file with its fields and notes drawn on the pages, the invisible characters of each, and what is not read."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
            raise InvalidInput(f"{filename}: it is encrypted.", "Send it without a password.", "file") from None
        raise
    with document:
        if len(document) > limits.pdf_pages:
            raise InvalidInput(
                f"{filename}: {len(document)} pages; at most {limits.pdf_pages} are read.", "Split it.", "file"
            )
        left_out, hidden, changed = list[LeftOut](), list[list[Place]](), False
        for number in range(len(document)):
            page = document[number]
            hidden.append(_hidden_places(page, number + 1, left_out))
            changed = _draw_annotations(page) or changed
            page.close()
        if not changed:
            return data, hidden, left_out
        out = io.BytesIO()
        document.save(out)
        return out.getvalue(), hidden, left_out


def _draw_annotations(page: Any) -> bool:
    """Draw form fields and notes on a page; whether it was changed."""
    if pdfium_c.FPDFPage_GetAnnotCount(page.raw) <= 0:
        return False
    return bool(pdfium_c.FPDFPage_Flatten(page.raw, pdfium_c.FLAT_NORMALDISPLAY) == pdfium_c.FLATTEN_SUCCESS)


def _hidden_places(page: Any, number: int, left_out: list[LeftOut]) -> list[Place]:
    """Where invisible characters are. Invisible text over a scan is its recognised text, and is read."""
    images = sum(1 for _ in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE]))
    texts = list(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_TEXT]))
    hidden = sum(_is_invisible(text.raw) for text in texts)
    recognised = bool(images) and hidden == len(texts)
    if report := _unread(len(texts), images, recognised):
        left_out.append(LeftOut(report, f"page {number}"))
    # PDFium could remove such text, but it would rewrite the page without its word spacing.
    return _invisible_characters(page) if hidden and not recognised else []


def _is_invisible(text: Any) -> bool:
    return pdfium_c.FPDFTextObj_GetTextRenderMode(text) in _INVISIBLE


def _invisible_characters(page: Any) -> list[Place]:
    """The origins of the invisible characters, in points from the page's lower left corner."""
    found: list[Place] = []
    text, x, y = page.get_textpage(), c_double(), c_double()
    for index in range(text.count_chars()):
        owner = pdfium_c.FPDFText_GetTextObject(text.raw, index)
        if owner and _is_invisible(owner) and pdfium_c.FPDFText_GetCharOrigin(text.raw, index, x, y):
            found.append((x.value, y.value))
    text.close()
    return found


def _unread(texts: int, images: int, recognised: bool) -> str:
    """What of a page is not read, as reported to the publisher."""
    if not images:
        return ""
    if not texts:
        return "page without text: a scan or an image"
    return "scanned page: its recognised text was read" if recognised else f"{images} image{'s' if images > 1 else ''}"


def _page(page: Any, links: Sequence[Link], hidden: Sequence[Place]) -> _Page:
    tables = [t for t in page.find_tables() if len({c[0] for c in t.cells}) > 1]
    inside: list[list[Char]] = [[] for _ in tables]
    outside: list[Char] = []
    for char in visible_chars(page, links, hidden):
        place = next((i for i, table in enumerate(tables) if is_inside(char, table.bbox)), None)
        (outside if place is None else inside[place]).append(char)
    ruled = [
        Region(t.bbox[1], t.bbox[3], t.bbox[0], t.bbox[2], grid=_grid(t, c))
        for t, c in zip(tables, inside, strict=True)
    ]
    words, turned = words_of([c for c in outside if c["upright"]]), [c for c in outside if not c["upright"]]
    sizes = [w.size for w in words] + [w.size for cell in inside for w in words_of(cell)]
    return _Page(float(page.height), tuple(words), tuple(ruled), tuple(_turned_regions(turned)), tuple(sizes))


def _turned_regions(chars: Sequence[Char]) -> Iterator[Region]:
    """Text that runs up or down the page, as one line each way."""
    for direction, upward in (("btt", True), ("ttb", False)):
        words = turned_words([c for c in chars if (c["matrix"][1] > 0) == upward], direction)
        if words:
            line = PdfLine(tuple(words))
            yield Region(line.top, line.bottom, line.x0, line.x1, lines=(line,))


def _grid(table: Any, chars: Sequence[Char]) -> Grid:
    """The cells of a ruled table; a cell that covers several columns or rows has none of their rules inside."""
    left = _edges(c[0] for c in table.cells)
    top = _edges(c[1] for c in table.cells)
    cells = []
    for x0, y0, x1, y1 in table.cells:
        own = [c for c in chars if is_inside(c, (x0, y0, x1, y1))]
        text = clean(join_wrapped([line.text for line in lines_of(words_of(own))]))
        row, column = _at(top, y0), _at(left, x0)
        rows = sum(1 for y in top if y0 + 1 < y < y1 - 1) + 1
        columns = sum(1 for x in left if x0 + 1 < x < x1 - 1) + 1
        cells.append(GridCell(row, column, text, rows, columns))
    return Grid(tuple(cells))


def _edges(values: Iterator[float]) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > 1:
            kept.append(value)
    return kept


def _at(edges: Sequence[float], value: float) -> int:
    return min(range(len(edges)), key=lambda i: abs(edges[i] - value))


def _without_running_lines(pages: list[_Page]) -> list[_Page]:
    """Drop what is repeated in the margins of two pages or more, page numbers apart, and bare page numbers."""
    seen = Counter(shape for page in pages for shape in {s for line in _margin_lines(page) for s in _shapes(line)})
    repeated = {shape for shape, count in seen.items() if count > 1}
    return [_without(page, [x for x in _margin_lines(page) if _is_running(x, repeated)]) for page in pages]


def _is_running(line: PdfLine, repeated: set[str]) -> bool:
    shapes = _shapes(line)
    return (shapes <= repeated and any(re.search(r"\w", s) for s in shapes)) or _is_page_number(line)


def _is_page_number(line: PdfLine) -> bool:
    return re.fullmatch(r"\W*\d+\W*", line.text) is not None


def _without(page: _Page, running: list[PdfLine]) -> _Page:
    """A page without its running lines; a line close to the text is a line of it, such as the header of a table."""
    candidates = {id(word) for line in running for word in line.words}
    text = [line for line in lines_of(page.words) if id(line.words[0]) not in candidates]
    gone: set[int] = set()
    # From the middle of the page outwards, for what is close to a line of text is text too.
    for line in sorted(running, key=lambda x: abs(x.top - page.height / 2)):
        if _is_page_number(line) or all(_space_between(line, other) >= _APART * line.size for other in text):
            gone |= {id(word) for word in line.words}
        else:
            text.append(line)
    return replace(page, words=tuple(word for word in page.words if id(word) not in gone))


def _space_between(line: PdfLine, other: PdfLine) -> float:
    return max(line.top - other.bottom, other.top - line.bottom)


def _margin_lines(page: _Page) -> list[PdfLine]:
    margin = page.height * _MARGIN
    return [line for line in lines_of(page.words) if line.bottom < margin or line.top > page.height - margin]


def _shapes(line: PdfLine) -> set[str]:
    """The segments of a line, with `#` for every number."""
    return {re.sub(r"\d+", "#", segment.text) for segment in line.segments()}


def _blocks(pages: Sequence[_Page]) -> Iterator[Block]:
    regions = [page.regions() for page in pages]
    lines = [line for page in regions for region in page for line in region.lines]
    sizes = [size for page in pages for size in page.sizes]
    body = statistics.median(sizes) if sizes else 0.0
    large = sorted({round(s) for s in sizes if s > body * _HEADING_SIZE}, reverse=True)
    levels = {size: min(level, 5) for level, size in enumerate(large, start=1)}
    known = Counter(word.casefold() for line in lines for word in re.findall(r"[^\W\d_]+-[^\W\d_]+", line.text))
    joined = _joined_tables(regions)
    found = [list(_region_blocks(region, body, levels, known)) for region in joined]
    open_ended = [_is_open_ended(*pair) for pair in zip(joined, [*joined[1:], None], strict=False)]
    yield from _joined_paragraphs(found, open_ended)


def _joined_tables(pages: Sequence[Sequence[Region]]) -> list[Region]:
    """The regions of all pages; a table that goes on over a page break is one."""
    joined: list[Region] = []
    for page in pages:
        grid = _continued(joined[-1].grid, page[0].grid) if joined and page else None
        if grid:
            joined[-1] = replace(joined[-1], grid=grid)
        joined += page[1:] if grid else page
    return joined


def _continued(upper: Grid | None, lower: Grid | None) -> Grid | None:
    """Two grids of as many columns as one; a header that is repeated is dropped."""
    if upper is None or lower is None or _width(upper) != _width(lower):
        return None
    head, again = _row(upper, 0), _row(lower, 0)
    skip = 1 if head == again else 0
    offset = max(c.row + c.rows for c in upper.cells) - skip
    moved = [GridCell(c.row + offset, c.column, c.text, c.rows, c.columns) for c in lower.cells if c.row >= skip]
    return Grid((*upper.cells, *moved), upper.header_expected)


def _width(grid: Grid) -> int:
    return max((c.column + c.columns for c in grid.cells), default=0)


def _row(grid: Grid, number: int) -> list[tuple[int, str]]:
    return sorted((c.column, c.text) for c in grid.cells if c.row == number)


def _region_blocks(region: Region, body: float, levels: dict[int, int], known: Counter[str]) -> Iterator[Block]:
    if region.grid:
        yield from table_blocks(region.grid)
        return
    for level, lines in _paragraphs(region.lines, body, levels):
        text = clean(join_wrapped([line.text for line in lines], known))
        if level and not _is_sentence(text):
            yield Block("heading", text, level)
        else:
            yield from line_blocks([line.text for line in lines], _full_lines(region, lines), known)


def _paragraphs(lines: Sequence[PdfLine], body: float, levels: dict[int, int]) -> Iterator[tuple[int, list[PdfLine]]]:
    """Lines without a wide space between them, with their level as a heading; 0 for a paragraph."""
    held: list[PdfLine] = []
    held_level = 0
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        level = _heading_level(line, following, body, levels)
        if held and (level != held_level or line.top - held[-1].bottom > max(body, line.size) * _PARAGRAPH_GAP):
            yield held_level, held
            held = []
        held.append(line)
        held_level = level
    if held:
        yield held_level, held


def _is_sentence(text: str) -> bool:
    """Whether a text in larger type is running text after all, as in a file that is mostly tables in small type."""
    return text.endswith(".") and len(text.split()) > _LONGEST_TITLE


def _full_lines(region: Region, lines: Sequence[PdfLine]) -> list[bool]:
    """Whether each line was broken because the next word did not fit, or is running text up to near the edge."""
    following = [line.words[0].x1 - line.words[0].x0 for line in lines[1:]]
    ends = [line.x1 + _SPACE * line.size + width for line, width in zip(lines, following, strict=False)]
    widest = max((line.x1 for line in lines), default=0.0)
    # A paragraph may be narrower than its region: every line ends where the next word did not fit, or inside a word.
    running = all(len(line.words) >= _RUNNING_WORDS for line in lines[:-1])
    wrapped = running and (all(end > widest for end in ends) or any(line.text.endswith("-") for line in lines))
    full = [wrapped or end > region.x1 or _is_running_text(region, x) for x, end in zip(lines, ends, strict=False)]
    return [*full, False]


def _is_running_text(region: Region, line: PdfLine) -> bool:
    long_enough = len(line.words) >= _RUNNING_WORDS and line.x1 - region.x0 > _RUNNING_WIDTH * (region.x1 - region.x0)
    return long_enough and not line.text.endswith((".", "!", "?", ":", ";"))


def _heading_level(line: PdfLine, following: PdfLine | None, body: float, levels: dict[int, int]) -> int:
    """The level of a heading, 0 for other lines: larger type, or a bold line above lines that are not."""
    if line.size > body * _HEADING_SIZE:
        return levels.get(round(line.size), 0)
    is_title = (
        line.bold and following is not None and not following.bold and not line.text.endswith((".", ":", ",", ";"))
    )
    return len(levels) + 1 if is_title and len(levels) < 5 else 0


def _is_open_ended(region: Region, following: Region | None) -> bool:
    """Whether the last line of a region is full, and so may go on in the next column or on the next page."""
    if len(region.lines) < _OPEN_LINES or following is None or not following.lines:
        return False
    last, word = region.lines[-1], following.lines[0].words[0]
    return last.x1 + _SPACE * last.size + word.x1 - word.x0 > region.x1


def _joined_paragraphs(regions: Sequence[Sequence[Block]], open_ended: Sequence[bool]) -> Iterator[Block]:
    """A sentence that goes on in the next column or on the next page is one.

    Args:
        regions: the blocks of each region.
        open_ended: for each region, whether its last line may go on in the next.
    """
    held: Block | None = None
    was_open = False
    for blocks, is_open in zip(regions, open_ended, strict=True):
        for number, block in enumerate(blocks):
            if held is not None and _goes_on(held, block, was_open and number == 0):
                held = Block(held.kind, join_wrapped([held.text, block.text]), held.level, held.marker)
                continue
            if held is not None:
                yield held
            held = block if block.kind in ("paragraph", "item") else None
            if held is None:
                yield block
        was_open = is_open
    if held is not None:
        yield held


def _goes_on(held: Block, block: Block, was_open: bool) -> bool:
    if block.kind != "paragraph" or held.text.endswith((".", "!", "?", ":", ";")):
        return False
    return was_open or block.text[:1].islower() or held.text.endswith("-")
