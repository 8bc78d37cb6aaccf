"""The canonical text of a document, and its passages.

Every reader turns a file into blocks (headings, paragraphs, list items, table rows). `render` writes the text that is
stored, cited and hashed: NFC, LF, one block per line; a table row is a line that names its columns. `cut` finds the
passages in it. Offsets are Unicode code points of that text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_text_splitters import RecursiveCharacterTextSplitter

from retrieval.contents import Cell, LeftOut, Span

PASSAGE_WORDS = 120  # the length at which plain retrieval was measured best on long policy documents
_LONGEST_BLOCK = 1200  # characters; a longer paragraph is split at sentence ends

Kind = Literal["heading", "paragraph", "item", "row"]


@dataclass(frozen=True, slots=True)
class Block:
    """One line of the canonical text.

    Attributes:
        kind: what the line is.
        text: its words, one line of NFC text.
        level: the depth of a heading, 1 to 6; 0 for everything else.
        marker: the number or letter of an ordered list item, such as `1.`.
        cells: of a table row, the columns that have a value.
        context: what a table states about all of its rows (title rows, section rows), outermost first.
    """

    kind: Kind
    text: str
    level: int = 0
    marker: str = ""
    cells: tuple[Cell, ...] = ()
    context: tuple[str, ...] = ()

    def line(self) -> str:
        """The block as it is written in the canonical text; a tab separates a list number from its item."""
        if self.kind == "heading":
            return f"{'#' * self.level} {self.text}"
        if self.kind == "item":
            return f"{self.marker}\t{self.text}" if self.marker else f"- {self.text}"
        return self.text


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found in a file.

    Attributes:
        blocks: the visible content, in reading order.
        left_out: what was knowingly not read.
        title: the title that the file states beside its content, such as an HTML `<title>`; may be empty.
    """

    blocks: tuple[Block, ...]
    left_out: tuple[LeftOut, ...] = ()
    title: str = ""


def clean(text: str) -> str:
    """One line of NFC text: control and invisible characters dropped, white space folded."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(c if c.isprintable() or c.isspace() else "" for c in text)
    return re.sub(r"\s+", " ", text).strip()


def row_block(cells: Iterable[tuple[str, str]], context: tuple[str, ...] = ()) -> Block:
    """A table row: `Plan: Team; Currency: EUR`. Cells without a value are left out."""
    kept = tuple(Cell(clean(column), clean(value)) for column, value in cells if clean(value))
    return Block("row", "; ".join(str(cell) for cell in kept), cells=kept, context=context)


def with_title(blocks: Iterable[Block], title: str) -> list[Block]:
    """Blocks that begin with a heading: the document's own, or its title."""
    kept = [b for b in blocks if b.text]
    if kept and kept[0].kind == "heading":
        return kept
    return [Block("heading", clean(title), 1), *kept]


def render(blocks: Sequence[Block]) -> str:
    """The canonical text: one block per line, an empty line before each heading but the first."""
    lines: list[str] = []
    for block in blocks:
        if block.kind == "heading" and lines:
            lines.append("")
        lines.append(block.line())
    return "\n".join(lines) + "\n"


def cut(blocks: Sequence[Block]) -> tuple[Span, ...]:
    """The passages of `render(blocks)`: a table row alone, prose in groups of at most `PASSAGE_WORDS`.

    Short sections that follow each other become one passage, with the headings that they do not share in its text: a
    few words alone do not say what they are about.
    """
    spans: list[Span] = []
    group: list[_Piece] = []  # prose that waits to become a passage

    def close() -> None:
        if group:
            spans.append(_joined(group))
        group.clear()

    for piece in _read(blocks):
        if piece.row:
            close()
            heading = " > ".join([*(h.block.text for h in piece.path), *piece.row.context])
            spans.append(Span(piece.start, piece.end, heading, "row", piece.row.cells))
            continue
        if group and not _joins(group, piece, spans[-1].end if spans else 0):
            close()
        group.append(piece)
    close()
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int  # of its line
    block: Block


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line, or a part of a long one, with the headings above it."""

    start: int
    end: int
    words: int
    path: tuple[_Heading, ...]
    row: Block | None = None


def _read(blocks: Sequence[Block]) -> Iterator[_Piece]:
    path: tuple[_Heading, ...] = ()
    position = 0
    for number, block in enumerate(blocks):
        start = position + (1 if block.kind == "heading" and number else 0)
        line = block.line()
        position = start + len(line) + 1
        if block.kind == "heading":
            path = (*(h for h in path if h.block.level < block.level), _Heading(start, block))
        elif block.kind == "row":
            yield _Piece(start, start + len(line), 0, path, row=block)
        else:
            for first, last in _pieces(line, start):
                yield _Piece(first, last, len(line[first - start : last - start].split()), path)


def _joins(group: Sequence[_Piece], piece: _Piece, taken: int) -> bool:
    """Whether a piece fits a group: not too many words, and no heading above a passage that is already closed.

    `taken` is where the last passage ends.
    """
    if sum(p.words for p in (*group, piece)) > PASSAGE_WORDS:
        return False
    own = _unshared([*group, piece])
    return not own or own[0].start >= taken


def _joined(group: Sequence[_Piece]) -> Span:
    """One passage under the headings that its pieces share; it begins with the first heading that they do not."""
    first, own = group[0], _unshared(group)
    shared = first.path[: len(first.path) - len(own)]
    heading = " > ".join(h.block.text for h in shared)
    return Span(own[0].start if own else first.start, group[-1].end, heading, "prose")


def _unshared(group: Sequence[_Piece]) -> tuple[_Heading, ...]:
    """The headings above the first piece that are not above all."""
    first = group[0]
    return tuple(h for h in first.path if not all(h in piece.path for piece in group))


def _pieces(line: str, start: int) -> list[tuple[int, int]]:
    """Offsets of a line, split at sentence ends where it is very long."""
    if len(line) <= _LONGEST_BLOCK:
        return [(start, start + len(line))]
    splitter = RecursiveCharacterTextSplitter(
        separators=[". ", "; ", " ", ""],
        keep_separator="end",
        chunk_size=_LONGEST_BLOCK // 2,
        chunk_overlap=0,
        add_start_index=True,
        strip_whitespace=True,
    )
    found = splitter.create_documents([line])
    return [(start + d.metadata["start_index"], start + d.metadata["start_index"] + len(d.page_content)) for d in found]
