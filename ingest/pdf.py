"""PDF: from characters with places to blocks.

PDFium (pypdfium2) opens the file, drops invisible text and merges form fields and notes into the page; pdfplumber gives
characters and ruled tables. What remains is layout, which a PDF does not state: columns, tables without rules,
headings, lists, running headers, and what goes on over a page break.
"""

from __future__ import annotations

import io
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pdfplumber
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from pdfplumber.utils.text import extract_words

from domains.spec import InvalidInput
from ingest.blocks import Block, Reading, clean
from ingest.limits import Limits
from ingest.pdf_layout import Line, Region, Word, lines_of, regions_of
from ingest.tables import Grid, GridCell, table_blocks
from ingest.text import join_wrapped, line_blocks, raised
from retrieval.contents import LeftOut

_INVISIBLE = (pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP)
_SMALLEST = 2.0  # points; smaller type is not readable
_MARGIN = 0.12  # of the page's height: where running headers and footers are
_RAISED_SIZE = 0.85  # of its neighbour's size: a footnote mark is smaller
_HEADING_SIZE = 1.1  # of the body's size
_PARAGRAPH_GAP = 0.6  # of the body's size, between lines
_SPACE = 0.2  # of the type size: the narrowest space between words
_RUNNING_WORDS, _RUNNING_WIDTH = 5, 0.7  # words, and share of the region's width, of a line of running text


def read_pdf(filename: str, data: bytes, limits: Limits) -> Reading:
    """A PDF as blocks.

    Raises:
        InvalidInput: it is encrypted, or has more pages than the limit.
    """
    prepared, left_out = _prepared(filename, data, limits)
    with pdfplumber.open(io.BytesIO(prepared)) as pdf:
        pages = [_page(page) for page in pdf.pages]
    pages = _without_running_lines(pages)
    return Reading(tuple(_blocks(pages)), tuple(left_out))


@dataclass(frozen=True, slots=True)
class _Page:
    """The regions of a page, in reading order."""

    height: float
    regions: tuple[Region, ...]
    sizes: tuple[float, ...]  # type size of each word, in points


def _prepared(filename: str, data: bytes, limits: Limits) -> tuple[bytes, list[LeftOut]]:
    """The file without invisible text, its fields and notes drawn on the page; and what cannot be read."""
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
        left_out, changed = list[LeftOut](), False
        for number in range(len(document)):
            page = document[number]
            changed = _prepare_page(page, number + 1, left_out) or changed
            page.close()
        if not changed:
            return data, left_out
        out = io.BytesIO()
        document.save(out)
        return out.getvalue(), left_out


def _prepare_page(page: Any, number: int, left_out: list[LeftOut]) -> bool:
    """Whether the page was changed. Invisible text over a scan is its recognised text, and stays."""
    changed = False
    if pdfium_c.FPDFPage_GetAnnotCount(page.raw) > 0:
        changed = pdfium_c.FPDFPage_Flatten(page.raw, pdfium_c.FLAT_NORMALDISPLAY) == pdfium_c.FLATTEN_SUCCESS
    images = sum(1 for _ in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE]))
    texts = list(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_TEXT]))
    hidden = [text for text in texts if pdfium_c.FPDFTextObj_GetTextRenderMode(text.raw) in _INVISIBLE]
    recognised = bool(images) and len(hidden) == len(texts)
    if report := _unread(len(texts), images, recognised):
        left_out.append(LeftOut(report, f"page {number}"))
    if not hidden or recognised:
        return changed
    for text in hidden:
        if text.level == 0:
            page.remove_obj(text)
    page.gen_content()
    return True


def _unread(texts: int, images: int, recognised: bool) -> str:
    """What of a page is not read, as reported to the publisher."""
    if not images:
        return ""
    if not texts:
        return "page without text: a scan or an image"
    return "scanned page: its recognised text was read" if recognised else f"{images} image{'s' if images > 1 else ''}"


def _page(page: Any) -> _Page:
    chars = _with_raised_marks(_visible(page))
    tables = [t for t in page.find_tables() if len({c[0] for c in t.cells}) > 1]
    boxes = [t.bbox for t in tables]
    inside: list[list[dict[str, Any]]] = [[] for _ in tables]
    outside: list[dict[str, Any]] = []
    for char in chars:
        place = next((i for i, box in enumerate(boxes) if _is_inside(char, box)), None)
        (outside if place is None else inside[place]).append(char)
    ruled = [
        Region(t.bbox[1], t.bbox[3], t.bbox[0], t.bbox[2], grid=_grid(t, c))
        for t, c in zip(tables, inside, strict=True)
    ]
    words, turned = _words([c for c in outside if c["upright"]]), [c for c in outside if not c["upright"]]
    sizes = [w.size for w in words] + [w.size for cell in inside for w in _words(cell)]
    regions = [*regions_of(lines_of(words), ruled), *_turned_regions(turned)]
    return _Page(float(page.height), tuple(regions), tuple(sizes))


