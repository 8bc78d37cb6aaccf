"""Passages of a canonical text: what is embedded, searched and cited from. Offsets are Unicode code points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from langchain_text_splitters import RecursiveCharacterTextSplitter

from ingest.blocks import Block
from retrieval.contents import Span

PASSAGE_WORDS = 120  # the length at which plain retrieval was measured best on long policy documents
_LONGEST_BLOCK = 1200  # characters; a longer paragraph is split at sentence ends


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
