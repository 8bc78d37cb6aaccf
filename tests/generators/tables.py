"""Tables as grids of cells, with the facts that they state. Each format writes them in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.generators.content import Content, Fact


@dataclass(frozen=True)
class Cell:
    """A cell and how many columns and rows it spans. A line break in its text is one on the page."""

    text: str
    columns: int = 1
    rows: int = 1
    head: bool = False


@dataclass
class Grid:
    """Rows of cells as HTML counts them: a cell that another one covers is absent."""

    kind: str
    rows: list[list[Cell]]
    heads: int = 1  # header rows
    spans: bool = field(init=False)

    def __post_init__(self) -> None:
        self.spans = any(c.columns > 1 or c.rows > 1 for row in self.rows for c in row)

    @property
    def width(self) -> int:
        return sum(cell.columns for cell in self.rows[0])

    def placed(self) -> Iterator[tuple[int, int, Cell]]:
        """Each cell with its row and column."""
        taken: set[tuple[int, int]] = set()
        for y, row in enumerate(self.rows):
            x = 0
            for cell in row:
                while (y, x) in taken:
                    x += 1
                yield y, x, cell
                taken |= {(y + dy, x + dx) for dy in range(cell.rows) for dx in range(cell.columns)}
                x += cell.columns


def head(texts: Sequence[str]) -> list[Cell]:
    return [Cell(text, head=True) for text in texts]


def record(content: Content, grid: Grid) -> Grid:
    """Record all that a grid shows."""
    for row in grid.rows:
        for cell in row:
            content.cell(cell.text)
    return grid


def plain(content: Content, columns: Sequence[str] | None = None) -> Grid:
    """A header and rows whose first cell names them."""
    columns = columns or [content.name() for _ in range(content.random.randrange(2, 5))]
    corner = content.name()
    rows = [head([corner, *columns])]
    for _ in range(content.random.randrange(2, 6)):
        label = content.name()
        values = [content.price() for _ in columns]
        rows.append([Cell(label), *(Cell(v) for v in values)])
        content.rows += [Fact((label,), (c,), v, (tuple(columns),)) for c, v in zip(columns, values, strict=True)]
    return Grid("plain", rows)


def years(content: Content) -> Grid:
    """Column names that are numbers."""
    first = content.random.randrange(2019, 2028)
    grid = plain(content, [str(first + i) for i in range(3)])
    return Grid("years", grid.rows)


def titled(content: Content) -> Grid:
    """A title over all columns above the header."""
    grid = plain(content)
    return Grid("titled", [[Cell(content.sentence(), columns=grid.width, head=True)], *grid.rows], heads=2)


def two_headers(content: Content) -> Grid:
    """A header of two rows: each group of columns has the same names under it."""
    groups, under = [content.name() for _ in range(2)], [content.name() for _ in range(2)]
    top = [Cell(content.name(), rows=2, head=True), *(Cell(g, columns=2, head=True) for g in groups)]
    rows = [top, head(under * 2)]
    for _ in range(content.random.randrange(2, 5)):
        label, values = content.name(), [content.price() for _ in range(4)]
        rows.append([Cell(label), *(Cell(v) for v in values)])
        paths = [(g, u) for g in groups for u in under]
        levels = (tuple(groups), tuple(under))
        content.rows += [Fact((label,), path, v, levels) for path, v in zip(paths, values, strict=True)]
    return Grid("two_headers", rows, heads=2)


def tall_labels(content: Content) -> Grid:
    """A row's name that goes over several rows."""
    columns = [content.name() for _ in range(2)]
    rows = [head([content.name(), content.name(), *columns])]
    for _ in range(2):
        zone, height = content.name(), content.random.randrange(2, 4)
        for step in range(height):
            label, values = content.name(), [content.price() for _ in columns]
            first = [Cell(zone, rows=height)] if step == 0 else []
            rows.append([*first, Cell(label), *(Cell(v) for v in values)])
            facts = zip(columns, values, strict=True)
            content.rows += [Fact((zone, label), (c,), v, (tuple(columns),)) for c, v in facts]
    return Grid("tall_labels", rows)