def _turned_regions(chars: Sequence[dict[str, Any]]) -> Iterator[Region]:
    """Text that runs up or down the page, as one line each way."""
    for direction, upward in (("btt", True), ("ttb", False)):
        own = [c for c in chars if (c["matrix"][1] > 0) == upward]
        words = extract_words(own, char_dir_rotated=direction, extra_attrs=["fontname", "size"])
        if words:
            line = Line(tuple(_word(w) for w in words))
            yield Region(line.top, line.bottom, line.x0, line.x1, lines=(line,))


def _visible(page: Any) -> list[dict[str, Any]]:
    """The characters on the page that a person can see: large enough, and not white on white."""
    filled = [r for r in (*page.rects, *page.curves) if r.get("fill") and not _is_white(r.get("non_stroking_color"))]
    backgrounds = [*filled, *page.images]
    left, top, right, bottom = page.bbox
    return [
        char
        for char in page.chars
        if char["size"] >= _SMALLEST
        and left <= (char["x0"] + char["x1"]) / 2 <= right
        and top <= (char["top"] + char["bottom"]) / 2 <= bottom
        and (not _is_white(char.get("non_stroking_color")) or any(_lies_on(char, b) for b in backgrounds))
    ]


def _is_white(color: Any) -> bool:
    if not isinstance(color, tuple | list) or not all(isinstance(c, int | float) for c in color):
        return False
    return all(c == 0 for c in color) if len(color) == 4 else bool(color) and all(c >= 1 for c in color)


def _lies_on(char: dict[str, Any], thing: dict[str, Any]) -> bool:
    return _is_inside(char, (thing["x0"], thing["top"], thing["x1"], thing["bottom"]))


