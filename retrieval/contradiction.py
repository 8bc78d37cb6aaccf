"""When two documents say different things: what settles it, and what has to be told."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.figures import CURRENCIES, DATE, figures
from retrieval.units import Unit


def _stated(unit: Unit) -> dict[str, set[str]]:
    """What is counted -> the numbers of it; in a table row a bare amount is of the currency that another cell names."""
    currency = next((cell.value for cell in unit.cells if cell.value in CURRENCIES), "")
    amounts = " | ".join(f"{cell.value} {currency}" for cell in unit.cells if currency and "." in cell.value)
    found: dict[str, set[str]] = {}
    for figure in figures(f"{unit.text} | {amounts}"):
        if figure.unit and figure.unit != DATE:
            found.setdefault(figure.unit, set()).add(figure.value)
    return found


def rivals(best: Unit, other: Unit) -> bool:
    """Do two units of different documents give different numbers of the same kind?"""
    if best.version.doc_id == other.version.doc_id:
        return False
    if best.cells and other.cells and best.cells[0] != other.cells[0]:
        return False  # rows about different things
    mine, theirs = _stated(best), _stated(other)
    shared = mine.keys() & theirs.keys()
    return bool(shared) and all(mine[kind].isdisjoint(theirs[kind]) for kind in shared)


def settled(ranked: Sequence[Unit], margin: float) -> list[Unit]:
    """Drop what a document of higher precedence contradicts, among the units that come near the best."""
    near = [u for u in ranked if u.score >= ranked[0].score - margin]
    beaten = {u for u in near for other in near if other.version.precedence > u.version.precedence and rivals(other, u)}
    return [u for u in ranked if not any(u is one or one.within(u.whole) for one in beaten)]