def wide_value(content: Content) -> Grid:
    """A value that holds for two columns, and one that holds for two rows."""
    columns = [content.name() for _ in range(3)]
    labels = [content.name() for _ in range(3)]
    wide, tall, values = content.price(), content.price(), [content.price() for _ in range(6)]
    rows = [
        head([content.name(), *columns]),
        [Cell(labels[0]), Cell(wide, columns=2), Cell(values[0])],
        [Cell(labels[1]), Cell(values[1]), Cell(values[2]), Cell(tall, rows=2)],
        [Cell(labels[2]), Cell(values[3]), Cell(values[4])],
    ]
    content.rows += [
        Fact((labels[0],), (columns[0],), wide),
        Fact((labels[0],), (columns[1],), wide),
        Fact((labels[0],), (columns[2],), values[0], (tuple(columns),)),
        Fact((labels[1],), (columns[2],), tall, (tuple(columns),)),
        Fact((labels[2],), (columns[2],), tall, (tuple(columns),)),
        Fact((labels[2],), (columns[1],), values[4], (tuple(columns),)),
    ]
    return Grid("wide_value", rows)


def pairs(content: Content) -> Grid:
    """Labels and values without a header."""
    labels = tuple(content.name() for _ in range(content.random.randrange(2, 6)))
    rows = []
    for label in labels:
        value = content.random.choice([content.price, content.time, content.percent])()
        value = f"{value} {content.token()}"
        rows.append([Cell(label), Cell(value)])
        content.rows.append(Fact((), (label,), value, (labels,)))
    return Grid("pairs", rows, heads=0)


def gaps(content: Content) -> Grid:
    """Empty cells: the corner, some values, and one column without any value."""
    columns = [content.name() for _ in range(3)]
    rows = [head(["", *columns])]
    for number in range(3):
        label, value = content.name(), content.price()
        filled = content.random.randrange(2)
        rows.append([Cell(label), *(Cell(value if i == filled else "") for i in range(2)), Cell("")])
        content.rows.append(Fact((label,), (columns[filled],), value, (tuple(columns),)))
        if number == 0:  # both of the first two columns have a value somewhere
            other = content.price()
            rows[-1][2 - filled] = Cell(other)
            content.rows.append(Fact((label,), (columns[1 - filled],), other, (tuple(columns),)))
    return Grid("gaps", rows)


def hard_cells(content: Content) -> Grid:
    """Cells with the signs that the stored text uses itself, and with line breaks."""
    columns = [content.name() for _ in range(3)]
    rows = [head([content.name(), *columns])]
    for _ in range(3):
        label = content.name()
        values = [
            f"{content.token()}; {columns[0].split()[0]}: {content.token()}",
            f"{content.price()} | {content.token()}",
            f"{content.price()}\n{content.token()} included",
        ]
        rows.append([Cell(label), *(Cell(v) for v in values)])
        content.rows += [Fact((label,), (columns[i],), values[i]) for i in range(3)]
    return Grid("hard_cells", rows)


def sections(content: Content) -> Grid:
    """Rows of one cell between the others, which name the rows below them."""
    columns = [content.name() for _ in range(2)]
    rows = [head([content.name(), *columns])]
    for _ in range(2):
        rows.append([Cell(content.name(), columns=3)])
        for _ in range(2):
            label, values = content.name(), [content.price() for _ in columns]
            rows.append([Cell(label), *(Cell(v) for v in values)])
            facts = zip(columns, values, strict=True)
            content.rows += [Fact((label,), (c,), v, (tuple(columns),)) for c, v in facts]
    return Grid("sections", rows)


def box(content: Content) -> Grid:
    """One cell around a notice."""
    text = content.sentence()
    content.phrases.append(text)
    return Grid("box", [[Cell(text)]], heads=0)


KINDS: tuple[Callable[[Content], Grid], ...] = (
    plain,
    years,
    titled,
    two_headers,
    tall_labels,
    wide_value,
    pairs,
    gaps,
    hard_cells,
    sections,
    box,
)


def table(content: Content, kinds: Sequence[Callable[[Content], Grid]] = KINDS) -> Grid:
    """A table of a random kind; the feature that is blamed for its words is named after it."""
    kind = content.random.choice(kinds)
    feature, content.feature = content.feature, f"{content.feature}: {kind.__name__}"
    grid = record(content, kind(content))
    content.feature = feature
    return grid
