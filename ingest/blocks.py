"""The canonical text of a document, and its passages.

Every reader turns a file into blocks (headings, paragraphs, list items, table rows); `render` makes the one text that
is stored, cited and hashed: NFC, LF, a block a line, a table row a line that names its columns. `cut` finds the
passages in it. Offsets are Unicode code points of that text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from langchain_text_splitters import RecursiveCharacterTextSplitter

from retrieval.contents import Span

PASSAGE_WORDS = 120  # the length at which plain retrieval was measured best on long policy documents
_LONGEST_BLOCK = 1200  # characters; a longer paragraph is split at sentence ends


@dataclass(frozen=True, slots=True)
class Block:
    """One line of the canonical text. `level` is the depth of a heading, 0 for everything else."""

    kind: str  # "heading", "paragraph", "item" or "row"
    text: str
    level: int = 0

    def line(self) -> str:
        """The block as it stands in the canonical text."""
        marks = {"heading": "#" * self.level + " ", "item": "- "}
        return marks.get(self.kind, "") + self.text


def clean(text: str) -> str:
    """One line of NFC text: control characters dropped, white space folded."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(c if c.isprintable() or c.isspace() else "" for c in text)
    return re.sub(r"\s+", " ", text).strip()


def row_block(header: Sequence[str], cells: Sequence[str]) -> Block:
    """A table row that names its columns: `Plan: Team; Currency: EUR`. Empty cells say nothing and are left out."""
    pairs = [(clean(h), clean(c)) for h, c in zip(header, cells, strict=False)]
    return Block("row", "; ".join(f"{h}: {c}" if h else c for h, c in pairs if c))


def with_title(blocks: Iterable[Block], title: str) -> list[Block]:
    """Blocks that begin with a heading: the document's own, or its title."""
    kept = [b for b in blocks if b.text]
    if kept and kept[0].kind == "heading":
        return kept
    return [Block("heading", clean(title), 1), *kept]


def render(blocks: Sequence[Block]) -> str:
    """The canonical text: a block a line, a blank line before each heading but the first."""
    lines: list[str] = []
    for block in blocks:
        if block.kind == "heading" and lines:
            lines.append("")
        lines.append(block.line())
    return "\n".join(lines) + "\n"


def cut(blocks: Sequence[Block]) -> tuple[Span, ...]:
    """The passages of `render(blocks)`: a table row alone, prose in groups of at most `PASSAGE_WORDS`.

    Short sections that follow each other are one passage, with the headings that they do not share in its text: a few
    words alone say too little of what they are about.
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
            spans.append(Span(piece.start, piece.end, _heading(piece.path), "row"))
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
    row: bool = False


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
            yield _Piece(start, start + len(line), 0, path, row=True)
        else:
            for first, last in _pieces(line, start):
                yield _Piece(first, last, len(line[first - start : last - start].split()), path)


def _joins(group: Sequence[_Piece], piece: _Piece, taken: int) -> bool:
    """May a piece stand with others? Not too many words, and not from a heading on behind which another passage stands.

    `taken`: where the last passage ends.
    """
    if sum(p.words for p in (*group, piece)) > PASSAGE_WORDS:
        return False
    own = _unshared([*group, piece])
    return not own or own[0].start >= taken


def _joined(group: Sequence[_Piece]) -> Span:
    """One passage under the headings that its pieces share; it begins with the first heading that they do not."""
    first, own = group[0], _unshared(group)
    shared = first.path[: len(first.path) - len(own)]
    return Span(own[0].start if own else first.start, group[-1].end, _heading(shared), "prose")


def _unshared(group: Sequence[_Piece]) -> tuple[_Heading, ...]:
    """The headings above the first piece that are not above all."""
    first = group[0]
    return tuple(h for h in first.path if not all(h in piece.path for piece in group))


def _heading(path: Sequence[_Heading]) -> str:
    return " > ".join(h.block.text for h in path)


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