def _is_inside(char: dict[str, Any], box: tuple[float, float, float, float]) -> bool:
    x, y = (char["x0"] + char["x1"]) / 2, (char["top"] + char["bottom"]) / 2
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def _with_raised_marks(chars: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Small digits raised beside a larger character are written as raised digits, on their neighbour's line."""
    if not chars:
        return []
    sizes = statistics.median(c["size"] for c in chars)
    marks = [c for c in chars if c["text"].isdigit() and c["size"] < sizes * _RAISED_SIZE and c["upright"]]
    changed: dict[int, dict[str, Any]] = {}
    for mark in sorted(marks, key=lambda c: c["x0"]):
        neighbour = next((changed.get(id(c), c) for c in chars if _raises(changed.get(id(c), c), mark)), None)
        if neighbour is not None:
            place = {k: neighbour[k] for k in ("top", "bottom", "doctop", "size")}
            changed[id(mark)] = {**mark, **place, "text": raised(mark["text"])}
    return [changed.get(id(c), c) for c in chars]


def _raises(char: dict[str, Any], mark: dict[str, Any]) -> bool:
    """Whether a mark stands at the upper right of a character."""
    beside = -0.1 * char["size"] <= mark["x0"] - char["x1"] <= 0.3 * char["size"]
    higher = char["top"] - 0.5 * char["size"] <= mark["top"] and mark["bottom"] <= char["bottom"] - 0.1 * char["size"]
    return bool(beside and higher and mark["size"] < char["size"] * _RAISED_SIZE and not char["text"].isspace())


def _words(chars: list[dict[str, Any]]) -> list[Word]:
    found = extract_words(chars, x_tolerance_ratio=0.2, y_tolerance=3, extra_attrs=["fontname", "size"])
    merged: list[Word] = []
    for word in map(_word, found):
        last = merged[-1] if merged else None
        # extract_words parts a word where its font changes
        if last and 0 <= word.x0 - last.x1 < 0.15 * word.size and abs(last.bottom - word.bottom) < 0.3 * word.size:
            box = (last.x0, word.x1, min(last.top, word.top), max(last.bottom, word.bottom))
            merged[-1] = Word(last.text + word.text, *box, last.size, last.bold)
        else:
            merged.append(word)
    return merged


def _word(found: dict[str, Any]) -> Word:
    text = found["text"].replace("(cid:127)", "•")  # how the bullet of the standard fonts is given
    box = (found["x0"], found["x1"], found["top"], found["bottom"])
    return Word(text, *box, found["size"], "bold" in found["fontname"].casefold())


def _grid(table: Any, chars: Sequence[dict[str, Any]]) -> Grid:
    """The cells of a ruled table; a cell that covers several columns or rows has none of their rules inside."""
    left = _edges(c[0] for c in table.cells)
    top = _edges(c[1] for c in table.cells)
    cells = []
    for x0, y0, x1, y1 in table.cells:
        own = [c for c in chars if _is_inside(c, (x0, y0, x1, y1))]
        text = clean(join_wrapped([line.text for line in lines_of(_words(own))]))
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
    seen = Counter(key for page in pages for key in {_shape(line) for line in _margin_lines(page)})
    gone = {key for key, count in seen.items() if count > 1 or re.fullmatch(r"\W*#\W*", key)}
    return [
        replace(
            page,
            regions=tuple(r.without({id(x) for x in _margin_lines(page) if _shape(x) in gone}) for r in page.regions),
        )
        for page in pages
    ]


def _margin_lines(page: _Page) -> list[Line]:
    margin = page.height * _MARGIN
    lines = [line for region in page.regions for line in region.lines]
    return [line for line in lines if line.bottom < margin or line.top > page.height - margin]


def _shape(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text)


def _blocks(pages: Sequence[_Page]) -> Iterator[Block]:
    lines = [line for page in pages for region in page.regions for line in region.lines]
    sizes = [size for page in pages for size in page.sizes]
    body = statistics.median(sizes) if sizes else 0.0
    large = sorted({round(s) for s in sizes if s > body * _HEADING_SIZE}, reverse=True)
    levels = {size: min(level, 5) for level, size in enumerate(large, start=1)}
    known = Counter(word.casefold() for line in lines for word in re.findall(r"[^\W\d_]+-[^\W\d_]+", line.text))
    found = [b for region in _joined_tables(pages) for b in _region_blocks(region, body, levels, known)]
    yield from _joined_paragraphs(found)


def _joined_tables(pages: Sequence[_Page]) -> list[Region]:
    """The regions of all pages; a table that goes on over a page break is one."""
    joined: list[Region] = []
    for page in pages:
        regions = [r for r in page.regions if r.grid or r.lines]
        grid = _continued(joined[-1].grid, regions[0].grid) if joined and regions else None
        if grid:
            joined[-1] = replace(joined[-1], grid=grid)
        joined += regions[1:] if grid else regions
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
    held: list[Line] = []

    def close() -> Iterator[Block]:
        yield from line_blocks([line.text for line in held], _full_lines(region, held), known)
        held.clear()

    for line, following in zip(region.lines, [*region.lines[1:], None], strict=True):
        level = _heading_level(line, following, body, levels)
        if held and (level or line.top - held[-1].bottom > body * _PARAGRAPH_GAP):
            yield from close()
        if level:
            yield Block("heading", clean(line.text), level)
        else:
            held.append(line)
    yield from close()


def _full_lines(region: Region, lines: Sequence[Line]) -> list[bool]:
    """Whether each line was broken because the next word did not fit, or is running text up to near the edge."""
    following = [line.words[0].x1 - line.words[0].x0 for line in lines[1:]]
    return [
        line.x1 + _SPACE * line.size + width > region.x1 or _is_running_text(region, line)
        for line, width in zip(lines, [*following, 0.0], strict=False)
    ]


def _is_running_text(region: Region, line: Line) -> bool:
    long_enough = len(line.words) >= _RUNNING_WORDS and line.x1 - region.x0 > _RUNNING_WIDTH * (region.x1 - region.x0)
    return long_enough and not line.text.endswith((".", "!", "?", ":", ";"))


def _heading_level(line: Line, following: Line | None, body: float, levels: dict[int, int]) -> int:
    """The level of a heading, 0 for other lines: larger type, or a bold line above lines that are not."""
    if line.size > body * _HEADING_SIZE:
        return levels.get(round(line.size), 0)
    is_title = (
        line.bold and following is not None and not following.bold and not line.text.endswith((".", ":", ",", ";"))
    )
    return len(levels) + 1 if is_title and len(levels) < 5 else 0


def _joined_paragraphs(blocks: Sequence[Block]) -> Iterator[Block]:
    """A sentence that goes on in the next column or on the next page is one."""
    held: Block | None = None
    for block in blocks:
        goes_on = block.kind == "paragraph" and (
            block.text[:1].islower() or (held is not None and held.text.endswith("-"))
        )
        if held is not None and goes_on and not held.text.endswith((".", "!", "?", ":", ";")):
            held = Block(held.kind, join_wrapped([held.text, block.text]), held.level, held.marker)
            continue
        if held is not None:
            yield held
        held = block if block.kind in ("paragraph", "item") else None
        if held is None:
            yield block
    if held is not None:
        yield held
