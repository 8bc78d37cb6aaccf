"""Blocks: what every reader turns a file into (headings, paragraphs, list items, table rows), and their text.

`render` writes the text that is stored, cited and hashed: NFC, LF, one block per line; a table row is a line that names
its columns. `ingest.passages` cuts it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from retrieval.contents import Cell, LeftOut

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
