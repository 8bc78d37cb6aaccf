"""Contradictions between documents: which units state different numbers, and which document takes precedence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from retrieval.contents import Cell
from retrieval.quantities import APART, CURRENCIES, DATE, figure_of, figures, unit_of
from retrieval.units import Unit

_NOT_AMOUNTS = frozenset({"date", "release", "version"})  # columns of numbers that look like prices: `3.12`


def numbers_in(unit: Unit) -> dict[str, set[str]]:
    """What is counted -> its numbers, in one spelling: `5 business days` is {"business day": {"5"}}.

    In a table row with one cell that names a currency, such as `EUR`, bare amounts are of that currency.
    """
    text = unit.text
    currencies = [name for cell in unit.cells if (name := unit_of(cell.value)) in CURRENCIES]
    if len(currencies) == 1:
        text = APART.join([text, *(f"{cell.value} {currencies[0]}" for cell in unit.cells if _is_amount(cell))])
    found: dict[str, set[str]] = {}
    for figure in figures(text):
        if figure.unit and figure.unit != DATE:
            found.setdefault(figure.unit, set()).add(figure.value)
    return found


def _is_amount(cell: Cell) -> bool:
    """Whether a cell is a bare number whose column does not name another unit, as `Minimum users` does.

    What comes after `per` is ignored: a price per user, a price a month and a price/user are prices.
    """
    figure = figure_of(cell.value)
    if figure is None or figure.unit or not re.fullmatch(r"\d+(?:\.\d+)?", figure.value):  # a time, or a version
        return False
    words = re.findall(r"\w+", re.split(r"\b(?:per|an?|each|every)\b|/", cell.column.casefold())[0])
    return not any(word in _NOT_AMOUNTS or unit_of(word) not in {"", *CURRENCIES} for word in words)


def rivals(best: Unit, other: Unit, numbers: Callable[[Unit], dict[str, set[str]]] = numbers_in) -> bool:
    """Do two units of different documents give different numbers of the same kind?

    To compare many pairs, pass a cached `numbers_in` as `numbers`.
    """
    if best.version.doc_id == other.version.doc_id:
        return False
    if best.cells and other.cells:
        return _rows_differ(best.cells, other.cells)
    mine, theirs = numbers(best), numbers(other)
    shared = mine.keys() & theirs.keys()
    return bool(shared) and all(mine[kind].isdisjoint(theirs[kind]) for kind in shared)


def _rows_differ(one: Sequence[Cell], other: Sequence[Cell]) -> bool:
    """Whether two rows are about the same thing, by their cells without numbers, and differ in a number."""
    mine, theirs = ({cell.column.casefold(): cell.value for cell in cells} for cells in (one, other))
    shared = mine.keys() & theirs.keys()
    numbers = {column for column in shared if figures(mine[column]) and figures(theirs[column])}
    same = [mine[column].casefold() == theirs[column].casefold() for column in shared - numbers]
    return bool(same) and all(same) and any(figures(mine[c]).isdisjoint(figures(theirs[c])) for c in numbers)


def settled(ranked: Sequence[Unit], margin: float, alike: Callable[[Unit, Unit], bool]) -> list[Unit]:
    """Drop what a document of higher precedence contradicts, among the units that come near the best.

    Args:
        ranked: best first.
        margin: how far below the best a unit may lie.
        alike: whether two units are about the same subject.
    """
    near = [u for u in ranked if u.score >= ranked[0].score - margin]
    beaten = {
        u
        for u in near
        for other in near
        if other.version.precedence > u.version.precedence and rivals(other, u) and alike(other, u)
    }
    return [u for u in ranked if not any(u is one or one.within(u.whole) for one in beaten)]
