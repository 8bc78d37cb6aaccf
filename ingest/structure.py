"""From docling's structured documents to blocks: the one way that HTML, Markdown, DOCX, XLSX and CSV take.

The readers of these formats (`ingest.html`, `ingest.docx`, `ingest.xlsx`) prepare a file so that only visible words
are left in it; docling's backends find paragraphs, lists and tables; this module keeps their order, the parents of
list items, and the cells of tables.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from ingest.blocks import Block, clean
from ingest.tables import Grid, GridCell, table_blocks

if TYPE_CHECKING:
    from docling_core.types.doc.document import DoclingDocument

_DEEPEST_HEADING = 6


def convert(format_name: str, filename: str, data: bytes) -> DoclingDocument:
    """Let docling's declarative backend of a format (`html`, `docx`, `xlsx`, `csv`) read a file."""
    docling = _docling()
    backend, options = docling[format_name]
    stream = docling["DocumentStream"](name=filename, stream=io.BytesIO(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks about the file's shape; what matters is in the result
        document = docling["InputDocument"](
            path_or_stream=stream.stream,
            format=docling["InputFormat"](format_name),
            backend=backend,
            backend_options=options,
            filename=filename,
        )
        converted: DoclingDocument = document._backend.convert()
    return converted


@cache
def _docling() -> dict[str, Any]:
    """Docling's parts, imported when the first file needs them.

    docling imports transformers, and so torch, if it is installed, for models that no declarative backend uses. A
    reading process has no use for them: without them it starts in 2 seconds instead of 6 and takes 0.4 GB less.
    """
    hidden = "transformers" not in sys.modules
    if hidden:
        sys.modules["transformers"] = None  # type: ignore[assignment]  # an import of it raises ImportError
    try:
        from docling.backend.csv_backend import CsvDocumentBackend
        from docling.backend.html_backend import HTMLDocumentBackend
        from docling.backend.msexcel_backend import MsExcelDocumentBackend
        from docling.backend.msword_backend import MsWordDocumentBackend
        from docling.datamodel.backend_options import HTMLBackendOptions
        from docling.datamodel.base_models import DocumentStream, InputFormat
        from docling.datamodel.document import InputDocument
    finally:
        if hidden:
            del sys.modules["transformers"]
    return {
        "csv": (CsvDocumentBackend, None),
        "docx": (MsWordDocumentBackend, None),
        "html": (HTMLDocumentBackend, HTMLBackendOptions(infer_furniture=False)),
        "xlsx": (MsExcelDocumentBackend, None),
        "DocumentStream": DocumentStream,
        "InputDocument": InputDocument,
        "InputFormat": InputFormat,
    }


def blocks_of(document: DoclingDocument, header_expected: bool = False) -> Iterator[Block]:
    """The visible content of a document, in reading order; see `ingest.tables.Grid` for `header_expected`."""
    yield from _Walk(document, header_expected).children(document.body)


class _Walk:
    """One pass over a document's tree."""

    def __init__(self, document: DoclingDocument, header_expected: bool) -> None:
        self._document = document
        self._header_expected = header_expected

    def children(self, node: Any) -> Iterator[Block]:
        """The blocks of all children."""
        for reference in node.children:
            yield from self._node(reference.resolve(self._document))

    def _node(self, node: Any) -> Iterator[Block]:
        kind = type(node).__name__
        if not _is_visible(node):
            return
        if kind == "TableItem":
            yield from self._table(node)
        elif kind == "ListGroup":
            yield from self._list(node, "")
        elif kind == "InlineGroup":
            yield Block("paragraph", self._text(node))
        elif kind == "TitleItem":
            yield Block("heading", clean(node.text), 1)
            yield from self.children(node)
        elif kind == "SectionHeaderItem":
            yield Block("heading", clean(node.text), min(node.level + 1, _DEEPEST_HEADING))
            yield from self.children(node)
        elif kind == "ListItem":
            yield from self._item(node, "", 0)
        else:
            yield from self._other(node)

    def _other(self, node: Any) -> Iterator[Block]:
        """A paragraph or a group; a sheet's name is a heading if there is more than one."""
        if str(getattr(node, "label", "")) == "sheet" and len(self._document.body.children) > 1:
            yield Block("heading", clean(node.name), 2)
        if text := _own_text(node):
            yield Block("paragraph", text)
        yield from self.children(node)

    def _list(self, group: Any, parent: str) -> Iterator[Block]:
        number = 0
        for reference in group.children:
            node = reference.resolve(self._document)
            if type(node).__name__ == "ListItem":
                number += 1
                yield from self._item(node, parent, number)
            elif _is_visible(node):
                yield from self._list(node, parent) if type(node).__name__ == "ListGroup" else self._node(node)

    def _item(self, item: Any, parent: str, number: int) -> Iterator[Block]:
        """A list item and what hangs on it. An item that introduces its sub-items is said with each of them."""
        inline = [c for c in self._visible(item) if type(c).__name__ in ("InlineGroup", "TextItem")]
        rest = [c for c in self._visible(item) if c not in inline]
        own = clean(" ".join([_own_text(item), *(self._text(c) for c in inline)]))
        lists = [c for c in rest if type(c).__name__ == "ListGroup"]
        introduces = bool(lists) and not own.endswith((".", "!", "?"))
        text = f"{parent} {own}".strip()
        if own and not introduces:
            marker = clean(item.marker or f"{number}.") if item.enumerated else ""
            yield Block("item", text, marker=marker)
        for child in rest:
            if child in lists:
                yield from self._list(child, _introduction(text) if introduces else parent)
            else:
                yield from self._node(child)

    def _table(self, table: Any) -> Iterator[Block]:
        captions = [clean(caption.resolve(self._document).text) for caption in table.captions]
        cells = table.data.table_cells
        if _is_layout(table, [self._rich(cell) for cell in cells]):
            for cell in cells:
                rich = self._rich(cell)
                yield from self.children(rich) if rich is not None else [Block("paragraph", clean(cell.text))]
            return
        grid = Grid(tuple(self._grid_cell(cell) for cell in cells), self._header_expected)
        yield from table_blocks(grid, tuple(caption for caption in captions if caption))

    def _grid_cell(self, cell: Any) -> GridCell:
        rich = self._rich(cell)
        text = clean(cell.text) if rich is None else self._text(rich)
        return GridCell(
            cell.start_row_offset_idx,
            cell.start_col_offset_idx,
            text,
            max(cell.end_row_offset_idx - cell.start_row_offset_idx, 1),
            max(cell.end_col_offset_idx - cell.start_col_offset_idx, 1),
            _marks_headers(self._document) and cell.column_header,
        )

    def _rich(self, cell: Any) -> Any:
        """The group that holds a cell's content, if it is more than text."""
        reference = getattr(cell, "ref", None)
        return None if reference is None else reference.resolve(self._document)

    def _text(self, node: Any) -> str:
        """All words below a node, as one line."""
        if type(node).__name__ == "InlineGroup":
            return clean(" ".join(_own_text(child) for child in self._visible(node)))
        blocks = [Block("paragraph", _own_text(node))] if _own_text(node) else []
        blocks += self.children(node)
        parts = [block.text for block in blocks if block.text]
        rows = any(block.kind in ("row", "item") for block in blocks)
        return clean(("; " if rows else " ").join(parts))

    def _visible(self, node: Any) -> list[Any]:
        return [c for c in (r.resolve(self._document) for r in node.children) if _is_visible(c)]


def _is_visible(node: Any) -> bool:
    """Body content; running headers, comments and hidden parts are not, but footnotes are."""
    return str(node.content_layer.value) == "body" or str(getattr(node, "label", "")) == "footnote"


def _own_text(node: Any) -> str:
    return clean(getattr(node, "text", "") or "")


def _introduction(text: str) -> str:
    return text if text.endswith((":", ",", "–", "—", "-")) else f"{text}:"


def _is_layout(table: Any, rich: list[Any]) -> bool:
    """Whether a table only places blocks on the page: it has one row or one column, and a cell that holds blocks."""
    single = table.data.num_rows == 1 or table.data.num_cols == 1
    return single and any(group is not None for group in rich)


def _marks_headers(document: DoclingDocument) -> bool:
    """Whether the format marks headers; docling reports the first row of the others as one."""
    origin = document.origin
    return origin is not None and origin.mimetype == "text/html"
